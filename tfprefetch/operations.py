"""Which TensorFlow operations cannot run on a whole batch, and why.

Three ways lead from an operation on one example to one on a batch: most have a converter in
`tf.vectorized_map`. Those in `tfprefetch.batch_versions` do not, or theirs is wrong, too narrow or
slow. For the rest, and for all that has side effects, `why_not` has the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import tensorflow as tf

from tfprefetch.function_graph import Node


class NotOnBatches(Exception):
    """An operation has no version for whole batches; the message says why.

    Attributes:
        reasons: why not, by the names of the nodes that this is about.
    """

    def __init__(self, reasons: dict[str, str]) -> None:
        super().__init__(next(iter(reasons.values())))
        self.reasons = reasons


@dataclass(frozen=True)
class Part:
    """A value in a batch: one for every example (`is_stacked`), or one for all of them."""

    tensor: tf.Tensor
    is_stacked: bool


# Stateful only in name, as far as a batch is concerned: they read, or they check.
_READ_ONLY = frozenset(
    {
        "Assert",
        "CheckNumerics",
        "CheckNumericsV2",
        "LookupTableFind",
        "LookupTableFindV2",
        "LookupTableSizeV2",
        "ReadVariableOp",
        "Variable",
        "VariableV2",
    }
)
_LOOPS = frozenset({"Enter", "RefEnter", "Exit", "RefExit", "NextIteration", "RefNextIteration"})
_WHILE = frozenset({"While", "StatelessWhile", "For"})
# `tf.vectorized_map` has converters for these, but they do not give what single examples give.
_SEGMENTS = "a segment or an index that is out of range would be one of the next example"
_MISLEADING = {
    "StringFormat": "it would print the whole batch",
    "ParseSequenceExample": "it pads to the longest example",
    "SparseSegmentMean": _SEGMENTS,
    "SparseSegmentMeanWithNumSegments": _SEGMENTS,
    "SparseSegmentSqrtN": _SEGMENTS,
    "SparseSegmentSqrtNWithNumSegments": _SEGMENTS,
    "SparseSegmentSum": _SEGMENTS,
    "SparseSegmentSumWithNumSegments": _SEGMENTS,
    "UnsortedSegmentMax": _SEGMENTS,
    "UnsortedSegmentMin": _SEGMENTS,
    "UnsortedSegmentProd": _SEGMENTS,
    "UnsortedSegmentSum": _SEGMENTS,
}


_EFFECT = "it may have side effects"
_CHANGE = "it may change a variable"


def is_random(operation: tf.Operation) -> bool:
    """Whether it draws random numbers from a stream of its own."""
    attributes = operation.node_def.attr
    return operation.op_def.is_stateful and "seed" in attributes and "seed2" in attributes


def seeds(operation: tf.Operation) -> tuple[int, int]:
    """Of a random operation: (0, 0) if nobody asked for repeatable numbers."""
    attributes = operation.node_def.attr
    return attributes["seed"].i, attributes["seed2"].i


def why_not(node: Node) -> str | None:
    """Why an operation cannot run on whole batches, None if it perhaps can."""
    operation = node.operation
    if node.branches is not None:
        inside = [why_not(inner) for branch in node.branches for inner in branch.nodes]
        reasons = [reason for reason in inside if reason]
        return reasons[0] if reasons else None
    if node.type in _LOOPS or node.type in _WHILE:
        return "it is a loop"
    if node.type in ("Case", "StatelessCase"):
        return "it chooses one of several functions"
    if node.type == "Cast" and operation.node_def.attr["Truncate"].b:
        return "on batches it would round, not truncate"
    if node.type in _MISLEADING:
        return _MISLEADING[node.type]
    if operation.op_def.is_stateful and not is_random(operation) and node.type not in _READ_ONLY:
        return _EFFECT
    if any(argument.is_ref for argument in operation.op_def.input_arg):
        return _CHANGE if node.type != "RefSwitch" else None
    if any(tensor.dtype == tf.variant for tensor in operation.outputs):
        return "it makes a list or another variant"
    if node.type.startswith("Stateless") and "Random" in node.type:
        return "it takes one seed at a time"
    if node.type in ("ParseSingleExample", "ParseExampleV2"):
        return _why_not_parse(operation)
    if node.type in ("Merge", "RefMerge") and operation.outputs[1].consumers():
        return "it asks which branch ran"
    return None


def effects_of(reasons: Mapping[str, str]) -> set[str]:
    """Of the nodes with these reasons why not: those that change something."""
    return {name for name, reason in reasons.items() if reason in (_EFFECT, _CHANGE)}


def reads_state(node: Node) -> bool:
    """Whether what it gives depends on when it runs: a variable's value, a table's."""
    inside = (inner for branch in node.branches or () for inner in branch.nodes)
    return (node.type in _READ_ONLY and node.type != "Assert") or any(map(reads_state, inside))


def _why_not_parse(operation: tf.Operation) -> str | None:
    attributes = operation.node_def.attr
    if attributes["sparse_types"].list.type or attributes["ragged_value_types"].list.type:
        return "features of varying length (VarLenFeature, RaggedFeature)"
    for shape in attributes["dense_shapes"].list.shape:
        if not tf.TensorShape(shape).is_fully_defined():
            return "features of varying length (FixedLenSequenceFeature)"
    return None
