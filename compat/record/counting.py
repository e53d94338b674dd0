"""Counts what a pipeline delivers, for `--stats`, in the same way under both engines."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from compat.report import PipelineReport


def counted(
    tensors: Any, report: PipelineReport | None, *, is_batched: bool, name: str | None = None
) -> Any:
    """`tensors`, counted in `report`, if it counts, whenever they are delivered.

    Args:
      tensors: any structure of tensors that one `session.run` delivers together.
      report: where to count.
      is_batched: whether they hold several elements, along their first dimension.
      name: of the op whose outputs the result is.
    """
    if report is None or not report.counts:
        return tensors
    flat = tf.nest.flatten(tensors, expand_composites=True)
    with tf.control_dependencies(flat):
        number = _rows(tf.nest.flatten(tensors)[0]) if is_batched else tf.constant(1)
        count = tf.numpy_function(report.count, [number], [])
    with tf.control_dependencies([count]):
        flat = tf.raw_ops.IdentityN(input=flat, name=name)
    return tf.nest.pack_sequence_as(tensors, flat, expand_composites=True)


def _rows(batch: tf.Tensor | tf.SparseTensor) -> tf.Tensor:
    shape = batch.dense_shape if isinstance(batch, tf.SparseTensor) else tf.shape(batch)
    return tf.cast(shape[0], tf.int32)
