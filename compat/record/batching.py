"""`batch`, `shuffle_batch` and their `maybe_` variants, delivered by datasets.

    images, labels = batch([image, label], batch_size=32)

How their pipelines are made is in `compat.record.batched`.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from compat.record.batched import record_batches


def batch(
    tensors: Any,
    batch_size: int,
    num_threads: int = 1,
    capacity: int = 32,
    enqueue_many: bool = False,
    shapes: Any = None,
    dynamic_pad: bool = False,
    allow_smaller_final_batch: bool = False,
    shared_name: str | None = None,
    name: str | None = None,
) -> Any:
    """Stacks elements into batches, in order.

    Args:
      tensors: list, tuple or dict of tensors and SparseTensors, or one of them: an element of the
        pipeline.
      batch_size: elements per batch, a number or a scalar tensor, which may be fed.
      num_threads: how many calls of a Python function (`py_func`) may run at a time; ops of
        TensorFlow run in parallel anyway, in order.
      capacity: how many elements are prepared ahead.
      enqueue_many: whether `tensors` hold several elements, along their first dimension.
      shapes: shapes of an element's components, where they cannot be inferred.
      dynamic_pad: pad components of varying shape to the largest of a batch.
      allow_smaller_final_batch: deliver what is left at the end.
      shared_name: name under which sessions of one server share the pipeline.
      name: name of the ops; the first result is `name:0`.

    Returns:
      The same structure (a list of one becomes a tensor, as in TF1), with shapes
      `[batch_size, …]`, or `[None, …]` where the last batch may be smaller.

    Raises:
      ValueError: no tensors, or a shape that is not known and was not given.
      tf.errors.OutOfRangeError: in `session.run`, at the end.

    >>> with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    ...     pairs = batch([tf.constant(7)], batch_size=2)
    ...     threads = tf.compat.v1.train.start_queue_runners(session)
    ...     session.run(pairs).tolist()
    [7, 7]
    """
    return record_batches("batch", tf.compat.v1.train.batch, dict(locals()))


def maybe_batch(
    tensors: Any,
    keep_input: Any,
    batch_size: int,
    num_threads: int = 1,
    capacity: int = 32,
    enqueue_many: bool = False,
    shapes: Any = None,
    dynamic_pad: bool = False,
    allow_smaller_final_batch: bool = False,
    shared_name: str | None = None,
    name: str | None = None,
) -> Any:
    """`batch` of those elements that are to be kept.

    Args:
      tensors: as in `batch`, and so are all arguments but `keep_input`.
      keep_input: bool scalar, whether to keep the element; with `enqueue_many` also a bool vector,
        one for each row.

    Returns:
      What `batch` returns.

    Raises:
      ValueError: as `batch`; `keep_input` is a vector without `enqueue_many`.
      tf.errors.OutOfRangeError: in `session.run`, at the end.

    >>> with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    ...     rows = tf.constant([1, 2, 3, 4])
    ...     odd = maybe_batch([rows], rows % 2 > 0, batch_size=2, enqueue_many=True)
    ...     threads = tf.compat.v1.train.start_queue_runners(session)
    ...     session.run(odd).tolist()
    [1, 3]
    """
    return record_batches("maybe_batch", tf.compat.v1.train.maybe_batch, dict(locals()))


def shuffle_batch(
    tensors: Any,
    batch_size: int,
    capacity: int,
    min_after_dequeue: int,
    num_threads: int = 1,
    seed: int | None = None,
    enqueue_many: bool = False,
    shapes: Any = None,
    allow_smaller_final_batch: bool = False,
    shared_name: str | None = None,
    name: str | None = None,
) -> Any:
    """Stacks elements into batches, in random order.

    Args:
      tensors: list, tuple or dict of tensors and SparseTensors, or one of them: an element of the
        pipeline.
      batch_size: elements per batch, a number or a scalar tensor, which may be fed.
      capacity: how many elements are held, to pick from and prepared ahead.
      min_after_dequeue: how many of them are left to pick from, at least.
      num_threads: how many calls of a Python function (`py_func`) may run at a time.
      seed: makes the order repeatable; it is not TF1's, which depended on its threads.
      enqueue_many: whether `tensors` hold several elements, along their first dimension.
      shapes: shapes of an element's components, where they cannot be inferred.
      allow_smaller_final_batch: deliver what is left at the end.
      shared_name: name under which sessions of one server share the pipeline.
      name: name of the ops; the first result is `name:0`.

    Returns:
      The same structure (a list of one becomes a tensor, as in TF1), with shapes
      `[batch_size, …]`, or `[None, …]` where the last batch may be smaller.

    Raises:
      ValueError: no tensors, or a shape that is not known and was not given; `capacity` not
        greater than `min_after_dequeue`.
      tf.errors.OutOfRangeError: in `session.run`, at the end.
    """
    return record_batches("shuffle_batch", tf.compat.v1.train.shuffle_batch, dict(locals()))


def maybe_shuffle_batch(
    tensors: Any,
    batch_size: int,
    capacity: int,
    min_after_dequeue: int,
    keep_input: Any,
    num_threads: int = 1,
    seed: int | None = None,
    enqueue_many: bool = False,
    shapes: Any = None,
    allow_smaller_final_batch: bool = False,
    shared_name: str | None = None,
    name: str | None = None,
) -> Any:
    """`shuffle_batch` of those elements that are to be kept.

    Args:
      tensors: as in `shuffle_batch`, and so are all arguments but `keep_input`.
      keep_input: as in `maybe_batch`.

    Returns:
      What `shuffle_batch` returns.

    Raises:
      ValueError: as `shuffle_batch`; `keep_input` is a vector without `enqueue_many`.
      tf.errors.OutOfRangeError: in `session.run`, at the end.
    """
    arguments = dict(locals())
    function = tf.compat.v1.train.maybe_shuffle_batch
    return record_batches("maybe_shuffle_batch", function, arguments)
