"""Elements dealt out to several devices in turn, for `prefetch_to_device`."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

# Copying to several devices at a time has no public name; tf.distribute does it with this class,
# and has a strategy, but no dataset.
from tensorflow.python.data.ops.multi_device_iterator_ops import OwnedMultiDeviceIterator

_plain = tf.autograph.experimental.do_not_convert


def dealt_out(dataset: tf.data.Dataset, num_devices: int, drop_remainder: bool) -> tf.data.Dataset:
    """Tuples of `num_devices` elements that follow each other, on the host.

    Args:
        dataset: elements of any structure; their shapes may differ.
        num_devices: elements in each tuple, at least 1.
        drop_remainder: whether to leave out the last elements where they make no whole tuple.

    Raises:
        ValueError: elements would be left over; without `drop_remainder` only.
        tf.errors.InvalidArgumentError: the same, at the end of a dataset of unknown cardinality.

    >>> tuples = dealt_out(tf.data.Dataset.range(4), 2, False)
    >>> [(int(first), int(second)) for first, second in tuples]
    [(0, 1), (2, 3)]
    """
    cardinality = tf.get_static_value(dataset.cardinality())  # None while a function is traced
    known = None if cardinality is None or cardinality < 0 else int(cardinality)
    message = (
        f"prefetch_to_device: elements are left when each of the {num_devices} devices has got as "
        "many as the others: drop_remainder=True leaves them out, and repeat() in front has no end"
    )
    if known is not None and known % num_devices and not drop_remainder:
        raise ValueError(f"{known} elements; {message}")

    def check(size: tf.Tensor) -> tf.Tensor:
        with tf.control_dependencies([tf.debugging.Assert(size == num_devices, [message])]):
            return tf.identity(size)

    def as_tuple(_: tf.Tensor, group: tf.data.Dataset) -> tf.data.Dataset:
        parts = tuple(group.skip(place).take(1) for place in range(num_devices))
        if drop_remainder:
            return tf.data.Dataset.zip(parts)
        size = group.reduce(0, _plain(lambda count, *_: count + 1))
        # In a map, as its errors come out as they are; first, as the shortest ends the zip.
        whole = tf.data.Dataset.from_tensors(size).map(_plain(check))
        return tf.data.Dataset.zip((whole, *parts)).map(_plain(lambda _, *elements: elements))

    tuples = dataset.group_by_window(
        _plain(lambda *_: tf.constant(0, tf.int64)), _plain(as_tuple), num_devices
    )
    if cardinality == tf.data.INFINITE_CARDINALITY:
        known = tf.data.INFINITE_CARDINALITY * num_devices
    if known is not None:
        tuples = tuples.apply(tf.data.experimental.assert_cardinality(known // num_devices))
    return tuples


class DealtDataset(tf.data.Dataset):
    """Tuples whose parts iterators deliver on a device each; to TensorFlow itself, on the host."""

    def __init__(
        self, tuples: tf.data.Dataset, devices: list[str], buffer_size: int, no_checkpoint: str
    ) -> None:
        """Reads nothing yet.

        Args:
            tuples: of as many elements as there are devices.
            devices: their names.
            buffer_size: how many elements wait on each.
            no_checkpoint: what the error says where an iterator is saved.
        """
        self._tuples = tuples
        # One after another again: a whole number for each device, so that all end together.
        self._elements = tuples.flat_map(_plain(_in_sequence))
        self._devices = devices
        self._buffer_size = buffer_size
        self._no_checkpoint = no_checkpoint
        super().__init__(tf.data.experimental.to_variant(tuples))

    @property
    def element_spec(self) -> Any:
        """That of the tuples."""
        return self._tuples.element_spec

    def _inputs(self) -> list[tf.data.Dataset]:  # what TensorFlow asks every dataset for
        return [self._tuples]

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        iterator = OwnedMultiDeviceIterator(
            self._elements,
            self._devices,
            max_buffer_size=self._buffer_size,
            prefetch_buffer_size=self._buffer_size,
        )
        return _DealtIterator(iterator, self._no_checkpoint)


def _in_sequence(*elements: Any) -> tf.data.Dataset:
    datasets = map(tf.data.Dataset.from_tensors, elements)
    return functools.reduce(tf.data.Dataset.concatenate, datasets)


class _DealtIterator(tf.train.experimental.PythonState):
    """Tuples of one element per device.

    Of the kind that a checkpoint asks for its state, so that it is told that there is none.
    """

    def __init__(self, iterator: OwnedMultiDeviceIterator, no_checkpoint: str) -> None:
        self._iterator = iterator
        self._no_checkpoint = no_checkpoint

    def __iter__(self) -> _DealtIterator:
        return self

    def __next__(self) -> tuple[Any, ...]:
        return tuple(next(self._iterator))

    def serialize(self) -> str:
        raise tf.errors.UnimplementedError(None, None, self._no_checkpoint)

    def deserialize(self, string_value: str) -> None:
        raise tf.errors.UnimplementedError(None, None, self._no_checkpoint)
