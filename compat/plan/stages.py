"""The further stages of a plan: read, map, batch and so on."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import tensorflow as tf

import tfprefetch
from compat.plan.capture import SubGraph
from compat.plan.flag import Flag
from compat.plan.plan import Stage, map_until_end
from tfprefetch.notes import note_of

_BLOCKS_APART = 8
_plain = tf.autograph.experimental.do_not_convert


@dataclasses.dataclass(frozen=True)
class Read(Stage):
    """File names → (key, value) of their records, one file after another."""

    reader: str
    options: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        options = "".join(f", {name}={value!r}" for name, value in self.options if value)
        return f"read: {self.reader}{options}"

    def build(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        options = {"cycle_length": 1, **dict(self.options)}
        return tfprefetch.from_files(dataset, self.reader, with_keys=True, **options)

    def with_option(self, name: str, value: Any) -> Read:
        """The same with an option of `tfprefetch.from_files` set."""
        kept = tuple(option for option in self.options if option[0] != name)
        return dataclasses.replace(self, options=(*kept, (name, value)))


@dataclasses.dataclass(frozen=True, eq=False)
class Map(Stage):
    """The program's preprocessing, element by element, for the reason given."""

    subgraph: SubGraph
    num_parallel_calls: int
    reason: str

    @property
    def is_exact(self) -> bool:
        """Whether the number of calls that run ahead matters."""
        return self.num_parallel_calls != tf.data.AUTOTUNE

    def __str__(self) -> str:
        return f"map {_calls(self._parallel_calls)} ({self.reason}): {self.subgraph}"

    @property
    def _parallel_calls(self) -> int | None:
        # Seeded numbers are repeatable, and two ops with one seed (image and mask flipped alike)
        # stay in step, only where calls come one after another.
        in_sequence = self.num_parallel_calls == 1 or self.subgraph.is_seeded
        return None if in_sequence else self.num_parallel_calls

    def build(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        return map_until_end(dataset, _flattened(self.subgraph), self._parallel_calls)


@dataclasses.dataclass(frozen=True, eq=False)
class MapAndBatch(Stage):
    """The program's preprocessing on many elements at a time; shuffled before decoding."""

    subgraph: SubGraph
    batch_size: int
    drop_remainder: bool
    num_threads: int
    vectorize: str | bool
    shuffle_buffer_size: int | None = None
    seed: int | None = None
    # What runs how; known when it has been built.
    details: list[str] = dataclasses.field(default_factory=list, repr=False)

    def __str__(self) -> str:
        shuffle = f"shuffle ({self.shuffle_buffer_size}), " if self.shuffle_buffer_size else ""
        calls = _calls(self._parallel_calls)
        how = "; ".join(map(str.strip, self.details)) or str(self.subgraph)
        return f"{shuffle}map {calls} and batch ({self.batch_size}): {how}"

    @property
    def _parallel_calls(self) -> int | None:
        # With several threads the numbers of seeded ops were not repeatable in TF1 either.
        in_sequence = self.subgraph.is_seeded and self.num_threads == 1
        return None if in_sequence else tf.data.AUTOTUNE

    def build(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        map_and_batch = tfprefetch.map_and_batch(
            _flattened(self.subgraph),
            self.batch_size,
            drop_remainder=self.drop_remainder,
            num_parallel_calls=self._parallel_calls,
            shuffle_buffer_size=self.shuffle_buffer_size,
            seed=self.seed,
            vectorize=self.vectorize,
        )
        batches = map_and_batch(dataset)  # `apply` of a TF1 dataset would wrap what has the note
        self.details[:] = note_of(batches).details
        return batches


@dataclasses.dataclass(frozen=True)
class Unbatch(Stage):
    """`enqueue_many`: every row of the first dimension is an element."""

    def __str__(self) -> str:
        return "unbatch"

    def build(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        rows = [spec.shape[1:] for spec in tf.nest.flatten(dataset.element_spec)]
        if all(shape.num_elements() for shape in rows):
            return dataset.unbatch()
        # TensorFlow 2.21 crashes where it unbatches rows that have no elements.
        structure = dataset.element_spec
        return dataset.flat_map(
            _plain(
                lambda *parts: tf.data.Dataset.from_tensor_slices(
                    parts if isinstance(structure, tuple) else parts[0]
                )
            )
        )


@dataclasses.dataclass(frozen=True)
class Rebatch(Stage):
    """`enqueue_many` of many rows at a time: they go into batches without being taken apart."""

    batch_size: int
    drop_remainder: bool

    def __str__(self) -> str:
        return f"rows to batches ({self.batch_size})"

    def build(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        return dataset.rebatch(self.batch_size, self.drop_remainder)


@dataclasses.dataclass(frozen=True)
class InBlocks(Stage):
    """Several elements at a time, for consumers that share them; the first ones one by one.

    So also few elements are shared out evenly.
    """

    block_elements: int

    def __str__(self) -> str:
        return f"in blocks ({self.block_elements})"

    def build(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        def blocks(index: tf.Tensor, block: Any) -> tf.data.Dataset:
            block_elements = tf.where(index < _BLOCKS_APART, 1, self.block_elements)
            return tf.data.Dataset.from_tensor_slices(block).batch(
                tf.cast(block_elements, tf.int64)
            )

        return dataset.batch(self.block_elements).enumerate().flat_map(_plain(blocks))


@dataclasses.dataclass(frozen=True)
class Until(Stage):
    """Ends when a flag is up."""

    flag: Flag

    def __str__(self) -> str:
        return "until it is closed"

    def build(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        return dataset.take_while(_plain(lambda *_: tf.logical_not(self.flag.is_up())))


@dataclasses.dataclass(frozen=True)
class Shuffle(Stage):
    """Random order, out of a buffer."""

    buffer_size: int
    seed: int | None

    def __str__(self) -> str:
        return f"shuffle ({self.buffer_size})"

    def build(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        return dataset.shuffle(self.buffer_size, self.seed)


@dataclasses.dataclass(frozen=True)
class Batch(Stage):
    """Elements of equal shape, stacked."""

    batch_size: int
    drop_remainder: bool

    def __str__(self) -> str:
        return f"batch ({self.batch_size})"

    def build(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        return dataset.batch(self.batch_size, self.drop_remainder)


@dataclasses.dataclass(frozen=True, eq=False)
class PaddedBatch(Stage):
    """Elements of different shapes, padded at the end with zeros or empty strings, stacked."""

    batch_size: int
    drop_remainder: bool
    shapes: tuple[tf.TensorShape, ...]

    def __str__(self) -> str:
        return f"padded batch ({self.batch_size})"

    def build(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        return dataset.padded_batch(
            self.batch_size, self.shapes, drop_remainder=self.drop_remainder
        )


@dataclasses.dataclass(frozen=True)
class Prefetch(Stage):
    """Runs ahead in the background, by a bounded number of elements or batches."""

    buffer_size: int

    def __str__(self) -> str:
        return f"prefetch ({self.buffer_size})"

    def build(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        return dataset.prefetch(self.buffer_size)


def _calls(num_parallel_calls: int | None) -> str:
    if num_parallel_calls is None:
        return "in sequence"
    return "in parallel" if num_parallel_calls < 0 else f"in {num_parallel_calls} calls"


def _flattened(subgraph: SubGraph) -> Callable[..., tuple[tf.Tensor, ...]]:
    @_plain
    def call(*element: Any) -> tuple[tf.Tensor, ...]:
        # An endless source delivers numbers that no op reads.
        return tuple(subgraph(*tf.nest.flatten(element)[: len(subgraph.inputs)]))

    return call
