"""slim's `parallel_read` and `single_pass_read`: records of many files, from a dataset.

key, record = parallel_read("train-*.tfrecord", tf.TFRecordReader, num_readers=4)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from compat.plan.capture import Unplannable
from compat.plan.plan import Plan
from compat.plan.preprocessing import preprocessed, zipped
from compat.record.branch import Component, read_in_turns, record_branch
from compat.record.buffering import held_ahead
from compat.record.fallback import delivered, keep_queue, take
from compat.record.producers import string_input_producer
from compat.record.runner import InputRunner
from compat.record.source import Source, counting_operations, graph_state
from compat.settings import settings

DataSources = str | Sequence[Any]


def parallel_read(
    data_sources: DataSources,
    reader_class: Callable[..., tf.compat.v1.ReaderBase],
    num_epochs: int | None = None,
    num_readers: int = 4,
    reader_kwargs: Mapping[str, Any] | None = None,
    shuffle: bool = True,
    dtypes: Sequence[tf.DType] | None = None,
    capacity: int = 256,
    min_after_dequeue: int = 128,
    seed: int | None = None,
    scope: str | None = None,
) -> list[tf.Tensor]:
    """Reads several files at a time.

    Args:
      data_sources: file name, pattern (`*`, `?`, `[`), or a list of these.
      reader_class: makes a reader, such as `tf.TFRecordReader`.
      num_epochs: how often each file is read; None means for ever.
      num_readers: how many files are read at a time.
      reader_kwargs: arguments for `reader_class`.
      shuffle: whether files and records come in random order.
      dtypes: of what is read; (key, record) is two strings, and other readers have no dataset.
      capacity: how many records are held, to pick from and prepared ahead.
      min_after_dequeue: how many of them are left to pick from, at least.
      seed: makes the order of the files TF1's, and that of the records repeatable.
      scope: name scope of the ops.

    Returns:
      [key, record], two string scalars.

    Raises:
      ValueError: no file matches, `num_readers` or `num_epochs` is not positive.
      tf.errors.OutOfRangeError: in `session.run`, at the end.
    """
    graph_state()  # says so at once where there is no graph
    if num_readers < 1:
        raise ValueError(f"num_readers must be positive, got {num_readers}")
    names = _file_names(data_sources)
    kwargs = dict(reader_kwargs or {})
    # What TF1 added, beside the producer: measured.
    with (
        tf.compat.v1.name_scope(scope, "parallel_read") as scope,
        counting_operations(10 + 3 * num_readers),
    ):
        with counting_operations(0):
            queue = string_input_producer(
                names, num_epochs=num_epochs, shuffle=shuffle, seed=seed, name="filenames"
            )
        fraction = tf.constant(float("nan"))
        tf.compat.v1.summary.scalar(f"fraction_of_{capacity}_full", fraction)
        records = list(reader_class(**kwargs).read(queue))
        try:
            if settings.engine == "queues":
                raise Unplannable("--engine=queues")
            parts = [Component(tf.TensorSpec([None], tf.string), None)] * 2
            branch = record_branch(records, None, parts, enqueue_many=False)
        except Unplannable as reason:
            report = keep_queue("parallel_read", str(reason))
            readers = [reader_class(**kwargs).read(queue) for _ in range(num_readers - 1)]
            take([records, *readers])
            common = _common_queue(shuffle, dtypes, capacity, min_after_dequeue, seed)
            enqueues = [common.enqueue(list(read)) for read in (records, *readers)]
            runner = tf.compat.v1.train.QueueRunner(common, enqueues)
            tf.compat.v1.train.add_queue_runner(runner)
            return delivered(common.dequeue(), report, is_batched=False)

        def compose(plans: list[Plan]) -> Plan:
            plans = [read_in_turns(plan, num_readers) for plan in plans]
            plan = preprocessed(zipped(plans), branch.preprocessing, num_readers)
            return held_ahead(plan, capacity, min_after_dequeue if shuffle else None, seed)

        source = Source(
            "parallel_read",
            f"{scope}common_queue/",
            [tf.TensorSpec([], tf.string)] * 2,
            branch.links,
            compose,
            capacity=capacity,
        )
        tf.compat.v1.train.add_queue_runner(InputRunner(source))
        return source.tap("common_queue_Dequeue")


def single_pass_read(
    data_sources: DataSources,
    reader_class: Callable[..., tf.compat.v1.ReaderBase],
    reader_kwargs: Mapping[str, Any] | None = None,
    scope: str | None = None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Reads files once, one after another.

    Args:
      data_sources: file name, pattern (`*`, `?`, `[`), or a list of these.
      reader_class: makes a reader, such as `tf.TFRecordReader`.
      reader_kwargs: arguments for `reader_class`.
      scope: name scope of the ops.

    Returns:
      (key, record), two string scalars.

    Raises:
      ValueError: no file matches.
      tf.errors.OutOfRangeError: in `session.run`, at the end.
    """
    names = _file_names(data_sources)
    with tf.compat.v1.name_scope(scope, "single_pass_read"):
        queue = string_input_producer(
            names, num_epochs=1, shuffle=False, capacity=1, name="filenames"
        )
        return reader_class(**dict(reader_kwargs or {})).read(queue)


def _file_names(data_sources: DataSources) -> list[str]:
    if isinstance(data_sources, (list, tuple)):
        names = [name for source in data_sources for name in _file_names(source)]
    elif any(wildcard in data_sources for wildcard in "*?["):
        names = tf.io.gfile.glob(data_sources)
    else:
        names = [data_sources]
    if not names:
        raise ValueError(f"No data files found in {data_sources}")
    return names


def _common_queue(
    shuffle: bool,
    dtypes: Sequence[tf.DType] | None,
    capacity: int,
    min_after_dequeue: int,
    seed: int | None,
) -> tf.queue.QueueBase:
    dtypes = list(dtypes or [tf.string, tf.string])
    if not shuffle:
        return tf.queue.FIFOQueue(capacity, dtypes, name="common_queue")
    return tf.queue.RandomShuffleQueue(
        capacity, min_after_dequeue, dtypes, seed=seed, name="common_queue"
    )
