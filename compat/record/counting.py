"""Counts what a pipeline delivers, for `--stats`, in the same way under both engines."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from compat.report import PipelineReport


def counted(tensors: Any, report: PipelineReport, *, is_batched: bool) -> Any:
    """`tensors`, counted in `report` whenever they are delivered.

    Args:
      tensors: any structure of tensors that one `session.run` delivers together.
      report: where to count.
      is_batched: whether they hold several elements, along their first dimension.
    """
    flat = tf.nest.flatten(tensors)
    with tf.control_dependencies(flat):
        number = tf.shape(flat[0])[0] if is_batched else tf.constant(1)
        count = tf.numpy_function(report.count, [number], [])
    with tf.control_dependencies([count]):
        return tf.nest.pack_sequence_as(tensors, [tf.identity(tensor) for tensor in flat])
