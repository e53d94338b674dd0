"""`string_input_producer` and `range_input_producer`, delivered by a dataset.

    filename_queue = string_input_producer(["a.jpg", "b.jpg"], num_epochs=5, seed=1)
    filename = filename_queue.dequeue()

A producer's tensor is computed anew for every epoch, as TF1's queue runner did, and shuffled by
the same op with the same seeds: a seeded producer delivers TF1's order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from compat.record.fallback import call_queue_function
from compat.record.input_producer import InputProducer
from compat.record.reference import reference
from compat.record.source import counting_operations, graph_state
from compat.settings import settings


def string_input_producer(
    string_tensor: Any,
    num_epochs: int | None = None,
    shuffle: bool = True,
    seed: int | None = None,
    capacity: int = 32,
    shared_name: str | None = None,
    name: str | None = None,
    cancel_op: tf.Operation | None = None,
) -> InputProducer:
    """Delivers strings, such as file names, epoch after epoch.

    Args:
      string_tensor: 1-D string tensor or list of strings; computed anew for every epoch.
      num_epochs: how often each string is delivered; None means for ever.
      shuffle: whether each epoch has an order of its own.
      seed: makes the orders repeatable; they are those of TensorFlow 1.15.
      capacity: TF1's queue size; of meaning only where a real queue is asked for (`queue_ref`).
      shared_name: name under which sessions of one server share the producer.
      name: name of the ops.
      cancel_op: run when the coordinator stops.

    Returns:
      What TF1 returned as a queue: `dequeue()`, `dequeue_many(n)`, `close()`, and an argument
      for `reader.read`.

    Raises:
      ValueError: `string_tensor` is an empty list, or `num_epochs` is not positive.
      tf.errors.InvalidArgumentError: in `session.run`, if a tensor turns out to be empty.

    >>> with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    ...     names = string_input_producer(["a", "b"], num_epochs=1, shuffle=False).dequeue()
    ...     threads = tf.compat.v1.train.start_queue_runners(session)
    ...     [session.run(names), session.run(names)]
    [b'a', b'b']
    """
    if isinstance(string_tensor, np.ndarray):
        # TF1 asked an array for its truth value, which NumPy no longer answers.
        string_tensor = string_tensor.tolist()
    arguments = dict(locals())
    function = tf.compat.v1.train.string_input_producer
    expected = reference(function, arguments)
    if settings.engine == "queues":
        return call_queue_function("string_input_producer", function, arguments)
    with (
        counting_operations(expected.operations),
        tf.compat.v1.name_scope(name, "input_producer", [string_tensor]) as scope,
    ):
        rows = tf.convert_to_tensor(string_tensor, tf.string)
        message = "string_input_producer requires a non-null input tensor"
        not_empty = tf.compat.v1.Assert(tf.greater(tf.size(rows), 0), [message])
        with tf.control_dependencies([not_empty]):
            rows = tf.identity(rows)
        rows = _shuffled(rows, seed) if shuffle else rows
        spec = tf.TensorSpec([], tf.string)
        expected.add_summaries()
        return InputProducer(
            "string_input_producer",
            rows,
            spec,
            num_epochs,
            capacity,
            shared_name,
            scope,
            cancel_op,
        )


def range_input_producer(
    limit: Any,
    num_epochs: int | None = None,
    shuffle: bool = True,
    seed: int | None = None,
    capacity: int = 32,
    shared_name: str | None = None,
    name: str | None = None,
) -> InputProducer:
    """Delivers the integers from 0 to `limit` - 1 (int32), epoch after epoch.

    Args:
      limit: int32 scalar, a Python number or a tensor.
      num_epochs: how often each integer is delivered; None means for ever.
      shuffle: whether each epoch has an order of its own.
      seed: makes the orders repeatable; they are those of TensorFlow 1.15.
      capacity: TF1's queue size; of meaning only where a real queue is asked for (`queue_ref`).
      shared_name: name under which sessions of one server share the producer.
      name: name of the ops.

    Returns:
      What TF1 returned as a queue: `dequeue()`, `dequeue_many(n)`, `close()`.

    Raises:
      ValueError: `num_epochs` is not positive.

    >>> with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    ...     pair = range_input_producer(4, shuffle=False).dequeue_many(2)
    ...     threads = tf.compat.v1.train.start_queue_runners(session)
    ...     [session.run(pair).tolist() for _ in range(3)]
    [[0, 1], [2, 3], [0, 1]]
    """
    arguments = dict(locals())
    function = tf.compat.v1.train.range_input_producer
    expected = reference(function, arguments)
    if settings.engine == "queues":
        return call_queue_function("range_input_producer", function, arguments)
    with (
        counting_operations(expected.operations),
        tf.compat.v1.name_scope(name, "input_producer", [limit]) as scope,
    ):
        rows = tf.range(limit)
        rows = _shuffled(rows, seed) if shuffle else rows
        spec = tf.TensorSpec([], rows.dtype)
        expected.add_summaries()
        return InputProducer(
            "range_input_producer", rows, spec, num_epochs, capacity, shared_name, scope
        )


def _shuffled(rows: tf.Tensor, seed: int | None) -> tf.Tensor:
    """`tf.random.shuffle` with the seeds that TF1 gave it.

    Where only the graph has a seed, TF1 took the number of ops in the graph for that of the op.
    """
    graph_seed, op_seed = tf.compat.v1.get_seed(seed)
    if seed is None and rows.graph.seed is not None:
        op_seed = len(rows.graph.get_operations()) - graph_state().surplus_operations
    return tf.raw_ops.RandomShuffle(
        value=rows, seed=graph_seed or 0, seed2=op_seed or 0, name="RandomShuffle"
    )
