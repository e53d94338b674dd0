"""Scenarios of limit_epochs and match_filenames_once."""

from __future__ import annotations

from bad_input import SURFACES
from harness import differs, drain, fetch, initialize, join, raised, scenario, session, static


@scenario
def limit_epochs_tensor_and_num_epochs(tf, files):
    limited = tf.train.limit_epochs(tf.constant([1.5, 2.5]), num_epochs=3)
    return {"static": static(limited), **drain(tf, tf.train.batch([limited], 1))}


@scenario
def limit_epochs_num_epochs_of_none(tf, files):
    limited = tf.train.limit_epochs(tf.constant(7))
    wrong = raised(lambda: tf.train.limit_epochs(tf.constant(7), 0), "num_epochs must be > 0")
    return {"wrong": wrong, **drain(tf, tf.train.batch([limited], 2), limit=5)}


@scenario
def limit_epochs_name(tf, files):
    tensor = tf.train.limit_epochs(tf.constant(7), 2, name="mine")
    return [tensor.op.name, [variable.op.name for variable in tf.local_variables()]]


@scenario
def limit_epochs_smaller_final_batch(tf, files):
    limited = tf.train.limit_epochs(tf.constant(7), 5)
    return drain(tf, tf.train.batch([limited], 2, allow_smaller_final_batch=True))


@differs(SURFACES, ended="FailedPreconditionError", joined=None)
def limit_epochs_without_initializer(tf, files):
    batch = tf.train.batch([tf.train.limit_epochs(tf.constant(7), 5)], 2)
    with session(tf) as sess:
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        outcome = fetch(lambda: sess.run(batch), 5)
        return {**outcome, "joined": join(coord, threads)}


@scenario
def match_filenames_once_pattern(tf, files):
    one = tf.train.match_filenames_once(str(files / "?.txt"))
    several = tf.train.match_filenames_once([str(files / "a.t*"), str(files / "nothing-*")])
    with session(tf) as sess:
        initialize(tf, sess)
        return [sess.run(one), sess.run(several)]


@scenario
def match_filenames_once_name(tf, files):
    variable = tf.train.match_filenames_once(str(files / "?.txt"), name="mine")
    return [variable.op.name, variable in tf.local_variables()]


@scenario
def match_filenames_once_in_a_pipeline(tf, files):
    found = tf.train.match_filenames_once(str(files / "?.txt"))
    queue = tf.train.string_input_producer(found, num_epochs=2, shuffle=False)
    return drain(tf, tf.train.batch([queue.dequeue()], 2, allow_smaller_final_batch=True))


@scenario
def match_filenames_once_of_nothing(tf, files):
    found = tf.train.match_filenames_once(str(files / "nothing-*"))
    queue = tf.train.string_input_producer(found, num_epochs=1)
    return drain(tf, queue.dequeue())


@scenario
def match_filenames_once_without_initializer(tf, files):
    found = tf.train.match_filenames_once(str(files / "?.txt"))
    batch = tf.train.batch([tf.train.string_input_producer(found).dequeue()], 2)
    with session(tf) as sess:
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        outcome = fetch(lambda: sess.run(batch), 5)
        return {**outcome, "joined": join(coord, threads)}
