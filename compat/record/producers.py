"""`input_producer` and its three variants for strings, ranges and slices, delivered by a dataset.

    filename_queue = string_input_producer(["a.jpg", "b.jpg"], num_epochs=5, seed=1)
    filename = filename_queue.dequeue()

A producer's tensor is computed anew for every epoch, as TF1's queue runner did, and shuffled by
the same op with the same seeds: a seeded producer delivers TF1's order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from compat.plan.capture import Unplannable, capture
from compat.record.fallback import call_queue_function
from compat.record.input_producer import InputProducer
from compat.record.reference import Reference, reference
from compat.record.source import counting_operations, graph_state
from compat.settings import settings


def input_producer(
    input_tensor: Any,
    element_shape: Any = None,
    num_epochs: int | None = None,
    shuffle: bool = True,
    seed: int | None = None,
    capacity: int = 32,
    shared_name: str | None = None,
    summary_name: str | None = None,
    name: str | None = None,
    cancel_op: tf.Operation | None = None,
) -> InputProducer:
    """Delivers the rows of a tensor, epoch after epoch.

    Args:
      input_tensor: tensor or array of any dtype, at least 1-D; computed anew for every epoch.
      element_shape: shape of a row, where that of the tensor is not known.
      num_epochs: how often each row is delivered; None means for ever.
      shuffle: whether each epoch has an order of its own.
      seed: makes the orders repeatable; they are those of TensorFlow 1.15.
      capacity: TF1's queue size, which `size()` goes by, and a real queue (`queue_ref`).
      shared_name: name under which sessions of one server share the producer.
      summary_name: name of a summary of how full the queue is; its value is NaN.
      name: name of the ops.
      cancel_op: run when the coordinator stops.

    Returns:
      What TF1 returned as a queue: `dequeue()`, `dequeue_many(n)`, `size()`, `close()`, and an
      argument for `reader.read`.

    Raises:
      ValueError: the shape of a row is not known, or `num_epochs` is not positive.

    >>> with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    ...     row = input_producer([[1, 2], [3, 4]], shuffle=False).dequeue()
    ...     threads = tf.compat.v1.train.start_queue_runners(session)
    ...     [session.run(row).tolist(), session.run(row).tolist()]
    [[1, 2], [3, 4]]
    """
    arguments = dict(locals())
    function = tf.compat.v1.train.input_producer
    graph_state()  # says so at once where there is no graph
    if (reason := _reason_for_a_queue(input_tensor)) is not None:
        return call_queue_function("input_producer", function, arguments, reason)
    with tf.compat.v1.name_scope(name, "input_producer", [input_tensor]):
        rows = tf.convert_to_tensor(input_tensor, name="input_tensor")
        expected = reference(function, {**arguments, "input_tensor": rows})
        with counting_operations(expected.operations):
            with tf.compat.v1.name_scope(name or "FIFOQueueV2") as scope:
                pass
            return _producer("input_producer", rows, scope, expected, arguments)


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
      capacity: TF1's queue size, which `size()` goes by, and a real queue (`queue_ref`).
      shared_name: name under which sessions of one server share the producer.
      name: name of the ops.
      cancel_op: run when the coordinator stops.

    Returns:
      What TF1 returned as a queue: `dequeue()`, `dequeue_many(n)`, `size()`, `close()`, and an
      argument for `reader.read`.

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
    if (reason := _reason_for_a_queue(string_tensor)) is not None:
        return call_queue_function("string_input_producer", function, arguments, reason)
    with (
        counting_operations(expected.operations),
        tf.compat.v1.name_scope(name, "input_producer", [string_tensor]) as scope,
    ):
        rows = tf.convert_to_tensor(string_tensor, tf.string)
        message = "string_input_producer requires a non-null input tensor"
        not_empty = tf.compat.v1.Assert(tf.greater(tf.size(rows), 0), [message])
        with tf.control_dependencies([not_empty]):
            rows = tf.identity(rows)
        return _producer("string_input_producer", rows, scope, expected, arguments)


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
      capacity: TF1's queue size, which `size()` goes by, and a real queue (`queue_ref`).
      shared_name: name under which sessions of one server share the producer.
      name: name of the ops.

    Returns:
      What TF1 returned as a queue: `dequeue()`, `dequeue_many(n)`, `size()`, `close()`.

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
    if (reason := _reason_for_a_queue(limit)) is not None:
        return call_queue_function("range_input_producer", function, arguments, reason)
    with (
        counting_operations(expected.operations),
        tf.compat.v1.name_scope(name, "input_producer", [limit]) as scope,
    ):
        rows = tf.range(limit)
        return _producer("range_input_producer", rows, scope, expected, arguments)


def slice_input_producer(
    tensor_list: Sequence[Any],
    num_epochs: int | None = None,
    shuffle: bool = True,
    seed: int | None = None,
    capacity: int = 32,
    shared_name: str | None = None,
    name: str | None = None,
) -> list[tf.Tensor]:
    """Delivers a row of each tensor, the same one of all, epoch after epoch.

    Args:
      tensor_list: tensors, arrays or variables with equally many rows; what a variable holds is
        looked up for every element.
      num_epochs: how often each row is delivered; None means for ever.
      shuffle: whether each epoch has an order of its own.
      seed: makes the orders repeatable; they are those of TensorFlow 1.15.
      capacity: TF1's queue size; without effect.
      shared_name: name under which sessions of one server share the producer.
      name: name of the ops.

    Returns:
      One tensor for each of the list, without its first dimension.

    Raises:
      ValueError: an empty list, or `num_epochs` is not positive.
      TypeError: not a list or tuple.
      tf.errors.InvalidArgumentError: in `session.run`, if one has fewer rows than the first.

    >>> with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    ...     pair = slice_input_producer([["x", "y"], ["a", "b"]], shuffle=False)
    ...     threads = tf.compat.v1.train.start_queue_runners(session)
    ...     session.run(pair)
    [b'x', b'a']
    """
    arguments = dict(locals())
    function = tf.compat.v1.train.slice_input_producer
    graph_state()
    if not isinstance(tensor_list, Sequence):
        reference(function, arguments)
        raise TypeError(
            "slice_input_producer: tensor_list must be a sequence of tensors, is a "
            f"{type(tensor_list).__name__}"
        )
    if settings.engine == "queues":
        return call_queue_function("slice_input_producer", function, arguments)
    with tf.compat.v1.name_scope(name, "input_producer", list(tensor_list)):
        tensors = [tf.convert_to_tensor(value) for value in tensor_list]
        reference(function, {**arguments, "tensor_list": tensors})
        queue = range_input_producer(
            tf.shape(tensors[0])[0], num_epochs, shuffle, seed, capacity, shared_name
        )
        index = queue.dequeue()
        return [tf.gather(tensor, index) for tensor in tensors]


def _reason_for_a_queue(value: Any) -> str | None:
    """Why the rows cannot come from a dataset; None if they can."""
    if settings.engine == "queues":
        return "--engine=queues"
    if isinstance(value, tf.Tensor):
        try:
            capture([value], sources={})
        except Unplannable as reason:
            return str(reason)
    return None


def _producer(
    function_name: str,
    rows: tf.Tensor,
    scope: str,
    expected: Reference,
    arguments: dict[str, Any],
) -> InputProducer:
    """The producer of `rows`, as described by what TensorFlow's own function returned."""
    queue = expected.result
    if arguments["shuffle"]:
        rows = _shuffled(rows, arguments["seed"])
    expected.add_summaries()
    return InputProducer(
        function_name,
        rows,
        tf.TensorSpec(queue.shapes[0], queue.dtypes[0]),
        arguments["num_epochs"],
        arguments["capacity"],
        arguments["shared_name"],
        scope,
        arguments.get("cancel_op"),
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
