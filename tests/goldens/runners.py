"""Scenarios of starting: start_queue_runners, its variants, sessions that start by themselves."""

from __future__ import annotations

import threading

from harness import (
    RUN_TIMEOUT_MS,
    differs,
    drain,
    fetch,
    initialize,
    join,
    raised,
    scenario,
    session,
)


def numbers(tf, count=6, num_epochs=1):
    """0, 1, … as int32 scalars."""
    return tf.train.range_input_producer(count, num_epochs=num_epochs, shuffle=False).dequeue()


def config(tf):
    """As `harness.session`, for sessions that are made elsewhere."""
    return tf.ConfigProto(operation_timeout_in_ms=RUN_TIMEOUT_MS)


@differs("tf.data has threads of its own, so the list is empty", some=False)
def start_returns_threads(tf, files):
    tf.train.batch([numbers(tf)], 2)
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        return {
            "a list of threads": all(isinstance(thread, threading.Thread) for thread in threads),
            "some": bool(threads),
            "daemons": all(thread.daemon for thread in threads),
            "joined": join(coord, threads),
        }


@scenario
def start_without_arguments_in_an_interactive_session(tf, files):
    batched = tf.train.batch([numbers(tf)], 2)
    sess = tf.InteractiveSession(config=config(tf))
    initialize(tf, sess)
    tf.train.start_queue_runners()
    return fetch(lambda: batched.eval(), 10)


@scenario
def start_without_arguments_in_a_with_block(tf, files):
    dequeued = numbers(tf)
    with session(tf) as sess:
        initialize(tf, sess)
        tf.train.start_queue_runners()
        return fetch(lambda: sess.run(dequeued), 10)


@scenario
def start_without_a_session(tf, files):
    numbers(tf)
    return raised(lambda: tf.train.start_queue_runners(), "session")


@scenario
def start_with_something_that_is_no_session(tf, files):
    numbers(tf)
    return raised(lambda: tf.train.start_queue_runners(sess="session"), "session")


@scenario
def start_with_sess_and_positional_coord(tf, files):
    dequeued = numbers(tf)
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess, coord)
        return {**fetch(lambda: sess.run(dequeued), 10), "joined": join(coord, threads)}


@scenario
def start_without_a_coordinator(tf, files):
    batched = tf.train.batch([numbers(tf)], 2)
    with session(tf) as sess:
        initialize(tf, sess)
        tf.train.start_queue_runners(sess=sess)
        return fetch(lambda: sess.run(batched), 10)


@scenario
def start_twice(tf, files):
    # endless, as runners that have ended already may be started again
    batched = tf.train.batch([numbers(tf, num_epochs=None)], 2)
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        more = tf.train.start_queue_runners(sess=sess, coord=coord)
        outcome = fetch(lambda: sess.run(batched), 10)
        return {"more threads": len(more), **outcome, "joined": join(coord, threads)}


@scenario
def start_twice_in_the_middle(tf, files):
    batched = tf.train.batch([numbers(tf)], 2)
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        first = sess.run(batched)
        threads += tf.train.start_queue_runners(sess=sess, coord=coord)
        outcome = fetch(lambda: sess.run(batched), 10)
        return {"first": first, **outcome, "joined": join(coord, threads)}


@scenario
def start_before_the_initializer_of_the_model(tf, files):
    weight = tf.Variable(2, name="weight")
    batched = tf.train.batch([numbers(tf, num_epochs=None)], 2) * weight
    with session(tf) as sess:
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        initialize(tf, sess)
        return {**fetch(lambda: sess.run(batched), 4), "joined": join(coord, threads)}


@scenario
def start_before_the_graph_is_complete(tf, files):
    with session(tf) as sess:
        coord = tf.train.Coordinator()
        none = tf.train.start_queue_runners(sess=sess, coord=coord)
        batched = tf.train.batch([numbers(tf)], 2)
        initialize(tf, sess)
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        outcome = fetch(lambda: sess.run(batched), 10)
        return {"first start": len(none), **outcome, "joined": join(coord, threads)}


@scenario
def start_in_two_sessions(tf, files):
    batched = tf.train.batch([numbers(tf)], 2)
    return {"first": drain(tf, batched), "second": drain(tf, batched)}


@scenario
def not_started_threads_start_by_hand(tf, files):
    batched = tf.train.batch([numbers(tf)], 2)
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord, start=False)
        alive = any(thread.is_alive() for thread in threads)
        for thread in threads:
            thread.start()
        outcome = fetch(lambda: sess.run(batched), 10)
        return {"alive before": alive, **outcome, "joined": join(coord, threads)}


@scenario
def walk_the_collection(tf, files):
    batched = tf.train.batch([numbers(tf)], 2)
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = []
        for runner in tf.get_collection(tf.GraphKeys.QUEUE_RUNNERS):
            threads.extend(runner.create_threads(sess, coord=coord, daemon=True, start=True))
        outcome = fetch(lambda: sess.run(batched), 10)
        return {**outcome, "joined": join(coord, threads)}


@scenario
def another_collection_starts_nothing_of_ours(tf, files):
    numbers(tf)
    with session(tf) as sess:
        initialize(tf, sess)
        threads = tf.train.start_queue_runners(sess=sess, collection="nobody's")
        return {"threads": len(threads)}


@scenario
def monitored_training_session(tf, files):
    tf.train.get_or_create_global_step()
    batched = tf.train.batch([numbers(tf)], 2)
    values = []
    with tf.train.MonitoredTrainingSession(config=config(tf)) as sess:
        while not sess.should_stop():
            values.append(sess.run(batched))
    return {"values": values}


@scenario
def monitored_training_session_stopped_by_a_hook(tf, files):
    step = tf.train.get_or_create_global_step()
    batched = tf.train.batch([numbers(tf, num_epochs=None)], 2)
    with tf.control_dependencies([batched]):
        train = tf.assign_add(step, 1)
    values = []
    hooks = [tf.train.StopAtStepHook(last_step=4)]
    with tf.train.MonitoredTrainingSession(config=config(tf), hooks=hooks) as sess:
        while not sess.should_stop():
            values.append(sess.run([batched, train])[0])
    return {"values": values}


@scenario
def monitored_training_session_with_a_checkpoint(tf, files):
    step = tf.train.get_or_create_global_step()
    batched = tf.train.batch([numbers(tf, num_epochs=None)], 2)
    with tf.control_dependencies([batched]):
        train = tf.assign_add(step, 1)
    steps = []
    directory = str(files / "checkpoints")
    for last_step in (2, 4):
        hooks = [tf.train.StopAtStepHook(last_step=last_step)]
        with tf.train.MonitoredTrainingSession(
            checkpoint_dir=directory, config=config(tf), hooks=hooks
        ) as sess:
            while not sess.should_stop():
                steps.append(sess.run(train))
    return {"steps": steps}


@scenario
def singular_monitored_session(tf, files):
    batched = tf.train.batch([numbers(tf)], 2)
    values = []
    with tf.train.SingularMonitoredSession(config=config(tf)) as sess:
        while not sess.should_stop():
            values.append(sess.run(batched))
    return {"values": values}


@scenario
def supervisor(tf, files):
    batched = tf.train.batch([numbers(tf)], 2)
    values = []
    manager = tf.train.Supervisor(logdir=None)
    with manager.managed_session(config=config(tf)) as sess:
        while not manager.should_stop():
            values.append(sess.run(batched))
    return {"values": values}


@scenario
def coordinator_with_should_stop(tf, files):
    batched = tf.train.batch([numbers(tf, num_epochs=2)], 4)
    values, ended = [], "should_stop"
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        try:
            while not coord.should_stop():
                values.append(sess.run(batched))
        except tf.errors.OutOfRangeError:
            ended = "OutOfRangeError"
        finally:
            coord.request_stop()
        return {"values": values, "ended": ended, "joined": join(coord, threads)}


@scenario
def coordinator_stop_on_exception(tf, files):
    batched = tf.train.batch([numbers(tf)], 4)
    values = []
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        with coord.stop_on_exception():
            while not coord.should_stop():
                values.append(sess.run(batched))
        return {"values": values, **raised(lambda: coord.join(threads))}


@scenario
def the_session_closes_while_threads_run(tf, files):
    batched = tf.train.batch([numbers(tf, num_epochs=None)], 2)
    with session(tf) as sess:
        initialize(tf, sess)
        tf.train.start_queue_runners(sess=sess)
        values = [sess.run(batched) for _ in range(3)]
    return {"values": values}


@scenario
def threads_end_after_the_stop(tf, files):
    batched = tf.train.batch([numbers(tf, num_epochs=None)], 2)
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        sess.run(batched)
        joined = join(coord, threads)
        return {"joined": joined, "alive": any(thread.is_alive() for thread in threads)}


@differs(
    "an error in the input surfaces in session.run, in place of OutOfRangeError there",
    ended="FailedPreconditionError",
    joined=None,
)
def uninitialized_variable_in_the_preprocessing(tf, files):
    scale = tf.Variable(3, trainable=False)
    batched = tf.train.batch([numbers(tf, num_epochs=None) * scale], 2)
    with session(tf) as sess:
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        return {**fetch(lambda: sess.run(batched), 2), "joined": join(coord, threads)}
