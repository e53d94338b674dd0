"""Files damaged anywhere, by chance: the truth up to the damage, then an error that names the file.

What a certain damage is called is in test_files.py. Here the damage is drawn at random (seeded),
and what must hold for every one of them is checked: each record that is delivered is one that was
written, in order, from the first on; and if any is missing, an error names the file.
"""

from __future__ import annotations

import functools
import gzip
import os
import random
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from mapped import UNOPTIMIZED

from tfprefetch import from_files, map_and_batch, readers

RECORDS = [b"%d" % number * (number % 9) for number in range(40)]
RECORD_BYTES = 8
FIXED = [b"%08d" % number for number in range(40)]
TRIALS = 6


@pytest.fixture(autouse=True)
def _in_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write(name, content):
    # Another file, as if put in the old one's place; TensorFlow must not see half of it.
    with open(f"{name}.new", "wb") as file:
        file.write(content)
    os.replace(f"{name}.new", name)
    return name


def tfrecord_bytes(records):
    with tf.io.TFRecordWriter("sound.rec") as writer:
        for record in records:
            writer.write(record)
    with open("sound.rec", "rb") as file:
        return file.read()


def whole_records(records, size):
    """How many records of a TFRecord file lie completely in its first `size` bytes."""
    ends = np.cumsum([len(record) + 16 for record in records])
    return int(np.searchsorted(ends, size, "right"))


class Reader:
    """One pipeline for many files, as building one takes longer than reading a small file."""

    def __init__(self, reader="tfrecord", batch_size=None, **options):
        names = tf.Variable("", dtype=tf.string)
        dataset = tf.data.Dataset.from_tensors(0).map(lambda _: names)
        dataset = from_files(dataset, reader, **options)
        if batch_size:
            dataset = dataset.apply(map_and_batch(with_size, batch_size))
        self.names, self.batched = names, bool(batch_size)
        self.dataset = dataset.with_options(UNOPTIMIZED)

    def read(self, name):
        """(the records, the error or None)."""
        self.names.assign(name)
        found = []
        try:
            for element in self.dataset.as_numpy_iterator():
                found.extend(element[0].tolist() if self.batched else [element])
        except tf.errors.OpError as error:
            return found, error
        return found, None


def with_size(record):
    return record, tf.strings.length(record)


def check(name, found, error, records, whole, batch_size=None):
    """`whole` records were to be had, and then an error."""
    assert error is not None, f"{whole} of {len(records)} records, and no error"
    assert name in error.message
    if batch_size:  # what stood in the batch of the damage is not delivered
        assert len(found) in (whole, whole // batch_size * batch_size)
        assert found == records[: len(found)]
    else:
        assert found == records[:whole]
    return error.message


# --- TFRecord -------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [None, 7])
def test_tfrecord_cut_anywhere(batch_size):
    content, chance = tfrecord_bytes(RECORDS), random.Random(1)
    ends = np.cumsum([len(record) + 16 for record in RECORDS]).tolist()
    reader = Reader(batch_size=batch_size)
    # In the length, its checksum, the data, their checksum of one record, and anywhere.
    begin = ends[10]
    cuts = [begin + at for at in (1, 9, 13, len(RECORDS[11]) + 15)]
    cuts += [cut for cut in chance.sample(range(1, len(content)), TRIALS) if cut not in ends]
    for number, cut in enumerate(cuts):
        name = write(f"cut{number}.rec", content[:cut])
        whole = whole_records(RECORDS, cut)
        message = check(name, *reader.read(name), RECORDS, whole, batch_size)
        assert f"byte {[0, *ends][whole]}: truncated" in message
    # Between two records nothing shows that others followed.
    found, error = reader.read(write("short.rec", content[: ends[20]]))
    assert (found, error) == (RECORDS[:21], None)


@pytest.mark.parametrize("batch_size", [None, 7])
def test_tfrecord_with_any_bit_flipped(batch_size):
    content, chance = tfrecord_bytes(RECORDS), random.Random(2)
    ends = np.cumsum([len(record) + 16 for record in RECORDS]).tolist()
    reader = Reader(batch_size=batch_size)
    begin = ends[10]
    flips = [begin + at for at in (0, 8, 12, len(RECORDS[11]) + 12)]
    for number, byte in enumerate(flips + chance.sample(range(len(content)), TRIALS)):
        damaged = bytearray(content)
        damaged[byte] ^= 1 << chance.randrange(8)
        name = write(f"flip{number}.rec", bytes(damaged))
        whole = whole_records(RECORDS, byte)
        message = check(name, *reader.read(name), RECORDS, whole, batch_size)
        assert f"damaged at byte {[0, *ends][whole]}" in message


def test_tfrecord_that_claims_to_be_huge():
    """The checksum of its length is right; of 2**40 bytes TensorFlow itself would die."""
    head = tfrecord_bytes([b"one"])
    length = struct.pack("<Q", 1 << 26)
    import_free_crc = masked_crc32c(length)
    write("huge.rec", head + length + struct.pack("<I", import_free_crc) + b"data")
    found, error = Reader().read("huge.rec")
    assert found == [b"one"]
    assert "huge.rec is damaged at byte 19: truncated" in error.message


def masked_crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


@pytest.mark.parametrize("batch_size", [None, 8])
def test_records_of_no_bytes(batch_size):
    content = tfrecord_bytes([b""] * 600)
    reader = Reader(batch_size=batch_size)
    assert reader.read(write("empty.rec", content)) == ([b""] * 600, None)
    name = write("cut.rec", content[:-1])
    check(name, *reader.read(name), [b""] * 599, 599, batch_size)


# --- compressed -----------------------------------------------------------------------------------


@pytest.mark.parametrize("compression", ["GZIP", "ZLIB"])
@pytest.mark.parametrize("kind", ["tfrecord", "text", "fixed", "whole"])
def test_compressed_and_damaged_anywhere(kind, compression):
    lines = [record + b"." for record in FIXED[:-1]]
    plain, records, options = {
        "tfrecord": (tfrecord_bytes(RECORDS), RECORDS, {}),
        "text": (b"\n".join(lines), lines, {}),
        "fixed": (b"".join(FIXED), FIXED, {"record_bytes": RECORD_BYTES}),
        "whole": (b"".join(FIXED), [b"".join(FIXED)], {}),
    }[kind]
    compress = gzip.compress if compression == "GZIP" else zlib.compress
    content, chance = compress(plain), random.Random(3)
    reader = Reader(kind, compression_type=compression, **options)
    name = write("sound.z", content)
    assert reader.read(name) == (records, None)
    for trial in range(TRIALS):
        damaged = bytearray(content)
        if trial % 3 == 0:
            damaged = damaged[: chance.randrange(1, len(damaged))]
        elif trial % 3 == 1:
            # Behind a GZIP file's name, time and flags, whose bits mean nothing for the content.
            damaged[chance.randrange(10, len(damaged))] ^= 1 << chance.randrange(8)
        else:
            damaged = bytearray(chance.randbytes(200))
        name = write(f"{trial}.z", bytes(damaged))
        found, error = reader.read(name)
        assert found == records[: len(found)], f"trial {trial}"
        assert error is not None, f"trial {trial}: {len(found)} of {len(records)}, and no error"
        assert name in error.message


# --- fixed ----------------------------------------------------------------------------------------


def test_fixed_cut_anywhere():
    content = b"H" * 5 + b"".join(FIXED) + b"F" * 3
    plain = Reader("fixed", record_bytes=RECORD_BYTES, header_bytes=5, footer_bytes=3)
    batched = Reader("fixed", 7, record_bytes=RECORD_BYTES, header_bytes=5, footer_bytes=3)
    for cut in random.Random(4).sample(range(1, len(content)), TRIALS):
        name = write(f"{cut}.bin", content[:cut])
        for reader in (plain, batched):
            found, error = reader.read(name)
            whole, left_over = divmod(cut - 8, RECORD_BYTES)
            if cut >= 8 and not left_over:
                # As long as it should be for fewer records: they are what stands there.
                body = content[5 : cut - 3]
                assert (b"".join(found), len(found), error) == (body, whole, None)
            else:
                assert found == []
                assert f"{name} has {cut} bytes" in error.message


# --- text -----------------------------------------------------------------------------------------


text_reader = functools.cache(functools.partial(Reader, "text"))


@pytest.mark.parametrize("batch_size", [None, 2])
@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"a\nb", [b"a", b"b"]),
        (b"a\r\nb\r\n", [b"a", b"b"]),
        (b"\n\n", [b"", b""]),
        (b"a\x00b\n\x00\n", [b"a\x00b", b"\x00"]),
        (b"\xff\xfe\n\xc3\n\xe2\x82", [b"\xff\xfe", b"\xc3", b"\xe2\x82"]),
        (b"\xef\xbb\xbfa\n", [b"\xef\xbb\xbfa"]),
        (b"x" * 300_000 + b"\n" + b"y", [b"x" * 300_000, b"y"]),
    ],
)
def test_text_of_any_bytes(content, lines, batch_size):
    assert text_reader(batch_size).read(write("a.txt", content)) == (lines, None)


def test_an_unreadable_line_is_named_by_its_key():
    content = b"1\n2\n\xff\x00three\n4\n"
    records = from_files(write("a.txt", content), "text", with_keys=True)
    batches = records.apply(map_and_batch(lambda key, line: tf.strings.to_number(line), 2))
    found = []
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"element 2 \(a\.txt:3") as error:
        for batch in batches:
            found.extend(batch.numpy().tolist())
    assert found == [1, 2][: len(found)]
    assert "a.txt" in error.value.message


def test_the_cause_of_an_error_that_quotes_bytes():
    records = from_files(write("a.txt", b"\xff"), "text")
    batches = records.apply(map_and_batch(tf.strings.to_number, 2))
    with pytest.raises(tf.errors.InvalidArgumentError, match="StringToNumber"):
        next(iter(batches))


# --- behind a parse function ----------------------------------------------------------------------


def parse(key, record):
    example = tf.io.parse_single_example(record, {"id": tf.io.FixedLenFeature([], tf.int64)})
    return key, example["id"]


def test_garbage_in_a_sound_file_is_named_by_its_key():
    """TFRecord's checksums are right, but one record is no tf.train.Example."""
    chance = random.Random(5)
    examples = [
        tf.train.Example(
            features=tf.train.Features(
                feature={"id": tf.train.Feature(int64_list=tf.train.Int64List(value=[number]))}
            )
        ).SerializeToString()
        for number in range(30)
    ]
    for bad in chance.sample(range(30), 2):
        examples_with_garbage = list(examples)
        examples_with_garbage[bad] = b"\xff" * 20
        write(f"{bad}.rec", tfrecord_bytes(examples_with_garbage))
        offset = sum(len(example) + 16 for example in examples_with_garbage[:bad])
        dataset = from_files(f"{bad}.rec", with_keys=True).apply(map_and_batch(parse, 4))
        found = []
        with pytest.raises(tf.errors.InvalidArgumentError) as error:
            for _, numbers in dataset:
                found.extend(numbers.numpy().tolist())
        assert found == list(range(bad // 4 * 4))[: len(found)]
        assert f"element {bad} ({bad}.rec:{offset}" in error.value.message


# --- files that change while they are read --------------------------------------------------------


@pytest.mark.parametrize("kind", ["tfrecord", "text", "fixed", "whole"])
def test_deleted_between_two_epochs(kind):
    contents = {
        "tfrecord": tfrecord_bytes(FIXED),
        "text": b"\n".join(FIXED),
        "fixed": b"".join(FIXED),
        "whole": b"content",
    }
    options = {"record_bytes": RECORD_BYTES} if kind == "fixed" else {}
    write("a", contents[kind])
    records = [b"content"] if kind == "whole" else FIXED
    dataset = from_files("a", kind, num_epochs=None, num_parallel_calls=None, **options)
    iterator = iter(dataset)
    assert [next(iterator).numpy() for _ in records] == records
    os.remove("a")
    with pytest.raises(tf.errors.NotFoundError, match=r"\ba\b"):
        # What was read ahead may still come, no more than an epoch of it.
        for _ in range(len(records) + 1):
            next(iterator)


def test_deleted_between_the_look_at_it_and_its_opening(monkeypatch):
    look = readers.first_record_size

    def look_and_delete(path, compression):
        size = look(path, compression)
        os.remove(path)
        return size

    monkeypatch.setattr(readers, "first_record_size", look_and_delete)
    write("gone.rec", tfrecord_bytes(FIXED))
    with pytest.raises(tf.errors.OpError, match="gone.rec"):
        next(iter(from_files("gone.rec")))


@pytest.mark.parametrize("batch_size", [None, 50])
@pytest.mark.parametrize(
    "kind",
    [
        "tfrecord",
        pytest.param(
            "fixed",
            marks=pytest.mark.xfail(
                reason="TensorFlow's own error, InternalError, does not name the file"
            ),
        ),
    ],
)
def test_truncated_in_the_middle_of_reading(kind, batch_size):
    """A file larger than what is read ahead, cut in the middle of a record."""
    records = [b"%08d" % number * 512 for number in range(2000)]  # 4 KiB each
    content = tfrecord_bytes(records) if kind == "tfrecord" else b"".join(records)
    options = {"record_bytes": 4096} if kind == "fixed" else {}
    write("a", content)
    dataset = from_files("a", kind, num_parallel_calls=None, buffer_size=4096, **options)
    if batch_size:
        dataset = dataset.apply(map_and_batch(with_size, batch_size, num_parallel_calls=None))
    iterator, found = dataset.as_numpy_iterator(), []

    def take():
        element = next(iterator)
        found.extend(element[0].tolist() if batch_size else [element])

    take()
    os.truncate("a", len(content) // 2 + 1000)
    with pytest.raises(tf.errors.OpError) as error:
        while True:
            take()
    assert not isinstance(error.value, tf.errors.OutOfRangeError)
    assert found == records[: len(found)]
    assert "a" in error.value.message.split()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("kind", ["tfrecord", "text", "whole"])
def test_permission_denied(kind):
    os.chmod(write("secret", b"1\n"), 0)
    with pytest.raises(tf.errors.PermissionDeniedError, match="secret"):
        list(from_files("secret", kind))
