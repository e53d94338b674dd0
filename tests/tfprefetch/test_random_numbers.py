"""Random operations in functions that run on whole batches, and in several calls at a time."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from mapped import UNOPTIMIZED

import tfprefetch


def drawn(map_func, elements=4000, **options):
    options = {"num_parallel_calls": 8, **options}
    dataset = tf.data.Dataset.range(elements)
    dataset = dataset.apply(tfprefetch.map_and_batch(map_func, 100, **options))
    dataset = dataset.with_options(UNOPTIMIZED)
    columns = zip(*(tf.nest.flatten(batch) for batch in dataset.as_numpy_iterator()), strict=True)
    return [np.concatenate(column) for column in columns]


def test_random_numbers_are_drawn_for_every_element():
    def map_func(number):
        scale = tf.where(tf.random.uniform([]) < 0.5, 1.0, 2.0)
        return (
            tf.random.uniform([2]),
            tf.random.normal([], 2.0, 3.0, seed=1),
            tf.random.uniform([], 0, 10, tf.int32),
            tf.random.gamma([], scale),
            tf.random.categorical([[0.0, 0.0]], 1)[0, 0],
            tf.cond(tf.random.uniform([]) < 0.3, lambda: 1.0, lambda: tf.random.uniform([])),
            tf.image.random_brightness(tf.zeros([1, 1, 3]), 0.5)[0, 0, 0],
        )

    columns = drawn(map_func, 5000, vectorize=True)
    means, deviations = [0.5, 2, 4.5, 1.5, 0.5, 0.65, 0], [0.29, 3, 2.87, 1.32, 0.5, 0.33, 0.29]
    for column, mean, deviation in zip(columns, means, deviations, strict=True):
        assert abs(column.mean() - mean) < 0.1 * deviation
        assert abs(column.std() / deviation - 1) < 0.1
        first = column.reshape([5000, -1])[:, 0].astype(float)
        assert abs(np.corrcoef(first[:-2], first[2:])[0, 1]) < 0.07
    assert len(np.unique(columns[0])) > 9900


def draw(seed=3):
    return tf.random.uniform([], seed=seed)


@tf.function
def draw_in_a_helper():
    return draw() + 0.0


IMAGE = tf.reshape(tf.range(12.0), [2, 2, 3])
TWINS = {
    "plain": (lambda n: (draw(), draw()), 3990),
    "helpers": (lambda n: (draw_in_a_helper(), draw()), 3990),
    "flips": (
        lambda n: (
            tf.image.random_flip_left_right(IMAGE, seed=1)[..., 0],
            tf.image.random_flip_left_right(IMAGE[..., :1], seed=1)[..., 0],
        ),
        2,
    ),
    "conditions": (
        lambda n: (
            tf.cond(n % 2 == 0, draw, lambda: 0.0),
            tf.cond(n % 2 == 0, draw, lambda: 0.0),
        ),
        1990,
    ),
    "several": (
        lambda n: tuple(
            tf.switch_case(tf.cast(n % 2, tf.int32), [draw, lambda: 0.0]) for _ in range(2)
        ),
        1990,
    ),
    "shuffles": (
        lambda n: tuple(tf.random.shuffle(tf.range(m, m + 4), seed=2) - m for m in (0, 5)),
        24,
    ),
}


@pytest.mark.parametrize("vectorize", ["auto", False])
@pytest.mark.parametrize("name", TWINS)
def test_equal_seeds_agree_for_every_element(name, vectorize):
    map_func, distinct = TWINS[name]
    one, other = drawn(map_func, vectorize=vectorize)
    np.testing.assert_array_equal(one, other)
    assert len(np.unique(one.reshape([4000, -1]), axis=0)) >= distinct


@pytest.mark.parametrize("kind", ["ragged", "sparse", "list"])
def test_equal_seeds_agree_where_results_cannot_be_taken_apart(kind):
    """Merged where that is possible, and in turns where not."""

    def result(number):
        if kind == "ragged":
            return tf.RaggedTensor.from_row_lengths(number[None], [1])
        return tf.sparse.from_dense(number[None]) if kind == "sparse" else [number, number]

    def values(batch):
        found = (
            batch.values
            if isinstance(batch, tf.SparseTensor)
            else getattr(batch, "flat_values", batch)
        )
        return found.numpy().ravel()

    in_a_branch = TWINS["conditions"][0]
    for map_func in (lambda n: (draw() + 1, draw() + 1), in_a_branch):
        mapped = tfprefetch.map_and_batch(
            lambda n, f=map_func: tuple(map(result, f(n))), 20, num_parallel_calls=8
        )
        batches = list(tf.data.Dataset.range(2000).apply(mapped).with_options(UNOPTIMIZED))
        one, other = (np.concatenate([values(batch[i]) for batch in batches]) for i in (0, 1))
        np.testing.assert_array_equal(one, other)
        assert len(np.unique(one)) > 990


def test_different_seeds_differ():
    one, other, free = drawn(lambda n: (draw(3), draw(4), tf.random.uniform([])), 500)
    assert (one != other).all() and (one != free).all()
