"""Batches whose elements are of one bucket each."""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from compat.plan.plan import Stage


@dataclasses.dataclass(frozen=True, eq=False)
class BucketAndBatch(Stage):
    """Elements that end with the number of their bucket → batches that end with it."""

    batch_sizes: tuple[int, ...]
    drop_remainder: bool
    padded_shapes: tuple[tf.TensorShape, ...] | None

    def __str__(self) -> str:
        sizes = sorted(set(self.batch_sizes))
        padded = "padded " if self.padded_shapes else ""
        return f"{len(self.batch_sizes)} buckets, {padded}batch ({', '.join(map(str, sizes))})"

    def build(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        plain = tf.autograph.experimental.do_not_convert  # our own code needs no conversion
        sizes = tf.constant(self.batch_sizes, tf.int64)

        def is_in_a_bucket(*element: tf.Tensor) -> tf.Tensor:
            return tf.logical_and(element[-1] >= 0, element[-1] < len(self.batch_sizes))

        def batches(which: tf.Tensor, window: tf.data.Dataset) -> tf.data.Dataset:
            window = window.map(plain(lambda *element: element[:-1]))
            size = tf.gather(sizes, which)
            if self.padded_shapes is None:
                batched = window.batch(size, self.drop_remainder)
            else:
                batched = window.padded_batch(
                    size, self.padded_shapes, drop_remainder=self.drop_remainder
                )
            return batched.map(plain(lambda *batch: (*batch, tf.cast(which, tf.int32))))

        return dataset.filter(plain(is_in_a_bucket)).group_by_window(
            key_func=plain(lambda *element: tf.cast(element[-1], tf.int64)),
            reduce_func=plain(batches),
            window_size_func=plain(lambda which: tf.gather(sizes, which)),
        )
