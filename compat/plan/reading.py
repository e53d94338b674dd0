"""What readers do apart from plainly reading: batches within files, progress, TensorFlow's reader.

A reader of TF1 had one file under way, whoever asked it for records. Where that shows (progress
is asked for, or `read` and `read_up_to` take turns), the files are read once, with a mark behind
each, and what the program reads is made of that:

    names → ReadMarked → Deliver or Gather
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from compat.plan.counter import Counter
from compat.plan.plan import ENDLESS, Stage, map_until_end
from compat.plan.stages import Read

_plain = tf.autograph.experimental.do_not_convert


@dataclasses.dataclass(frozen=True)
class ReadIdentity(Stage):
    """Work items → (item, item)."""

    def __str__(self) -> str:
        return "read: identity"

    def build(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        return dataset.map(_plain(lambda item: (item, item)))


def in_sequence(read: Read | ReadIdentity) -> Read | ReadIdentity:
    """The same, without reading ahead of what is asked for."""
    if isinstance(read, ReadIdentity):
        return read
    return dataclasses.replace(read, options=(*read.options, ("num_parallel_calls", None)))


def has_one_record(read: Read | ReadIdentity) -> bool:
    """Whether every file is one record, so that the reader knows at once that this is the end."""
    return isinstance(read, ReadIdentity) or read.reader == "whole"


@dataclasses.dataclass(frozen=True)
class ReadUpTo(Stage):
    """File names → (keys, values) of up to `num_records` records, all of one file."""

    read: Read | ReadIdentity
    num_records: int
    num_parallel_calls: int | None = tf.data.AUTOTUNE

    def __str__(self) -> str:
        return f"{self.read}, up to {self.num_records} records of one file at a time"

    def build(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        def batches(name: tf.Tensor) -> tf.data.Dataset:
            return _records(self.read, name).batch(self.num_records)

        return dataset.interleave(
            _plain(batches),
            cycle_length=1,
            num_parallel_calls=self.num_parallel_calls,
            deterministic=None if self.num_parallel_calls is None else True,
        )


@dataclasses.dataclass(frozen=True)
class Progress:
    """What a reader tells of itself.

    Attributes:
      records: delivered so far.
      work_units: files of which the end has been seen.
      resets: how often the reader was told to forget its file and these two numbers.
    """

    records: Counter
    work_units: Counter
    resets: Counter

    def reset(self) -> list[tf.Operation]:
        """Ops that start from 0 again."""
        return [
            self.records.set(0),
            self.work_units.set(0),
            self.resets.set(self.resets.value() + 1),
        ]

    def initialize(self) -> tf.Operation:
        """An op that makes the numbers 0 where a session has none yet."""
        return tf.group(self.records.initialize(), self.work_units.initialize())

    def count(self, records: int | tf.Tensor, work_units: int | tf.Tensor) -> list[tf.Operation]:
        """Ops that count what is delivered."""
        return [self.records.add(records), self.work_units.add(work_units)]


@dataclasses.dataclass(frozen=True)
class ReadMarked(Stage):
    """File names → (is there a record, is the file at its end, key, value).

    Most files end with a mark of its own, without a record. A file that is left because of a
    `reset` has no mark.
    """

    read: Read | ReadIdentity
    progress: Progress | None
    is_exact = True

    def __str__(self) -> str:
        return f"{self.read}, ends of files marked"

    def build(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        return dataset.flat_map(_plain(self._marked))

    def _marked(self, name: tf.Tensor) -> tf.data.Dataset:
        is_end = has_one_record(self.read)
        records = _records(in_sequence(self.read), name).map(
            lambda key, value: (tf.constant(True), tf.constant(is_end), key, value)
        )
        mark = tf.data.Dataset.from_tensors((False, True, "", ""))
        if self.progress is not None:
            resets = self.progress.resets
            with tf.control_dependencies([self.progress.initialize()]):
                resets_before = resets.value()

            def is_wanted(*_: tf.Tensor) -> tf.Tensor:
                return tf.equal(resets.value(), resets_before)

            # Zipped, so that a file which was left is not read any further.
            wanted = tf.data.Dataset.range(ENDLESS).take_while(is_wanted)
            records = tf.data.Dataset.zip((wanted, records)).map(lambda _, record: record)
            mark = mark.filter(is_wanted)
        return records if is_end else records.concatenate(mark)


@dataclasses.dataclass(frozen=True)
class Deliver(Stage):
    """Marked records → (key, value), counted."""

    progress: Progress | None
    is_exact = True

    def __str__(self) -> str:
        return "one record" if self.progress is None else "one record, counted"

    def build(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        def has_record(has_record: tf.Tensor, is_end: tf.Tensor, *_: tf.Tensor) -> tf.Tensor:
            counted = [] if self.progress is None else self.progress.count(has_record, is_end)
            with tf.control_dependencies(counted):
                return tf.identity(has_record)

        return dataset.filter(_plain(has_record)).map(lambda *element: element[2:])


@dataclasses.dataclass(frozen=True, eq=False)
class Gather(Stage):
    """A running iterator of marked records → (keys, values) of up to `num_records`, counted."""

    next_element: Callable[[], list[tf.Tensor]]
    num_records: int
    progress: Progress | None
    is_exact = True

    def __str__(self) -> str:
        counted = "" if self.progress is None else ", counted"
        return f"up to {self.num_records} records of one file at a time{counted}"

    def build(self, dataset: None = None) -> tf.data.Dataset:
        del dataset  # this takes from the iterator
        return map_until_end(tf.compat.v1.data.Dataset.range(ENDLESS), self._gather)

    def _gather(self, _: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        def goes_on(number: tf.Tensor, is_end: tf.Tensor, *_: Any) -> tf.Tensor:
            # At the end of a file only a reader that has nothing yet goes on with the next one.
            is_done = tf.logical_or(number >= self.num_records, tf.logical_and(is_end, number > 0))
            return tf.logical_not(is_done)

        def step(
            number: tf.Tensor, _: tf.Tensor, keys: tf.TensorArray, values: tf.TensorArray
        ) -> Any:
            has_record, is_end, key, value = self.next_element()
            counted = [] if self.progress is None else self.progress.count(has_record, is_end)
            with tf.control_dependencies(counted):
                number_after = number + tf.cast(has_record, tf.int32)
            # A mark is written where the next record will overwrite it.
            return number_after, is_end, keys.write(number, key), values.write(number, value)

        array = tf.TensorArray(
            tf.string, 0, dynamic_size=True, clear_after_read=False, element_shape=[]
        )
        start = (tf.constant(0), tf.constant(False), array, array)
        number, _, keys, values = tf.while_loop(goes_on, step, start, parallel_iterations=1)
        return keys.stack()[:number], values.stack()[:number]


@dataclasses.dataclass(frozen=True, eq=False)
class ReadInTensorFlow(Stage):
    """TensorFlow's own reader, on a real queue."""

    reader_ref: tf.Tensor
    queue_ref: tf.Tensor
    num_records: int | None
    is_exact = True

    def __str__(self) -> str:
        return "read: by TensorFlow's reader, from a queue"

    def build(self, dataset: None = None) -> tf.data.Dataset:
        del dataset  # this is a source
        return map_until_end(tf.compat.v1.data.Dataset.range(ENDLESS), self._read)

    def _read(self, _: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        handles = {"reader_handle": self.reader_ref, "queue_handle": self.queue_ref}
        if self.num_records is None:
            return tuple(tf.raw_ops.ReaderReadV2(**handles))
        return tuple(tf.raw_ops.ReaderReadUpToV2(**handles, num_records=self.num_records))


def _records(read: Read | ReadIdentity, name: tf.Tensor) -> tf.data.Dataset:
    """The (key, value) pairs of one file."""
    return read.build(tf.data.Dataset.from_tensors(name))
