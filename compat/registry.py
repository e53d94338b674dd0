"""The one table of TF1 names that this package replaces, and with what.

`compat.v1` serves these wherever a program reaches TensorFlow's own function of that name.
"""

from __future__ import annotations

from compat.record import batching, producers, queues, readers, unmapped

REPLACEMENTS: dict[str, object] = {
    # Mapped onto datasets.
    "train.batch": batching.batch,
    "train.shuffle_batch": batching.shuffle_batch,
    "train.string_input_producer": producers.string_input_producer,
    "train.range_input_producer": producers.range_input_producer,
    "WholeFileReader": readers.WholeFileReader,
    "TextLineReader": readers.TextLineReader,
    "FixedLengthRecordReader": readers.FixedLengthRecordReader,
    "TFRecordReader": readers.TFRecordReader,
    # TensorFlow's own queues, with a warning.
    "FIFOQueue": queues.FIFOQueue,
    "RandomShuffleQueue": queues.RandomShuffleQueue,
    "PaddingFIFOQueue": queues.PaddingFIFOQueue,
    "PriorityQueue": queues.PriorityQueue,
    "train.input_producer": unmapped.input_producer,
    "train.slice_input_producer": unmapped.slice_input_producer,
    "train.batch_join": unmapped.batch_join,
    "train.shuffle_batch_join": unmapped.shuffle_batch_join,
    "train.maybe_batch": unmapped.maybe_batch,
    "train.maybe_batch_join": unmapped.maybe_batch_join,
    "train.maybe_shuffle_batch": unmapped.maybe_shuffle_batch,
    "train.maybe_shuffle_batch_join": unmapped.maybe_shuffle_batch_join,
}
