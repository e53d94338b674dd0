"""A value of any structure that holds nothing, for branches and datasets that deliver nothing."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def empty_value(spec: Any) -> Any:
    """A value of the structure `spec`, as small as it can be: unknown dimensions are 0.

    >>> empty_value(tf.TensorSpec([None, 2], tf.int32)).shape.as_list()
    [0, 2]
    """
    return tf.nest.map_structure(_empty, spec)


def _empty(spec: Any) -> Any:
    if isinstance(spec, tf.data.DatasetSpec):
        return tf.data.Dataset.from_tensors(empty_value(spec.element_spec)).take(0)
    shape = [0] if spec.shape.rank is None else [size or 0 for size in spec.shape.as_list()]
    if isinstance(spec, tf.SparseTensorSpec):
        indices = tf.zeros([0, len(shape)], tf.int64)
        return tf.SparseTensor(indices, tf.zeros([0], spec.dtype), tf.constant(shape, tf.int64))
    if isinstance(spec, tf.RaggedTensorSpec):
        inner = [0, *shape[spec.ragged_rank + 1 :]]
        splits = [tf.zeros([1], spec.row_splits_dtype)] * spec.ragged_rank
        return tf.RaggedTensor.from_nested_row_splits(tf.zeros(inner, spec.dtype), splits)
    if spec.dtype == tf.variant:
        # It has no zero, and nobody looks at this one: an empty list is as good as anything.
        anything = tf.raw_ops.EmptyTensorList(
            element_shape=-1, max_num_elements=0, element_dtype=tf.uint8
        )
        return tf.fill(shape, anything)
    return tf.zeros(shape, spec.dtype)
