"""Scenarios of slice_input_producer."""

from __future__ import annotations

import numpy as np
from bad_input import SURFACES
from harness import differs, drain, fetch, initialize, join, raised, scenario, session, static

IMAGES = np.arange(24, dtype=np.float32).reshape(6, 2, 2)
LABELS = np.arange(6) * 10
NAMES = [f"n{index}" for index in range(6)]


@scenario
def slice_input_producer_tensor_list(tf, files):
    slices = tf.train.slice_input_producer(
        [IMAGES, tf.constant(LABELS), NAMES], num_epochs=1, shuffle=False
    )
    return {"static": static(slices), **drain(tf, slices)}


@scenario
def slice_input_producer_in_a_batch(tf, files):
    image, label, name = tf.train.slice_input_producer(
        (IMAGES, LABELS, NAMES), num_epochs=2, shuffle=False
    )
    batch = tf.train.batch([image * 2, label, name], 4, allow_smaller_final_batch=True)
    return {"static": static(batch), **drain(tf, batch)}


@scenario
def slice_input_producer_num_epochs(tf, files):
    return {
        str(number): drain(
            tf, tf.train.slice_input_producer([LABELS], num_epochs=number, shuffle=False)
        )
        for number in (1, 3)
    }


@scenario
def slice_input_producer_shuffle_and_seed(tf, files):
    orders = {}
    for seed in (5, 6):
        slices = tf.train.slice_input_producer([LABELS, NAMES], num_epochs=3, seed=seed)
        orders[str(seed)] = drain(tf, slices)["values"]
    slices = tf.train.slice_input_producer([LABELS], num_epochs=3, seed=5, shuffle=False)
    return {"orders": orders, "without": drain(tf, slices)["values"]}


@scenario
def slice_input_producer_with_the_graphs_seed(tf, files):
    tf.set_random_seed(2)
    first = tf.train.slice_input_producer([IMAGES, LABELS], num_epochs=1)[1]
    second = tf.train.slice_input_producer([LABELS], num_epochs=1)[0]
    return drain(tf, [first, second])


@scenario
def slice_input_producer_name_and_capacity(tf, files):
    slices = tf.train.slice_input_producer([LABELS, NAMES], num_epochs=1, name="mine", capacity=9)
    tf.train.slice_input_producer([LABELS])
    return {
        "ops": [element.op.name for element in slices],
        "local variables": [variable.op.name for variable in tf.local_variables()],
        "summaries": [op.op.name for op in tf.get_collection(tf.GraphKeys.SUMMARIES)],
    }


@scenario
def slice_input_producer_of_variables(tf, files):
    images = tf.placeholder(tf.float32, IMAGES.shape)
    image_variable = tf.Variable(images, trainable=False, collections=[])
    label_variable = tf.Variable(LABELS, trainable=False, collections=[])
    slices = tf.train.slice_input_producer(
        [image_variable, label_variable], num_epochs=1, shuffle=False
    )
    batch = tf.train.batch(slices, 4, allow_smaller_final_batch=True)
    with session(tf) as sess:
        initialize(tf, sess)
        sess.run(image_variable.initializer, {images: IMAGES})
        sess.run(label_variable.initializer)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        outcome = fetch(lambda: sess.run(batch), 10)
        return {**outcome, "joined": join(coord, threads)}


@scenario
def slice_input_producer_reads_a_variable_for_every_element(tf, files):
    values = tf.Variable([1, 2, 3])
    (element,) = tf.train.slice_input_producer([values], num_epochs=2, shuffle=False)
    add = tf.assign_add(values, [100, 100, 100])
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        seen = []
        for _ in range(4):
            seen.append(sess.run(element))
            sess.run(add)
        return {"values": seen, "joined": join(coord, threads)}


@scenario
def slice_input_producer_of_a_variable_not_initialized(tf, files):
    values = tf.Variable([1, 2, 3], collections=[])
    (element,) = tf.train.slice_input_producer([values], num_epochs=1, shuffle=False)
    return {"direct": drain(tf, element)["ended"]}


@scenario
def slice_input_producer_wrong_input(tf, files):
    def slices(tensors):
        return lambda: tf.train.slice_input_producer(tensors)

    return {
        "empty": raised(slices([]), "expected at least one tensor"),
        "scalars": raised(slices([1, 2]))["raises"],
        "array": raised(slices(IMAGES))["raises"],
        "epochs": raised(lambda: tf.train.slice_input_producer([LABELS], 0), "must be > 0"),
    }


@scenario
def slice_input_producer_of_different_lengths(tf, files):
    longer = tf.train.slice_input_producer([[1, 2], [1, 2, 3]], num_epochs=1, shuffle=False)
    shorter = tf.train.slice_input_producer([[1, 2, 3], [1, 2]], num_epochs=1, shuffle=False)
    return {"longer": drain(tf, longer), "shorter": drain(tf, shorter)}


@differs(SURFACES, ended="InvalidArgumentError", joined=None)
def slice_input_producer_of_different_lengths_in_a_batch(tf, files):
    shorter = tf.train.slice_input_producer([[1, 2, 3], [1, 2]], num_epochs=1, shuffle=False)
    return drain(tf, tf.train.batch(shorter, 1))


@scenario
def slice_input_producer_of_a_large_array(tf, files):
    rows = np.arange(60_000 * 7).reshape(60_000, 7)
    labels = np.arange(60_000) % 10
    slices = tf.train.slice_input_producer([rows, labels, rows[:, 0]], seed=1)
    batch = tf.train.batch(slices, 32)
    outcome = drain(tf, batch, limit=3)
    return {"first": [values[2] for values in outcome["values"]], "ended": outcome["ended"]}
