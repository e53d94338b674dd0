"""Scenarios of a producer's state: its size, whether it is closed, what was put back."""

from __future__ import annotations

import time

import numpy as np
from harness import differs, fetch, initialize, join, raised, scenario, session, static
from producers import names


def sizes(tf, queue, steps):
    """How full the queue is, and whether it is closed, before the start and after each element."""
    element, size, closed = queue.dequeue(), queue.size(), queue.is_closed()
    seen = []
    with session(tf) as sess:
        initialize(tf, sess)
        seen.append(sess.run([size, closed]))
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        for _ in range(steps):
            seen.append(at_rest(lambda: sess.run([size, closed])))
            if fetch(lambda: sess.run(element), 1)["ended"] != "limit":
                seen.append("end")
        join(coord, threads)
    return seen


def at_rest(look):
    """What `look` returns once it returns the same for a while: TF1 fills queues in threads."""
    before, since = look(), time.monotonic()
    while time.monotonic() - since < 0.1:
        now = look()
        if now != before:
            before, since = now, time.monotonic()
    return before


@scenario
def size_of_an_endless_producer(tf, files):
    queue = tf.train.range_input_producer(3, shuffle=False, capacity=5)
    return {"static": static(queue.size()), "seen": sizes(tf, queue, 5)}


@scenario
def size_of_a_tensor_of_unknown_length(tf, files):
    strings = tf.as_string(tf.py_func(lambda: np.arange(3), [], tf.int64))
    queue = tf.train.string_input_producer(strings, num_epochs=1, capacity=2)
    return sizes(tf, queue, 4)


@scenario
def string_capacity_changes_the_size(tf, files):
    return {
        str(capacity): sizes(
            tf, tf.train.string_input_producer(names(3), num_epochs=1, capacity=capacity), 4
        )
        for capacity in (2, 32)
    }


@scenario
def range_capacity_changes_the_size(tf, files):
    return {
        str(capacity): sizes(tf, tf.train.range_input_producer(3, capacity=capacity), 4)
        for capacity in (2, 32)
    }


@scenario
def polling_the_size(tf, files):
    queue = tf.train.range_input_producer(4, num_epochs=2, shuffle=False)
    element, size = queue.dequeue(), queue.size()
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        at_rest(lambda: sess.run(size))
        values = []
        while sess.run(size) > 0:
            values.append(sess.run(element))
        return {"values": values, "joined": join(coord, threads)}


@scenario
def size_with_a_reader_and_a_batch(tf, files):
    queue = tf.train.string_input_producer([str(files / "a.txt")] * 3, num_epochs=1)
    size = queue.size()
    lines = tf.train.batch([tf.TextLineReader().read(queue)[1]], 1, allow_smaller_final_batch=True)
    with session(tf) as sess:
        initialize(tf, sess)
        before = sess.run(size)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        outcome = fetch(lambda: sess.run(lines), 1000)
        after = sess.run(size)
        return {
            "before": before,
            "after": after,
            "ended": outcome["ended"],
            "joined": join(coord, threads),
        }


@scenario
def size_counts_what_was_put_back(tf, files):
    queue = tf.train.range_input_producer(5, num_epochs=1, shuffle=False)
    many, one, size = queue.dequeue_many(3), queue.dequeue(), queue.size()
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        first = fetch(lambda: sess.run(many), 5)
        left = sess.run(size)
        rest = fetch(lambda: [sess.run(one), sess.run(size)], 5)
        return {"many": first, "left": left, "rest": rest, "joined": join(coord, threads)}


@scenario
def dequeue_many_of_a_tensor_then_fewer(tf, files):
    count = tf.placeholder(tf.int32, [])
    queue = tf.train.string_input_producer(names(7), num_epochs=1, shuffle=False)
    many, some = queue.dequeue_many(count), queue.dequeue_up_to(count)
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)

        def ask(op, number):
            outcome = fetch(lambda: sess.run(op, {count: number}), 1)
            return outcome["values"] or outcome["ended"]

        numbers = [ask(many, number) for number in (2, 0, 6, 3, 3)]
        numbers += [ask(some, number) for number in (0, 1, 5, 5)]
        negative = ask(many, -1)
        return {"asked": numbers, "negative": negative, "joined": join(coord, threads)}


@scenario
def dequeue_many_of_a_tensor_alone_then_fewer(tf, files):
    count = tf.placeholder(tf.int32, [])
    many = tf.train.range_input_producer(5, num_epochs=1, shuffle=False).dequeue_many(count)
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        asked = [fetch(lambda: sess.run(many, {count: n}), 1) for n in (3, 4, 2, 2)]  # noqa: B023
        return {"asked": asked, "joined": join(coord, threads)}


@scenario
def dequeue_many_of_a_wrong_number(tf, files):
    queue = tf.train.range_input_producer(3)
    return {
        "many": raised(lambda: queue.dequeue_many(-1), "must be >= 0"),
        "not whole": raised(lambda: queue.dequeue_many(2.5))["raises"],
    }


@scenario
def two_dequeue_many_at_the_end(tf, files):
    queue = tf.train.range_input_producer(8, num_epochs=1, shuffle=False)
    five, two, up_to = queue.dequeue_many(5), queue.dequeue_many(2), queue.dequeue_up_to(4)
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        taken = [fetch(lambda: sess.run(op), 1) for op in (five, five, two, two, up_to, up_to)]  # noqa: B023
        return {"taken": taken, "joined": join(coord, threads)}


@differs(
    "the counter of epochs moves when elements are taken, not when they are put in",
    **{"after start": 0},
)
def the_counter_of_epochs(tf, files):
    queue = tf.train.range_input_producer(3, num_epochs=4, shuffle=False)
    element = queue.dequeue()
    counter = tf.get_default_graph().get_tensor_by_name("input_producer/limit_epochs/epochs:0")
    (variable,) = tf.local_variables()
    with session(tf) as sess:
        sess.run(tf.local_variables_initializer())
        before = sess.run(counter)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        started = at_rest(lambda: sess.run(counter))
        values = fetch(lambda: sess.run(element), 100)
        return {
            "name": variable.op.name,
            "dtype": variable.dtype.base_dtype.name,
            "trainable": len(tf.trainable_variables()),
            "before": before,
            "after start": started,
            **values,
            "after": sess.run([counter, variable]),
            "joined": join(coord, threads),
        }


@scenario
def the_counter_of_epochs_in_a_saver(tf, files):
    tf.train.range_input_producer(3, num_epochs=4)
    return {"saved": raised(tf.train.Saver)["raises"], "global": len(tf.global_variables())}
