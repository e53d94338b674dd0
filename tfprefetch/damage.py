"""What is wrong with a file, in words: run only when a file is opened or when reading it failed.

    describe_damage("train-3.tfrecord", offset=349, compression="")
    # "TFRecord file train-3.tfrecord is damaged at byte 349: ..."

TensorFlow's own messages about damaged files name neither the file nor (when the damage lies in the
first bytes of a record, or at the end of a compressed file) that there is any damage at all.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import tensorflow as tf

_CHUNK_BYTES = 1 << 20
_HEADER_BYTES = 12  # length (8 bytes), checksum of the length (4 bytes)
_FOOTER_BYTES = 4  # checksum of the data
_WINDOW_BITS = {"GZIP": 16 + zlib.MAX_WBITS, "ZLIB": zlib.MAX_WBITS}


class DamagedFileError(ValueError):
    """A file whose content is not what its format promises."""


def content_size(path: str, compression: str) -> int:
    """Bytes in `path` after decompression; reads compressed files to the end.

    Raises:
        DamagedFileError: the compressed stream is cut short or damaged.
    """
    if not compression:
        return int(tf.io.gfile.stat(path).length)
    return sum(len(chunk) for chunk in _chunks(path, compression))


def gzip_size_modulo(path: str) -> int:
    """The content's size modulo 2**32, as the last four bytes of a GZIP file state it."""
    with tf.io.gfile.GFile(path, "rb") as file:
        if file.size() < 18:  # less than an empty GZIP file
            return -1
        file.seek(file.size() - 4)
        return struct.unpack("<I", file.read(4))[0]


def first_record_size(path: str, compression: str) -> int:
    """Bytes in the first record of a TFRecord file as it states them, sound or not; 0 if empty."""
    try:
        start, _ = _rest(path, 0, compression, to_end=False)
    except DamagedFileError:
        start = b""
    return struct.unpack("<Q", start[:8])[0] if len(start) >= 8 else 0


def sound_records(path: str, skip: int, most: int, compression: str) -> list[bytes]:
    """The records of a TFRecord file behind the first `skip`, up to the damage."""
    records = []
    try:
        # Deprecated, but the one reader that needs neither eager execution nor a session.
        options = tf.io.TFRecordOptions(compression_type=compression)
        for number, record in enumerate(tf.compat.v1.io.tf_record_iterator(path, options)):
            if number >= skip:
                records.append(record)
            if len(records) == most:
                break
    except tf.errors.OpError:
        pass  # `describe_damage` is about to say what it is
    return records


def describe_damage(path: str, offset: int, compression: str, failed: bool) -> str:
    """What is wrong with the TFRecord file `path` at `offset`; an empty string if nothing is.

    Args:
        path: the file.
        offset: the position (after decompression) behind the last record that could be read.
        compression: `""`, `"GZIP"` or `"ZLIB"`.
        failed: whether TensorFlow reported an error there (else it reported the end of the file).
    """
    try:
        rest, total = _rest(path, offset, compression)
    except DamagedFileError as error:
        return f"{error}; {offset} bytes of whole records came before"
    if not rest and not failed and total == offset:
        return ""
    where = f"TFRecord file {path} is damaged at byte {offset}"
    if compression:
        where += f" of its {compression} content"
    return f"{where}: {_describe_record(rest, total - offset)}"


def _describe_record(start: bytes, available: int) -> str:
    if available < _HEADER_BYTES:
        return (
            f"truncated, {available} bytes are left where a record's header needs {_HEADER_BYTES}"
        )
    length, checksum = struct.unpack("<QI", start[:_HEADER_BYTES])
    if checksum != _masked_crc32c(start[:8]):
        return "corrupted, the checksum of the record's length does not match (no TFRecord file?)"
    needed = _HEADER_BYTES + length + _FOOTER_BYTES
    if needed > available:
        return f"truncated, the record needs {needed} bytes and {available} are left"
    return f"corrupted, the checksum of the record's data ({length} bytes) does not match"


def _rest(path: str, offset: int, compression: str, to_end: bool = True) -> tuple[bytes, int]:
    """The first bytes from `offset` on, and the size of the content (all of it with `to_end`)."""
    if not compression:
        with tf.io.gfile.GFile(path, "rb") as file:
            size = file.size()
            file.seek(offset)
            return file.read(_HEADER_BYTES), size
    start, total = b"", 0
    for chunk in _chunks(path, compression):
        if total + len(chunk) > offset and len(start) < _HEADER_BYTES:
            skipped = max(offset - total, 0)
            start += chunk[skipped : skipped + _HEADER_BYTES - len(start)]
        total += len(chunk)
        if len(start) == _HEADER_BYTES and not to_end:
            break
    return start, total


def _chunks(path: str, compression: str) -> Iterator[bytes]:
    """The decompressed content, piece by piece, also of several streams one after another."""
    window_bits = _WINDOW_BITS[compression]
    stream = zlib.decompressobj(window_bits)
    with tf.io.gfile.GFile(path, "rb") as file:
        position = 0
        while data := file.read(_CHUNK_BYTES):
            position += len(data)
            while data:
                if stream.eof:
                    stream = zlib.decompressobj(window_bits)
                try:
                    yield stream.decompress(data, _CHUNK_BYTES)
                except zlib.error as error:
                    raise DamagedFileError(
                        f"{compression} file {path} is damaged at or before byte {position}: "
                        f"{error}"
                    ) from error
                data = stream.unused_data if stream.eof else stream.unconsumed_tail
        if position and not stream.eof:
            # Output may still be waiting inside zlib, but the stream's end is missing either way.
            raise DamagedFileError(
                f"{compression} file {path} is truncated: it ends after {position} bytes, in the "
                "middle of the compressed stream"
            )


def _masked_crc32c(data: bytes) -> int:
    """The checksum of the TFRecord format; slow, meant for the 8 bytes of a record's length."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
