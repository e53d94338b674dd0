"""What one enqueue op of a TF1 batching function put into its queue, as a function of a dataset.

    branch = record_branch([image, label], keep_input=None, components=components)
    branch.links             # the recorded pipelines that the elements come from
    branch.preprocessing     # the program's own ops in between

A SparseTensor travels through the dataset serialized. `keep_input` turns an element into several
rows or none: what is not kept is left out before the rows become elements.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from compat.plan.capture import SubGraph, capture
from compat.plan.join import Join
from compat.plan.plan import Plan
from compat.plan.preprocessing import preprocessed, zipped
from compat.plan.stages import Map, Read
from compat.record.source import Link, graph_state


@dataclasses.dataclass(frozen=True)
class Component:
    """One of the tensors that a batching function returns, on its way there.

    Attributes:
      result: what TF1's function returns for it, a tensor or SparseTensor with static shapes.
      serialized_as: dtype of a SparseTensor's serialized form; None for a tensor.
    """

    result: tf.Tensor | tf.SparseTensor
    serialized_as: tf.DType | None

    @property
    def spec(self) -> tf.TensorSpec:
        """A batch of it inside the dataset."""
        if self.serialized_as is not None:
            return tf.TensorSpec([None, 3], self.serialized_as)
        return tf.TensorSpec(self.result.shape, self.result.dtype)

    @property
    def element_spec(self) -> tf.TensorSpec:
        """An element of it inside the dataset."""
        return tf.TensorSpec(self.spec.shape[1:], self.spec.dtype)

    def carried(self, tensor: tf.Tensor | tf.SparseTensor, *, as_rows: bool) -> tf.Tensor:
        """`tensor` in the form in which it goes through the dataset."""
        if self.serialized_as is None:
            return tensor
        if as_rows:
            return tf.io.serialize_many_sparse(tensor, self.serialized_as)
        return tf.io.serialize_sparse(tensor, self.serialized_as)

    def delivered(self, batch: tf.Tensor) -> tf.Tensor | tf.SparseTensor:
        """The inverse, for a whole batch."""
        if self.serialized_as is None:
            return batch
        expected = (self.result.indices, self.result.values, self.result.dense_shape)
        parts = tf.raw_ops.DeserializeSparse(serialized_sparse=batch, dtype=self.result.dtype)
        for part, tensor in zip(parts, expected, strict=True):
            part.set_shape(tensor.shape)
        return tf.SparseTensor(*parts)


@dataclasses.dataclass(frozen=True, eq=False)
class Branch:
    """Where elements come from, and what the program does to them.

    Attributes:
      links: the recorded pipelines.
      preprocessing: from their elements to one of the batch's, or to rows of several.
    """

    links: list[Link]
    preprocessing: SubGraph


def record_branch(
    tensors: Sequence[tf.Tensor | tf.SparseTensor],
    keep_input: tf.Tensor | None,
    components: Sequence[Component],
    *,
    enqueue_many: bool,
) -> Branch:
    """Walks back from `tensors` to the recorded pipelines.

    Args:
      tensors: an element of the batch, or rows of several (`enqueue_many`).
      keep_input: which rows, or whether all, go into the batch; None for all.
      components: what the batching function makes of them.
      enqueue_many: whether `tensors` have a row per element.

    Raises:
      Unplannable: an op in between cannot run inside a dataset.
    """
    outputs = [
        component.carried(_after_control_inputs(tensor), as_rows=enqueue_many)
        for tensor, component in zip(tensors, components, strict=True)
    ]
    as_rows = enqueue_many or keep_input is not None
    if keep_input is not None:
        outputs = _kept(outputs, keep_input, enqueue_many=enqueue_many)
    rows = tf.TensorShape([None] if as_rows else [])
    shapes = [rows.concatenate(part.element_spec.shape) for part in components]
    state = graph_state()
    sources = {operation: link.waits_for for operation, link in state.links.items()}
    preprocessing = capture(outputs, sources)
    links = list(dict.fromkeys(state.links[tensor.op] for tensor in preprocessing.inputs))
    inputs = tuple(output for link in links for output in link.outputs)
    return Branch(links, dataclasses.replace(preprocessing, inputs=inputs, shapes=tuple(shapes)))


def _after_control_inputs(value: Any) -> Any:
    """`value`, after what `tf.control_dependencies` wants to have run before TF1's enqueue op."""
    if not tf.no_op().control_inputs:
        return value
    if isinstance(value, tf.SparseTensor):
        return tf.SparseTensor(value.indices, tf.identity(value.values), value.dense_shape)
    return tf.identity(value)


def _kept(
    outputs: list[tf.Tensor], keep_input: tf.Tensor, *, enqueue_many: bool
) -> list[tf.Tensor]:
    """The rows of `outputs` that `keep_input` keeps."""
    if keep_input.shape.rank == 1:
        return [tf.boolean_mask(output, keep_input) for output in outputs]
    if not enqueue_many:
        outputs = [tf.stack([output]) for output in outputs]
    number = tf.where(keep_input, tf.shape(outputs[0])[0], 0)
    return [output[:number] for output in outputs]


def are_same(branches: Sequence[Branch]) -> bool:
    """Whether all branches do the same to what they read."""
    first = branches[0]
    return len(branches) > 1 and all(
        len(branch.links) == len(first.links)
        and branch.preprocessing.signature == first.preprocessing.signature
        for branch in branches[1:]
    )


def one_plan(plans: list[Plan], branches: Sequence[Branch]) -> tuple[Plan | None, int]:
    """What all branches read, if they are done as one, and how many these are.

    Args:
      plans: of all branches' links, or only of the first one's where all do the same.
      branches: one or several.
    """
    if len(plans) != sum(len(branch.links) for branch in branches):
        plans = [read_in_turns(plan, len(branches)) for plan in plans]
        return zipped(plans), len(branches)
    return (zipped(plans), 1) if len(branches) == 1 else (None, 1)


def elements(plans: list[Plan], branches: Sequence[Branch], num_threads: int, reason: str) -> Plan:
    """The elements of all branches, after their preprocessing.

    Args:
      plans: as in `one_plan`.
      branches: one or several.
      num_threads: how many calls may run at a time where that can be seen.
      reason: why the calls do not get whole batches.
    """
    plan, _ = one_plan(plans, branches)
    if plan is not None:
        return preprocessed(plan, branches[0].preprocessing, num_threads, reason)
    remaining = iter(plans)
    joined = []
    for branch in branches:
        plan = zipped([next(remaining) for _ in branch.links])
        joined.append(plan.then(Map(branch.preprocessing, 1, "a branch of a join")))
    first = branches[0].preprocessing
    specs = tuple(
        tf.TensorSpec(shape, output.dtype)
        for shape, output in zip(first.shapes, first.outputs, strict=True)
    )
    return Plan((Join(tuple(joined), specs),))


def read_in_turns(plan: Plan, number: int) -> Plan:
    """As many files at a time as TF1's threads read."""
    return Plan(
        tuple(
            stage.with_option("cycle_length", number) if isinstance(stage, Read) else stage
            for stage in plan.stages
        )
    )
