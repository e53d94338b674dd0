"""What all of TF1's readers can do: the base class of those in `readers`.

    class TextLineReader(DatasetReader, tf.compat.v1.TextLineReader):
        def __init__(self, name=None):
            super().__init__(name, read=Read("text"))

On a producer a reader reads through a dataset. TensorFlow's own reader, which is always there,
reads from real queues, and where no dataset can do what the program asks for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from compat.plan.reading import ReadIdentity
from compat.plan.stages import Read
from compat.record.fallback import delivered, forget_queue, keep_queue
from compat.record.input_producer import InputProducer
from compat.record.reader_sources import ReaderSources
from compat.record.reference import no_deprecation_warnings, reference
from compat.record.source import Source, counting_operations
from compat.report import PipelineReport
from compat.settings import settings

_NO_DATASET = "its reader's arguments have no dataset"
_OWN_QUEUE = "it reads file names from a queue of the program's own"
_SEVERAL_QUEUES = "one reader reads from several queues, and takes its file along"
_STATE = "the reader's state is asked for"
_NO_NAMES = "its producer does not deliver string scalars"
_NO_NUMBER = "num_records is 0, or known only when it runs"


class ReaderReadV2(NamedTuple):
    """A record, as two string scalars."""

    key: tf.Tensor
    value: tf.Tensor


class ReaderReadUpToV2(NamedTuple):
    """Records of one file, as two string vectors."""

    keys: tf.Tensor
    values: tf.Tensor


class DatasetReader(tf.compat.v1.ReaderBase):
    """Common to all readers; comes before TensorFlow's own class among the bases."""

    def __init__(
        self, *args: Any, read: Read | ReadIdentity | None, reason: str = _NO_DATASET
    ) -> None:
        """Prepares TensorFlow's reader, and what reads in its place.

        Args:
          *args: the arguments of TensorFlow's reader.
          read: how a dataset reads; None where none can.
          reason: why none can.
        """
        with no_deprecation_warnings():
            super().__init__(*args)
        self._sources = None if read is None else ReaderSources(self, read)
        # Why TensorFlow's own reader reads; empty while it does not.
        self._reason = reason if read is None else ""

    def read(self, queue: Any, name: str | None = None) -> ReaderReadV2:
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
        with counting_operations(expected=1):
            source = self._records(queue, "read")
            if source is not None:
                return ReaderReadV2(*source.tap(name or "ReaderReadV2"))
            report = self._keep_queue(queue, "read")
            return delivered(super().read(queue, name), report, is_batched=False)

    def read_up_to(
        self, queue: Any, num_records: int | tf.Tensor, name: str | None = None
    ) -> ReaderReadUpToV2:
        """The next records of one file: `num_records`, or fewer at its end, but at least one.

        Args:
          queue: as for `read`, which takes its records from the same file.
          num_records: int64 scalar; where its value is known only when it runs, TensorFlow's own
            reader reads.
          name: name of the op.

        Returns:
          (keys, values), two string tensors of shape [None].

        Raises:
          TypeError, ValueError: `num_records` is no int64 scalar, or negative.

        Raises (in `session.run`): as `read`.
        """
        _check_num_records(num_records)
        number = tf.get_static_value(num_records)
        # TF1 made a constant of a number.
        with counting_operations(expected=1 if tf.is_tensor(num_records) else 2):
            source = self._records(queue, "read_up_to", number or 0)
            if source is not None:
                return ReaderReadUpToV2(*source.tap(name or "ReaderReadUpToV2"))
            report = self._keep_queue(queue, "read_up_to")
            records = super().read_up_to(queue, num_records, name)
            return delivered(records, report, is_batched=True)

    def num_records_produced(self, name: str | None = None) -> tf.Tensor:
        """How many records were delivered since the last `reset`, an int64 scalar.

        What a pipeline behind the reader has prepared ahead counts, too, as in TF1.

        Raises:
          RuntimeError: called after `start_queue_runners`, when the records are not counted.
        """
        return self._number("num_records_produced", super().num_records_produced, name)

    def num_work_units_completed(self, name: str | None = None) -> tf.Tensor:
        """Of how many files the end was seen since the last `reset`, an int64 scalar.

        Raises:
          RuntimeError: called after `start_queue_runners`, when the files are not counted.
        """
        return self._number("num_work_units_completed", super().num_work_units_completed, name)

    def reset(self, name: str | None = None) -> tf.Operation:
        """An op after which the next read begins a new file, and counting begins at 0.

        Raises:
          RuntimeError: called after `start_queue_runners`.
        """
        with counting_operations(expected=1):
            if self._reads_in_tensorflow:
                return super().reset(name)
            progress = self._sources.count("reset")
            with self._scope("reset"):
                operations = [super().reset(), *progress.reset()]
            return tf.group(*operations, name=name or "ReaderResetV2")

    def serialize_state(self, name: str | None = None) -> tf.Tensor:
        """The state as a string scalar; of TensorFlow's own reader, which from now on reads.

        Raises (in `session.run`):
          tf.errors.UnimplementedError: the reader's files have several records.
        """
        self._leave_state_to_tensorflow("serialize_state")
        return super().serialize_state(name)

    def restore_state(self, state: Any, name: str | None = None) -> tf.Operation:
        """An op that restores `state`; of TensorFlow's own reader, which from now on reads.

        Raises (in `session.run`):
          tf.errors.UnimplementedError: the reader's files have several records.
        """
        self._leave_state_to_tensorflow("restore_state")
        if self._reads_in_tensorflow:
            return super().restore_state(state, name)
        with counting_operations(expected=1 if tf.is_tensor(state) else 2):
            # In TF1 a state that cannot be restored left the reader as after `reset`.
            with self._scope("restore_state"):
                reset = self._sources.count("restore_state").reset()
            with tf.control_dependencies(reset):
                return super().restore_state(state, name)

    @property
    def _reads_in_tensorflow(self) -> bool:
        return bool(self._reason) or settings.engine == "queues"

    def _records(self, queue: Any, method: str, num_records: int | None = None) -> Source | None:
        """The pipeline to read from; None where TensorFlow's reader is to read."""
        reason = ""
        if not isinstance(queue, InputProducer):
            reason = _OWN_QUEUE
        elif queue.dtypes != [tf.string] or queue.shapes[0].rank != 0:
            reason = _NO_NAMES
        elif num_records == 0:
            reason = _NO_NUMBER
        if self._sources is not None and self._sources.queue not in (None, queue):
            reason = _SEVERAL_QUEUES
        if reason and not self._reason:
            self._read_in_tensorflow(method, reason)
        return None if self._reason else self._sources.records(queue, num_records)

    def _read_in_tensorflow(self, method: str, reason: str) -> None:
        """What this reader reads, now and before, TensorFlow's reader reads."""
        if self._sources.queue is not None:
            self._sources.read_in_tensorflow(method, reason)
        self._reason = reason

    def _keep_queue(self, queue: Any, method: str) -> PipelineReport | None:
        forget_queue(queue)
        reason = self._reason
        if not isinstance(queue, InputProducer):
            reason = _OWN_QUEUE
        elif reason == _OWN_QUEUE:
            reason = _SEVERAL_QUEUES
        return keep_queue(f"{type(self).__name__}.{method}", reason)

    def _leave_state_to_tensorflow(self, method: str) -> None:
        # Readers that cannot tell their state say so when it runs; nothing has to change for that.
        if self.supports_serialize and not self._reads_in_tensorflow:
            self._read_in_tensorflow(method, _STATE)

    def _number(
        self, method: str, of_tensorflow: Callable[..., tf.Tensor], name: str | None
    ) -> tf.Tensor:
        with counting_operations(expected=1):
            if self._reads_in_tensorflow:
                return of_tensorflow(name)
            progress = self._sources.count(method)
            is_records = method == "num_records_produced"
            counter = progress.records if is_records else progress.work_units
            # Both, because it is not decided yet whether TensorFlow's reader will read.
            with self._scope(method):
                parts = of_tensorflow(), counter.value()
            name = name or "Reader" + "".join(map(str.capitalize, method.split("_"))) + "V2"
            return tf.add(*parts, name=name)

    def _scope(self, method: str) -> Any:
        return tf.compat.v1.name_scope(f"{self.reader_ref.op.name}/{method}/")


def _check_num_records(num_records: Any) -> None:
    """Raises what TensorFlow's op raises."""

    def read_up_to(num_records: Any) -> Any:
        handle = tf.compat.v1.placeholder(tf.resource, [])
        return tf.raw_ops.ReaderReadUpToV2(
            reader_handle=handle, queue_handle=handle, num_records=num_records
        )

    reference(read_up_to, {"num_records": num_records})
    number = tf.get_static_value(num_records)
    if number is not None and number < 0:
        raise ValueError(f"num_records must not be negative, got {number}")
