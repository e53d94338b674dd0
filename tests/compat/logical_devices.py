"""Batches that are delivered on a device: logical CPUs, in a process of `test_device.py`."""

import collections

import pytest
import tensorflow as tf

import compat.v1 as tf1
from compat.report import Report
from compat.settings import settings


@pytest.fixture(scope="module", autouse=True)
def three_devices():
    host = tf.config.list_physical_devices("CPU")[0]
    one = tf.config.LogicalDeviceConfiguration()
    tf.config.set_logical_device_configuration(host, [one] * 3)


@pytest.fixture(autouse=True)
def on_second_device(monkeypatch):
    monkeypatch.setattr(settings, "device", "CPU:1")


@pytest.fixture
def session():
    with tf1.Session(config=tf1.ConfigProto(device_count={"CPU": 3})) as session:
        yield session


def numbers(count, num_epochs=1):
    return tf1.train.range_input_producer(count, num_epochs=num_epochs, shuffle=False).dequeue()


def device_of(tensor):
    """Where the op runs that makes it: that of its iterator."""
    return tensor.op.inputs[0].device


def test_batches_come_on_the_device(run_to_end):
    number = numbers(10, num_epochs=2)
    batch = tf1.train.batch([number * 2, tf.as_string(number)], 4, allow_smaller_final_batch=True)
    assert device_of(batch[0]) == device_of(batch[1]) == "/device:CPU:1"
    delivered = run_to_end(batch)
    rows = [row for values, words in delivered for row in zip(values, words, strict=True)]
    assert rows == [(2 * index, b"%d" % index) for index in range(10)] * 2


def test_shuffled_batches_with_runners_of_a_coordinator(session):
    batch = tf1.train.shuffle_batch([numbers(100)], 10, 100, 50, seed=1)
    coordinator = tf1.train.Coordinator()
    threads = tf1.train.start_queue_runners(session, coordinator)
    delivered = [value for _ in range(10) for value in session.run(batch)]
    coordinator.request_stop()
    coordinator.join(threads)
    assert sorted(delivered) == list(range(100))
    assert delivered != list(range(100))


def test_monitored_session():
    batch = tf1.train.batch([numbers(8)], 4)
    config = tf1.ConfigProto(device_count={"CPU": 3})
    delivered = []
    with tf1.train.MonitoredTrainingSession(config=config) as session:
        while not session.should_stop():
            delivered.append(session.run(batch).tolist())
    assert delivered == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_single_elements_stay_on_the_host(run_to_end):
    number = numbers(3)
    assert device_of(number) == "/device:CPU:0"
    assert run_to_end(number) == [0, 1, 2]


@pytest.mark.parametrize("kind", ["strings", "sparse", "shared_name"])
def test_what_stays_on_the_host(kind, run_to_end):
    number = numbers(4)
    element = {
        "strings": lambda: tf.as_string(number),
        "sparse": lambda: tf.sparse.from_dense([number, 1]),
        "shared_name": lambda: number,
    }[kind]()
    shared_name = "shared" if kind == "shared_name" else None
    batch = tf1.train.batch([element], 2, shared_name=shared_name)
    devices = {op.device for op in tf1.get_default_graph().get_operations()}
    assert "/device:CPU:1" not in devices
    assert len(run_to_end(batch)) == 2


def test_a_batch_of_batches_is_copied_once(run_to_end):
    batch = tf1.train.batch([numbers(12)], 3)
    batches = tf1.train.batch([batch * 10], 2, enqueue_many=True)
    assert device_of(batches) == "/device:CPU:1"
    assert [batch.tolist() for batch in run_to_end(batches)] == [
        [10 * index, 10 * index + 10] for index in range(0, 12, 2)
    ]


def test_nothing_is_taken_ahead_of_others_who_share_the_batch(session):
    """Two pipelines and the program itself read one batch: each gets what the others left."""
    batch = tf1.train.batch([numbers(24)], 2)
    first = tf1.train.batch([batch], 1, capacity=1)
    second = tf1.train.batch([batch], 1, capacity=1)
    tf1.train.start_queue_runners(session)
    assert len(session.run(batch)) == 2
    seen = collections.Counter()
    ended: set[str] = set()
    while len(ended) < 2:
        for reader in [reader for reader in (first, second) if reader.name not in ended]:
            try:
                seen.update(session.run(reader).ravel().tolist())
            except tf.errors.OutOfRangeError:
                ended.add(reader.name)
    assert set(seen.values()) == {1}
    assert len(seen) == 22


def test_a_batch_size_that_is_fed_is_asked_of_the_host(session):
    size = tf1.placeholder_with_default(2, [])
    batch = tf1.train.batch([numbers(6)], size)
    tf1.train.start_queue_runners(session)
    assert [session.run(batch).tolist() for _ in range(3)] == [[0, 1], [2, 3], [4, 5]]


def test_an_error_in_preprocessing_surfaces(session):
    number = numbers(10)
    with tf.control_dependencies([tf1.assert_less(number, 4, message="too many")]):
        batch = tf1.train.batch([tf.identity(number)], 2)
    tf1.train.start_queue_runners(session)
    assert session.run(batch).tolist() == [0, 1]
    with pytest.raises(tf.errors.InvalidArgumentError, match="too many"):
        for _ in range(3):
            session.run(batch)


def test_a_start_that_fails_ends_the_reads(session):
    names = tf1.train.string_input_producer(tf.constant([], tf.string), num_epochs=1)
    _, line = tf1.TextLineReader().read(names)
    batch = tf1.train.batch([tf1.string_to_number(line)], 2)
    assert device_of(batch) == "/device:CPU:1"
    coordinator = tf1.train.Coordinator()
    threads = tf1.train.start_queue_runners(session, coordinator)
    with pytest.raises(tf.errors.OutOfRangeError):
        session.run(batch)
    coordinator.request_stop()
    with pytest.raises(tf.errors.InvalidArgumentError, match="string_input_producer"):
        coordinator.join(threads)


def test_each_session_has_its_own(session):
    batch = tf1.train.batch([numbers(4)], 2)
    for _ in range(2):
        with tf1.Session(config=tf1.ConfigProto(device_count={"CPU": 3})) as other:
            tf1.train.start_queue_runners(other)
            assert other.run(batch).tolist() == [0, 1]


def test_the_report_tells(monkeypatch, run_to_end):
    monkeypatch.setattr(settings, "report", Report())
    run_to_end(tf1.train.batch([numbers(4)], 2))
    (pipeline,) = [part for part in settings.report.pipelines if part.name == "batch"]
    assert pipeline.stages[-1] == "to device (CPU:1)"
    assert pipeline.elements == 4
