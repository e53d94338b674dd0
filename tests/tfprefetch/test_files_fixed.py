"""`from_files` with records of a fixed length: hops, headers, what is left over."""

from __future__ import annotations

import gzip
import zlib

import pytest
from record_files import elements, elements_and_error, keyed, write

pytestmark = pytest.mark.usefixtures("in_directory")


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
