"""What single TensorFlow operations do when they get a whole batch.

Three ways lead from an operation on one example to one on a batch: most have a converter in
`tf.vectorized_map`. Those in `DIRECT` do not, or theirs is too narrow or slow, and are called here
on the batch itself. For the rest, and for all that has side effects, `why_not` has the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import tensorflow as tf

from tfprefetch.function_graph import Node, import_nodes


class NotOnBatches(Exception):
    """An operation has no version for whole batches; the message says why.

    Attributes:
        names: of the nodes that this is about.
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


# --- operations that are called on the batch itself ---------------------------------------------


def _same(node: Node, parts: Sequence[Part], size: tf.Tensor) -> list[tf.Tensor]:
    """The operation works on any shape, element by element; only its first input is a batch."""
    if not parts[0].is_stacked or any(part.is_stacked for part in parts[1:]):
        raise NotOnBatches({node.name: "its arguments differ between examples"})
    return _run(node, [part.tensor for part in parts])


def _find(node: Node, parts: Sequence[Part], size: tf.Tensor) -> list[tf.Tensor]:
    if parts[0].is_stacked or parts[2].is_stacked:
        raise NotOnBatches({node.name: "the table or its default differs between examples"})
    return _run(node, [part.tensor for part in parts])


def _join(node: Node, parts: Sequence[Part], size: tf.Tensor) -> list[tf.Tensor]:
    """Scalars stand for any shape in `StringJoin`, but nothing else is broadcast."""
    ranks = {part.tensor.shape.rank for part in parts if part.is_stacked}
    fixed = {part.tensor.shape.rank for part in parts if not part.is_stacked}
    if len(ranks) > 1 or None in ranks or fixed - {0}:
        raise NotOnBatches({node.name: "its arguments differ in shape"})
    return _run(node, [part.tensor for part in parts])


def _substr(node: Node, parts: Sequence[Part], size: tf.Tensor) -> list[tf.Tensor]:
    """A position and a length for all strings, or for each its own; broadcast from the right."""
    text, position, length = parts
    rank, position_rank = (
        None if part.tensor.shape.rank is None else part.tensor.shape.rank - part.is_stacked
        for part in (text, position)
    )
    if rank is None or position_rank is None or rank < position_rank:
        raise NotOnBatches({node.name: "its positions have more dimensions than the strings"})
    if position.is_stacked or length.is_stacked:
        if rank != position_rank:
            raise NotOnBatches({node.name: "its positions differ between examples"})
        parts = [Part(_stacked(part, size), True) for part in parts]
    return _run(node, [_stacked(text, size), *(part.tensor for part in parts[1:])])


def _squeeze(node: Node, parts: Sequence[Part], size: tf.Tensor) -> list[tf.Tensor]:
    batch = parts[0].tensor
    axes = [axis + (axis >= 0) for axis in node.operation.node_def.attr["squeeze_dims"].list.i]
    if not axes:
        # All dimensions that are 1, but not the batch's own.
        if batch.shape.rank is None or None in batch.shape.as_list()[1:]:
            raise NotOnBatches({node.name: "which dimensions it drops is not known beforehand"})
        axes = [axis for axis, length in enumerate(batch.shape.as_list()) if axis and length == 1]
    return [tf.squeeze(batch, axes) if axes else batch]


def _pad(node: Node, parts: Sequence[Part], size: tf.Tensor) -> list[tf.Tensor]:
    if any(part.is_stacked for part in parts[1:]):
        raise NotOnBatches({node.name: "its arguments differ between examples"})
    paddings = parts[1].tensor
    none = tf.zeros([1, 2], paddings.dtype)
    others = [part.tensor for part in parts[2:]]
    return _run(node, [parts[0].tensor, tf.concat([none, paddings], 0), *others])


def _roll(node: Node, parts: Sequence[Part], size: tf.Tensor) -> list[tf.Tensor]:
    batch, shift, axis = parts
    axes = tf.get_static_value(axis.tensor)
    if not batch.is_stacked or axes is None or (shift.is_stacked and axes.ndim):
        raise NotOnBatches({node.name: "its arguments differ between examples"})
    axes = axes + (axes >= 0)
    if not shift.is_stacked:
        return [tf.roll(batch.tensor, shift.tensor, axes)]
    length = tf.shape(batch.tensor, shift.tensor.dtype)[axes]
    rows = (tf.range(length) - shift.tensor[:, None]) % length
    return [tf.gather(batch.tensor, rows, axis=axes, batch_dims=1)]


def _folded(node: Node, parts: Sequence[Part], size: tf.Tensor) -> list[tf.Tensor]:
    """For images [number, height, width, channels]: the two first dimensions become one."""
    if any(part.is_stacked for part in parts[1:]):
        raise NotOnBatches({node.name: "its arguments differ between examples"})
    images = parts[0].tensor
    shape = tf.shape(images)
    flat = tf.reshape(images, tf.concat([[-1], shape[2:]], 0))
    flat.set_shape([None, *images.shape.as_list()[2:]])
    (result,) = _run(node, [flat, *(part.tensor for part in parts[1:])])
    static = node.operation.outputs[0].shape.as_list()
    result = tf.reshape(result, tf.concat([shape[:2], tf.shape(result)[1:]], 0))
    result.set_shape([None, *static])
    return [result]


def _contrast(node: Node, parts: Sequence[Part], size: tf.Tensor) -> list[tf.Tensor]:
    images, factor = parts
    if not factor.is_stacked:
        return _run(node, [images.tensor, factor.tensor])
    if not images.is_stacked:
        raise NotOnBatches({node.name: "one image for all examples"})
    rank = images.tensor.shape.rank
    factors = tf.cast(_with_rank(factor.tensor, rank), images.tensor.dtype)
    mean = tf.reduce_mean(images.tensor, [-3, -2], keepdims=True)
    return [(images.tensor - mean) * factors + mean]


def _slice(node: Node, parts: Sequence[Part], size: tf.Tensor) -> list[tf.Tensor] | None:
    """A part of every example, of the same size, but somewhere else in each: a crop."""
    value, begin, extent = parts
    if not begin.is_stacked:
        return None  # the converter of vectorized_map is good at these
    result, extents = value.tensor, tf.get_static_value(extent.tensor)
    promised = node.shape(node.outputs[0])
    if extents is None and promised.is_fully_defined() and not extent.is_stacked:
        extents = promised.as_list()
        as_promised = tf.reduce_all(tf.equal(extent.tensor, extents))
        with tf.control_dependencies([tf.debugging.Assert(as_promised, ["another size"])]):
            result = tf.identity(result)
    if not value.is_stacked or extents is None or result.shape.rank is None:
        raise NotOnBatches({node.name: "its size is not known beforehand"})
    dimensions = result.shape.as_list()[1:]
    # -1 means all that is left: the whole dimension, as long as it begins at 0.
    extents = [
        dimension if extent == -1 else extent
        for extent, dimension in zip(extents, dimensions, strict=True)
    ]
    if not all(extents):
        raise NotOnBatches({node.name: "its size is not known beforehand"})
    for axis, (length, dimension) in enumerate(zip(extents, dimensions, strict=True)):
        first = begin.tensor[:, axis]
        if dimension is not None and length == dimension:
            inside = tf.reduce_all(tf.equal(first, 0))
            with tf.control_dependencies([tf.debugging.Assert(inside, ["Slice begins outside"])]):
                result = tf.identity(result)
            continue
        rows = first[:, None] + tf.range(length, dtype=first.dtype)
        result = tf.gather(result, rows, axis=axis + 1, batch_dims=1)
    return [result]


def _switch(node: Node, parts: Sequence[Part], size: tf.Tensor) -> list[Part]:
    return [parts[0], parts[0]]  # both branches run; `Merge` takes the one


# From a node, its inputs and the batch's size to its outputs; None leaves it to vectorized_map.
_Direct = Callable[[Node, Sequence[Part], tf.Tensor], "list[tf.Tensor | Part] | None"]
DIRECT: dict[str, _Direct] = {
    **dict.fromkeys(
        (
            "AsString",
            "DecodeBase64",
            "DecodeCSV",
            "DecodeCompressed",
            "DecodePaddedRaw",
            "DecodeRaw",
            "EncodeBase64",
            "HSVToRGB",
            "RGBToHSV",
            "RegexFullMatch",
            "RegexReplace",
            "StaticRegexFullMatch",
            "StaticRegexReplace",
            "StringLength",
            "StringLower",
            "StringStrip",
            "StringToHashBucket",
            "StringToHashBucketFast",
            "StringToHashBucketStrong",
            "StringToNumber",
            "StringUpper",
            "UnicodeTranscode",
        ),
        _same,
    ),
    **dict.fromkeys(
        (
            "ResizeArea",
            "ResizeBicubic",
            "ResizeBilinear",
            "ResizeNearestNeighbor",
            "ScaleAndTranslate",
        ),
        _folded,
    ),
    "AdjustContrastv2": _contrast,
    "LookupTableFind": _find,
    "LookupTableFindV2": _find,
    "MirrorPad": _pad,
    "PadV2": _pad,
    "RefSwitch": _switch,
    "Roll": _roll,
    "Slice": _slice,
    "Squeeze": _squeeze,
    "StringJoin": _join,
    "Substr": _substr,
    "Switch": _switch,
}


def select(condition: Part, then: Part, otherwise: Part, size: tf.Tensor) -> tf.Tensor:
    """For every example the one or the other value."""
    mask = tf.cast(_stacked(condition, size), tf.bool)
    # TF1's `where` takes whole rows, which is several times as fast as broadcasting the mask.
    return tf.compat.v1.where(mask, _stacked(then, size), _stacked(otherwise, size))


def _stacked(part: Part, size: tf.Tensor) -> tf.Tensor:
    """A batch of the value, repeated if it is one for all."""
    if part.is_stacked:
        return part.tensor
    repeats = tf.concat([[size], tf.ones([part.tensor.shape.rank], tf.int32)], 0)
    return tf.tile(part.tensor[None], repeats)


def _with_rank(batch: tf.Tensor, rank: int) -> tf.Tensor:
    """A batch of scalars with more dimensions, all of them 1."""
    return tf.reshape(batch, [-1] + [1] * (rank - 1))


def _run(node: Node, tensors: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    values = dict(zip(node.inputs, tensors, strict=True))
    single = Node(node.name, node.operation, node.inputs)
    return import_nodes([single], values, node.outputs)
