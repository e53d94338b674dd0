"""A Python iterator as a dataset: tf.data's own `from_generator`, on its public operation.

    generator_dataset(make_iterator, number, element_spec)

`tf.data.Dataset.from_generator` converts and checks every element in Python once more, and where an
iterator is saved it says "PyFunc is stateful". This one says that it is a generator.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

_running: dict[tuple[int, int], Any] = {}  # TensorFlow itself holds Python functions weakly


def generator_dataset(
    make_iterator: Callable[[int], Iterator[Any]], argument: tf.Tensor, element_spec: Any
) -> tf.data.Dataset:
    """What an iterator delivers, which is closed when the dataset's iterator is gone.

    Args:
        make_iterator: from `argument` to a generator of structures of arrays like `element_spec`.
        argument: int64[]; not a constant, because what follows from constants alone is computed
            only once.
        element_spec: of the elements.
    """
    iterators: dict[int, Iterator[Any]] = {}
    numbers = itertools.count()
    specs = tf.nest.flatten(element_spec)

    def begin(argument: np.ndarray) -> np.ndarray:
        number = next(numbers)
        iterators[number] = make_iterator(int(argument))
        _running[id(iterators), number] = functions  # also where the dataset itself is gone
        return np.int64(number)

    def take(number: np.ndarray) -> list[np.ndarray]:
        return tf.nest.flatten(next(iterators[int(number)]))  # StopIteration ends the dataset

    def end(number: np.ndarray) -> np.ndarray:
        iterators.pop(int(number)).close()
        _running.pop((id(iterators), int(number)), None)
        return number

    # Not stateful in the eyes of tf.data, so that it gets as far as the generator.
    @tf.function(input_signature=[tf.TensorSpec([], tf.int64)], autograph=False)
    def begin_function(argument: tf.Tensor) -> tf.Tensor:
        number = tf.numpy_function(begin, [argument], tf.int64, stateful=False)
        return tf.ensure_shape(number, [])

    @tf.function(input_signature=[tf.TensorSpec([], tf.int64)], autograph=False)
    def take_function(number: tf.Tensor) -> list[tf.Tensor]:
        types = [spec.dtype for spec in specs]
        leaves = tf.numpy_function(take, [number], types, stateful=False)
        return [tf.ensure_shape(leaf, spec.shape) for leaf, spec in zip(leaves, specs, strict=True)]

    @tf.function(input_signature=[tf.TensorSpec([], tf.int64)], autograph=False)
    def end_function(number: tf.Tensor) -> tf.Tensor:
        return tf.ensure_shape(tf.numpy_function(end, [number], tf.int64, stateful=False), [])

    functions = [begin_function, take_function, end_function]
    variant = tf.raw_ops.GeneratorDataset(
        init_func_other_args=[argument],
        next_func_other_args=[],
        finalize_func_other_args=[],
        init_func=begin_function.get_concrete_function(),
        next_func=take_function.get_concrete_function(),
        finalize_func=end_function.get_concrete_function(),
        output_types=[spec.dtype for spec in specs],
        output_shapes=[spec.shape for spec in specs],
    )
    return tf.data.experimental.from_variant(variant, element_spec)
