"""Several pipelines that deliver into one, as the threads of a `batch_join` did."""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from compat.plan.plan import Plan, Stage


@dataclasses.dataclass(frozen=True, eq=False)
class Join(Stage):
    """The elements of several plans, each as soon as it is there."""

    plans: tuple[Plan, ...]
    specs: tuple[tf.TensorSpec, ...]
    is_exact = True

    def __str__(self) -> str:
        return "join: " + " | ".join(" → ".join(plan.lines()) for plan in self.plans)

    def build(self, dataset: None = None) -> tf.data.Dataset:
        del dataset  # this is a source
        variants = [tf.data.experimental.to_variant(plan.build()) for plan in self.plans]

        def branch(variant: tf.Tensor) -> tf.data.Dataset:
            return tf.data.experimental.from_variant(variant, self.specs)

        # Each branch runs by itself, and none waits for another.
        return tf.data.Dataset.from_tensor_slices(tf.stack(variants)).interleave(
            tf.autograph.experimental.do_not_convert(branch),
            cycle_length=len(variants),
            num_parallel_calls=len(variants),
            deterministic=False,
        )
