"""The small files that scenarios read; the same bytes in every run."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

# CRC-32C (Castagnoli) of each byte value, reflected: TFRecord's checksum.
_TABLE = []
for _byte in range(256):
    for _ in range(8):
        _byte = _byte >> 1 ^ (0x82F63B78 if _byte & 1 else 0)
    _TABLE.append(_byte)


def _masked_crc(data: bytes) -> bytes:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def tfrecord(records: list[bytes]) -> bytes:
    """A TFRecord file with these records, without TensorFlow: the scenarios run in forks of a
    process that must not have started it."""
    parts = []
    for record in records:
        length = struct.pack("<Q", len(record))
        parts += [length, _masked_crc(length), record, _masked_crc(record)]
    return b"".join(parts)


def make_files(directory: Path) -> None:
    """Writes all files into `directory`."""
    contents = {
        "a.txt": b"a one\na two\na three\n",
        "b.txt": b"b one\nb two",  # no newline at the end
        "crlf.txt": b"one\r\n\r\nthree\r\n",
        "empty.txt": b"",
        "header.csv": b"x,y\n1,10\n2,20\n3,30\n",
        "header2.csv": b"x,y\n4,40\n",
        "a.bin": b"HHaabbccddFFF",  # a header of 2, four records of 2, a footer of 3
        "b.bin": b"HHeeffFFF",
        "plain.bin": bytes(range(12)),
        "plain.gz": gzip.compress(bytes(range(12))),
        "plain.zlib": zlib.compress(bytes(range(12))),
        "ragged.bin": b"aabbc",
        "a.tfrecords": tfrecord([b"first", b"", b"the third record"]),
        "b.tfrecords": tfrecord([b"fourth"]),
        "gzip.tfrecords": gzip.compress(tfrecord([b"one", b"two"])),
        "zlib.tfrecords": zlib.compress(tfrecord([b"one", b"two"])),
        "truncated.tfrecords": tfrecord([b"whole", b"cut off in the middle"])[:-9],
        "garbage.tfrecords": b"this is not a file of records, and long enough to show it",
        "not_an_image.jpg": b"this is not an image",
    }
    for name, content in contents.items():
        (directory / name).write_bytes(content)
