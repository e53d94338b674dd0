"""Batches of a size that is known only when they run: `dequeue_many(n)` with a tensor, and more.

size = AskedNumber(f"{scope}size")
source = Source(…, lambda plans: plans[0].then(Take(size, …)))
rows = take(source, size, n, name="dequeue_many")
"""

from __future__ import annotations

import tensorflow as tf

from compat.plan.taking import AskedNumber
from compat.record.counting import counted
from compat.record.source import Source
from tfprefetch.empty_value import empty_value


def take(source: Source, size: AskedNumber, number: tf.Tensor, name: str) -> list[tf.Tensor]:
    """Graph tensors that deliver `number` elements of `source` at every `session.run`.

    Runs of one such op that ask for different numbers at the same time may get each other's.

    Args:
      source: a pipeline that ends in `Take(size, …)`.
      size: where it looks for the number.
      number: an int32 scalar; may be fed.
      name: name of the results' op.

    Raises (in `session.run`):
      tf.errors.InvalidArgumentError: `number` is negative.
      tf.errors.OutOfRangeError: too few are left.
    """
    message = f"{source.function_name} of {source.line}: the number of elements is negative:"

    def some() -> list[tf.Tensor]:
        not_negative = tf.compat.v1.Assert(number > 0, [message, number])
        with tf.control_dependencies([source.gate, not_negative]):
            asked = size.ask(number)
        with tf.control_dependencies([asked]), tf.compat.v1.device(None):
            return source.next_element("elements")

    def none() -> list[tf.Tensor]:
        shapes = [[0, *spec.shape.as_list()[1:]] for spec in source.specs]
        return [
            empty_value(tf.TensorSpec(shape, spec.dtype))
            for shape, spec in zip(shapes, source.specs, strict=True)
        ]

    with tf.compat.v1.name_scope(f"{name.rstrip('/')}/take/"):
        outputs = tf.cond(tf.equal(number, 0), none, some)
    source.link()
    outputs = counted(outputs, source.report, is_batched=True)
    outputs = tf.raw_ops.IdentityN(input=outputs, name=name)
    for output, spec in zip(outputs, source.specs, strict=True):
        output.set_shape(spec.shape)
    return outputs
