"""A user's function over single elements, as the stages in which it runs.

stages = Stages.of(map_func, dataset, vectorize="auto", in_sequence=False)
stages.batched        # for whole batches, None where nothing runs on those
stages.details        # what runs how, and why, for `describe`
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import tensorflow as tf

from tfprefetch.splitting import split_function

# Operations with a state whose errors are never OutOfRangeError.
_NEVER_ENDS = re.compile("Assert|Check|Random|Variable|VarHandle|LookupTable|HashTable|Multinomial")

_plain = tf.autograph.experimental.do_not_convert


@dataclass(frozen=True, eq=False)
class Stages:
    """How `map_func` runs.

    Attributes:
        whole: the function over single elements.
        element_spec: the structure of its result.
        may_end: whether it may raise OutOfRangeError, which ends the dataset.
        single: from the components of an element to a tuple of tensors, what `batched` gets; None
            if that gets the components themselves.
        batched: from a batch of them to a batch of results; None: everything runs in `whole`.
        rest: what `batched` does, for one example.
        is_sequential: whether the calls have to come one after another.
        details: lines for people.
    """

    whole: Callable[..., Any]
    element_spec: Any
    may_end: bool
    single: Callable[..., Any] | None
    batched: Callable[..., Any] | None
    rest: Callable[..., Any] | None
    is_sequential: bool
    details: tuple[str, ...]

    @classmethod
    def of(
        cls,
        map_func: Callable[..., Any],
        dataset: tf.data.Dataset,
        vectorize: str | bool,
        in_sequence: bool,
    ) -> Stages:
        """Traces `map_func` and decides.

        Args:
            map_func: from a single element to a single element.
            dataset: where the elements come from.
            vectorize: as in `map_and_batch`.
            in_sequence: whether calls come one after another.

        Raises:
            ValueError: vectorize=True, and something cannot run on whole batches.
        """
        operations: list[tf.Operation] = []

        def traced(*element: Any) -> Any:
            result = map_func(*element)
            operations.extend(tf.compat.v1.get_default_graph().get_operations())
            return result

        # With autograph on, as in Dataset.map; our own code around it needs no conversion.
        whole = tf.function(traced)
        spec = dataset.map(whole).element_spec
        may_end = any(
            operation.op_def.is_stateful and not _NEVER_ENDS.search(operation.type)
            for operation in operations
        )
        arguments = dataset.element_spec
        concrete = (
            whole.get_concrete_function(*arguments)
            if isinstance(arguments, tuple)
            else whole.get_concrete_function(arguments)
        )
        obstacle = _obstacle(arguments, spec, concrete)
        if obstacle is not None and vectorize is True:
            raise ValueError(f"vectorize=True, but not everything can: {obstacle}")
        split = split_function(concrete, vectorize if obstacle is None else False, in_sequence)
        if vectorize is True and split.single is not None:
            reasons = [f"{name}: {reason}" for name, reason in split.reasons.items()]
            raise ValueError(
                "vectorize=True, but not everything in map_func can run on whole batches "
                f'({"; ".join(reasons)}): leave it at "auto"'
            )

        structure = concrete.structured_outputs

        def pack(results: list[tf.Tensor]) -> Any:
            return tf.nest.pack_sequence_as(structure, results, expand_composites=True)

        @_plain
        def copied(*element: Any) -> Any:
            return pack(split.run_whole(*tf.nest.flatten(element, expand_composites=True)))

        @_plain
        def single(*element: Any) -> Any:
            return tuple(split.run_single(*tf.nest.flatten(element)))

        @_plain
        def batched(*batches: Any) -> Any:
            return pack(split.run_batched(*tf.nest.flatten(batches)))

        @_plain
        def rest(*values: Any) -> Any:
            return pack(split.run_rest(*tf.nest.flatten(values)))

        lines = split.lines()
        if obstacle is not None:
            lines[0] = f"example by example, because {obstacle}"
        details = tuple(lines)
        # None in a result has no tensor: then it stays a call.
        if len(tf.nest.flatten(structure, expand_composites=True)) == len(concrete.outputs):
            whole = copied
        if split.batched is None:
            return cls(whole, spec, may_end, None, None, None, split.is_sequential, details)
        first = single if split.single is not None else None
        return cls(whole, spec, may_end, first, batched, rest, False, details)

    def singly(self) -> Stages:
        """The same, example by example, from where `batched` begins."""
        return replace(self, whole=self.rest, single=None, batched=None, rest=None)

    @property
    def has_fixed_shapes(self) -> bool:
        """Whether all results have the same shape, whatever the examples are."""
        return all(part.shape.is_fully_defined() for part in tf.nest.flatten(self.element_spec))


def _obstacle(arguments: Any, spec: Any, function: Any) -> str | None:
    """Why a function cannot be taken apart at all."""
    for what, structure in (("its elements", arguments), ("its results", spec)):
        for part in tf.nest.flatten(structure):
            if not isinstance(part, tf.TensorSpec):
                return f"{what} have a {type(part).__name__.removesuffix('Spec')}"
    if not tf.nest.flatten(arguments):
        return "its elements have no components"
    if [_type(part) for part in tf.nest.flatten(spec)] != [
        _type(part) for part in function.outputs
    ]:
        return "it returns a list, which becomes one tensor"
    return None


def _type(part: tf.Tensor | tf.TensorSpec) -> tuple[object, ...]:
    return part.dtype, part.shape.rank and tuple(part.shape.as_list())
