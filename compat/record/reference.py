"""What TensorFlow itself says to a call: its errors, and the specification of its results.

TensorFlow 2 still carries TF1's input functions. Called on placeholders in a graph of their own
they check the arguments as TF1 did, with TF1's messages, and tell the structure, dtypes and
static shapes of what they return. So none of these rules is written a second time here.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Reference:
    """What a call returned.

    Attributes:
      result: the returned structure, with tensors of a graph that is gone.
      operations: how many ops the call added to the graph.
      summaries: names of the summaries that it added, of how full its queue is.
    """

    result: Any
    operations: int
    summaries: list[str]

    @property
    def specs(self) -> list[tf.TensorSpec]:
        """Shape and dtype of the returned tensors, flattened."""
        return [
            tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in tf.nest.flatten(self.result)
        ]

    def add_summaries(self) -> None:
        """Adds the same summaries, for programs that merge and run whatever there is.

        Their value is NaN: a dataset does not tell how full its buffers are.
        """
        for name in self.summaries:
            tf.compat.v1.summary.scalar(name, tf.constant(float("nan")))

    def pack(self, tensors: list[tf.Tensor]) -> Any:
        """`tensors` in the structure in which the call returned its own."""
        return tf.nest.pack_sequence_as(self.result, tensors)


def reference(function: Callable[..., Any], arguments: dict[str, Any]) -> Reference:
    """Calls `function` with placeholders in place of the tensors among `arguments`.

    Raises:
      Whatever TensorFlow raises for these arguments.
    """
    with no_deprecation_warnings(), tf.Graph().as_default() as graph:
        stand_ins = tf.nest.map_structure(_stand_in, arguments)
        operations_before = len(graph.get_operations())
        result = function(**stand_ins)
        summaries = tf.compat.v1.get_collection(tf.compat.v1.GraphKeys.SUMMARIES)
        return Reference(
            result,
            len(graph.get_operations()) - operations_before,
            [summary.op.name.split("/")[-1] for summary in summaries],
        )


@contextlib.contextmanager
def no_deprecation_warnings() -> Iterator[None]:
    """TensorFlow logs that TF1's input API is deprecated; who uses this package knows."""
    verbosity = tf.compat.v1.logging.get_verbosity()
    tf.compat.v1.logging.set_verbosity(tf.compat.v1.logging.ERROR)
    try:
        yield
    finally:
        tf.compat.v1.logging.set_verbosity(verbosity)


def _stand_in(value: Any) -> Any:
    if isinstance(value, tf.SparseTensor):
        shape = None if value.shape.rank is None else value.shape
        return tf.compat.v1.sparse_placeholder(value.dtype, shape)
    if isinstance(value, tf.Tensor) and value.dtype.is_integer and value.shape.rank == 0:
        number = tf.get_static_value(value)
        if number is not None:  # the shapes of the results depend on it
            return tf.constant(number, value.dtype)
    if isinstance(value, (tf.Tensor, tf.Variable)):
        return tf.compat.v1.placeholder(value.dtype.base_dtype, value.shape)
    return value
