"""Preprocessing that was written for one example and runs on whole batches: the same elements."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest
import tensorflow as tf

import compat
from compat.report import Report
from compat.settings import settings

v1 = tf.compat.v1
SIZE = 6


@pytest.fixture
def report(monkeypatch):
    report = Report()
    monkeypatch.setattr(settings, "report", report)
    return report


@pytest.fixture
def records(tmp_path):
    """40 records of a label byte and an image, as CIFAR-10 has them."""
    images = np.random.RandomState(0).randint(0, 256, (40, 1 + 3 * SIZE * SIZE), np.uint8)
    path = tmp_path / "images.bin"
    path.write_bytes(images.tobytes())
    return str(path)


def read_fixed(path):
    queue = compat.string_input_producer([path], num_epochs=1, shuffle=False)
    return compat.FixedLengthRecordReader(1 + 3 * SIZE * SIZE).read(queue)[1]


def image_and_label(value):
    record = tf.io.decode_raw(value, tf.uint8)
    label = tf.cast(tf.strided_slice(record, [0], [1]), tf.int32)
    label.set_shape([1])
    image = tf.reshape(tf.strided_slice(record, [1], [1 + 3 * SIZE * SIZE]), [3, SIZE, SIZE])
    return tf.cast(tf.transpose(image, [1, 2, 0]), tf.float32), label


def standardized(value):
    image, label = image_and_label(value)
    return [tf.image.per_image_standardization(image), label]


def in_branches(value):
    """TF1's own conditionals: switches and merges, one inside the other, with a check."""
    image, label = image_and_label(value)
    is_large = label[0] > 128

    def darker():
        with tf.control_dependencies([tf.debugging.assert_greater(label, 128)]):
            return v1.cond(label[0] > 200, lambda: image * 0.25, lambda: image * 0.5)

    return [v1.cond(is_large, darker, lambda: tf.reverse(image, [1])), is_large]


def with_constants_tables_and_variables(value):
    image, label = image_and_label(value)
    table = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(tf.range(256), tf.range(256) * 10), -1
    )
    weight = v1.get_variable("weight", initializer=0.5)
    mean = tf.constant(np.arange(SIZE * SIZE * 3, dtype=np.float32).reshape(SIZE, SIZE, 3))
    return [(image - mean) * weight, table.lookup(label), tf.strings.as_string(label)]


@pytest.mark.parametrize(
    "preprocessing", [standardized, in_branches, with_constants_tables_and_variables]
)
def test_the_same_on_whole_batches(records, report, monkeypatch, preprocessing):
    delivered = {}
    for vectorize in ("auto", False):
        monkeypatch.setattr(settings, "vectorize", vectorize)
        with tf.Graph().as_default(), v1.Session() as session:
            tensors = preprocessing(read_fixed(records))
            batch = compat.batch(tensors, 16, allow_smaller_final_batch=True)
            session.run([v1.global_variables_initializer(), v1.tables_initializer()])
            v1.train.start_queue_runners(session)
            rows = [session.run(batch) for _ in range(3)]
            with pytest.raises(tf.errors.OutOfRangeError):
                session.run(batch)
        delivered[vectorize] = [np.concatenate(component) for component in zip(*rows, strict=True)]
    for whole, single in zip(delivered["auto"], delivered[False], strict=True):
        assert len(whole) == 40
        assert whole.dtype == single.dtype
        if whole.dtype == np.float32:
            np.testing.assert_allclose(whole, single, rtol=1e-5, atol=1e-6)
        else:
            assert whole.tolist() == single.tolist()
    whole, single = [row.stages[-2] for row in report.pipelines if row.name == "batch"]
    assert "on whole batches: DecodeRaw" in whole
    assert "example by example" not in whole
    assert "on whole batches" not in single


def test_seeded_random_numbers_are_those_of_single_examples(run_to_end, report):
    number = compat.range_input_producer(5, num_epochs=1, shuffle=False).dequeue()
    noise = tf.random.uniform([], seed=7)
    delivered = run_to_end(compat.batch([number, noise], 5))
    with tf.Graph().as_default(), v1.Session() as session:
        noise = tf.random.uniform([], seed=7)
        expected = [session.run(noise) for _ in range(5)]
    assert delivered[0][1].tolist() == expected
    assert "it has a seed" in report.pipelines[-1].stages[-2]


def test_image_and_mask_stay_together_with_several_threads(run_to_end):
    number = compat.range_input_producer(600, num_epochs=1, shuffle=False).dequeue()
    one, other = tf.random.uniform([], seed=3), tf.random.uniform([], seed=3)
    delivered = run_to_end(compat.batch([number, one, other], 50, num_threads=4))
    for _, ones, others in delivered:
        assert ones.tolist() == others.tolist()
    assert len({value for _, ones, _ in delivered for value in ones.tolist()}) > 500


def test_the_failing_element_is_named(session):
    lines = compat.range_input_producer(20, num_epochs=1, shuffle=False).dequeue()
    checked = tf.debugging.check_numerics(1.0 / tf.cast(lines - 13, tf.float32), "no number")
    batch = compat.batch([checked], 5)
    v1.train.start_queue_runners(session)
    first = [session.run(batch).tolist() for _ in range(2)]
    assert first[1][-1] == pytest.approx(1 / (9 - 13))
    with pytest.raises(tf.errors.InvalidArgumentError, match="element 13 .*no number"):
        session.run(batch)


def test_vectorize_never_on_the_command_line(tmp_path, forked_python):
    program = tmp_path / "program.py"
    program.write_text(
        "import tensorflow as tf\n"
        "number = tf.train.range_input_producer(4, num_epochs=1, shuffle=False).dequeue()\n"
        "batch = tf.train.batch([number * 2], 4)\n"
        "with tf.train.MonitoredTrainingSession() as session:\n"
        "    print(session.run(batch).tolist())\n"
    )
    command = [sys.executable, "-m", "compat", "run", "--vectorize=never", "--stats=stats.json"]
    done = forked_python([*command, str(program)], cwd=tmp_path, env=os.environ, text=True)
    assert done.stdout == "[0, 2, 4, 6]\n", done.stderr
    stats = (tmp_path / "stats.json").read_text()
    assert "map in parallel" in stats
    assert "on whole batches" not in stats
