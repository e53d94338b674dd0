"""Records of 512 bytes, 128 float32, cut out of a file and decoded, in batches.

python benchmarks/fixed_records.py --records=50000 --batch_size=128 --seconds=2

Two contestants are one TensorFlow 1 program, through compat: on TensorFlow's queues, on datasets.
"""

from __future__ import annotations

from pathlib import Path

import contest
import numpy as np
import tensorflow as tf
from absl import flags

import compat.v1 as tf1
import tfprefetch
from compat.settings import settings

FLAGS = flags.FLAGS
flags.DEFINE_integer("records", 50_000, "records in the file", lower_bound=1)

NUMBERS = 128
RECORD_BYTES = 4 * NUMBERS


def make_data(directory: Path) -> None:
    """Writes `--records` records."""
    numbers = np.random.default_rng(1).random((FLAGS.records, NUMBERS), np.float32)
    numbers.tofile(path_of(directory))


def path_of(directory: Path) -> str:
    """The one file."""
    return str(directory / "records.bin")


def decode(record: tf.Tensor) -> tf.Tensor:
    """Written for one record."""
    return tf.ensure_shape(tf.io.decode_raw(record, tf.float32), [NUMBERS])


def decode_batch(records: tf.Tensor) -> tf.Tensor:
    """Written for a batch, by hand."""
    return tf.ensure_shape(tf.io.decode_raw(records, tf.float32), [None, NUMBERS])


def records_of(directory: Path) -> tf.data.Dataset:
    """tf.data's own reader, for ever."""
    return tf.data.FixedLengthRecordDataset(path_of(directory), RECORD_BYTES).repeat()


def steps(dataset: tf.data.Dataset) -> contest.Step:
    """Each step a batch."""
    iterator = iter(dataset.prefetch(tf.data.AUTOTUNE))
    return lambda: next(iterator)


def parallel_map(directory: Path) -> contest.Step:
    """What tf.data's guide recommends."""
    mapped = records_of(directory).map(decode, num_parallel_calls=tf.data.AUTOTUNE)
    return steps(mapped.batch(FLAGS.batch_size))


def by_hand(directory: Path) -> contest.Step:
    """Batches first, and a function that was rewritten for them."""
    batches = records_of(directory).batch(FLAGS.batch_size)
    return steps(batches.map(decode_batch, num_parallel_calls=tf.data.AUTOTUNE))


def ours(directory: Path) -> contest.Step:
    """tfprefetch reads, and runs the function for one record on batches."""
    path = path_of(directory)
    records = tfprefetch.from_files(path, "fixed", record_bytes=RECORD_BYTES, num_epochs=None)
    return steps(records.apply(tfprefetch.map_and_batch(decode, FLAGS.batch_size)))


def legacy(directory: Path, engine: str) -> contest.Step:
    """A TensorFlow 1 program."""
    settings.engine = engine
    tf1.disable_v2_behavior()
    names = tf1.train.string_input_producer([path_of(directory)], shuffle=False)
    _, record = tf1.FixedLengthRecordReader(RECORD_BYTES).read(names)
    numbers = tf1.reshape(tf1.decode_raw(record, tf1.float32), [NUMBERS])
    batch = tf1.train.batch([numbers], FLAGS.batch_size, capacity=8 * FLAGS.batch_size)
    session = tf1.Session()
    tf1.train.start_queue_runners(session)
    return session.make_callable(batch)


def queues(directory: Path) -> contest.Step:
    """TensorFlow's queues."""
    return legacy(directory, "queues")


def datasets(directory: Path) -> contest.Step:
    """The same program on tf.data."""
    return legacy(directory, "datasets")


CONTESTANTS = {
    "FixedLengthRecordDataset, parallel map, batch": parallel_map,
    "FixedLengthRecordDataset, batch, decode_raw": by_hand,
    "from_files, map_and_batch": ours,
    "compat, --engine=queues": queues,
    "compat, --engine=datasets": datasets,
}

if __name__ == "__main__":
    contest.main(CONTESTANTS, make_data)
