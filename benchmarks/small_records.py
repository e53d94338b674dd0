"""Small `tf.train.Example` records out of TFRecord files, parsed, in batches.

python benchmarks/small_records.py --records=50000 --batch_size=128 --seconds=2
"""

from __future__ import annotations

from pathlib import Path

import contest
import numpy as np
import tensorflow as tf
from absl import flags

import tfprefetch

FLAGS = flags.FLAGS
flags.DEFINE_integer("records", 50_000, "records in all, in 4 files", lower_bound=4)

FILES = 4
FEATURES = {
    "values": tf.io.FixedLenFeature([16], tf.float32),
    "label": tf.io.FixedLenFeature([], tf.int64),
}


def make_data(directory: Path) -> None:
    """Writes `--records` Examples of 16 float32 and an int64."""
    random = np.random.default_rng(1)
    for file in range(FILES):
        with tf.io.TFRecordWriter(str(directory / f"{file}.tfrecord")) as writer:
            for label in range(FLAGS.records // FILES):
                values = tf.train.FloatList(value=random.random(16, np.float32))
                labels = tf.train.Int64List(value=[label % 10])
                feature = {
                    "values": tf.train.Feature(float_list=values),
                    "label": tf.train.Feature(int64_list=labels),
                }
                example = tf.train.Example(features=tf.train.Features(feature=feature))
                writer.write(example.SerializeToString())


def parse(record: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Written for one record."""
    example = tf.io.parse_single_example(record, FEATURES)
    return example["values"], example["label"]


def parse_batch(records: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Written for a batch, by hand."""
    examples = tf.io.parse_example(records, FEATURES)
    return examples["values"], examples["label"]


def records_of(directory: Path) -> tf.data.Dataset:
    """tf.data's own reader, for ever."""
    files = sorted(str(path) for path in directory.glob("*.tfrecord"))
    return tf.data.TFRecordDataset(files).repeat()


def steps(dataset: tf.data.Dataset) -> contest.Step:
    """Each step a batch of `values`."""
    iterator = iter(dataset.prefetch(tf.data.AUTOTUNE))
    return lambda: next(iterator)[0]


def parallel_map(directory: Path) -> contest.Step:
    """What tf.data's guide recommends."""
    mapped = records_of(directory).map(parse, num_parallel_calls=tf.data.AUTOTUNE)
    return steps(mapped.batch(FLAGS.batch_size))


def by_hand(directory: Path) -> contest.Step:
    """Batches first, and a function that was rewritten for them."""
    batches = records_of(directory).batch(FLAGS.batch_size)
    return steps(batches.map(parse_batch, num_parallel_calls=tf.data.AUTOTUNE))


def ours(directory: Path) -> contest.Step:
    """tfprefetch reads, and runs the function for one record on batches."""
    records = tfprefetch.from_files(str(directory / "*.tfrecord"), num_epochs=None)
    return steps(records.apply(tfprefetch.map_and_batch(parse, FLAGS.batch_size)))


def our_batches(directory: Path) -> contest.Step:
    """tf.data reads."""
    batches = tfprefetch.map_and_batch(parse, FLAGS.batch_size)
    return steps(records_of(directory).apply(batches))


CONTESTANTS = {
    "TFRecordDataset, parallel map, batch": parallel_map,
    "TFRecordDataset, batch, parse_example": by_hand,
    "from_files, map_and_batch": ours,
    "TFRecordDataset, map_and_batch": our_batches,
}

if __name__ == "__main__":
    contest.main(CONTESTANTS, make_data)
