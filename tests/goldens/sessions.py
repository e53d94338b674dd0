"""Scenarios of sessions, coordinators and supervisors around an input pipeline."""

from __future__ import annotations

import threading

from harness import (
    RUN_TIMEOUT_MS,
    drain,
    fetch,
    initialize,
    join,
    raised,
    scenario,
    session,
    static,
)


def numbers(tf, count=6, num_epochs=1, first=0):
    """`first`, `first + 1`, … as int32 scalars."""
    queue = tf.train.range_input_producer(count, num_epochs=num_epochs, shuffle=False)
    return queue.dequeue() + first


def config(tf):
    """As `harness.session`, for sessions that are made elsewhere."""
    return tf.ConfigProto(operation_timeout_in_ms=RUN_TIMEOUT_MS)


# ---------------------------------------------------------------- several of something


@scenario
def several_graphs(tf, files):
    outcomes = []
    for first in (0, 100):
        with tf.Graph().as_default():
            outcomes.append(drain(tf, tf.train.batch([numbers(tf, 4, first=first)], 2)))
    return {"outcomes": outcomes}


@scenario
def a_graph_that_is_not_the_default_one(tf, files):
    graph = tf.Graph()
    with graph.as_default():
        batched = tf.train.batch([numbers(tf, 4)], 2)
        initializer = tf.group(tf.global_variables_initializer(), tf.local_variables_initializer())
    with tf.Session(graph=graph, config=config(tf)) as sess:
        sess.run(initializer)
        coord = tf.train.Coordinator()
        with graph.as_default():
            threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        return {**fetch(lambda: sess.run(batched), 10), "joined": join(coord, threads)}


@scenario
def two_sessions_at_once(tf, files):
    # each has queues of its own
    batched = tf.train.batch([numbers(tf, 4)], 2)
    with session(tf) as one, session(tf) as two:
        coord = tf.train.Coordinator()
        threads = []
        for sess in (one, two):
            initialize(tf, sess)
            threads += tf.train.start_queue_runners(sess=sess, coord=coord)
        values = [sess.run(batched) for sess in (one, two, two, one)]
        ends = [fetch(lambda sess=sess: sess.run(batched), 2)["ended"] for sess in (one, two)]
        return {"values": values, "ends": ends, "joined": join(coord, threads)}


@scenario
def one_session_after_the_other(tf, files):
    batched = tf.train.batch([numbers(tf, 6)], 2)
    values = []
    for _ in range(2):
        with session(tf) as sess:
            initialize(tf, sess)
            coord = tf.train.Coordinator()
            threads = tf.train.start_queue_runners(sess=sess, coord=coord)
            values.append(sess.run(batched))
            coord.request_stop()
            coord.join(threads)
    return {"values": values}


@scenario
def reset_default_graph_between_two_runs(tf, files):
    # as in a notebook; in a thread of its own, which has no graph of the harness on its stack
    outcomes = []

    def cells():
        for count in (4, 6):
            tf.reset_default_graph()
            batched = tf.train.shuffle_batch([numbers(tf, count)], 2, 20, 3)
            outcome = drain(tf, batched)
            outcomes.append(sorted(int(v) for batch in outcome["values"] for v in batch))

    thread = threading.Thread(target=cells)
    thread.start()
    thread.join()
    return {"outcomes": outcomes}


@scenario
def the_runners_of_training_only(tf, files):
    # evaluation starts later, on a pipeline that stands in the same graph
    train = tf.train.batch([numbers(tf, 4, num_epochs=None)], 2)
    test = tf.train.batch([numbers(tf, 4, first=100)], 2)
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        values = [sess.run(train), sess.run(train)]
        outcome = fetch(lambda: sess.run(test), 10)
        return {"train": values, **outcome, "joined": join(coord, threads)}


@scenario
def a_pipeline_that_grows_after_the_start(tf, files):
    # endless, as runners that have ended already may be started again, into a closed queue
    first = tf.train.batch([numbers(tf, 4, num_epochs=None)], 2)
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        values = [sess.run(first)]
        second = tf.train.batch([numbers(tf, 4, first=100)], 2)
        sess.run(tf.local_variables_initializer())
        threads += tf.train.start_queue_runners(sess=sess, coord=coord)
        values += [sess.run(second), sess.run(first)]
        return {"values": values, "joined": join(coord, threads)}


@scenario
def two_sessions_on_one_server_share_a_queue(tf, files):
    # shared_name: both take from one queue
    server = tf.train.Server.create_local_server()
    names = tf.constant(["a", "b", "c", "d", "e", "f"])
    queue = tf.train.string_input_producer(names, num_epochs=1, shuffle=False, shared_name="shared")
    element = queue.dequeue()
    with tf.Session(server.target, config=config(tf)) as one:
        with tf.Session(server.target, config=config(tf)) as two:
            initialize(tf, one)
            coord = tf.train.Coordinator()
            threads = tf.train.start_queue_runners(sess=one, coord=coord)
            values = [sess.run(element) for sess in (one, two, two, one, two, one)]
            ends = [fetch(lambda sess=sess: sess.run(element), 1)["ended"] for sess in (one, two)]
            return {"values": values, "ends": ends, "joined": join(coord, threads)}


# ---------------------------------------------------------------- how it ends


@scenario
def the_coordinator_is_told_to_stop_early(tf, files):
    batched = tf.train.batch([numbers(tf, num_epochs=None)], 2)
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        values = []
        while not coord.should_stop():
            values.append(sess.run(batched))
            if len(values) == 3:
                coord.request_stop()
        coord.join(threads, stop_grace_period_secs=5)
        return {
            "values": values,
            "joined": coord.joined,
            "alive": [thread.is_alive() for thread in threads if thread.is_alive()],
        }


@scenario
def an_exception_of_the_program_comes_out_of_the_join(tf, files):
    batched = tf.train.batch([numbers(tf, num_epochs=None)], 2)
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        try:
            sess.run(batched)
            raise KeyError("of the program")
        except KeyError as error:
            coord.request_stop(error)
        return raised(lambda: coord.join(threads, stop_grace_period_secs=5), "of the program")


@scenario
def an_exception_in_a_feeding_thread_comes_out_of_the_join(tf, files):
    value = tf.placeholder(tf.int32, [])
    queue = tf.FIFOQueue(10, [tf.int32], shapes=[[]])
    enqueue, close = queue.enqueue(value), queue.close()
    batched = tf.train.batch([queue.dequeue()], 2)
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()

        def feed():
            with coord.stop_on_exception():
                try:
                    for number in range(5):
                        sess.run(enqueue, {value: number})
                    raise ValueError("no more lines")
                finally:
                    sess.run(close)

        thread = threading.Thread(target=feed, daemon=True)
        threads = [*tf.train.start_queue_runners(sess=sess, coord=coord), thread]
        thread.start()
        outcome = fetch(lambda: sess.run(batched), 10)
        return {"ended": outcome["ended"], **raised(lambda: coord.join(threads), "no more lines")}


@scenario
def the_session_closes_while_a_thread_waits_for_a_batch(tf, files):
    queue = tf.FIFOQueue(10, [tf.int32], shapes=[[]])
    batched = tf.train.batch([queue.dequeue()], 2)
    seen = []
    sess = session(tf)
    initialize(tf, sess)
    tf.train.start_queue_runners(sess=sess)
    thread = threading.Thread(target=lambda: seen.append(raised(lambda: sess.run(batched))))
    thread.start()
    thread.join(0.3)
    waited = thread.is_alive()
    sess.close()
    thread.join(10)
    return {"waited": waited, "seen": [bool(one["raises"]) for one in seen]}


@scenario
def a_closed_session_refuses(tf, files):
    batched = tf.train.batch([numbers(tf)], 2)
    sess = session(tf)
    initialize(tf, sess)
    tf.train.start_queue_runners(sess=sess)
    first = sess.run(batched)
    sess.close()
    return {"first": first, **raised(lambda: sess.run(batched), "closed")}


@scenario
def the_coordinator_stops_before_anything_was_read(tf, files):
    batched = tf.train.batch([numbers(tf, num_epochs=None)], 2)
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        joined = join(coord, threads)
        return {"joined": joined, "static": static(batched)}


@scenario
def an_error_while_starting_reaches_the_coordinator(tf, files):
    names = tf.Variable(["a", "b"], trainable=False)  # never initialized
    queue = tf.train.string_input_producer(names, num_epochs=1, shuffle=False)
    element = queue.dequeue()
    with session(tf) as sess:
        sess.run(tf.local_variables_initializer())
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        outcome = fetch(lambda: sess.run(element), 2)
        coord.wait_for_stop(2)
        return {
            "ended": outcome["ended"],
            "should stop": coord.should_stop(),
            **raised(lambda: coord.join(threads), "uninitialized"),
        }


@scenario
def should_stop_after_the_end_of_the_data(tf, files):
    batched = tf.train.batch([numbers(tf, 4)], 2)
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        outcome = fetch(lambda: sess.run(batched), 10)
        return {"should stop": coord.should_stop(), **outcome, "joined": join(coord, threads)}


@scenario
def dequeue_many_that_fails_at_the_end_leaves_its_elements(tf, files):
    queue = tf.train.range_input_producer(5, num_epochs=1, shuffle=False)
    many, single = queue.dequeue_many(3), queue.dequeue()
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        first = fetch(lambda: sess.run(many), 5)
        rest = fetch(lambda: sess.run(single), 5)
        return {"first": first, "rest": rest, "joined": join(coord, threads)}
