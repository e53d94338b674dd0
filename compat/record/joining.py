"""`batch_join`, `shuffle_batch_join` and their `maybe_` variants, delivered by datasets.

    readers = [read_example(filename_queue) for _ in range(4)]
    images, labels = batch_join(readers, batch_size=32)

TF1 ran a thread for each branch. Branches that do the same to what they read become one pipeline
that reads several files at a time; others run beside each other.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from compat.record.batched import record_batches


def batch_join(
    tensors_list: Any,
    batch_size: int,
    capacity: int = 32,
    enqueue_many: bool = False,
    shapes: Any = None,
    dynamic_pad: bool = False,
    allow_smaller_final_batch: bool = False,
    shared_name: str | None = None,
    name: str | None = None,
) -> Any:
    """Stacks the elements of several branches into batches, each as soon as it is there.

    Args:
      tensors_list: a list of what `batch` takes as `tensors`: one for each branch, all of the same
        structure, dtypes and compatible shapes. The other arguments are those of `batch`.

    Returns:
      What `batch` returns for one of them.

    Raises:
      ValueError: no branch; branches whose structures, dtypes or shapes do not agree; or as
        `batch`.
      tf.errors.OutOfRangeError: in `session.run`, when all branches have ended.

    >>> with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    ...     sevens = batch_join([[tf.constant(7)], [tf.constant(7)]], batch_size=3)
    ...     threads = tf.compat.v1.train.start_queue_runners(session)
    ...     session.run(sevens).tolist()
    [7, 7, 7]
    """
    return record_batches("batch_join", tf.compat.v1.train.batch_join, dict(locals()))


def maybe_batch_join(
    tensors_list: Any,
    keep_input: Any,
    batch_size: int,
    capacity: int = 32,
    enqueue_many: bool = False,
    shapes: Any = None,
    dynamic_pad: bool = False,
    allow_smaller_final_batch: bool = False,
    shared_name: str | None = None,
    name: str | None = None,
) -> Any:
    """`batch_join` of those elements that are to be kept.

    Args:
      tensors_list: as in `batch_join`, and so are all arguments but `keep_input`.
      keep_input: as in `maybe_batch`; one for all branches.

    Returns:
      What `batch_join` returns.

    Raises:
      ValueError: as `batch_join`; `keep_input` is a vector without `enqueue_many`.
      tf.errors.OutOfRangeError: in `session.run`, when all branches have ended.
    """
    arguments = dict(locals())
    function = tf.compat.v1.train.maybe_batch_join
    return record_batches("maybe_batch_join", function, arguments)


def shuffle_batch_join(
    tensors_list: Any,
    batch_size: int,
    capacity: int,
    min_after_dequeue: int,
    seed: int | None = None,
    enqueue_many: bool = False,
    shapes: Any = None,
    allow_smaller_final_batch: bool = False,
    shared_name: str | None = None,
    name: str | None = None,
) -> Any:
    """`batch_join` in random order.

    Args:
      tensors_list: as in `batch_join`. The other arguments are those of `shuffle_batch`.

    Returns:
      What `batch_join` returns.

    Raises:
      ValueError: as `batch_join`; `capacity` not greater than `min_after_dequeue`.
      tf.errors.OutOfRangeError: in `session.run`, when all branches have ended.
    """
    arguments = dict(locals())
    function = tf.compat.v1.train.shuffle_batch_join
    return record_batches("shuffle_batch_join", function, arguments)


def maybe_shuffle_batch_join(
    tensors_list: Any,
    batch_size: int,
    capacity: int,
    min_after_dequeue: int,
    keep_input: Any,
    seed: int | None = None,
    enqueue_many: bool = False,
    shapes: Any = None,
    allow_smaller_final_batch: bool = False,
    shared_name: str | None = None,
    name: str | None = None,
) -> Any:
    """`shuffle_batch_join` of those elements that are to be kept.

    Args:
      tensors_list: as in `shuffle_batch_join`, and so are all arguments but `keep_input`.
      keep_input: as in `maybe_batch`; one for all branches.

    Returns:
      What `batch_join` returns.

    Raises:
      ValueError: as `shuffle_batch_join`; `keep_input` is a vector without `enqueue_many`.
      tf.errors.OutOfRangeError: in `session.run`, when all branches have ended.
    """
    arguments = dict(locals())
    function = tf.compat.v1.train.maybe_shuffle_batch_join
    return record_batches("maybe_shuffle_batch_join", function, arguments)
