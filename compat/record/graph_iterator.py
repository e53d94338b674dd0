"""An iterator that lives in the graph, and the gate in front of it.

iterator = GraphIterator(specs, name="batch/iterator")
start = iterator.starter(dataset)     # an op; run again, it starts from the beginning
components = iterator.next()          # graph tensors, or tensors of a dataset's function
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from compat.plan.flag import Flag

# How long a read waits for runners that another thread may be about to start.
_START_TIMEOUT_SECONDS = 4.0


class GraphIterator:
    """Reads from whatever dataset was put behind it last."""

    def __init__(self, specs: Sequence[tf.TensorSpec], name: str, shared_name: str = "") -> None:
        """Makes the iterator, in the default graph.

        Args:
          specs: shape and dtype of an element's components.
          name: name of the op, or its name scope.
          shared_name: name under which several sessions of one server share it.
        """
        self.specs = list(specs)
        self._types_and_shapes: dict[str, list[Any]] = {
            "output_types": [spec.dtype for spec in specs],
            "output_shapes": [spec.shape for spec in specs],
        }
        self.handle = tf.raw_ops.IteratorV2(
            shared_name=shared_name, container="", name=name, **self._types_and_shapes
        )

    def next(self, name: str | None = None) -> list[tf.Tensor]:
        """The next element, taken in the default graph or function."""
        return tf.raw_ops.IteratorGetNext(iterator=self.handle, name=name, **self._types_and_shapes)

    def starter(
        self, dataset: tf.data.Dataset, *, is_tuned: bool = False, warm_start: bool = False
    ) -> tf.Operation:
        """An op that puts `dataset` behind the iterator.

        Args:
          dataset: its elements are as described by the specs.
          is_tuned: whether tf.data may do more than the dataset says: without being asked it would
            read further ahead, which shows where the program's functions have effects and where
            others share the elements.
          warm_start: whether the work in the background begins at once.
        """
        options = tf.data.Options()
        options.experimental_warm_start = warm_start
        options.autotune.enabled = is_tuned
        options.experimental_optimization.apply_default_optimizations = is_tuned
        options.experimental_optimization.inject_prefetch = False
        variant = tf.data.experimental.to_variant(dataset.with_options(options))
        return tf.raw_ops.MakeIterator(dataset=variant, iterator=self.handle)


def wait_for(flag: Flag, under_way: Flag, message: str) -> tf.Operation:
    """An op that passes once `flag` is up; fails with `message` if nobody sets about it in time.

    TF1 waited for ever. The wait is made of ops, not of Python, so that it also works in a graph
    that was exported and imported elsewhere.

    Args:
      flag: what to wait for.
      under_way: up as soon as somebody is about to raise `flag`, however long that takes.
      message: what the error says.
    """

    def must_wait(deadline: tf.Tensor) -> tf.Tensor:
        may_come = tf.logical_or(under_way.is_up(), tf.timestamp() < deadline)
        return tf.logical_and(tf.logical_not(flag.is_up()), may_come)

    def wait() -> tf.Operation:
        # One op, not the many of tf.while_loop: skipping it costs nothing at every read.
        waited = tf.raw_ops.While(
            input=[tf.timestamp() + _START_TIMEOUT_SECONDS],
            cond=_function(must_wait),
            body=_function(tf.identity),
        )
        with tf.control_dependencies(waited):
            return tf.compat.v1.Assert(flag.is_up(), [message])

    return tf.compat.v1.cond(flag.is_up(), tf.no_op, wait, name="wait_for_start").op


def _function(python_function: Callable[[tf.Tensor], tf.Tensor]) -> Any:
    """A function of a point in time, in seconds."""
    return tf.function(python_function, autograph=False).get_concrete_function(
        tf.TensorSpec([], tf.float64)
    )
