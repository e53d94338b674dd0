"""The first stage of a plan: where the elements come from."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from compat.plan.capture import SubGraph
from compat.plan.flag import Flag
from compat.plan.held import Held
from compat.plan.plan import ENDLESS, Plan, Stage, map_until_end


@dataclasses.dataclass(frozen=True, eq=False)
class Elements(Stage):
    """What a producer delivers: the rows of a tensor that is computed anew for every epoch.

    Attributes:
      epoch: computes the tensor.
      num_epochs: how often; None means for ever.
      description: of the rows.
      begun: makes the op that notes the beginning of an epoch, from its index and its number of
        rows.
      closed: up when no further epoch is to begin.
      held: counts what is left, where the program asks for it.
    """

    epoch: SubGraph
    num_epochs: int | None
    description: str
    begun: Callable[[tf.Tensor, tf.Tensor], tf.Operation] | None = None
    closed: Flag | None = None
    held: Held | None = None

    @property
    def is_exact(self) -> bool:
        """Whether the program looks at how many elements are left."""
        return self.held is not None

    def __str__(self) -> str:
        epochs = "for ever" if self.num_epochs is None else f"{self.num_epochs} epochs"
        return f"elements: {self.description}, {epochs}"

    def build(self, dataset: None = None) -> tf.data.Dataset:
        del dataset  # this is a source

        def elements(epoch: tf.Tensor) -> tf.data.Dataset:
            rows = self.epoch()[0]
            number = tf.shape(rows, tf.int64)[0]
            notes = [] if self.begun is None else [self.begun(epoch, number)]
            if self.held is not None:
                notes += self.held.begin_epoch(epoch, number)
            with tf.control_dependencies(notes):
                return tf.data.Dataset.from_tensor_slices(tf.identity(rows) if notes else rows)

        def counted(element: tf.Tensor) -> tf.Tensor:
            with tf.control_dependencies([self.held.take()]):
                return tf.identity(element)

        epochs = tf.data.Dataset.range(ENDLESS if self.num_epochs is None else self.num_epochs)
        if self.closed is not None:
            closed = self.closed
            epochs = epochs.take_while(lambda _: tf.logical_not(closed.is_up()))
        dataset = epochs.flat_map(tf.autograph.experimental.do_not_convert(elements))
        if self.held is not None:
            dataset = dataset.map(tf.autograph.experimental.do_not_convert(counted))
        return dataset


@dataclasses.dataclass(frozen=True, eq=False)
class Endless(Stage):
    """No source: the preprocessing makes the elements by itself."""

    is_exact = True

    def __str__(self) -> str:
        return "elements: made by the program's own ops"

    def build(self, dataset: None = None) -> tf.data.Dataset:
        del dataset  # this is a source
        return tf.compat.v1.data.Dataset.range(ENDLESS)


@dataclasses.dataclass(frozen=True, eq=False)
class Live(Stage):
    """Another pipeline's running iterator, shared with whoever else reads from it."""

    next_element: Callable[[], list[tf.Tensor]]
    name: str
    block_elements: int = 1
    is_exact = True

    def __str__(self) -> str:
        blocks = f", in blocks of {self.block_elements}" if self.block_elements > 1 else ""
        return f"elements: shared with other readers of {self.name}{blocks}"

    def build(self, dataset: None = None) -> tf.data.Dataset:
        del dataset  # this is a source
        return map_until_end(tf.compat.v1.data.Dataset.range(ENDLESS), self._next)

    def _next(self, _: tf.Tensor) -> Any:
        components = self.next_element()
        return components[0] if len(components) == 1 else tuple(components)


@dataclasses.dataclass(frozen=True, eq=False)
class Zip(Stage):
    """Several sources in step: one element of each per step."""

    plans: tuple[Plan, ...]

    @property
    def is_exact(self) -> bool:
        """Whether one of the plans is."""
        return any(plan.is_exact for plan in self.plans)

    def __str__(self) -> str:
        return "zip: " + " | ".join(" → ".join(plan.lines()) for plan in self.plans)

    def build(self, dataset: None = None) -> tf.data.Dataset:
        del dataset  # this is a source
        return tf.data.Dataset.zip(tuple(plan.build() for plan in self.plans))
