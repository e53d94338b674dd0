"""A file of float32 rows as batches, in the file's order: `from_raw` and its rivals.

python benchmarks/raw_arrays.py --records=200000 --numbers=256 --batch_size=1024 --seconds=2

The file has 200 MB. `np.fromfile` reads it whole, into new memory, and delivers no batches.
"""

from __future__ import annotations

from pathlib import Path

import contest
import numpy as np
import tensorflow as tf
from absl import flags

import tfprefetch

FLAGS = flags.FLAGS
flags.DEFINE_integer("records", 200_000, "rows in the file", lower_bound=1)
flags.DEFINE_integer("numbers", 256, "float32 numbers in a row", lower_bound=1)
# Of a batch of a few KiB, all that is measured is what a step costs, whatever it reads.
FLAGS.set_default("batch_size", 1024)


def make_data(directory: Path) -> None:
    """Writes `--records` rows."""
    numbers = np.random.default_rng(1).random((FLAGS.records, FLAGS.numbers), np.float32)
    numbers.tofile(path_of(directory))


def path_of(directory: Path) -> str:
    """The one file."""
    return str(directory / "rows.bin")


def from_raw(directory: Path) -> contest.Step:
    """Tensors, read ahead in large blocks."""
    shape = [FLAGS.numbers]
    dataset = tfprefetch.from_raw(
        path_of(directory), tf.float32, shape, FLAGS.batch_size, num_epochs=None
    )
    iterator = iter(dataset)
    return lambda: next(iterator)


def whole_file(directory: Path) -> contest.Step:
    """A step reads the whole file."""
    path = path_of(directory)
    return lambda: np.fromfile(path, np.float32).reshape(-1, FLAGS.numbers)


def memmap_slices(directory: Path) -> contest.Step:
    """Batches that are copied out of the mapped file."""
    rows = np.memmap(path_of(directory), np.float32, "r").reshape(-1, FLAGS.numbers)
    begin = 0

    def step() -> np.ndarray:
        nonlocal begin
        batch = np.array(rows[begin : begin + FLAGS.batch_size])
        begin = (begin + FLAGS.batch_size) % len(rows)
        return batch

    return step


def records(directory: Path) -> contest.Step:
    """What tf.data has: record by record."""
    dataset = tf.data.FixedLengthRecordDataset(path_of(directory), 4 * FLAGS.numbers).repeat()
    batches = dataset.batch(FLAGS.batch_size).map(
        lambda batch: tf.io.decode_raw(batch, tf.float32), num_parallel_calls=tf.data.AUTOTUNE
    )
    iterator = iter(batches.prefetch(tf.data.AUTOTUNE))
    return lambda: next(iterator)


CONTESTANTS = {
    "FixedLengthRecordDataset, batch, decode_raw": records,
    "from_raw": from_raw,
    "np.memmap, slices": memmap_slices,
    "np.fromfile, whole file": whole_file,
}

if __name__ == "__main__":
    contest.main(CONTESTANTS, make_data)
