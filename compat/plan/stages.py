"""The stages of a plan: each says in one line what it does, and does it to a dataset.

    plan = Plan((Elements(...), Read("tfrecord"), MapAndBatch(...), Prefetch(2)))
    print(plan)
    dataset = plan.build()

A dataset of a plan has flat tuples of tensors as elements. Stages are built inside the user's
TF1 graph, so that captured tensors and tables are the user's own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Protocol

import tensorflow as tf

import tfprefetch
from compat.plan.capture import SubGraph
from compat.plan.flag import Flag

# As good as endless: a million elements per second would take 146 thousand years.
_ENDLESS = 2**62


class Stage(Protocol):
    """One step of a plan."""

    def build(self, dataset: tf.data.Dataset | None) -> tf.data.Dataset:
        """Applies this stage; a plan's first stage gets None."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a pipeline does, from its source to what the training loop receives."""

    stages: tuple[Stage, ...]

    def then(self, *stages: Stage) -> Plan:
        """The same plan with more stages behind it."""
        return Plan(self.stages + stages)

    def build(self) -> tf.data.Dataset:
        """Makes the dataset, in the default graph."""
        dataset = None
        for stage in self.stages:
            dataset = stage.build(dataset)
        return dataset

    @property
    def is_exact(self) -> bool:
        """Whether it shows how far this plan reads ahead: elements are shared, or have effects."""
        return any(
            isinstance(stage, (Live, Endless, Map))
            or (isinstance(stage, Zip) and any(plan.is_exact for plan in stage.plans))
            for stage in self.stages
        )

    def lines(self) -> list[str]:
        """One string per stage, in order."""
        return [str(stage) for stage in self.stages]

    def __str__(self) -> str:
        return "\n".join(self.lines())


def empty(element_spec: Any) -> tf.compat.v1.data.Dataset:
    """A dataset of that structure without elements, which depends on nothing else."""

    def zeros(_: tf.Tensor) -> Any:
        return tf.nest.map_structure(
            lambda spec: tf.zeros([size or 0 for size in spec.shape], spec.dtype), element_spec
        )

    return tf.compat.v1.data.Dataset.range(0).map(zeros)


def _map(
    dataset: tf.data.Dataset, function: Callable[..., Any], num_parallel_calls: int | None = None
) -> tf.data.Dataset:
    """`Dataset.map` in which an OutOfRange error of the function ends the stream, as in TF1.

    `Dataset.map` of TF2 reports such an error; the method of TF1's datasets ends the stream and
    delivers what came before.
    """
    if not isinstance(dataset, tf.compat.v1.data.Dataset):
        dataset = empty(dataset.element_spec).concatenate(dataset)
    return dataset.map(tf.autograph.experimental.do_not_convert(function), num_parallel_calls)


@dataclasses.dataclass(frozen=True, eq=False)
class Elements:
    """What a producer delivers: the rows of a tensor that is computed anew for every epoch."""

    epoch: SubGraph
    num_epochs: int | None
    description: str
    closed: Flag | None = None

    def __str__(self) -> str:
        epochs = "for ever" if self.num_epochs is None else f"{self.num_epochs} epochs"
        return f"elements: {self.description}, {epochs}"

    def build(self, dataset: None = None) -> tf.data.Dataset:
        del dataset  # this is a source

        def rows(_: tf.Tensor) -> tf.data.Dataset:
            return tf.data.Dataset.from_tensor_slices(tuple(self.epoch()))

        epochs = tf.data.Dataset.range(_ENDLESS if self.num_epochs is None else self.num_epochs)
        if self.closed is not None:
            closed = self.closed
            epochs = epochs.take_while(lambda _: tf.logical_not(closed.is_up()))
        return epochs.flat_map(tf.autograph.experimental.do_not_convert(rows))


@dataclasses.dataclass(frozen=True, eq=False)
class Endless:
    """No source: the preprocessing makes the elements by itself."""

    def __str__(self) -> str:
        return "elements: made by the program's own ops"

    def build(self, dataset: None = None) -> tf.data.Dataset:
        del dataset  # this is a source
        return tf.compat.v1.data.Dataset.range(_ENDLESS)


@dataclasses.dataclass(frozen=True, eq=False)
class Live:
    """Another pipeline's running iterator, shared with whoever else reads from it."""

    next_element: Callable[[], list[tf.Tensor]]
    name: str

    def __str__(self) -> str:
        return f"elements: shared with other readers of {self.name}"

    def build(self, dataset: None = None) -> tf.data.Dataset:
        del dataset  # this is a source
        return _map(tf.compat.v1.data.Dataset.range(_ENDLESS), lambda _: tuple(self.next_element()))


@dataclasses.dataclass(frozen=True, eq=False)
class Zip:
    """Several sources in step: one element of each per step."""

    plans: tuple[Plan, ...]

    def __str__(self) -> str:
        return "zip: " + " | ".join(" → ".join(plan.lines()) for plan in self.plans)

    def build(self, dataset: None = None) -> tf.data.Dataset:
        del dataset  # this is a source
        return tf.data.Dataset.zip(tuple(plan.build() for plan in self.plans))


@dataclasses.dataclass(frozen=True)
class Read:
    """File names → (key, value) of their records, one file after another."""

    reader: str
    options: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        options = "".join(f", {name}={value!r}" for name, value in self.options if value)
        return f"read: {self.reader}{options}"

    def build(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        names = dataset.map(lambda name: name)
        return tfprefetch.from_files(
            names, self.reader, with_keys=True, cycle_length=1, **dict(self.options)
        )


@dataclasses.dataclass(frozen=True, eq=False)
class Map:
    """The program's preprocessing, one element at a time and in order."""

    subgraph: SubGraph
    num_parallel_calls: int
    reason: str

    def __str__(self) -> str:
        calls = (
            "in sequence" if self.num_parallel_calls == 1 else f"{self.num_parallel_calls} calls"
        )
        return f"map ({calls}: {self.reason}): {self.subgraph}"

    def build(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        calls = None if self.num_parallel_calls == 1 else self.num_parallel_calls
        return _map(dataset, _flattened(self.subgraph), calls)


@dataclasses.dataclass(frozen=True, eq=False)
class MapAndBatch:
    """The program's preprocessing in parallel, and the batch; shuffled before decoding."""

    subgraph: SubGraph
    batch_size: int
    drop_remainder: bool
    shuffle_buffer_size: int | None = None
    seed: int | None = None

    def __str__(self) -> str:
        shuffle = f"shuffle ({self.shuffle_buffer_size}), " if self.shuffle_buffer_size else ""
        return f"{shuffle}map in parallel and batch ({self.batch_size}): {self.subgraph}"

    def build(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        return dataset.apply(
            tfprefetch.map_and_batch(
                _flattened(self.subgraph),
                self.batch_size,
                drop_remainder=self.drop_remainder,
                shuffle_buffer_size=self.shuffle_buffer_size,
                seed=self.seed,
            )
        )


@dataclasses.dataclass(frozen=True)
class Unbatch:
    """`enqueue_many`: every row of the first dimension is an element."""

    def __str__(self) -> str:
        return "unbatch"

    def build(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        return dataset.unbatch()


@dataclasses.dataclass(frozen=True)
class Shuffle:
    """Random order, out of a buffer."""

    buffer_size: int
    seed: int | None

    def __str__(self) -> str:
        return f"shuffle ({self.buffer_size})"

    def build(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        return dataset.shuffle(self.buffer_size, self.seed)


@dataclasses.dataclass(frozen=True)
class Batch:
    """Elements of equal shape, stacked."""

    batch_size: int
    drop_remainder: bool

    def __str__(self) -> str:
        return f"batch ({self.batch_size})"

    def build(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        return dataset.batch(self.batch_size, self.drop_remainder)


@dataclasses.dataclass(frozen=True)
class Prefetch:
    """Runs ahead in the background, by a bounded number of elements or batches."""

    buffer_size: int

    def __str__(self) -> str:
        return f"prefetch ({self.buffer_size})"

    def build(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        return dataset.prefetch(self.buffer_size)


@dataclasses.dataclass(frozen=True, eq=False)
class Count:
    """Counts what is delivered, for `--stats`."""

    count: Callable[[int], None]
    batched: bool

    def __str__(self) -> str:
        return "count"

    def build(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        def counted(*tensors: tf.Tensor) -> tuple[tf.Tensor, ...]:
            number = tf.shape(tensors[0])[0] if self.batched else 1
            with tf.control_dependencies([tf.numpy_function(self.count, [number], [])]):
                return tuple(tf.identity(tensor) for tensor in tensors)

        return dataset.map(tf.autograph.experimental.do_not_convert(counted))


def _flattened(subgraph: SubGraph) -> Callable[..., tuple[tf.Tensor, ...]]:
    def call(*element: Any) -> tuple[tf.Tensor, ...]:
        # An endless source delivers numbers that no op reads.
        return tuple(subgraph(*tf.nest.flatten(element)[: len(subgraph.inputs)]))

    return call
