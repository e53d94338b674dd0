"""TF1's readers: on a producer they read through a dataset, on a real queue they are TensorFlow's.

    key, value = WholeFileReader().read(string_input_producer(["a.jpg", "b.jpg"]))

Keys are TF1's: the file's name, followed by `:line`, `:record` or `:byte offset` where a file has
several records.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import tensorflow as tf

from compat.plan.plan import Plan
from compat.plan.stages import Prefetch, Read
from compat.record.fallback import delivered, forget_queue, keep_queue
from compat.record.input_producer import InputProducer
from compat.record.reference import no_deprecation_warnings
from compat.record.source import Source, counting_operations

_RECORD = [tf.TensorSpec([], tf.string), tf.TensorSpec([], tf.string)]


class _DatasetReader(tf.compat.v1.ReaderBase):
    """Common to all readers; comes before TensorFlow's own class among the bases."""

    _stage: Read | None = None

    def __init__(self, *args: Any) -> None:
        """Takes the arguments of TensorFlow's reader."""
        with no_deprecation_warnings():
            super().__init__(*args)
        self._sources: dict[InputProducer, Source] = {}

    def read(self, queue: Any, name: str | None = None) -> tuple[tf.Tensor, tf.Tensor]:
        """The next record of the files whose names `queue` delivers.

        Args:
          queue: a producer, or one of TensorFlow's queues (or its handle) of strings.
          name: name of the op.

        Returns:
          (key, value), two string scalars; every `read` of one reader gets records of its own.

        Raises (in `session.run`):
          tf.errors.NotFoundError: a file does not exist.
          tf.errors.InvalidArgumentError: a file is damaged; the message names it and the position
            (TF1's DataLossError named neither).
          tf.errors.OutOfRangeError: after the last record of the last file.
        """
        if isinstance(queue, InputProducer) and self._stage is not None:
            with counting_operations(expected=1):
                return tuple(self._records(queue).tap(name or "ReaderReadV2"))
        forget_queue(queue)
        reason = "it reads file names from a queue of the program's own"
        if isinstance(queue, InputProducer):
            reason = "its reader's arguments have no dataset"
        report = keep_queue(f"{type(self).__name__}.read", reason)
        return delivered(super().read(queue, name), report, is_batched=False)

    def num_records_produced(self, name: str | None = None) -> tf.Tensor:
        """As TensorFlow's, of a reader on a real queue."""
        self._check_real("num_records_produced")
        return super().num_records_produced(name)

    def num_work_units_completed(self, name: str | None = None) -> tf.Tensor:
        """As TensorFlow's, of a reader on a real queue."""
        self._check_real("num_work_units_completed")
        return super().num_work_units_completed(name)

    def serialize_state(self, name: str | None = None) -> tf.Tensor:
        """As TensorFlow's, of a reader on a real queue."""
        self._check_real("serialize_state")
        return super().serialize_state(name)

    def restore_state(self, state: Any, name: str | None = None) -> tf.Operation:
        """As TensorFlow's, of a reader on a real queue."""
        self._check_real("restore_state")
        return super().restore_state(state, name)

    def reset(self, name: str | None = None) -> tf.Operation:
        """As TensorFlow's, of a reader on a real queue."""
        self._check_real("reset")
        return super().reset(name)

    def _check_real(self, method: str) -> None:
        if self._sources:
            raise NotImplementedError(
                f"{method}() of a {type(self).__name__} needs TensorFlow's reader, and this one "
                "reads through a dataset; `run --engine=queues` has one"
            )

    def _records(self, queue: InputProducer) -> Source:
        """The records of `queue`'s files, shared by all reads of this reader."""
        sources = self._sources
        if queue not in sources:
            stage = self._stage
            scope = f"{queue.name}/{type(self).__name__}"
            with tf.compat.v1.name_scope(None), tf.compat.v1.name_scope(scope) as scope:
                sources[queue] = Source(
                    f"{type(self).__name__}.read",
                    scope,
                    _RECORD,
                    [queue.source.link()],
                    lambda plans: _read(plans[0], stage),
                )
            queue.runner.add(sources[queue])
        return sources[queue]


def _read(names: Plan, stage: Read) -> Plan:
    """Reads ahead, unless that would take files which another reader would get."""
    if names.is_exact:
        options = (*stage.options, ("num_parallel_calls", None))
        return names.then(dataclasses.replace(stage, options=options))
    return names.then(stage, Prefetch(1))


class WholeFileReader(_DatasetReader, tf.compat.v1.WholeFileReader):
    """One record per file: (its name, its content)."""

    def __init__(self, name: str | None = None) -> None:
        """Takes TF1's argument."""
        super().__init__(name)
        self._stage = Read("whole")


class TextLineReader(_DatasetReader, tf.compat.v1.TextLineReader):
    """One record per line, without its newline."""

    def __init__(self, skip_header_lines: int | None = None, name: str | None = None) -> None:
        """Skips the first `skip_header_lines` lines of every file."""
        super().__init__(skip_header_lines, name)
        self._stage = Read("text", (("skip_header_lines", skip_header_lines or 0),))


class FixedLengthRecordReader(_DatasetReader, tf.compat.v1.FixedLengthRecordReader):
    """One record per `record_bytes` bytes."""

    def __init__(
        self,
        record_bytes: int,
        header_bytes: int | None = None,
        footer_bytes: int | None = None,
        hop_bytes: int | None = None,
        name: str | None = None,
        encoding: str | None = None,
    ) -> None:
        """Takes TF1's arguments; `hop_bytes` and `encoding` need TensorFlow's own reader."""
        super().__init__(record_bytes, header_bytes, footer_bytes, hop_bytes, name, encoding)
        if (hop_bytes or record_bytes) == record_bytes and not encoding:
            self._stage = Read(
                "fixed",
                (
                    ("record_bytes", record_bytes),
                    ("header_bytes", header_bytes or 0),
                    ("footer_bytes", footer_bytes or 0),
                    ("ignore_ragged_tail", True),
                ),
            )


class TFRecordReader(_DatasetReader, tf.compat.v1.TFRecordReader):
    """One record per record of a TFRecord file."""

    def __init__(
        self, name: str | None = None, options: tf.io.TFRecordOptions | None = None
    ) -> None:
        """Takes TF1's arguments; `options` names the compression."""
        super().__init__(name, options)
        compression_type = tf.compat.v1.io.TFRecordOptions.get_compression_type_string(options)
        self._stage = Read("tfrecord", (("compression_type", compression_type),))
