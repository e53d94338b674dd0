import inspect

import numpy as np
import pytest
import tensorflow as tf

import compat
from compat.report import Report
from compat.settings import settings

v1 = tf.compat.v1


@pytest.fixture
def report(monkeypatch):
    monkeypatch.setattr(settings, "report", Report())
    return settings.report


def write_records(directory, files=4, records=5):
    paths = []
    for file in range(files):
        paths.append(str(directory / f"{file}.tfrecord"))
        with tf.io.TFRecordWriter(paths[-1]) as writer:
            for record in range(records):
                writer.write(f"{file} {record}".encode())
    return paths


def read(filename_queue, options=None):
    return compat.TFRecordReader(options=options).read(filename_queue)[1]


def elements(batches):
    return sorted(np.concatenate(batches).tolist())


EVERYTHING = sorted(f"{file} {record}".encode() for file in range(4) for record in range(5))


@pytest.mark.parametrize(
    "function",
    [
        "batch_join",
        "maybe_batch",
        "maybe_batch_join",
        "maybe_shuffle_batch",
        "maybe_shuffle_batch_join",
        "shuffle_batch_join",
    ],
)
def test_signature_is_that_of_tf1(function):
    ours, theirs = getattr(compat, function), getattr(v1.train, function)
    described = [
        [(parameter.name, parameter.default) for parameter in signature.parameters.values()]
        for signature in (inspect.signature(ours), inspect.signature(theirs))
    ]
    assert described[0] == described[1]


def test_readers_that_do_the_same_become_one_pipeline(run_to_end, report, tmp_path):
    names = compat.string_input_producer(write_records(tmp_path), num_epochs=1)
    result = compat.batch_join([[read(names)] for _ in range(3)], 5)
    (stages,) = [row.stages for row in report.pipelines if row.name == "batch_join"]
    assert any("cycle_length=3" in stage for stage in stages)
    assert not any("join" in stage or "shared" in stage for stage in stages)
    assert elements(run_to_end(result)) == EVERYTHING


@pytest.mark.parametrize("outsider", ["a batch on one of the readers", "a batch on the producer"])
def test_what_an_outsider_takes_is_missing_from_the_join(session, report, tmp_path, outsider):
    names = compat.string_input_producer(write_records(tmp_path), num_epochs=1)
    records = [read(names) for _ in range(3)]
    joined = compat.batch_join([[record] for record in records], 1)
    if "reader" in outsider:
        other = compat.batch([records[1]], 1, capacity=1)
    else:
        other = compat.batch([read(names)], 1, capacity=1)
    compat.start_queue_runners(session)
    delivered = []
    for result in (other, joined):  # who gets how many is open
        with pytest.raises(tf.errors.OutOfRangeError):
            while True:
                delivered.append(session.run(result))
    assert elements(delivered) == EVERYTHING


def test_branches_that_differ_run_beside_each_other(run_to_end, report, tmp_path):
    names = compat.string_input_producer(write_records(tmp_path), num_epochs=1)
    numbers = compat.range_input_producer(7, num_epochs=1).dequeue()
    branches = [[read(names)], [tf.strings.as_string(numbers)]]
    result = compat.batch_join(branches, 1)
    (stages,) = [row.stages for row in report.pipelines if row.name == "batch_join"]
    assert stages[0].startswith("join: ")
    expected = EVERYTHING + [str(number).encode() for number in range(7)]
    assert elements(run_to_end(result)) == sorted(expected)


def test_an_endless_branch_does_not_wait_for_another(session):
    slow = compat.range_input_producer(1, num_epochs=1).dequeue() + 5
    fast = compat.range_input_producer(1).dequeue()
    result = compat.batch_join([[slow], [fast]], 10)
    compat.start_queue_runners(session)
    delivered = session.run(result).tolist()
    while 5 not in delivered:  # as soon as it is there
        delivered = session.run(result).tolist()
    assert sorted(session.run(result).tolist()) == [0] * 10


def test_an_error_in_one_branch_is_raised(session):
    good = compat.range_input_producer(3).dequeue()
    bad = compat.range_input_producer(3).dequeue()
    with tf.control_dependencies([v1.Assert(bad < 1, ["this branch is broken"])]):
        bad = tf.identity(bad)
    result = compat.batch_join([[good], [bad]], 4)
    compat.start_queue_runners(session)
    with pytest.raises(tf.errors.InvalidArgumentError, match="this branch is broken"):
        for _ in range(100):
            session.run(result)


def test_branches_with_tf1s_control_flow_become_one_pipeline(run_to_end, report):
    number = compat.range_input_producer(8, num_epochs=1).dequeue()
    branches = [[v1.cond(number > 3, lambda: number * 2, lambda: -number)] for _ in range(2)]
    result = compat.batch_join(branches, 4)
    (stages,) = [row.stages for row in report.pipelines if row.name == "batch_join"]
    assert not any("join" in stage for stage in stages)
    assert elements(run_to_end(result)) == [-3, -2, -1, 0, 8, 10, 12, 14]
