"""Scenarios of `dequeue_many(n)` and `dequeue_up_to(n)` for every kind of `n`, on every queue."""

from __future__ import annotations

from harness import fetch, initialize, join, plain, scenario, session, static


def numbers(tf, count=12):
    """A producer of 0, 1, …"""
    return tf.train.range_input_producer(count, num_epochs=1, shuffle=False)


def taken_by_number(tf, queue):
    """Nothing, before the start too; a number that is known; one that is fed; a negative one."""
    n = tf.placeholder(tf.int32, [])
    many, up_to = queue.dequeue_many, queue.dequeue_up_to
    of = {
        "many 0": many(0),
        "up to 0": up_to(0),
        "many": many(tf.constant(2)),
        "up to": up_to(tf.constant(2)),
        "up to -1": up_to(-1),
        "many fed": many(n),
        "up to fed": up_to(n),
    }
    outcome = {"static": [static(of[key]) for key in of]}
    with session(tf) as sess:
        initialize(tf, sess)

        def run(key, fed=0):
            return fetch(lambda: plain(sess.run(of[key], {n: fed})), 1)

        outcome["before the start"] = [run("many 0"), run("up to 0")]
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        outcome["taken"] = [run("many fed", 3), run("many"), run("up to"), run("up to -1")]
        outcome["taken"] += [
            run("many fed"),
            run("up to fed", 1),
            run("many 0"),
            run("many fed", -1),
        ]
        outcome["rest"] = fetch(lambda: plain(sess.run(of["up to fed"], {n: 3})), 10)
        outcome["after the end"] = [run("up to 0"), run("many fed"), run("many")]
        outcome["joined"] = join(coord, threads)
    return outcome


@scenario
def numbers_of_elements_of_a_producer(tf, files):
    return taken_by_number(tf, numbers(tf))


@scenario
def numbers_of_elements_of_a_users_queue(tf, files):
    number = numbers(tf).dequeue()
    queue = tf.FIFOQueue(20, [tf.int32, tf.string], shapes=[[], [2]])
    words = tf.fill([2], tf.as_string(number))
    tf.train.add_queue_runner(tf.train.QueueRunner(queue, [queue.enqueue([number, words])]))
    return taken_by_number(tf, queue)


@scenario
def slim_numbers_of_elements_of_a_prefetch_queue(tf, files):
    number = numbers(tf).dequeue()
    tensors = {"row": tf.range(number % 3), "number": number}
    prefetch_queue = tf.contrib.slim.prefetch_queue.prefetch_queue
    return taken_by_number(tf, prefetch_queue(tensors, dynamic_pad=True))
