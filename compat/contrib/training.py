"""`tf.contrib.training`'s input functions: `bucket` and `bucket_by_sequence_length`.

    lengths, sentences = bucket_by_sequence_length(
        tf.size(sentence), [sentence], batch_size=32, bucket_boundaries=[10, 20], dynamic_pad=True)

How their pipelines are made is in `compat.contrib.bucketing`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from compat.contrib.bucketing import Buckets, record_buckets
from compat.record.source import counting_operations

# What TF1 added to find the bucket of a length.
_OPERATIONS_OF_LENGTH = 9


def bucket(
    tensors: Any,
    which_bucket: Any,
    batch_size: Any,
    num_buckets: int,
    num_threads: int = 1,
    capacity: int = 32,
    bucket_capacities: Sequence[int] | None = None,
    shapes: Any = None,
    dynamic_pad: bool = False,
    allow_smaller_final_batch: bool = False,
    keep_input: Any = True,
    shared_name: str | None = None,
    name: str | None = None,
) -> tuple[tf.Tensor, Any]:
    """Stacks elements of one bucket each into batches, which come in the order of their last.

    Args:
      tensors: list, tuple or dict of tensors and SparseTensors: an element of the pipeline.
      which_bucket: int32 scalar, the element's bucket; one outside of `[0, num_buckets)` is left
        out.
      batch_size: elements per batch, a number or a scalar tensor; or a list of one for each bucket.
      num_buckets: how many buckets there are.
      num_threads: how many calls of a Python function (`py_func`) may run at a time.
      capacity: how many batches are prepared ahead.
      bucket_capacities: TF1's queue sizes, one for each bucket; without effect on a dataset.
      shapes: shapes of an element's components, where they cannot be inferred.
      dynamic_pad: pad components of varying shape to the largest of a batch.
      allow_smaller_final_batch: deliver what is left in the buckets at the end.
      keep_input: bool scalar, whether to keep the element.
      shared_name: name under which sessions of one server share the pipeline.
      name: name of the ops.

    Returns:
      `(which_bucket, outputs)`: the batch's bucket, an int32 scalar, and the batch in the structure
      of `tensors` (a list of one becomes a tensor, a tuple a list).

    Raises:
      ValueError: no tensors; `keep_input` is a vector; a shape that is not known and was not
        given; `batch_size` or `bucket_capacities` have another length than `num_buckets`.
      tf.errors.OutOfRangeError: in `session.run`, at the end.

    >>> from compat import range_input_producer
    >>> with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    ...     number = range_input_producer(10, shuffle=False).dequeue()
    ...     which, numbers = bucket([number], number % 2, batch_size=3, num_buckets=2)
    ...     threads = tf.compat.v1.train.start_queue_runners(session)
    ...     [part.tolist() for part in session.run([which, numbers])]
    [0, [0, 2, 4]]
    """
    arguments = dict(locals())
    buckets = Buckets.of(batch_size, num_buckets, capacity, bucket_capacities)
    which, outputs = record_buckets("bucket", arguments, buckets)
    return which, _as_original(tensors, outputs[0] if len(outputs) == 1 else outputs)


def bucket_by_sequence_length(
    input_length: Any,
    tensors: Any,
    batch_size: Any,
    bucket_boundaries: Sequence[int],
    num_threads: int = 1,
    capacity: int = 32,
    bucket_capacities: Sequence[int] | None = None,
    shapes: Any = None,
    dynamic_pad: bool = False,
    allow_smaller_final_batch: bool = False,
    keep_input: Any = True,
    shared_name: str | None = None,
    name: str | None = None,
) -> tuple[tf.Tensor, Any]:
    """Stacks elements of similar length into batches, which come in the order of their last.

    Args:
      input_length: int32 scalar, the length of the element.
      tensors: list, tuple or dict of tensors and SparseTensors: an element of the pipeline.
      batch_size: elements per batch, a number or a scalar tensor; or a list of one for each
        bucket, that is one more than there are boundaries.
      bucket_boundaries: increasing integers: the lengths at which the next bucket begins.
      num_threads: as in `bucket`, and so are all that follow.
      capacity: how many batches are prepared ahead.
      bucket_capacities: TF1's queue sizes, one for each bucket; without effect on a dataset.
      shapes: shapes of an element's components, where they cannot be inferred.
      dynamic_pad: pad components of varying shape to the largest of a batch.
      allow_smaller_final_batch: deliver what is left in the buckets at the end.
      keep_input: bool scalar, whether to keep the element.
      shared_name: name under which sessions of one server share the pipeline.
      name: name of the ops.

    Returns:
      `(lengths, outputs)`: the lengths of the elements in the batch, int32 `[batch_size]`, and the
      batch in the structure of `tensors` (TF1's: a list of one stays a list, and a dict of one
      tensor has a list of one).

    Raises:
      TypeError: `bucket_boundaries` is no list of integers.
      ValueError: it is empty or does not increase; and as `bucket` does.
      tf.errors.OutOfRangeError: in `session.run`, at the end.

    >>> from compat import string_input_producer
    >>> with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    ...     word = string_input_producer(["a", "bcd", "e", "fgh"], shuffle=False).dequeue()
    ...     length = tf.strings.length(word)
    ...     lengths, [words] = bucket_by_sequence_length(length, [word], 2, bucket_boundaries=[2])
    ...     threads = tf.compat.v1.train.start_queue_runners(session)
    ...     [part.tolist() for part in session.run([lengths, words])]
    [[1, 1], [b'a', b'e']]
    """
    arguments = dict(locals())
    _check_boundaries(bucket_boundaries)
    buckets = Buckets.of(batch_size, len(bucket_boundaries) + 1, capacity, bucket_capacities)
    values = [tensors[key] for key in sorted(tensors)] if isinstance(tensors, dict) else tensors
    with (
        tf.compat.v1.name_scope(name, "bucket_by_sequence_length") as scope,
        counting_operations(_OPERATIONS_OF_LENGTH),
    ):
        length = tf.convert_to_tensor(input_length, tf.int32, name="input_length")
        boundaries = tf.constant(bucket_boundaries, tf.int32)
        reached = tf.cast(length >= boundaries, tf.int32)
        arguments["which_bucket"] = tf.reduce_sum(reached)
        arguments["name"] = f"{scope}bucket/"
    arguments["tensors"] = [length, *values]
    if shapes is not None:
        arguments["shapes"] = [tf.TensorShape([]), *shapes]
    _, (lengths, *outputs) = record_buckets("bucket_by_sequence_length", arguments, buckets)
    if isinstance(tensors, dict) and len(tensors) == 1:
        outputs = [outputs]  # as TF1 did
    return lengths, _as_original(tensors, outputs)


def _as_original(tensors: Any, outputs: Any) -> Any:
    if not isinstance(tensors, dict):
        return outputs
    outputs = outputs if isinstance(outputs, list) else [outputs]
    return dict(zip(sorted(tensors), outputs, strict=True))


def _check_boundaries(boundaries: Any) -> None:
    if not isinstance(boundaries, (list, tuple)):
        raise TypeError(f"bucket_boundaries must be a list or tuple, but received: {boundaries}")
    if not boundaries:
        raise ValueError("bucket_boundaries must not be empty")
    for lower, upper in itertools.pairwise(boundaries):
        if not isinstance(lower, int) or not isinstance(upper, int):
            raise TypeError(f"bucket boundaries must be integers, but saw: {lower} and {upper}")
        if lower >= upper:
            raise ValueError(
                "Buckets must contain sequential increasing lengths, but saw: "
                f"{lower} before {upper}"
            )
