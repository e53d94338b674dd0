from __future__ import annotations

import gzip
import os
import zlib

import pytest
import tensorflow as tf

import tfprefetch

RECORDS = [b"", b"a", b"abc" * 100, b"z"]
KEYED = [(0, b""), (16, b"a"), (33, b"abc" * 100), (349, b"z")]


@pytest.fixture(autouse=True)
def _in_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write(name, content):
    with open(name, "wb") as file:
        file.write(content)
    return name


def write_records(name, records=RECORDS, compression=""):
    with tf.io.TFRecordWriter(name, compression) as writer:
        for record in records:
            writer.write(record)
    return name


def elements(*args, **kwargs):
    return list(tfprefetch.from_files(*args, **kwargs).as_numpy_iterator())


def elements_and_error(*args, **kwargs):
    found = []
    with pytest.raises(tf.errors.OpError) as error:
        for element in tfprefetch.from_files(*args, **kwargs).as_numpy_iterator():
            found.append(element)
    return found, error.value


def keyed(name, pairs):
    return [(f"{name}:{position}".encode(), record) for position, record in pairs]


# --- what TensorFlow 1.15.5's readers gave for the same files ---------------------------------


def test_tfrecord_keys_are_byte_offsets():
    write_records("r.rec")
    assert elements("r.rec", with_keys=True) == keyed("r.rec", KEYED)
    assert elements("r.rec") == RECORDS


@pytest.mark.parametrize("compression", ["GZIP", "ZLIB"])
def test_tfrecord_offsets_count_decompressed_bytes(compression):
    write_records("c.rec", compression=compression)
    found = elements("c.rec", with_keys=True, compression_type=compression)
    assert found == keyed("c.rec", KEYED)


def test_text_keys_are_line_numbers_from_1():
    write("a.txt", b"h1\nh2\nl1\nl2\r\n\nl4")
    lines = [(3, b"l1"), (4, b"l2"), (5, b""), (6, b"l4")]
    assert elements("a.txt", "text", skip_header_lines=2, with_keys=True) == keyed("a.txt", lines)
    assert elements("a.txt", "text", with_keys=True)[:3] == keyed(
        "a.txt", [(1, b"h1"), (2, b"h2"), (3, b"l1")]
    )


def test_header_longer_than_the_file():
    write("one.txt", b"h1\n")
    write("two.txt", b"h1\nh2\nx")
    assert elements(["one.txt", "two.txt"], "text", skip_header_lines=2) == [b"x"]


def test_whole_keys_are_paths():
    write("a", b"123")
    write("b", b"")
    assert elements(["a", "b"], "whole", with_keys=True) == [(b"a", b"123"), (b"b", b"")]


def test_fixed_keys_are_record_numbers():
    write("f.bin", b"HHaaabbbcccFFFFF")
    options = {"record_bytes": 3, "header_bytes": 2, "footer_bytes": 5}
    found = elements("f.bin", "fixed", with_keys=True, **options)
    assert found == keyed("f.bin", [(0, b"aaa"), (1, b"bbb"), (2, b"ccc")])


# --- more files, epochs, shards, order ----------------------------------------------------------


@pytest.mark.parametrize("records", [1, 256, 1023, 1024, 1025])
@pytest.mark.parametrize("block_length", [None, 3])
def test_every_record_in_order_with_its_key(records, block_length):
    contents = [b"%d" % number * (number % 7) for number in range(records)]
    write_records("r.rec", contents)
    offset, pairs = 0, []
    for content in contents:
        pairs.append((offset, content))
        offset += len(content) + 16
    found = elements("r.rec", with_keys=True, block_length=block_length)
    assert found == keyed("r.rec", pairs)


def test_large_records():
    contents = [bytes([number]) * (3 << 20) for number in range(3)]
    write_records("r.rec", contents)
    assert elements("r.rec") == contents


def test_files_follow_each_other_and_epochs():
    for name in "abc":
        write(name, "".join(f"{name}{line}\n" for line in range(300)).encode())
    once = [f"{name}{line}".encode() for name in "abc" for line in range(300)]
    assert elements(["a", "b", "c"], "text", num_epochs=2) == once + once
    endless = tfprefetch.from_files(["a", "b", "c"], "text", num_epochs=None)
    assert list(endless.take(2000).as_numpy_iterator()) == (once * 3)[:2000]


def test_patterns_are_expanded_and_sorted():
    for name in ["b.txt", "a.txt", "c.dat", "odd[1].txt"]:
        write(name, name.encode())
    assert elements("*.txt", "whole", with_keys=True)[:2] == [
        (b"a.txt", b"a.txt"),
        (b"b.txt", b"b.txt"),
    ]
    assert elements(["c.dat", "[ab].txt"], "whole") == [b"c.dat", b"a.txt", b"b.txt"]
    assert elements("odd[1].txt", "whole") == [b"odd[1].txt"]
    assert elements(os.path.abspath("?.dat"), "whole") == [b"c.dat"]


def test_files_as_tensor_dataset_path():
    for name in "abc":
        write(name, name.encode())
    names = tf.data.Dataset.from_tensor_slices(["c", "a"])
    assert elements(tf.constant(["b", "a"]), "whole") == [b"b", b"a"]
    assert elements(tf.constant("b"), "whole") == [b"b"]
    assert elements(names, "whole", num_epochs=2) == [b"c", b"a", b"c", b"a"]
    assert elements(b"a", "whole") == [b"a"]


def test_shuffle_is_within_the_epoch_and_new_in_each():
    names = [f"f{number:02}" for number in range(20)]
    for name in names:
        write(name, f"{name}\n{name}\n".encode())
    one = elements("f*", "text", shuffle=True, seed=3, num_epochs=4)
    assert one == elements("f*", "text", shuffle=True, seed=3, num_epochs=4)
    assert one != elements("f*", "text", shuffle=True, seed=4, num_epochs=4)
    epochs = [one[start : start + 40] for start in range(0, 160, 40)]
    assert len({tuple(epoch) for epoch in epochs}) == 4
    for epoch in epochs:
        assert sorted(epoch) == sorted(name.encode() for name in names * 2)


def test_shuffling_a_dataset_of_names_of_unknown_size():
    for name in "abcdefgh":
        write(name, name.encode())
    names = tf.data.Dataset.from_tensor_slices(list("abcdefgh")).filter(lambda _: True)
    found = elements(names, "whole", shuffle=True, seed=1)
    assert sorted(found) == [c.encode() for c in "abcdefgh"]
    assert found != sorted(found)


def test_shards_are_disjoint_also_when_shuffled():
    names = [f"f{number}" for number in range(7)]
    for name in names:
        write(name, name.encode())
    shards = [
        elements("f*", "whole", shuffle=True, num_shards=3, index=index) for index in range(3)
    ]
    assert [len(shard) for shard in shards] == [3, 2, 2]
    assert sorted(name for shard in shards for name in shard) == [name.encode() for name in names]


def test_interleaving():
    for name in "ab":
        write(name, "".join(f"{name}{line}\n" for line in range(4)).encode())
    found = elements(["a", "b"], "text", cycle_length=2, block_length=2)
    assert found == [b"a0", b"a1", b"b0", b"b1", b"a2", b"a3", b"b2", b"b3"]
    free = elements(["a", "b"], "text", deterministic=False)
    assert sorted(free) == sorted(found)
    assert elements(["a", "b"], "text", num_parallel_calls=None) == sorted(found)


def test_reader_function():
    def reader(path):
        return tf.data.Dataset.range(2).map(lambda number: (path, number))

    assert elements(["x", "y"], reader) == [(b"x", 0), (b"x", 1), (b"y", 0), (b"y", 1)]
    assert elements("x", reader, with_keys=True) == [(b"x:0", (b"x", 0)), (b"x:1", (b"x", 1))]
    with pytest.raises(TypeError, match="must return a tf.data.Dataset"):
        tfprefetch.from_files("x", lambda path: path)


def test_cardinality_and_spec():
    for name in "ab":
        write(name, b"")
    whole = tfprefetch.from_files(["a", "b"], "whole", num_epochs=3)
    assert whole.cardinality() == 6
    assert tfprefetch.from_files("a", "whole", num_epochs=None).cardinality() == -1
    scalar = tf.TensorSpec([], tf.string)
    assert whole.element_spec == scalar
    for reader in ("text", "tfrecord"):
        assert tfprefetch.from_files("a", reader).element_spec == scalar
        assert tfprefetch.from_files("a", reader, with_keys=True).element_spec == (scalar, scalar)


@pytest.mark.parametrize("reader", ["text", "tfrecord", "whole"])
def test_in_a_graph_with_names_known_only_later(reader):
    write("a.txt", b"one\ntwo\n")
    write_records("a.rec")
    path, expected = ("a.rec", RECORDS) if reader == "tfrecord" else ("a.txt", [b"one", b"two"])
    expected = [b"one\ntwo\n"] if reader == "whole" else expected
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        names = tf.compat.v1.placeholder(tf.string, [None])
        dataset = tfprefetch.from_files(names, reader, shuffle=True)
        iterator = tf.compat.v1.data.make_initializable_iterator(dataset)
        step = iterator.get_next()
        session.run(iterator.initializer, {names: [path]})
        assert [session.run(step) for _ in expected] == expected
        with pytest.raises(tf.errors.OutOfRangeError):
            session.run(step)
        with pytest.raises(tf.errors.InvalidArgumentError, match="files is empty"):
            session.run(iterator.initializer, {names: []})


def test_in_a_function():
    write("a.txt", b"one\ntwo\n")

    @tf.function
    def count():
        total = tf.constant(0)
        for line in tfprefetch.from_files("a.txt", "text"):
            total += tf.strings.length(line)
        return total

    assert count() == 6


@pytest.mark.parametrize("with_keys", [False, True])
def test_checkpoint_in_mid_epoch(with_keys):
    write_records("r.rec", [b"%d" % number for number in range(700)])
    everything = elements(["r.rec"] * 2, with_keys=with_keys)
    dataset = tfprefetch.from_files(["r.rec"] * 2, with_keys=with_keys)
    iterator = iter(dataset)
    for _ in range(900):
        next(iterator)
    path = tf.train.Checkpoint(iterator=iterator).save("checkpoint")
    restored = iter(dataset)
    tf.train.Checkpoint(iterator=restored).restore(path)
    rest = [tf.nest.map_structure(lambda part: part.numpy(), element) for element in restored]
    assert rest == everything[900:]


# --- damaged files --------------------------------------------------------------------------------


@pytest.mark.parametrize("with_keys", [False, True])
@pytest.mark.parametrize(
    ("cut", "whole_records", "position"), [(-3, 3, 349), (45, 2, 33), (38, 2, 33), (5, 0, 0)]
)
def test_truncated_tfrecord(cut, whole_records, position, with_keys):
    content = open(write_records("r.rec"), "rb").read()
    write("t.rec", content[:cut])
    found, error = elements_and_error("t.rec", with_keys=with_keys)
    expected = keyed("t.rec", KEYED) if with_keys else RECORDS
    assert found == expected[:whole_records]
    assert f"TFRecord file t.rec is damaged at byte {position}: truncated" in error.message


@pytest.mark.parametrize(
    ("byte", "position", "reason"),
    [(50, 33, "record's data (300 bytes)"), (35, 33, "record's length"), (0, 0, "no TFRecord")],
)
def test_corrupted_tfrecord(byte, position, reason):
    content = bytearray(open(write_records("r.rec"), "rb").read())
    content[byte] ^= 1
    write("c.rec", bytes(content))
    found, error = elements_and_error(["r.rec", "c.rec", "r.rec"])
    assert found[:4] == RECORDS
    assert found[4:] == RECORDS[: 2 if position else 0]
    assert f"TFRecord file c.rec is damaged at byte {position}: corrupted" in error.message
    assert reason in error.message.replace("\\'", "'")


def test_records_in_front_of_damage_in_a_later_block():
    records = [b"%d" % number for number in range(2500)]
    content = bytearray(open(write_records("r.rec", records), "rb").read())
    content[-5] ^= 1
    write("c.rec", bytes(content))
    found, error = elements_and_error("c.rec")
    assert found == records[:-1]
    assert f"damaged at byte {len(content) - 20}" in error.message


@pytest.mark.parametrize("kept", [-2, -9, 20, 8])
@pytest.mark.parametrize("compression", ["GZIP", "ZLIB"])
def test_truncated_compressed_tfrecord(compression, kept):
    content = open(write_records("c.rec", compression=compression), "rb").read()
    write("t.rec", content[:kept])
    found, error = elements_and_error("t.rec", compression_type=compression)
    assert found == RECORDS[: len(found)]
    assert f"{compression} file t.rec is truncated" in error.message


def test_truncated_record_in_a_sound_gzip_file():
    content = open(write_records("r.rec"), "rb").read()
    write("t.rec", gzip.compress(content[:38]))
    found, error = elements_and_error("t.rec", compression_type="GZIP")
    assert found == RECORDS[:2]
    assert "TFRecord file t.rec is damaged at byte 33 of its GZIP content" in error.message


@pytest.mark.parametrize("reader", ["text", "whole"])
def test_truncated_compressed_text(reader):
    sound = gzip.compress(b"hello\nworld\n" * 5)
    write("s.gz", sound)
    write("t.gz", sound[:-12])
    assert (
        len(elements("s.gz", reader, compression_type="GZIP")) == {"text": 10, "whole": 1}[reader]
    )
    _, error = elements_and_error("t.gz", reader, compression_type="GZIP")
    assert "GZIP file t.gz is truncated" in error.message


def test_gzip_file_of_two_members():
    content = open(write_records("r.rec"), "rb").read()
    write("two.rec", gzip.compress(content) + gzip.compress(content))
    assert elements("two.rec", compression_type="GZIP") == RECORDS * 2


def test_not_compressed_at_all():
    write("a.txt", b"hello\n")
    _, error = elements_and_error("a.txt", "text", compression_type="ZLIB")
    assert "ZLIB file a.txt is damaged" in error.message


FIXED = {"record_bytes": 3, "header_bytes": 2, "footer_bytes": 5}


@pytest.mark.parametrize("compression", [None, "GZIP"])
@pytest.mark.parametrize(
    ("record_bytes", "hop_bytes", "size"),
    [(4, 2, 9), (5, 3, 900), (3, 8, 2501), (3, 8, 2496), (7, 7, 15), (4, 1, 3), (9, 2, 9)],
)
def test_hop_bytes(record_bytes, hop_bytes, size, compression):
    body = bytes(range(256)) * (size // 256) + bytes(range(size % 256))
    content = b"HH" + body + b"FFF"
    write("h.bin", gzip.compress(content) if compression else content)
    expected = [
        body[begin : begin + record_bytes] for begin in range(0, size - record_bytes + 1, hop_bytes)
    ]
    found = elements(
        "h.bin",
        "fixed",
        record_bytes=record_bytes,
        hop_bytes=hop_bytes,
        header_bytes=2,
        footer_bytes=3,
        compression_type=compression,
        ignore_ragged_tail=True,
        with_keys=True,
    )
    assert found == keyed("h.bin", enumerate(expected))


@pytest.mark.parametrize(
    ("hop_bytes", "size", "left_over"), [(2, 8, 1), (5, 12, 4), (5, 8, 0), (5, 10, 0), (4, 1, 1)]
)
def test_hop_bytes_and_a_ragged_tail(hop_bytes, size, left_over):
    write("h.bin", b"x" * size)
    options = {"record_bytes": 3, "hop_bytes": hop_bytes}
    if not left_over:
        assert len(elements("h.bin", "fixed", **options)) == 2
        return
    _, error = elements_and_error("h.bin", "fixed", **options)
    assert f"h.bin has {size} bytes" in error.message
    assert f"hop_bytes={hop_bytes} does not divide that: {left_over} bytes" in error.message


def test_ragged_tail_raises_and_can_be_ignored():
    write("f.bin", b"HHaaabbbcccddFFFFF")
    found, error = elements_and_error("f.bin", "fixed", **FIXED)
    assert found == []
    assert "f.bin has 18 bytes, that is 11 without header and footer" in error.message
    assert "record_bytes=3" in error.message
    found = elements("f.bin", "fixed", ignore_ragged_tail=True, **FIXED)
    assert found == [b"aaa", b"bbb", b"ccc"]


@pytest.mark.parametrize("content", [b"HHFFFFF", b"HHaFFFFF", b"HHFF", b"HH"])
def test_fixed_without_a_whole_record(content):
    write("x.bin", content)
    assert elements("x.bin", "fixed", ignore_ragged_tail=True, **FIXED) == []
    if content == b"HHFFFFF":
        assert elements("x.bin", "fixed", **FIXED) == []
    else:
        _, error = elements_and_error("x.bin", "fixed", **FIXED)
        assert "x.bin has" in error.message


@pytest.mark.parametrize("ignore_ragged_tail", [False, True])
def test_fixed_shorter_than_its_header(ignore_ragged_tail):
    write("x.bin", b"H")
    _, error = elements_and_error("x.bin", "fixed", ignore_ragged_tail=ignore_ragged_tail, **FIXED)
    assert "x.bin has 1 bytes, less than header_bytes=2" in error.message


@pytest.mark.parametrize("compression", ["GZIP", "ZLIB"])
def test_fixed_compressed(compression):
    compress = gzip.compress if compression == "GZIP" else zlib.compress
    write("f.z", compress(b"HHaaabbbcccddFFFFF"))
    options = {**FIXED, "compression_type": compression}
    found = elements("f.z", "fixed", ignore_ragged_tail=True, with_keys=True, **options)
    assert found == keyed("f.z", [(0, b"aaa"), (1, b"bbb"), (2, b"ccc")])
    _, error = elements_and_error("f.z", "fixed", **options)
    assert "f.z has 18 bytes" in error.message


@pytest.mark.parametrize("reader", ["text", "tfrecord", "fixed", "whole"])
def test_empty_and_missing_files(reader):
    write("empty", b"")
    options = {"record_bytes": 3} if reader == "fixed" else {}
    expected = [b""] if reader == "whole" else []
    assert elements("empty", reader, **options) == expected
    if reader != "whole":  # endless, but nothing to read: an end, not a hang
        assert elements("empty", reader, num_epochs=None, **options) == []
    found, error = elements_and_error(["empty", "gone"], reader, **options)
    assert found == expected
    assert isinstance(error, tf.errors.NotFoundError)
    assert "gone" in error.message


@pytest.mark.parametrize("reader", ["text", "tfrecord", "fixed", "whole"])
def test_a_directory(reader, tmp_path):
    options = {"record_bytes": 3} if reader == "fixed" else {}
    _, error = elements_and_error(str(tmp_path), reader, **options)
    assert isinstance(error, tf.errors.FailedPreconditionError)
    assert str(tmp_path) in error.message


# --- arguments ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"files": []}, ValueError, "files is empty"),
        ({"files": tf.zeros([0], tf.string)}, ValueError, "files is empty"),
        ({"files": "no*match"}, ValueError, r"files: the pattern 'no\*match' matches no file"),
        ({"files": [3]}, TypeError, "files must be file names.*3"),
        ({"files": tf.constant([1])}, TypeError, "files as a tensor must be strings"),
        ({"files": tf.data.Dataset.range(3)}, TypeError, "files as a dataset"),
        ({"reader": "csv"}, ValueError, "reader must be one of .*'csv'"),
        ({"reader": 3}, TypeError, "reader must be one of .*3"),
        ({"reader": "fixed"}, ValueError, "record_bytes"),
        ({"reader": "fixed", "record_bytes": 0}, ValueError, "record_bytes=0"),
        (
            {"reader": "fixed", "record_bytes": 1, "header_bytes": -1},
            ValueError,
            "header_bytes.*-1",
        ),
        (
            {"reader": "fixed", "record_bytes": 1, "hop_bytes": -1},
            ValueError,
            "hop_bytes.*-1",
        ),
        ({"hop_bytes": 3}, ValueError, 'hop_bytes=3 is for reader="fixed" only'),
        ({"record_bytes": 3}, ValueError, 'record_bytes=3 is for reader="fixed" only'),
        ({"skip_header_lines": 1}, ValueError, 'skip_header_lines=1 is for reader="text" only'),
        ({"index": 1}, ValueError, "index .*num_shards=1, got 1"),
        ({"index": -1, "num_shards": 2}, ValueError, "index .*got -1"),
        ({"num_shards": 0}, ValueError, "num_shards .*got 0"),
        ({"num_epochs": 0}, ValueError, "num_epochs .*got 0"),
        ({"cycle_length": 0}, ValueError, "cycle_length .*got 0"),
        ({"block_length": -2}, ValueError, "block_length .*got -2"),
        ({"compression_type": "LZ4"}, ValueError, "compression_type .*'LZ4'"),
        ({"buffer_size": -1}, ValueError, "buffer_size .*-1"),
        (
            {"reader": tf.data.TextLineDataset, "compression_type": "GZIP"},
            ValueError,
            "reader func",
        ),
    ],
)
def test_bad_arguments_raise_at_once(arguments, error, message):
    with pytest.raises(error, match=message):
        tfprefetch.from_files(**{"files": "x", **arguments})
