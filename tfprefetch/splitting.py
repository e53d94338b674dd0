"""Which part of a function runs on whole batches, and which example by example.

    split = split_function(concrete_function)
    split.single          # the operations that need one example at a time, and what they need
    split.batched         # the rest, on a batch of what `split.single` gives
    split.reasons         # {"DecodeJpeg": "TensorFlow has no version of it for batches"}

An operation that cannot run on batches keeps everything that it needs with it; what follows runs
on whole batches, from where the shapes are the same for all examples.
"""

from __future__ import annotations

import collections
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import tensorflow as tf

from tfprefetch.copies import FunctionCopy, convert_to_batches
from tfprefetch.function_graph import (
    Body,
    Node,
    ancestors,
    capture_constants,
    flatten,
    library_of,
)
from tfprefetch.operations import NotOnBatches, effects_of, is_random, reads_state, why_not
from tfprefetch.twins import draws_with_seed, merge_twins
from tfprefetch.whole_batches import branch_contexts, context_of

# Operations that are no work, as far as a reader of `describe` is concerned.
_PLUMBING = frozenset({"Const", "Identity", "IdentityN", "NoOp", "ReadVariableOp", "Switch"})
# Measured: a few operations on a large example, which stays in a core's cache, are faster than the
# same on a batch, which does not; and what ran example by example first has to be copied.
_LARGEST_BYTES = 32 << 10
_LARGEST_BYTES_AFTER_SINGLE = 4 << 10


@dataclass(frozen=True, eq=False)
class Split:
    """A function in two parts: `single` runs on every example, then `batched` on batches.

    Attributes:
        whole: both parts.
        single: None if everything runs on batches.
        batched: None if nothing does.
        reasons: why operations run example by example, by their type.
        is_sequential: whether the calls of the function have to come one after another, so that
            random operations with equal seeds agree.
        specs: of the examples that `batched` gets.
        results: specs of the function's results.
        library: the functions that the nodes call.
        captured: what stands outside of the function: variables, tables, large constants.
        converted: `batched`, as operations on batches.
    """

    whole: Body
    single: Body | None
    batched: Body | None
    reasons: Mapping[str, str]
    is_sequential: bool
    specs: tuple[tf.TensorSpec, ...]
    results: tuple[tf.TensorSpec, ...]
    library: Any
    captured: tuple[Any, ...]
    converted: FunctionCopy | None = None

    def run_whole(self, *arguments: tf.Tensor) -> list[tf.Tensor]:
        """The function on one example, without a call."""
        return self._copy(self.whole, self.results)(*arguments)

    def run_single(self, *arguments: tf.Tensor) -> list[tf.Tensor]:
        """The first part, on one example; gives what `run_batched` gets."""
        return self._copy(self.single, self.specs)(*arguments)

    def run_batched(self, *batches: tf.Tensor) -> list[tf.Tensor]:
        """The second part, on a batch of what the first one gives; [batch, ...] each."""
        return self.converted(*batches)

    def run_rest(self, *values: tf.Tensor) -> list[tf.Tensor]:
        """What `run_batched` does, for one example alone."""
        return self._copy(self.batched, self.results)(*values)

    def _copy(self, body: Body, results: Sequence[tf.TensorSpec]) -> FunctionCopy:
        shapes = tuple(spec.shape for spec in results)
        return FunctionCopy(body, self.library, self.captured, shapes)

    def lines(self) -> list[str]:
        """What runs how, for people."""
        found = []
        if self.single is not None:
            found.append(f"example by example: {_types(self.single.nodes)}")
            found += [f"  {name}: {reason}" for name, reason in self.reasons.items()]
        if self.batched is not None:
            found.append(f"on whole batches: {_types(self.batched.nodes)}")
        return found


def split_function(function: Any, vectorize: str | bool, in_sequence: bool = False) -> Split:
    """Decides what runs on batches.

    Args:
        function: a concrete function from the tensors of one example to tensors.
        vectorize: "auto", True to have even large examples in batches, or False to leave all on
            single examples (with equal random operations merged).
        in_sequence: whether calls come one after another: then seeded random operations give the
            same numbers every time, which on batches would be others.

    Returns:
        The parts; nothing runs on batches (`batched` is None) where that would not be the same.
    """
    splitting = _Splitting(function, in_sequence)
    if splitting.is_sequential:
        why = "equal seeds have to give equal numbers, so examples take turns"
        return splitting.nothing({"random operations": why})
    return splitting.split(vectorize is not True) if vectorize else splitting.nothing({})


class _Splitting:
    """The function's graph, and the search for the place to cut it in two."""

    def __init__(self, function: Any, in_sequence: bool) -> None:
        self.in_sequence = in_sequence
        self.reasons: dict[str, str] = {}  # why not, by the names of nodes
        graph = function.graph
        body = flatten(graph, function.outputs)
        self.library = library_of(graph, body)
        body, self.is_sequential = merge_twins(body, self.library)
        self.body, constants = capture_constants(body)
        self.captured = (*function.captured_inputs, *constants)
        inputs = self.body.inputs
        number = len(inputs) - len(self.captured)
        self.arguments, self.captured_names = inputs[:number], inputs[number:]
        self.contexts = branch_contexts(self.body)
        tensors = dict(zip(inputs, (*graph.inputs, *constants), strict=True))
        for node in self.body.nodes:
            tensors.update(zip(node.outputs, node.operation.outputs, strict=True))
        self.specs = {name: _spec_of(tensor) for name, tensor in tensors.items()}
        self.results = tuple(map(_spec_of, function.outputs))

    def split(self, only_where_faster: bool) -> Split:
        reasons = {node.name: self._why_not(node) for node in self.body.nodes}
        self.reasons = {name: reason for name, reason in reasons.items() if reason}
        self.reasons |= self._turns(effects_of(self.reasons))
        while True:
            found = self._cut(self._single({*self.reasons, *self._dragged_along(set())}))
            if found is None:
                return self.nothing(self._by_type())
            largest = self._largest_bytes(found.batched)
            most = _LARGEST_BYTES if found.single is None else _LARGEST_BYTES_AFTER_SINGLE
            if only_where_faster and largest > most:
                why = f"examples of {largest:,} bytes are faster one by one"
                return self.nothing({**self._by_type(), "the rest": why})
            try:
                converted = convert_to_batches(found.batched, found.captured, found.specs)
                return replace(found, converted=converted)
            except NotOnBatches as error:
                is_new = not self.reasons.keys() >= error.reasons.keys()
                self.reasons |= error.reasons
                if not is_new:
                    return self.nothing(self._by_type())

    def _why_not(self, node: Node) -> str | None:
        if self.in_sequence and draws_with_seed(node):
            return "it has a seed, and on batches it would draw other numbers"
        return why_not(node)

    def _turns(self, effects: set[str]) -> dict[str, str]:
        """What takes turns with these nodes, which change something, and why."""
        return {
            node.name: "what it reads may change from example to example"
            for node in self.body.nodes
            if node.name not in effects
            and effects
            and (reads_state(node) or not effects.isdisjoint(node.waits_for))
        }

    def nothing(self, reasons: Mapping[str, str]) -> Split:
        """All of it on single examples, for these reasons."""
        return self._found(self.body, None, reasons, ())

    def _found(
        self,
        single: Body | None,
        batched: Body | None,
        reasons: Mapping[str, str],
        specs: tuple[tf.TensorSpec, ...],
    ) -> Split:
        return Split(
            self.body,
            single,
            batched,
            reasons,
            self.is_sequential,
            specs,
            self.results,
            self.library,
            self.captured,
        )

    def _single(self, hard: set[str]) -> set[str]:
        """The names of all nodes that run example by example when those in `hard` do."""
        single: set[str] = set()
        while hard:
            single |= ancestors(self.body.nodes, hard)
            hard = self._dragged_along(single)
        return single

    def _dragged_along(self, single: set[str]) -> set[str]:
        """The names of further nodes that have to run where those in `single` do."""
        same = self._same_for_all(single)
        conditions = {
            condition
            for name in single
            for condition, _ in (*self.contexts.get(name, ()), *self.contexts.get(f"{name}:0", ()))
        }
        found = set()
        for node in self.body.nodes:
            if node.name in single:
                continue
            for value in node.inputs:
                # What differs in shape from example to example cannot stand in a batch.
                maker = value.rpartition(":")[0]
                comes_from_single = maker in single or value in self.arguments
                if comes_from_single and maker not in same and not self._fits(value):
                    found.add(node.name)
            # A conditional of TF1 is one thing: what runs in a branch is not there in the other.
            met = [*self.contexts.get(node.name, ())]
            met += [pair for value in node.inputs for pair in context_of(value, self.contexts)]
            if not conditions.isdisjoint(condition for condition, _ in met):
                found.add(node.name)
        return found

    def _same_for_all(self, single: set[str]) -> set[str]:
        """Those of the nodes that need no example: they may run in both parts."""
        known = set(self.captured_names)
        found = set()
        for node in self.body.nodes:
            if (
                node.name in single
                and known.issuperset(node.inputs)
                and not node.waits_for
                and node.branches is None
                and not is_random(node.operation)
                and node.name not in self.reasons
            ):
                found.add(node.name)
                known.update(node.outputs)
        return found

    def _fits(self, value: str) -> bool:
        """Whether it can stand in a batch, whatever the examples are."""
        spec = self.specs[value]
        return spec.shape.is_fully_defined() and spec.dtype not in (tf.variant, tf.resource)

    def _cut(self, single: set[str]) -> Split | None:
        """The two parts; None if nothing is left for batches that would be worth it."""
        body = self.body
        ends = {name.rpartition(":")[0] for name in body.outputs}
        rest = [node for node in body.nodes if node.name not in single]
        later = ancestors(rest, {*ends, *body.effects} - single)
        if all(node.type in _PLUMBING for node in rest if node.name in later):
            return None
        again = self._same_for_all(single)
        kept = [node for node in body.nodes if node.name in later or node.name in again]
        read = [value for node in kept if node.name in later for value in node.inputs]
        read += body.outputs
        kept_names = {node.name for node in kept}
        needed = ancestors(kept, {value.rpartition(":")[0] for value in read} & kept_names)
        batched = tuple(node for node in kept if node.name in later or node.name in needed)
        inside = {value for node in batched for value in node.outputs}
        between = [value for value in dict.fromkeys(read) if value not in inside]
        between = [value for value in between if value not in self.captured_names]
        if not single:
            between = list(self.arguments)
        if not between or not all(map(self._fits, between)):
            return None
        effects = tuple(name for name in body.effects if name in later)
        second = Body((*between, *self.captured_names), batched, body.outputs, effects)
        first = None
        if single:
            nodes = tuple(node for node in body.nodes if node.name in single)
            first = Body(body.inputs, nodes, tuple(between), ())
        specs = tuple(self.specs[value] for value in between)
        return self._found(first, second, self._by_type(), specs)

    def _largest_bytes(self, body: Body) -> int:
        """Of what a batch has for every example, the largest."""
        same = self._same_for_all({node.name for node in body.nodes})
        values = [*body.inputs, *(value for node in body.nodes for value in node.outputs)]
        values = [value for value in values if value not in self.captured_names]
        specs = [self.specs[value] for value in values if value.rpartition(":")[0] not in same]
        specs = [spec for spec in specs if spec.shape.is_fully_defined()]
        return max((spec.shape.num_elements() * spec.dtype.size for spec in specs), default=0)

    def _by_type(self) -> dict[str, str]:
        return {
            node.type: self.reasons[node.name]
            for node in self.body.nodes
            if node.name in self.reasons
        }


def _spec_of(tensor: tf.Tensor) -> tf.TensorSpec:
    return tf.TensorSpec(tensor.shape, tensor.dtype)


def _types(nodes: Sequence[Node]) -> str:
    counted = collections.Counter(node.type for node in nodes if node.type not in _PLUMBING)
    return ", ".join(
        name if number == 1 else f"{number} {name}" for name, number in counted.items()
    )
