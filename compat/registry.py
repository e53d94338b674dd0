"""The one table of TF1's input API: what this package makes of each name.

    for row in TABLE:
        row.name, row.how, row.remark

`compat.v1` serves the rows' replacements wherever a program reaches TensorFlow's own object of
that name; `compat.table` prints the rows for the README.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterable, Mapping

from compat.contrib import lookup, parallel_reading, prefetching, training
from compat.record import batching, joining, producers, queues, readers


class How(enum.Enum):
    """What a name of TF1 runs on."""

    DATASET = "dataset"
    QUEUE = "TensorFlow's own queue"
    UNCHANGED = "works unchanged"
    ADVICE = "advice"


@dataclasses.dataclass(frozen=True)
class Row:
    """One name of TF1's input API.

    Attributes:
      name: where TF1 had it, below `tensorflow`.
      how: what it runs on.
      replacement: what a program gets; None where that is TensorFlow's own object, or an error
        with advice.
      remark: what a user may want to know; rows in sequence that share one are printed as one.
    """

    name: str
    how: How
    replacement: object = None
    remark: str = ""


def _rows(how: How, remark: str, names: Mapping[str, object] | Iterable[str]) -> list[Row]:
    """Rows that share a remark; a mapping has a replacement for each name."""
    replacements = names if isinstance(names, Mapping) else dict.fromkeys(names)
    return [Row(name, how, replacement, remark) for name, replacement in replacements.items()]


TABLE: tuple[Row, ...] = (
    *_rows(
        How.DATASET,
        "all arguments; a seeded producer delivers TensorFlow 1.15's exact order; the methods of a "
        "queue that read it",
        {
            "train.input_producer": producers.input_producer,
            "train.string_input_producer": producers.string_input_producer,
            "train.range_input_producer": producers.range_input_producer,
            "train.slice_input_producer": producers.slice_input_producer,
        },
    ),
    *_rows(
        How.DATASET,
        "TF1's keys, `read_up_to`, progress; on a program's own queue TensorFlow's reader",
        {
            "WholeFileReader": readers.WholeFileReader,
            "TextLineReader": readers.TextLineReader,
            "FixedLengthRecordReader": readers.FixedLengthRecordReader,
            "TFRecordReader": readers.TFRecordReader,
            "IdentityReader": readers.IdentityReader,
        },
    ),
    *_rows(
        How.DATASET,
        "all arguments, structures, SparseTensors; on TensorFlow's queues behind a program's own "
        "queue or reader, or a placeholder",
        {
            "train.batch": batching.batch,
            "train.shuffle_batch": batching.shuffle_batch,
            "train.batch_join": joining.batch_join,
            "train.shuffle_batch_join": joining.shuffle_batch_join,
            "train.maybe_batch": batching.maybe_batch,
            "train.maybe_batch_join": joining.maybe_batch_join,
            "train.maybe_shuffle_batch": batching.maybe_shuffle_batch,
            "train.maybe_shuffle_batch_join": joining.maybe_shuffle_batch_join,
        },
    ),
    *_rows(
        How.DATASET,
        "all arguments; on queues where `train.batch` would be, and where `batch_size` is a tensor",
        {
            "contrib.training.bucket": training.bucket,
            "contrib.training.bucket_by_sequence_length": training.bucket_by_sequence_length,
        },
    ),
    *_rows(
        How.DATASET,
        "with the extra `legacy`; the readers are those above",
        {
            "contrib.slim.prefetch_queue.prefetch_queue": prefetching.prefetch_queue,
            "contrib.slim.parallel_reader.parallel_read": parallel_reading.parallel_read,
            "contrib.slim.parallel_reader.single_pass_read": parallel_reading.single_pass_read,
        },
    ),
    *_rows(
        How.DATASET,
        "tf_slim's own (extra `legacy`), on top of `parallel_read`",
        ["contrib.slim.dataset_data_provider.DatasetDataProvider"],
    ),
    *_rows(
        How.DATASET,
        "where nothing but runners fills it, out of recorded pipelines; else a queue, with a "
        "warning that names the line",
        {
            "FIFOQueue": queues.FIFOQueue,
            "RandomShuffleQueue": queues.RandomShuffleQueue,
        },
    ),
    *_rows(
        How.QUEUE,
        "a program's own queue stays one, with a warning that names the line",
        {
            "PaddingFIFOQueue": queues.PaddingFIFOQueue,
            "PriorityQueue": queues.PriorityQueue,
        },
    ),
    *_rows(
        How.QUEUE,
        "its common queue is the program's own",
        ["contrib.slim.parallel_reader.ParallelReader"],
    ),
    *_rows(
        How.QUEUE,
        "TensorFlow's reader, which says in `session.run` that TensorFlow 2 cannot read LMDB files",
        {"LMDBReader": readers.LMDBReader},
    ),
    *_rows(
        How.UNCHANGED,
        "start and stop datasets and queues alike",
        [
            "train.start_queue_runners",
            "train.add_queue_runner",
            "train.QueueRunner",
            "train.queue_runner.QueueRunner",
            "train.queue_runner.add_queue_runner",
            "train.queue_runner.start_queue_runners",
            "train.Coordinator",
            "train.LooperThread",
            "train.MonitoredTrainingSession",
            "train.MonitoredSession",
            "train.SingularMonitoredSession",
            "train.Supervisor",
            "train.basic_train_loop",
        ],
    ),
    *_rows(
        How.UNCHANGED,
        "ops of a pipeline like any other",
        ["train.limit_epochs", "train.match_filenames_once", "io.match_filenames_once"],
    ),
    *_rows(
        How.UNCHANGED,
        "base classes, also of what is replaced",
        ["QueueBase", "ReaderBase"],
    ),
    *_rows(
        How.UNCHANGED,
        "not made by any input function; a program's own stay what they are",
        [
            "python.ops.data_flow_ops.Barrier",
            "python.ops.data_flow_ops.GPUCompatibleFIFOQueue",
            "python.ops.data_flow_ops.MapStagingArea",
            "python.ops.data_flow_ops.RecordInput",
            "python.ops.data_flow_ops.StagingArea",
        ],
    ),
    *_rows(
        How.UNCHANGED,
        "tf_slim's own (extra `legacy`)",
        ["contrib.slim.dataset.Dataset", "contrib.slim.tfexample_decoder.TFExampleDecoder"],
    ),
    *_rows(
        How.ADVICE,
        "resampling: `tf.data.Dataset.rejection_resample`, or `keep_input` of `train.maybe_batch`",
        [
            "contrib.training.rejection_sample",
            "contrib.training.resample_at_rate",
            "contrib.training.stratified_sample",
            "contrib.training.weighted_resample",
        ],
    ),
    *_rows(
        How.ADVICE,
        "sequences in pieces: split them in a dataset, and keep the state in a variable",
        [
            "contrib.training.NextQueuedSequenceBatch",
            "contrib.training.SequenceQueueingStateSaver",
            "contrib.training.batch_sequences_with_states",
        ],
    ),
    *_rows(
        How.ADVICE,
        "went with the Estimators: the producers, readers and batches above, or `tf.data`",
        [
            "contrib.learn.io",
            "contrib.learn.read_batch_examples",
            "contrib.learn.read_batch_features",
            "contrib.learn.read_batch_record_features",
            "estimator.inputs",
        ],
    ),
    *_rows(
        How.ADVICE,
        "of what is not named above each part has advice of its own, in the error",
        ["contrib.data", "contrib"],
    ),
)

# What TensorFlow 2's `compat.v1` has, and gives way to ours.
REPLACEMENTS: dict[str, object] = {
    row.name: row.replacement
    for row in TABLE
    if row.replacement is not None and not row.name.startswith("contrib.")
}

# Not of the input API, but what input functions use: TensorFlow's tables under contrib's names.
_TABLES: dict[str, object] = {
    "contrib.lookup.HashTable": lookup.HashTable,
    "contrib.lookup.index_table_from_tensor": lookup.index_table_from_tensor,
    "contrib.lookup.index_to_string_table_from_tensor": lookup.index_to_string_table_from_tensor,
}

# What it has not.
ADDITIONS: dict[str, object] = _TABLES | {
    row.name: row.replacement
    for row in TABLE
    if row.replacement is not None and row.name.startswith("contrib.")
}
