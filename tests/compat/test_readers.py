import inspect

import pytest
import tensorflow as tf

import compat
from compat.record.source import graph_state
from compat.report import Report
from compat.settings import settings

v1 = tf.compat.v1


@pytest.fixture
def files(tmp_path):
    """Two files of each kind, and what TF1 reads from them."""
    paths = {}
    for kind in ("whole", "text", "fixed", "tfrecord"):
        paths[kind] = [str(tmp_path / f"{name}.{kind}") for name in "ab"]
    for number, path in enumerate(paths["whole"]):
        (tmp_path / path).write_bytes(b"file %d" % number)
    for number, path in enumerate(paths["text"]):
        (tmp_path / path).write_text(f"header\nline {number}\n\nlast {number}")
    for number, path in enumerate(paths["fixed"]):
        # A header of one byte, two records of three bytes, a tail of two that no record fills.
        (tmp_path / path).write_bytes(b"Haaabbbcc" if number == 0 else b"Hdddeeeff")
    for number, path in enumerate(paths["tfrecord"]):
        with tf.io.TFRecordWriter(path) as writer:
            for text in ("one", "three", ""):
                writer.write(f"{text}{number}".encode())
    return paths


def expected_records(files, kind):
    a, b = files[kind]
    if kind == "whole":
        return [(a, "file 0"), (b, "file 1")]
    if kind == "text":
        rows = [(2, "line {}"), (3, ""), (4, "last {}")]
    elif kind == "fixed":
        return [(f"{a}:0", "aaa"), (f"{a}:1", "bbb"), (f"{b}:0", "ddd"), (f"{b}:1", "eee")]
    else:
        rows = [(0, "one{}"), (20, "three{}"), (42, "{}")]
    return [
        (f"{path}:{position}", text.format(number))
        for number, path in enumerate((a, b))
        for position, text in rows
    ]


def make_reader(kind):
    return {
        "whole": compat.WholeFileReader,
        "text": lambda: compat.TextLineReader(skip_header_lines=1),
        "fixed": lambda: compat.FixedLengthRecordReader(3, header_bytes=1),
        "tfrecord": compat.TFRecordReader,
    }[kind]()


@pytest.mark.parametrize("kind", ["whole", "text", "fixed", "tfrecord"])
def test_keys_and_values_are_those_of_tf1(files, run_to_end, kind):
    queue = compat.string_input_producer(files[kind], num_epochs=2, shuffle=False)
    key, value = make_reader(kind).read(queue)
    delivered = run_to_end([key, value])
    records = [(key.decode(), value.decode()) for key, value in delivered]
    assert records == expected_records(files, kind) * 2


@pytest.mark.parametrize("kind", ["whole", "text", "fixed", "tfrecord"])
def test_a_real_queue_is_read_by_tensorflows_reader(files, session, kind):
    queue = compat.FIFOQueue(10, [tf.string], [[]])
    with pytest.warns(compat.QueueFallbackWarning) as warnings:
        key, value = make_reader(kind).read(queue)
    assert "test_readers.py" in str(warnings[0].message)
    session.run([queue.enqueue_many([files[kind]]), queue.close()][0])
    session.run(queue.close())
    expected = expected_records(files, kind)
    delivered = [session.run([key, value]) for _ in expected]
    assert [(key.decode(), value.decode()) for key, value in delivered] == expected
    with pytest.raises(tf.errors.OutOfRangeError):
        session.run(value)


def test_reads_of_one_reader_share_its_records(files, run_to_end):
    queue = compat.string_input_producer(files["text"], num_epochs=1, shuffle=False)
    reader = compat.TextLineReader()
    keys = [reader.read(queue)[0], reader.read(queue)[0]]
    delivered = [key for pair in run_to_end(keys) for key in pair]
    assert len(set(delivered)) == len(delivered) == 8


def test_readers_on_one_producer_share_its_files(files, session):
    queue = compat.string_input_producer(files["whole"], num_epochs=1, shuffle=False)
    first, second = (compat.WholeFileReader().read(queue)[0] for _ in range(2))
    v1.train.start_queue_runners(session)
    assert {session.run(first).decode(), session.run(second).decode()} == set(files["whole"])
    for key in (first, second):
        with pytest.raises(tf.errors.OutOfRangeError):
            session.run(key)


def test_one_reader_alone_gets_what_the_other_does_not_take(files, session):
    queue = compat.string_input_producer(files["whole"], num_epochs=1, shuffle=False)
    first, _ = (compat.WholeFileReader().read(queue)[0] for _ in range(2))
    v1.train.start_queue_runners(session)
    assert [session.run(first).decode() for _ in range(2)] == files["whole"]


def test_a_missing_file_is_named(session, tmp_path):
    missing = str(tmp_path / "missing.jpg")
    _, value = compat.WholeFileReader().read(compat.string_input_producer([missing]))
    v1.train.start_queue_runners(session)
    with pytest.raises(tf.errors.NotFoundError, match=r"missing\.jpg"):
        session.run(value)


def test_a_truncated_record_is_named(session, files):
    path = files["tfrecord"][0]
    with open(path, "rb") as file:
        content = file.read()
    with open(path, "wb") as file:
        file.write(content[:-3])
    queue = compat.string_input_producer([path], num_epochs=1)
    values = compat.batch([compat.TFRecordReader().read(queue)[1]], 1)
    v1.train.start_queue_runners(session)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"a\.tfrecord"):
        for _ in range(4):
            session.run(values)


def stages(tensor):
    """What the pipeline behind `tensor` does, stage by stage."""
    return graph_state().links[tensor.op].source.plan().lines()


def test_read_up_to_is_one_pipeline_that_reads_ahead(files):
    queue = compat.string_input_producer(files["text"], num_epochs=1)
    plan = stages(compat.TextLineReader().read_up_to(queue, 8).keys)
    assert [line.split(",")[0].split(":")[0] for line in plan] == [
        "elements",
        "read",
        "prefetch (1)",
    ]
    assert "up to 8 records of one file" in plan[1]


def test_hop_bytes_and_compression_need_no_queue(files, recwarn):
    queue = compat.string_input_producer(files["fixed"], num_epochs=1)
    reader = compat.FixedLengthRecordReader(3, hop_bytes=1, encoding="GZIP")
    assert "hop_bytes=1, compression_type='GZIP'" in stages(reader.read(queue).key)[1]
    assert not recwarn.list


def test_only_who_asks_for_progress_pays_for_it(files):
    queue = compat.string_input_producer(files["text"], num_epochs=1)
    reader = compat.TextLineReader()
    key = reader.read(queue).key
    assert not any("counted" in line for line in stages(key))
    reader.num_records_produced()
    assert stages(key)[1:] == ["read: text, ends of files marked", "one record, counted"]


def test_readers_of_a_kind_are_twins(files):
    queue = compat.string_input_producer(files["text"])

    def twin_key(reader):
        return graph_state().links[reader.read(queue).key.op].source.twin_key

    first = compat.TextLineReader()
    assert twin_key(first) == twin_key(compat.TextLineReader())
    assert twin_key(first) != twin_key(compat.TextLineReader(skip_header_lines=1))
    first.reset()
    assert twin_key(first) is None


@pytest.mark.parametrize("method", ["num_records_produced", "num_work_units_completed", "reset"])
def test_progress_is_asked_for_before_the_start(files, session, method):
    reader = compat.TextLineReader()
    reader.read(compat.string_input_producer(files["text"]))
    v1.train.start_queue_runners(session)
    with pytest.raises(RuntimeError, match=f"{method} of the TextLineReader of .*start_queue_run"):
        getattr(reader, method)()


def test_a_negative_number_of_records(files):
    queue = compat.string_input_producer(files["text"])
    with pytest.raises(ValueError, match="num_records must not be negative, got -1"):
        compat.TextLineReader().read_up_to(queue, -1)  # TF1 ended the whole process


@pytest.mark.parametrize(
    ("ask", "reason"),
    [
        (lambda reader, queue: reader.serialize_state(), "state is asked for"),
        (lambda reader, queue: reader.read_up_to(queue, 0), "num_records is 0"),
        (
            lambda reader, queue: reader.read(compat.string_input_producer(["x"])),
            "reads from several queues",
        ),
    ],
)
def test_what_tensorflows_reader_does_is_told(files, session, monkeypatch, ask, reason):
    report = Report()
    monkeypatch.setattr(settings, "report", report)
    reader = compat.IdentityReader()
    queue = compat.string_input_producer(files["text"])
    key = reader.read(queue).key
    with pytest.warns(compat.QueueFallbackWarning, match=f"test_readers.py:.*{reason}"):
        ask(reader, queue)
    listed = {pipeline.name: pipeline for pipeline in report.pipelines}["IdentityReader.read"]
    assert listed.engine == "queue"
    assert reason in listed.reason
    # An endless pipeline, left in the middle, ends when it is told to.
    coordinator = v1.train.Coordinator()
    threads = v1.train.start_queue_runners(session, coordinator)
    assert session.run(key).decode() in files["text"]
    coordinator.request_stop()
    coordinator.join(threads, stop_grace_period_secs=10)


def test_tensorflows_reader_is_refused_under_strict(files, monkeypatch):
    reader = compat.WholeFileReader()
    reader.read(compat.string_input_producer(files["whole"]))
    monkeypatch.setattr(settings, "strict", True)
    with pytest.raises(compat.QueueFallbackError, match=r"WholeFileReader\.restore_state"):
        reader.restore_state("")


def test_the_handle_of_a_reader_is_tensorflows(files, session):
    reader = compat.WholeFileReader()
    with pytest.warns(compat.QueueFallbackWarning, match="queue_ref"):
        queue = compat.string_input_producer(files["whole"], shuffle=False).queue_ref
    key, _ = tf.raw_ops.ReaderReadV2(reader_handle=reader.reader_ref, queue_handle=queue)
    coordinator = v1.train.Coordinator()
    threads = v1.train.start_queue_runners(session, coordinator)
    assert [session.run(key).decode() for _ in range(2)] == files["whole"]
    coordinator.request_stop()
    coordinator.join(threads, stop_grace_period_secs=10)


@pytest.mark.parametrize("reads", ["read", "read_up_to", "read and count"])
def test_damage_is_named(session, files, reads):
    path = files["tfrecord"][0]
    with open(path, "rb") as file:
        content = file.read()
    with open(path, "wb") as file:
        file.write(content[:-3])
    queue = compat.string_input_producer([path], num_epochs=1)
    reader = compat.TFRecordReader()
    record = reader.read_up_to(queue, 2) if reads == "read_up_to" else reader.read(queue)
    if reads == "read and count":
        reader.num_records_produced()
    v1.train.start_queue_runners(session)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"a\.tfrecord is damaged at byte 42"):
        for _ in range(4):
            session.run(record)


@pytest.mark.parametrize(
    "reader",
    [
        "WholeFileReader",
        "TextLineReader",
        "FixedLengthRecordReader",
        "TFRecordReader",
        "IdentityReader",
        "LMDBReader",
    ],
)
def test_signature_is_that_of_tf1(reader):
    ours, theirs = (inspect.signature(getattr(module, reader)) for module in (compat, v1))
    assert [(p.name, p.default) for p in ours.parameters.values()] == [
        (p.name, p.default) for p in theirs.parameters.values()
    ]
