"""Killed in mid-epoch and restored from a checkpoint, nothing is lost and nothing comes twice.

    python test_resuming.py DIRECTORY  # trains, with some kills, until all data are used up

This file is its own program: it forks the processes that train, each of which restores what the
one before it saved before it was killed. All pipelines run side by side, a step at a time, and are
saved together every few steps.
"""

from __future__ import annotations

import collections
import functools
import json
import operator
import os
import random
import signal
import sys
import time
import traceback
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tfprefetch import context_windows, from_files, from_python, from_raw, map_and_batch

FILES = 3
RECORDS = 20  # per file
MANY_RECORDS = 700  # per file, more than are read at a time
EPOCHS = 3
SAVE_EVERY_STEPS = 5
KILLS = 2


def write_files(directory):
    """`FILES` files of every kind; each record is its own id."""
    for file in range(FILES):
        for kind, records in (("few", RECORDS), ("many", MANY_RECORDS)):
            ids = [f"{file}-{record:04}".encode() for record in range(records)]
            (directory / f"{kind}{file}.txt").write_bytes(b"\n".join(ids))
            (directory / f"{kind}{file}.bin").write_bytes(b"HH" + b"".join(ids))
            for suffix, compression in ((".rec", ""), (".gz", "GZIP")):
                path = str(directory / f"{kind}{file}{suffix}")
                with tf.io.TFRecordWriter(path, compression) as writer:
                    for record in ids:
                        writer.write(record)
    numbers = np.arange(FILES * RECORDS, dtype=np.int32)
    numbers.tofile(directory / "numbers.raw")
    (numbers * 0.5).tofile(directory / "halves.raw")
    np.save(directory / "numbers.npy", numbers)


def pipelines(directory):
    """Name to (dataset of ids in any structure, whether the order is always the same)."""

    def few(suffix, reader="tfrecord", **options):
        options.setdefault("num_epochs", EPOCHS)
        return from_files(str(directory / f"few*.{suffix}"), reader, **options)

    def batch(dataset, batch_size=7, **options):
        return dataset.apply(map_and_batch(take_apart, batch_size, **options))

    def raw(**options):
        files = (directory / "numbers.raw", directory / "halves.raw")
        dtypes = (tf.int32, tf.float64)
        return from_raw(files, dtypes, [], 7, num_epochs=EPOCHS, **options)

    def python(**options):
        # Processes need no TensorFlow for it.
        load, items = functools.partial(operator.mul, 2), range(FILES * RECORDS)
        return from_python(load, items, num_epochs=EPOCHS, **options)

    fixed = {"record_bytes": 6, "header_bytes": 2}
    many = from_files(str(directory / "many*.txt"), "text", num_epochs=2, shuffle=True)
    return {
        # One by one.
        "keys": (few("rec", with_keys=True), True),
        "files shuffled": (
            few("gz", compression_type="GZIP", shuffle=True, with_keys=True),
            False,
        ),
        "interleaved": (few("txt", "text", cycle_length=2, block_length=3), True),
        "seeded": (few("bin", "fixed", shuffle=True, seed=5, with_keys=True, **fixed), True),
        "user's reader": (few("txt", tf.data.TextLineDataset, with_keys=True), True),
        "user's shuffle": (few("bin", "fixed", **fixed).shuffle(30).prefetch(4), False),
        "user's repeat": (few("txt", "text", num_epochs=1, shuffle=True).repeat(EPOCHS), False),
        # In batches.
        "batches": (batch(few("rec", with_keys=True)).prefetch(3), True),
        "batches, per element": (
            batch(few("gz", compression_type="GZIP"), num_parallel_calls=None, vectorize=False),
            True,
        ),
        "batches, any order": (
            batch(few("txt", "text", deterministic=False), deterministic=False),
            False,
        ),
        "batches, seeded": (
            batch(few("rec", shuffle=True, seed=5), shuffle_buffer_size=50, seed=6),
            True,
        ),
        "raw, seeded": (raw(shuffle=True, seed=5), True),
        # Several pools of 16 records.
        "raw, shuffled": (raw(shuffle=True, shuffle_buffer_bytes=16 * 20), False),
        "npy": (from_raw(directory / "numbers.npy", None, None, 7, num_epochs=EPOCHS), True),
        # Python loaders.
        "python, threads": (python(workers=3), True),
        "python, processes": (
            python(workers=2, use_multiprocessing=True, batch_size=7, shuffle=True, seed=5),
            True,
        ),
        "python, shuffled": (python(workers=2, batch_size=7, shuffle=True), False),
        "python, any order": (python(workers=3, deterministic=False), False),
        "windows": (
            from_raw(directory / "numbers.raw", tf.int32, [], 7, num_epochs=EPOCHS).apply(
                context_windows(1, 1, flatten=True)
            ),
            True,
        ),
        "large batches": (batch(many, 60, shuffle_buffer_size=500).shuffle(4), False),
    }


def take_apart(*parts):
    """A function that has something to do for each example, and keeps its id whole."""
    record = parts[-1]
    number = tf.strings.to_number(tf.strings.substr(record, 2, 4), tf.int32)
    return (*parts[:-1], tf.strings.substr(record, 0, 1), tf.strings.as_string(number))


def ids(element):
    """What identifies each record in an element or a batch."""
    columns = [np.reshape(np.asarray(part), -1) for part in tf.nest.flatten(element)]
    return [
        " ".join(value.decode() if isinstance(value, bytes) else str(value) for value in row)
        for row in zip(*columns, strict=True)
    ]


# --- the program ----------------------------------------------------------------------------------


def main(directory):
    """Forks, kills, forks; TensorFlow's threads are started in the forked processes only."""
    chance = random.Random(4)
    for kill in range(KILLS + 1):
        process = os.fork()
        if not process:
            # Ended at once, as TensorFlow's iterators may take some seconds each to be destroyed.
            try:
                train(directory, lambda: os._exit(0))
            except BaseException:
                traceback.print_exc()
                os._exit(1)
        if kill < KILLS:
            # At least two saves of its own, then any moment, also in the middle of a save.
            steps = written(directory) + chance.randint(2 * SAVE_EVERY_STEPS + 2, 30)
            not_ended = os.WEXITED | os.WNOHANG | os.WNOWAIT
            while written(directory) < steps and not os.waitid(os.P_PID, process, not_ended):
                time.sleep(0.002)
            time.sleep(chance.random() * 0.05)
            os.kill(process, signal.SIGKILL)
        ended = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        if ended != (-signal.SIGKILL if kill < KILLS else 0):
            sys.exit(f"process {kill} ended with {ended}")


def written(directory):
    """How many steps are in the log."""
    log = directory / "log"
    return log.read_bytes().count(b'{"step"') if log.exists() else 0


def train(directory, end):
    """Takes a step in every pipeline, writes down what came, saves; until all have ended."""
    iterators = [iter(dataset) for dataset, _ in pipelines(directory).values()]
    step = tf.Variable(0, dtype=tf.int64)
    checkpoint = tf.train.Checkpoint(step=step, iterators=iterators)
    manager = tf.train.CheckpointManager(checkpoint, directory / "checkpoints", max_to_keep=2)
    manager.restore_or_initialize()
    with open(directory / "log", "ab", buffering=0) as log:

        def write(**line):
            log.write(json.dumps(line).encode() + b"\n")
            os.fsync(log.fileno())

        write(restored=int(step))
        while True:
            elements = [next(iterator, None) for iterator in iterators]
            if all(element is None for element in elements):
                break
            step.assign_add(1)
            write(step=int(step), ids=[[] if part is None else ids(part) for part in elements])
            if step % SAVE_EVERY_STEPS == 0:
                manager.save()
        write(end=int(step))
        end()


# --- the tests -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def resumed(tmp_path_factory, forked_python):
    """The directory, the ids that every pipeline delivered, the steps at which it was restored."""
    directory = tmp_path_factory.mktemp("resumed")
    write_files(directory)
    command = [sys.executable, __file__, str(directory)]
    done = forked_python(command, cwd=directory, env=os.environ, text=True)
    assert done.returncode == 0, done.stderr
    steps, restored, end = [], [], None
    for text in (directory / "log").read_text().splitlines():
        line = json.loads(text)
        if "restored" in line:
            restored.append(line["restored"])
            del steps[line["restored"] :]  # what came behind the checkpoint was for nothing
        elif "step" in line:
            steps.append(line["ids"])
            assert len(steps) == line["step"]
        end = line.get("end")
    assert end == len(steps)
    names = list(pipelines(directory))
    delivered = {
        name: [one for step in steps for one in step[place]] for place, name in enumerate(names)
    }
    return directory, delivered, restored


def test_every_kill_was_followed_by_a_restore_in_the_middle(resumed):
    _, _, restored = resumed
    assert len(restored) == KILLS + 1
    assert restored[0] == 0 < restored[1] < restored[2]


def test_no_element_is_lost_or_comes_twice(resumed):
    directory, delivered, _ = resumed
    for name, (dataset, same_order) in pipelines(directory).items():
        undisturbed = [one for element in dataset.as_numpy_iterator() for one in ids(element)]
        assert undisturbed
        if same_order:
            assert delivered[name] == undisturbed, name
        else:
            found = collections.Counter(delivered[name])
            found.subtract(collections.Counter(undisturbed))
            wrong = {one: surplus for one, surplus in found.items() if surplus}
            assert not wrong, f"{name}: {wrong}"


def test_epochs_stay_apart_where_only_files_are_shuffled(resumed):
    _, delivered, _ = resumed
    for name in ("files shuffled", "user's repeat", "raw, shuffled", "python, shuffled"):
        epochs = np.sort(np.reshape(delivered[name], [EPOCHS, FILES * RECORDS]), 1)
        assert (epochs == epochs[0]).all(), name


def save(dataset, tmp_path):
    iterator = iter(dataset)
    next(iterator)
    return tf.train.Checkpoint(iterator=iterator).save(str(tmp_path / "checkpoint"))


def with_table():
    initializer = tf.lookup.KeyValueTensorInitializer(
        tf.constant([3], tf.int64), tf.constant([30], tf.int64)
    )
    table = tf.lookup.StaticHashTable(initializer, -1)
    return table, table.lookup


def with_check(number):
    with tf.control_dependencies([tf.debugging.assert_less(number, np.int64(1000))]):
        return tf.identity(number)


@pytest.mark.parametrize("num_parallel_calls", [None, 2])
def test_functions_that_a_plain_map_can_save(tmp_path, num_parallel_calls):
    table, look_up = with_table()
    for map_func in (look_up, with_check):
        dataset = tf.data.Dataset.range(20)
        batches = dataset.apply(map_and_batch(map_func, 2, num_parallel_calls=num_parallel_calls))
        save(dataset.map(map_func).batch(2), tmp_path)  # else it is TensorFlow that cannot
        path = save(batches, tmp_path)
        restored = iter(batches)
        tf.train.Checkpoint(iterator=restored).restore(path)
        plain = dataset.map(map_func).batch(2).skip(1)
        assert np.array(list(restored)).tolist() == np.array(list(plain)).tolist()
    assert table.size() == 1


def test_what_cannot_be_saved_is_named(tmp_path):
    def in_python(number):
        return tf.py_function(lambda value: value + 1, [number], tf.int64)

    dataset = tf.data.Dataset.range(20).apply(map_and_batch(in_python, 2))
    with pytest.raises(tf.errors.FailedPreconditionError, match="is stateful"):
        save(dataset, tmp_path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
