"""A plan: what a pipeline does, stage by stage, and the dataset that does it.

    plan = Plan((Elements(...), Read("tfrecord"), MapAndBatch(...), Prefetch(2)))
    print(plan)
    dataset = plan.build()

A dataset of a plan has tensors or flat tuples of them as elements. Stages are built inside the
user's TF1 graph, so that captured tensors and tables are the user's own.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfprefetch.empty_value import empty_value

# As good as endless: a million elements per second would take 146 thousand years.
ENDLESS = 2**62


class Stage(abc.ABC):
    """One step of a plan; `str()` says in one line what it does."""

    is_exact: bool = False

    @abc.abstractmethod
    def build(self, dataset: tf.data.Dataset | None) -> tf.data.Dataset:
        """Does this step to a dataset; a plan's first stage gets None."""


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
        return any(stage.is_exact for stage in self.stages)

    def lines(self) -> list[str]:
        """One string per stage, in order."""
        return [str(stage) for stage in self.stages]

    def __str__(self) -> str:
        return "\n".join(self.lines())


def empty(element_spec: Any) -> tf.compat.v1.data.Dataset:
    """A dataset of that structure without elements, which depends on nothing else."""

    def element(_: tf.Tensor) -> Any:
        return empty_value(element_spec)

    return tf.compat.v1.data.Dataset.range(0).map(tf.autograph.experimental.do_not_convert(element))


def map_until_end(
    dataset: tf.data.Dataset, function: Callable[..., Any], num_parallel_calls: int | None = None
) -> tf.data.Dataset:
    """`Dataset.map` in which an OutOfRange error of the function ends the stream, as in TF1.

    `Dataset.map` of TF2 reports such an error; the method of TF1's datasets ends the stream and
    delivers what came before.
    """
    if not isinstance(dataset, tf.compat.v1.data.Dataset):
        dataset = empty(dataset.element_spec).concatenate(dataset)
    return dataset.map(tf.autograph.experimental.do_not_convert(function), num_parallel_calls)
