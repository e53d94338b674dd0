"""Operations on a whole batch, where `tf.vectorized_map` has none or none that serves.

    results = DIRECT["DecodeRaw"](node, parts, size)

A function gets the inputs of a node, some of them batches, and gives its outputs for the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf

from tfprefetch.function_graph import Node, import_nodes
from tfprefetch.operations import NotOnBatches, Part


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
        parts = [Part(stacked(part, size), True) for part in parts]
    return _run(node, [stacked(text, size), *(part.tensor for part in parts[1:])])


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
            "TopKV2",
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
    mask = tf.cast(stacked(condition, size), tf.bool)
    # TF1's `where` takes whole rows, which is several times as fast as broadcasting the mask.
    return tf.compat.v1.where(mask, stacked(then, size), stacked(otherwise, size))


def stacked(part: Part, size: tf.Tensor) -> tf.Tensor:
    """A batch of the value, repeated if it is one for all."""
    if part.is_stacked:
        return part.tensor
    repeats = tf.concat([[size], tf.ones_like(tf.shape(part.tensor))], 0)
    return tf.tile(part.tensor[None], repeats)


def _with_rank(batch: tf.Tensor, rank: int) -> tf.Tensor:
    """A batch of scalars with more dimensions, all of them 1."""
    return tf.reshape(batch, [-1] + [1] * (rank - 1))


def _run(node: Node, tensors: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    values = dict(zip(node.inputs, tensors, strict=True))
    single = Node(node.name, node.operation, node.inputs)
    return import_nodes([single], values, node.outputs)
