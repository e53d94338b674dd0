"""Batches that the program asks for by number: `dequeue_many(n)`, a `batch_size` that is fed.

    rows = dequeue_batch(queue, source, runner, n, "dequeue_many", drop_remainder=True)

Where the number is known only when it runs, it is asked for before the elements are taken:

    size = AskedNumber(f"{scope}size")
    source = Source(…, lambda plans: plans[0].then(Take(size, …)))
    rows = take(source, size, n, name="dequeue_many")
"""

from __future__ import annotations

import functools
from typing import Any

import tensorflow as tf

from compat.plan.plan import Plan
from compat.plan.stages import Batch, PaddedBatch
from compat.plan.taking import AskedNumber, Leftovers, Take
from compat.record.counting import counted
from compat.record.reference import reference
from compat.record.runner import InputRunner
from compat.record.source import Source, counting_operations
from tfprefetch.empty_value import empty_value


def dequeue_batch(
    queue: tf.queue.QueueBase,
    source: Source,
    runner: InputRunner,
    n: Any,
    name: str,
    drop_remainder: bool,
    leftovers: Leftovers | None = None,
) -> Any:
    """What `dequeue_many` and `dequeue_up_to` return, of a queue that is a dataset.

    Args:
      queue: tells dtypes, shapes and names of an element's components; where shapes are not fully
        known, elements are padded to the largest of a batch.
      source: delivers its elements.
      runner: starts `source`.
      n: elements per batch, a number or an int32 scalar, which may be fed.
      name: name of the results' op.
      drop_remainder: whether a batch has to be full, as for `dequeue_many`.
      leftovers: where a batch that lacks elements puts those that it has, for all who take from
        `source`. Without it only later batches of the same op can have them.

    Returns:
      One tensor, a list of several, or a dict where the queue's components have names.

    Raises:
      Whatever TensorFlow raises for this `n`.

    Raises (in `session.run`):
      tf.errors.InvalidArgumentError: `n` is negative.
      tf.errors.OutOfRangeError: too few are left.
    """
    is_padded = not all(shape.is_fully_defined() for shape in queue.shapes)

    def dequeued(n: Any) -> Any:
        make = tf.queue.PaddingFIFOQueue if is_padded else tf.queue.FIFOQueue
        real = make(1, queue.dtypes, queue.shapes, names=queue.names)
        return real.dequeue_many(n) if drop_remainder else real.dequeue_up_to(n)

    expected = reference(dequeued, {"n": n})
    number = tf.get_static_value(n)
    with counting_operations(expected.operations - 1):  # without the queue itself
        if number == 0:  # waits for nothing, not even for the runners
            nothing = [
                # Whose static shape is TF1's, and no more than that.
                tf.compat.v1.placeholder_with_default(rows, spec.shape)
                for rows, spec in zip(_no_rows(expected.specs), expected.specs, strict=True)
            ]
            return expected.pack(tf.raw_ops.IdentityN(input=nothing, name=name))
        is_asked = number is None or number < 0  # a negative one fails when it runs
        with tf.compat.v1.name_scope(name) as scope:
            size = AskedNumber(f"{scope}size") if is_asked else int(number)
            own_leftovers = Leftovers(f"{scope}leftovers", tuple(source.specs))
            stacked = tf.data.Dataset.batch
            if is_padded:
                shapes = tuple(spec.shape for spec in source.specs)
                stacked = functools.partial(tf.data.Dataset.padded_batch, padded_shapes=shapes)

            def compose(plans: list[Plan]) -> Plan:
                is_shared = leftovers is not None and source.is_shared
                if is_asked or is_shared:
                    among = leftovers or own_leftovers
                    return plans[0].then(Take(size, drop_remainder, among, is_shared, stacked))
                if is_padded:
                    return plans[0].then(PaddedBatch(size, drop_remainder, shapes))
                return plans[0].then(Batch(size, drop_remainder))

            batches = Source(
                f"{source.function_name}.dequeue_many",
                scope,
                expected.specs,
                [source.link()],
                compose,
                is_batched=True,
            )
            runner.add(batches)
            if is_asked:
                return expected.pack(take(batches, size, tf.convert_to_tensor(n, tf.int32), scope))
            return expected.pack(batches.tap(scope))


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

    with tf.compat.v1.name_scope(f"{name.rstrip('/')}/take/"):
        outputs = tf.cond(tf.equal(number, 0), lambda: _no_rows(source.specs), some)
    source.link()
    outputs = counted(outputs, source.report, is_batched=True)
    outputs = tf.raw_ops.IdentityN(input=outputs, name=name)
    for output, spec in zip(outputs, source.specs, strict=True):
        output.set_shape(spec.shape)
    return outputs


def _no_rows(specs: list[tf.TensorSpec]) -> list[tf.Tensor]:
    """Batches of these `specs` without an element."""
    return empty_value([tf.TensorSpec([0, *spec.shape[1:]], spec.dtype) for spec in specs])
