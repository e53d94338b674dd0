"""Pipelines with `map_and_batch` for the tests, run as they are."""

from __future__ import annotations

import pytest
import tensorflow as tf

import tfprefetch

# What tf.data makes of a pipeline first takes longer than most of these tests. It is on where
# pipelines are compared, in test_batching.py and in test_random_pipelines.py.
UNOPTIMIZED = tf.data.Options()
UNOPTIMIZED.autotune.enabled = False
UNOPTIMIZED.experimental_optimization.apply_default_optimizations = False


def batches(dataset, *args, **kwargs):
    dataset = dataset.apply(tfprefetch.map_and_batch(*args, **kwargs)).with_options(UNOPTIMIZED)
    return [tf.nest.map_structure(to_python, batch) for batch in dataset]


def to_python(part):
    if isinstance(part, tf.SparseTensor):
        part = tf.sparse.to_dense(part)
    return part.to_list() if isinstance(part, tf.RaggedTensor) else part.numpy().tolist()


def expected(dataset, map_func, *args, **kwargs):
    dataset = dataset.map(map_func).batch(*args, **kwargs).with_options(UNOPTIMIZED)
    return [tf.nest.map_structure(to_python, batch) for batch in dataset]


def batches_and_error(dataset, *args, **kwargs):
    dataset = dataset.apply(tfprefetch.map_and_batch(*args, **kwargs)).with_options(UNOPTIMIZED)
    found = []
    with pytest.raises(tf.errors.InvalidArgumentError) as error:
        for batch in dataset:
            found.append(batch)
    return found, error.value.message.replace("\\'", "'")
