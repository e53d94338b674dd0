"""What `from_files` refuses: damaged files, missing ones, arguments that cannot be."""

from __future__ import annotations

import gzip

import pytest
import tensorflow as tf
from record_files import KEYED, RECORDS, elements, elements_and_error, keyed, write, write_records

import tfprefetch

pytestmark = pytest.mark.usefixtures("in_directory")


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
