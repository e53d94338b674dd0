"""The pipeline behind the tensors of any of TF1's eight batching functions.

What the tensors come from is walked back to the recorded sources; the ops in between are the
program's own preprocessing and become the dataset's map function.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from compat.plan.capture import SubGraph, Unplannable
from compat.plan.plan import Plan
from compat.plan.stages import (
    Batch,
    Map,
    MapAndBatch,
    PaddedBatch,
    Prefetch,
    Rebatch,
    Unbatch,
)
from compat.plan.taking import AskedNumber, Leftovers, Take
from compat.record.branch import Branch, Component, are_same, elements, one_plan, record_branch
from compat.record.buffering import held_ahead, shuffle_buffer_size
from compat.record.fallback import call_queue_function
from compat.record.reference import Reference, reference
from compat.record.runner import InputRunner
from compat.record.source import Source, counting_operations, graph_state
from compat.record.taking import take
from compat.settings import settings

_MANY_ROWS = 16


@dataclasses.dataclass(frozen=True)
class _Batching:
    """The arguments that decide what the dataset does with the elements."""

    batch_size: int | AskedNumber | None  # None until a name is found for a number that is asked
    num_threads: int
    capacity: int
    as_rows: bool
    drop_remainder: bool
    dynamic_pad: bool
    min_after_dequeue: int | None
    seed: int | None
    components: tuple[Component, ...]

    def rows_stay_together(self, preprocessing: SubGraph) -> bool:
        """Whether rows can go into batches without being taken apart."""
        rows = preprocessing.outputs[0].shape[:1].as_list()
        return (
            self.as_rows
            and not (self.dynamic_pad or preprocessing.has_effects)
            and self.min_after_dequeue is None
            and isinstance(self.batch_size, int)
            # Few at a time are as quick one by one.
            and (rows == [None] or rows[0] >= _MANY_ROWS)
        )

    def batched(self, plan: Plan) -> Plan:
        """Batches of the elements of `plan`."""
        specs = tuple(component.element_spec for component in self.components)
        shapes = tuple(spec.shape for spec in specs)
        if isinstance(self.batch_size, AskedNumber):
            leftovers = Leftovers(f"{self.batch_size.name}/leftovers", specs)
            stacked = tf.data.Dataset.batch
            if self.dynamic_pad:
                stacked = functools.partial(tf.data.Dataset.padded_batch, padded_shapes=shapes)
            return plan.then(Take(self.batch_size, self.drop_remainder, leftovers, stacked=stacked))
        if self.dynamic_pad:
            return plan.then(PaddedBatch(self.batch_size, self.drop_remainder, shapes))
        return plan.then(Batch(self.batch_size, self.drop_remainder))


def record_batches(
    function_name: str, function: Callable[..., Any], arguments: dict[str, Any]
) -> Any:
    """Records a call of one of TF1's batching functions.

    Args:
      function_name: its name.
      function: TensorFlow's own function of that name, for its errors, and to fall back to.
      arguments: the arguments of the call, by name.

    Returns:
      What `function` would return, out of a dataset.

    Raises:
      Whatever `function` raises for these arguments.
    """
    graph_state()  # says so at once where there is no graph
    key = "tensors_list" if "tensors_list" in arguments else "tensors"
    convert = _converted if key == "tensors" else _all_converted
    arguments[key] = convert(arguments[key])
    expected = reference(function, arguments)
    if settings.engine == "queues":
        return call_queue_function(function_name, function, arguments)
    branches = arguments[key] if key == "tensors_list" else [arguments[key]]
    try:
        with counting_operations(0):
            batching, keep_input = _batching(arguments, expected)
            recorded = [
                record_branch(
                    _flat(tensors),
                    keep_input,
                    batching.components,
                    enqueue_many=bool(arguments["enqueue_many"]),
                )
                for tensors in branches
            ]
    except Unplannable as reason:
        return call_queue_function(function_name, function, arguments, str(reason))
    with counting_operations(expected.operations):
        tensors = _build(function_name, arguments, batching, recorded, expected)
    return expected.pack(tensors)


def _build(
    function_name: str,
    arguments: dict[str, Any],
    batching: _Batching,
    branches: list[Branch],
    expected: Reference,
) -> list[tf.Tensor | tf.SparseTensor]:
    components = batching.components
    default_name = function_name.removeprefix("maybe_")
    with tf.compat.v1.name_scope(arguments["name"], default_name) as scope:
        if batching.batch_size is None:
            batching = dataclasses.replace(batching, batch_size=AskedNumber(f"{scope}size"))

        def compose(plans: list[Plan]) -> Plan:
            return _composed(plans, branches, batching)

        source = Source(
            function_name,
            scope,
            [part.spec for part in components],
            [link for branch in branches for link in branch.links],
            compose,
            is_batched=True,
            capacity=batching.capacity,
            shared_name=arguments["shared_name"],
            same_branches=len(branches) if are_same(branches) else 1,
        )
        tf.compat.v1.train.add_queue_runner(InputRunner(source))
        expected.add_summaries()
        if isinstance(batching.batch_size, AskedNumber):
            number = tf.convert_to_tensor(arguments["batch_size"])
            batches = take(source, batching.batch_size, number, scope)
        else:
            batches = source.tap(scope)
        return [part.delivered(batch) for part, batch in zip(components, batches, strict=True)]


def _all_converted(tensors_list: Any) -> Any:
    if not isinstance(tensors_list, (list, tuple)):
        return tensors_list  # TensorFlow's function says what is wrong with it
    return [_converted(tensors) for tensors in tensors_list]


def _converted(tensors: Any) -> Any:
    """The user's values as tensors; a single one is a list of one."""
    if isinstance(tensors, dict):
        return {key: _tensor(value) for key, value in tensors.items()}
    if isinstance(tensors, (list, tuple)):
        return [_tensor(value) for value in tensors]
    return [_tensor(tensors)]


def _tensor(value: Any) -> tf.Tensor | tf.SparseTensor:
    return value if isinstance(value, tf.SparseTensor) else tf.convert_to_tensor(value)


def _flat(tensors: Any) -> list[tf.Tensor | tf.SparseTensor]:
    return tf.nest.flatten(tensors, expand_composites=False)


def _batching(arguments: dict[str, Any], expected: Reference) -> tuple[_Batching, tf.Tensor | None]:
    """The arguments as numbers, and what to keep."""
    batch_size = arguments["batch_size"]
    if isinstance(batch_size, (tf.Tensor, tf.Variable)):
        batch_size = tf.get_static_value(batch_size)
    keep_input = arguments.get("keep_input")
    if keep_input is not None:
        keep_input = tf.convert_to_tensor(keep_input)
        static = tf.get_static_value(keep_input)
        if static is not None and static.ndim == 0:  # a number does too
            keep_input = None if static else tf.constant(False)
    dynamic_pad = bool(arguments.get("dynamic_pad"))
    # Only strings can be padded.
    serialized_as = tf.string if dynamic_pad else tf.variant
    return _Batching(
        batch_size=None if batch_size is None else int(batch_size),
        num_threads=arguments.get("num_threads", 1),
        capacity=arguments["capacity"],
        as_rows=bool(arguments["enqueue_many"]) or keep_input is not None,
        drop_remainder=not arguments["allow_smaller_final_batch"],
        dynamic_pad=dynamic_pad,
        min_after_dequeue=arguments.get("min_after_dequeue"),
        seed=arguments.get("seed"),
        components=tuple(
            Component(result, serialized_as if isinstance(result, tf.SparseTensor) else None)
            for result in _flat(expected.result)
        ),
    ), keep_input


def _composed(plans: list[Plan], branches: list[Branch], batching: _Batching) -> Plan:
    """The plan of a batch: preprocessing on many elements at a time wherever that is the same."""
    preprocessing = branches[0].preprocessing
    plan, num_branches = one_plan(plans, branches)
    if plan is not None and not plan.is_exact and batching.rows_stay_together(preprocessing):
        rows = Map(preprocessing, tf.data.AUTOTUNE, "enqueue_many")
        together = Rebatch(batching.batch_size, batching.drop_remainder)
        return plan.then(rows, together, Prefetch(max(1, batching.capacity // batching.batch_size)))
    if (
        plan is None
        or plan.is_exact
        or preprocessing.has_effects
        or batching.as_rows
        or batching.dynamic_pad
        or isinstance(batching.batch_size, AskedNumber)
    ):
        reason = "its rows are the elements" if batching.as_rows else "their shapes differ"
        if isinstance(batching.batch_size, AskedNumber):
            reason = "batch_size is a tensor"
        num_threads = max(num_branches, batching.num_threads)
        return _batches(elements(plans, branches, num_threads, reason), batching)
    picked_from = None
    if batching.min_after_dequeue is not None:
        picked_from = shuffle_buffer_size(
            batching.capacity, batching.min_after_dequeue, batching.batch_size
        )
    mapped = MapAndBatch(
        preprocessing,
        batching.batch_size,
        batching.drop_remainder,
        batching.num_threads,
        settings.vectorize,
        # Shuffling before decoding gives the same distribution for less memory.
        picked_from,
        batching.seed,
    )
    return plan.then(mapped, Prefetch(max(1, batching.capacity // batching.batch_size)))


def _batches(plan: Plan, batching: _Batching) -> Plan:
    """Batches of the elements of `plan`."""
    if batching.as_rows:
        plan = plan.then(Unbatch())
    held = held_ahead(
        plan,
        batching.capacity,
        batching.min_after_dequeue,
        batching.seed,
        None if isinstance(batching.batch_size, AskedNumber) else batching.batch_size,
    )
    return batching.batched(held)
