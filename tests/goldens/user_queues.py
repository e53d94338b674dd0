"""Scenarios of queues that users make themselves, with runners and threads of their own."""

from __future__ import annotations

import threading

from harness import as_multiset, drain, fetch, initialize, join, raised, scenario, session, static


def run_with_runner(tf, queue, enqueue_ops, fetches, limit=100):
    """`tf.train.QueueRunner` by hand: create_threads, fetch, stop, join."""
    runner = tf.train.QueueRunner(queue, enqueue_ops)
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = runner.create_threads(sess, coord=coord, start=True)
        outcome = fetch(lambda: sess.run(fetches), limit)
        outcome["joined"] = join(coord, threads)
    return outcome


@scenario
def fifo_queue_with_a_runner(tf, files):
    number = tf.Variable(0, trainable=False).count_up_to(10)
    queue = tf.FIFOQueue(4, [tf.int32], shapes=[[]])
    return run_with_runner(tf, queue, [queue.enqueue(number)], queue.dequeue())


@scenario
def random_shuffle_queue_with_four_threads(tf, files):
    number = tf.Variable(0, trainable=False).count_up_to(40)
    queue = tf.RandomShuffleQueue(20, 10, [tf.int32], shapes=[[]], seed=1)
    dequeued = queue.dequeue_many(8)
    return as_multiset(run_with_runner(tf, queue, [queue.enqueue(number)] * 4, dequeued))


@scenario
def random_shuffle_queue_added_to_the_collection(tf, files):
    number = tf.Variable(0, trainable=False).count_up_to(40)
    queue = tf.RandomShuffleQueue(20, 10, [tf.int32], shapes=[[]])
    runner = tf.train.QueueRunner(queue, [queue.enqueue(number)] * 4)
    tf.train.add_queue_runner(runner)
    return as_multiset(drain(tf, queue.dequeue_up_to(8)))


@scenario
def padding_fifo_queue(tf, files):
    count = tf.Variable(0, trainable=False).count_up_to(6)
    queue = tf.PaddingFIFOQueue(10, [tf.int32], shapes=[[None]])
    dequeued = queue.dequeue_many(3)
    outcome = run_with_runner(tf, queue, [queue.enqueue(tf.range(count))], dequeued)
    return {"static": static(dequeued), **outcome}


@scenario
def priority_queue(tf, files):
    queue = tf.PriorityQueue(10, [tf.string], shapes=[[]])
    fill = queue.enqueue_many([[3, 1, 2], ["three", "one", "two"]])
    priority, word = queue.dequeue()
    with session(tf) as sess:
        sess.run(fill)
        sess.run(queue.close())
        return fetch(lambda: sess.run([priority, word]), 10)


@scenario
def fifo_queue_from_a_thread_with_placeholders(tf, files):
    number = tf.placeholder(tf.int32, [])
    queue = tf.FIFOQueue(5, [tf.int32], shapes=[[]])
    enqueue, close, dequeued = queue.enqueue(number), queue.close(), queue.dequeue_many(4)
    with session(tf) as sess:

        def fill():
            for value in range(20):
                sess.run(enqueue, {number: value})
            sess.run(close)

        thread = threading.Thread(target=fill, daemon=True)
        thread.start()
        outcome = fetch(lambda: sess.run(dequeued), 10)
        thread.join(10)
        return {**outcome, "alive": thread.is_alive()}


@scenario
def closing_wakes_a_blocked_enqueue(tf, files):
    queue = tf.FIFOQueue(1, [tf.int32], shapes=[[]])
    enqueue = queue.enqueue(1)
    cancel = queue.close(cancel_pending_enqueues=True)
    seen = []
    with session(tf) as sess:
        sess.run(enqueue)
        thread = threading.Thread(target=lambda: seen.append(raised(lambda: sess.run(enqueue))))
        thread.start()
        thread.join(0.2)  # it waits for room by now, or finds the queue closed: the same error
        sess.run(cancel)
        thread.join(10)
    return {"blocked enqueue": seen}


@scenario
def batch_on_a_dequeued_element(tf, files):
    number = tf.Variable(0, trainable=False).count_up_to(10)
    queue = tf.FIFOQueue(4, [tf.int32], shapes=[[]])
    tf.train.add_queue_runner(tf.train.QueueRunner(queue, [queue.enqueue(number)]))
    batched = tf.train.batch([queue.dequeue() * 2], 4, allow_smaller_final_batch=True)
    return {"static": static(batched), **drain(tf, batched)}


@scenario
def shuffle_batch_on_a_dequeued_element(tf, files):
    number = tf.Variable(0, trainable=False).count_up_to(30)
    queue = tf.FIFOQueue(4, [tf.int32], shapes=[[]])
    tf.train.add_queue_runner(tf.train.QueueRunner(queue, [queue.enqueue(number)]))
    batched = tf.train.shuffle_batch([queue.dequeue()], 4, 20, 10, allow_smaller_final_batch=True)
    return as_multiset(drain(tf, batched))


@scenario
def batch_on_a_users_queue_of_file_names(tf, files):
    queue = tf.FIFOQueue(10, [tf.string], shapes=[[]])
    fill = queue.enqueue_many([[str(files / "a.txt"), str(files / "b.txt")]])
    _, line = tf.TextLineReader().read(queue)
    batched = tf.train.batch([line], 2, allow_smaller_final_batch=True)
    with session(tf) as sess:
        initialize(tf, sess)
        sess.run(fill)
        sess.run(queue.close())
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        return {**fetch(lambda: sess.run(batched), 10), "joined": join(coord, threads)}


@scenario
def a_producer_fills_a_users_queue(tf, files):
    number = tf.train.range_input_producer(10, num_epochs=1, shuffle=False).dequeue()
    queue = tf.FIFOQueue(4, [tf.int32], shapes=[[]])
    tf.train.add_queue_runner(tf.train.QueueRunner(queue, [queue.enqueue(number)]))
    return drain(tf, queue.dequeue_many(5))


@scenario
def a_batch_fills_a_users_queue(tf, files):
    number = tf.train.range_input_producer(12, num_epochs=1, shuffle=False).dequeue()
    batched = tf.train.batch([number], 3)
    queue = tf.RandomShuffleQueue(20, 4, [tf.int32], shapes=[[]])
    tf.train.add_queue_runner(tf.train.QueueRunner(queue, [queue.enqueue_many([batched])]))
    return as_multiset(drain(tf, queue.dequeue_many(6)))


@scenario
def a_runner_with_an_error(tf, files):
    queue = tf.FIFOQueue(4, [tf.float32], shapes=[[]])
    bad = tf.check_numerics(tf.constant(float("nan")), "not a number")
    return run_with_runner(tf, queue, [queue.enqueue(bad)], queue.dequeue())


@scenario
def queue_runner_without_ops(tf, files):
    queue = tf.FIFOQueue(4, [tf.int32])
    return raised(lambda: tf.train.QueueRunner(queue, []))
