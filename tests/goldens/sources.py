"""Scenarios of batches with no producer under them: Python functions, random ops, counters."""

from __future__ import annotations

import numpy as np
from harness import as_multiset, drain, scenario, static


def counter(tf, end=None, error=StopIteration, dtype="int64"):
    """A py_func that counts from 0, and raises at `end`."""
    state = {"next": 0}

    def count():
        value = state["next"]
        if value == end:
            raise error
        state["next"] += 1
        return value

    tensor = tf.py_func(count, [], tf.int64)
    tensor.set_shape([])
    return tensor, state


@scenario
def py_func_endless(tf, files):
    tensor, state = counter(tf)
    outcome = drain(tf, tf.train.batch([tensor], 3, capacity=4), limit=5)
    # delivered + capacity + num_threads + batch_size
    return {**outcome, "calls bounded": state["next"] <= 15 + 4 + 1 + 3}


@scenario
def py_func_stop_iteration(tf, files):
    tensor, _ = counter(tf, end=10)
    return drain(tf, tf.train.batch([tensor], 4))


@scenario
def py_func_stop_iteration_smaller_final_batch(tf, files):
    tensor, _ = counter(tf, end=10)
    return drain(tf, tf.train.batch([tensor], 4, allow_smaller_final_batch=True))


@scenario
def py_func_stop_iteration_shuffled(tf, files):
    tensor, _ = counter(tf, end=30)
    batched = tf.train.shuffle_batch([tensor], 4, 20, 10, allow_smaller_final_batch=True)
    return as_multiset(drain(tf, batched))


@scenario
def py_func_several_threads(tf, files):
    tensor, state = counter(tf)
    outcome = drain(tf, tf.train.batch([tensor], 2, num_threads=3, capacity=6), limit=20)
    values = sorted(int(value) for batch in outcome["values"] for value in batch)
    return {
        "ended": outcome["ended"],
        "each once": len(set(values)) == len(values) == 40,
        "calls bounded": state["next"] <= 40 + 6 + 3 + 2,
    }


@scenario
def py_func_run_without_a_batch(tf, files):
    tensor, state = counter(tf)
    return {**drain(tf, tensor, limit=3), "calls": state["next"]}


@scenario
def generator_with_two_outputs(tf, files):
    def examples():
        for index in range(5):
            yield index, [index * 0.5] * 2

    iterator = examples()

    def produce():
        index, values = next(iterator)
        return index, [float(value) for value in values]

    index, values = tf.py_func(
        lambda: _arrays(produce()), [], [tf.int64, tf.float64], name="produce"
    )
    index.set_shape([])
    values.set_shape([2])
    batched = tf.train.batch({"index": index, "values": values}, 2)
    return {"static": static(batched), **drain(tf, batched)}


def _arrays(pair):
    return np.int64(pair[0]), np.array(pair[1], np.float64)


@scenario
def random_with_a_seed(tf, files):
    tensor = tf.random_uniform([], 0, 1000, tf.int32, seed=5)
    return drain(tf, tf.train.batch([tensor], 3), limit=4)


@scenario
def random_with_both_seeds(tf, files):
    tf.set_random_seed(9)
    tensor = tf.random_uniform([2], 0, 1000, tf.int32, seed=5)
    return drain(tf, tf.train.batch([tensor], 3), limit=4)


@scenario
def random_is_drawn_for_every_element(tf, files):
    tensor = tf.random_uniform([], 0, 1 << 30, tf.int32)
    outcome = drain(tf, tf.train.batch([tensor], 8), limit=4)
    values = {int(value) for batch in outcome["values"] for value in batch}
    return {"ended": outcome["ended"], "different": len(values) == 32}


@scenario
def random_twins_with_equal_seeds_agree(tf, files):
    i = tf.train.range_input_producer(40, num_epochs=1, shuffle=False).dequeue()
    left = tf.random_uniform([], 0, 1000, tf.int32, seed=5)
    right = tf.random_uniform([], 0, 1000, tf.int32, seed=5)
    outcome = drain(tf, tf.train.batch([i, left, right], 8))
    return {"agree": all((a == b).all() for _, a, b in outcome["values"]), **outcome}


@scenario
def constants(tf, files):
    tensors = [tf.constant([1, 2]), tf.constant("x")]
    return drain(tf, tf.train.batch(tensors, 3), limit=2)


@scenario
def constants_enqueue_many(tf, files):
    return drain(tf, tf.train.batch([tf.constant([1, 2, 3])], 4, enqueue_many=True), limit=4)


@scenario
def counter_variable_until_its_limit(tf, files):
    number = tf.Variable(0, trainable=False).count_up_to(10)
    return drain(tf, tf.train.batch([number], 4, allow_smaller_final_batch=True))


@scenario
def variable_in_the_preprocessing(tf, files):
    scale = tf.Variable(3, trainable=False)
    i = tf.train.range_input_producer(6, num_epochs=1, shuffle=False).dequeue()
    return drain(tf, tf.train.batch([i * scale], 3))


@scenario
def gather_in_the_preprocessing(tf, files):
    i = tf.train.range_input_producer(4, num_epochs=1, shuffle=False).dequeue()
    words = tf.gather(tf.constant(["a", "b", "c", "a"]), i)
    onehot = tf.one_hot(tf.cast(tf.equal(words, "a"), tf.int32), 2)
    return drain(tf, tf.train.batch([words, onehot], 2))


@scenario
def cond_in_the_preprocessing(tf, files):
    i = tf.train.range_input_producer(6, num_epochs=1, shuffle=False).dequeue()
    chosen = tf.cond(i > 2, lambda: i * 10, lambda: -i)
    chosen.set_shape([])
    return drain(tf, tf.train.batch([i, chosen], 3))


@scenario
def loop_in_the_preprocessing(tf, files):
    i = tf.train.range_input_producer(6, num_epochs=1, shuffle=False).dequeue()
    doubled = tf.while_loop(lambda x: x < 10, lambda x: x * 2, [i + 1])
    return drain(tf, tf.train.batch([i, doubled], 3))


@scenario
def map_fn_in_the_preprocessing(tf, files):
    i = tf.train.range_input_producer(6, num_epochs=1, shuffle=False).dequeue()
    squares = tf.map_fn(lambda x: x * x, tf.stack([i, i + 1]))
    return drain(tf, tf.train.batch([squares], 3))
