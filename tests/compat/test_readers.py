import inspect

import pytest
import tensorflow as tf

import compat

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
    with pytest.warns(compat.QueueFallbackWarning) as warnings:
        queue = compat.FIFOQueue(10, [tf.string], [[]])
        key, value = make_reader(kind).read(queue)
    assert "test_readers.py" in str(warnings[1].message)
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


def test_hop_bytes_need_tensorflows_reader(run_to_end, files):
    queue = compat.string_input_producer(files["fixed"][:1], num_epochs=1, shuffle=False)
    with pytest.warns(compat.QueueFallbackWarning):
        reader = compat.FixedLengthRecordReader(3, header_bytes=1, hop_bytes=1)
        _, value = reader.read(queue)
    assert run_to_end(value)[:3] == [b"aaa", b"aab", b"abb"]


@pytest.mark.parametrize(
    "reader", ["WholeFileReader", "TextLineReader", "FixedLengthRecordReader", "TFRecordReader"]
)
def test_signature_is_that_of_tf1(reader):
    ours, theirs = (inspect.signature(getattr(module, reader)) for module in (compat, v1))
    assert [(p.name, p.default) for p in ours.parameters.values()] == [
        (p.name, p.default) for p in theirs.parameters.values()
    ]


@pytest.mark.parametrize("method", ["num_records_produced", "num_work_units_completed", "reset"])
def test_a_reader_through_a_dataset_has_no_progress_to_tell(files, method):
    reader = compat.TextLineReader()
    reader.read(compat.string_input_producer(files["text"]))
    with pytest.raises(NotImplementedError, match="engine=queues"):
        getattr(reader, method)()
