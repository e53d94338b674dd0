"""Thousands of epochs, and iterators dropped in mid-epoch: memory, files and threads stay flat."""

from __future__ import annotations

import functools
import gc
import operator
import os
import resource
import sys
import time

import numpy as np
import pytest
import tensorflow as tf
from mapped import UNOPTIMIZED

from tfprefetch import from_files, from_generator, from_python, from_raw, map_and_batch

FILES = 3
RECORDS = 4  # per file
EPOCH = FILES * RECORDS
# What does not come back: a leak of 1 kB for each of an epoch's elements would be more.
SLACK_BYTES = 10 << 20
SLACK_THREADS = 4  # TensorFlow's pools grow with what happens to run at the same time

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="memory is read from /proc"
)


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    directory = tmp_path_factory.mktemp("files")
    for file in range(FILES):
        lines = [b"%d" % (file * RECORDS + record + 10) for record in range(RECORDS)]
        (directory / f"{file}.txt").write_bytes(b"\n".join(lines))
        (directory / f"{file}.bin").write_bytes(b"".join(lines))
        with tf.io.TFRecordWriter(str(directory / f"{file}.rec")) as writer:
            for line in lines:
                writer.write(line)
    np.arange(10, 10 + EPOCH, dtype=np.int32).tofile(directory / "all.raw")
    np.save(directory / "all.npy", np.arange(10, 10 + EPOCH, dtype=np.int32))
    return directory


def number(key, record):
    return tf.strings.to_number(record, tf.int32)


def batches(directory, kind, shuffle=True):
    """For ever, an epoch in a batch."""
    if kind in ("raw", "npy"):
        dtype, shape = (tf.int32, []) if kind == "raw" else (None, None)
        path = directory / f"all.{kind}"
        return from_raw(path, dtype, shape, EPOCH, num_epochs=None, shuffle=shuffle)
    reader, suffix, options = {
        "tfrecord": ("tfrecord", "rec", {}),
        "text": ("text", "txt", {}),
        "fixed": ("fixed", "bin", {"record_bytes": 2}),
    }[kind]
    files = str(directory / f"*.{suffix}")
    records = from_files(files, reader, num_epochs=None, shuffle=shuffle, with_keys=True, **options)
    return records.apply(map_and_batch(number, EPOCH, shuffle_buffer_size=5))


def held():
    """Bytes of memory, open files, threads of this process."""
    gc.collect()
    with open("/proc/self/statm") as file:
        pages = int(file.read().split()[1])
    memory = pages * resource.getpagesize()
    return memory, len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))


def assert_flat(before, after):
    memory, files, threads = np.subtract(after, before)
    assert memory < SLACK_BYTES, f"{memory} bytes more, of {before[0]}"
    assert files <= FILES, f"{files} more open files"  # those that are being read just now
    assert threads <= SLACK_THREADS, f"{threads} more threads, of {before[2]}"


@pytest.mark.parametrize(
    ("kind", "warm_epochs", "epochs"),
    [
        ("tfrecord", 300, 1500),
        ("text", 300, 1500),
        ("fixed", 300, 1500),
        ("raw", 600, 3000),
        ("npy", 600, 3000),
    ],
)
def test_thousands_of_epochs(directory, kind, warm_epochs, epochs):
    counts = np.zeros(EPOCH, np.int64)
    iterator = iter(batches(directory, kind))
    for epoch in range(epochs):
        if epoch == warm_epochs:
            before = held()
        np.add.at(counts, next(iterator).numpy() - 10, 1)
    assert_flat(before, held())
    if kind in ("raw", "npy"):
        assert counts.tolist() == [epochs] * EPOCH
    else:
        # The shuffling buffer holds back 5 elements, and mixes the last epoch with the next one.
        assert counts.sum() == epochs * EPOCH
        assert counts.min() >= epochs - 1
        assert counts.max() <= epochs + 1


@pytest.mark.parametrize(("kind", "iterators"), [("text", 60), ("raw", 60)])
def test_iterators_dropped_in_mid_epoch(directory, kind, iterators):
    if kind == "raw":
        dataset = batches(directory, "raw").unbatch()
    else:
        # Without map_and_batch: its functions fill TensorFlow's caches for some 50 iterators more.
        dataset = from_files(str(directory / "*.txt"), "text", num_epochs=None, shuffle=True)
    for dropped in range(iterators):
        if dropped == iterators // 4:
            before = held()
        iterator = iter(dataset)
        next(iterator)
        del iterator
    assert_flat(before, held())


@pytest.mark.parametrize("kind", ["python", "generator"])
def test_thousands_of_iterations(kind):
    """An iterator for each epoch, as Keras has it."""
    if kind == "python":
        dataset = from_python(functools.partial(operator.mul, 2), range(4), workers=2)
    else:
        dataset = from_generator(lambda: iter(range(0, 8, 2)))
    dataset = dataset.with_options(UNOPTIMIZED)
    for epoch in range(300):
        if epoch == 100:
            before = held()
        assert [int(number) for number in dataset] == [0, 2, 4, 6]
    assert_flat(before, held())


def test_a_dropped_iterator_leaves_no_work_behind(directory):
    """Its threads go back to TensorFlow's pool, or end; neither reads on."""
    opened = []

    def reader(path):
        def note(path):
            opened.append(path)
            return path

        noted = tf.numpy_function(note, [path], tf.string)
        return tf.data.TextLineDataset(tf.ensure_shape(noted, []))

    dataset = from_files(str(directory / "*.txt"), reader, num_epochs=None)
    iterator = iter(dataset.apply(map_and_batch(tf.strings.length, 2)).prefetch(2))
    next(iterator)
    del iterator
    gc.collect()
    # Destroying the iterator has waited for its threads: from here on nothing is opened.
    count = len(opened)
    assert count
    time.sleep(0.3)
    assert len(opened) == count
