"""From one file to blocks of its records: the part of `from_files` that knows the file formats.

    reading = Reading(kind="text", with_keys=True)
    reading.blocks(tf.constant("lines.txt"))  # dataset of string[?] keys and string[?] lines

Records travel in blocks (some hundred records, at most about a mebibyte), because a step of a
dataset costs the same for a block as for a record: keys, checks and the interleaving of files
are then almost free. `from_files` takes the blocks apart again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from tfprefetch.damage import (
    DamagedFileError,
    content_size,
    describe_damage,
    first_record_size,
    gzip_size_modulo,
    sound_records,
)
from tfprefetch.fixed_length import FixedLength

_BLOCK_RECORDS = 1024
_BLOCK_LINES = 256  # fewer, because how long they are is not known
_BLOCK_BYTES = 1 << 20
_RECORD_FRAME_BYTES = 16  # a TFRecord's length, two checksums
_MISSING = -2  # the file cannot be opened: TensorFlow says why
_UNKNOWN = -1
_LOOK_AFTER = 1000  # blocks, or failures in a row, after which a look whether the file still opens
_ENDLESS = np.iinfo(np.int64).max

KINDS = ("tfrecord", "text", "fixed", "whole")
COMPRESSIONS = ("", "ZLIB", "GZIP")


@dataclass(frozen=True)
class Reading:
    """How to read one file; the fields are the arguments of `from_files`."""

    kind: str
    with_keys: bool = False
    record_bytes: int | None = None
    header_bytes: int = 0
    footer_bytes: int = 0
    hop_bytes: int = 0
    ignore_ragged_tail: bool = False
    skip_header_lines: int = 0
    compression_type: str | None = None
    buffer_size: int | None = None

    def __post_init__(self) -> None:
        """Refuses what cannot work, and options that this kind of file would silently ignore."""
        if self.kind not in KINDS:
            raise ValueError(f"reader must be one of {KINDS} or a callable, got {self.kind!r}")
        if self.kind == "fixed" and (self.record_bytes is None or self.record_bytes <= 0):
            raise ValueError(
                f'reader="fixed" needs record_bytes > 0, the length of one record, '
                f"got record_bytes={self.record_bytes!r}"
            )
        if (self.compression_type or "") not in COMPRESSIONS:
            raise ValueError(
                f"compression_type must be None or one of {COMPRESSIONS}, "
                f"got {self.compression_type!r}"
            )
        if self.buffer_size is not None and self.buffer_size < 0:
            raise ValueError(f"buffer_size must not be negative, got {self.buffer_size}")
        for option, kind in (
            ("record_bytes", "fixed"),
            ("header_bytes", "fixed"),
            ("footer_bytes", "fixed"),
            ("hop_bytes", "fixed"),
            ("ignore_ragged_tail", "fixed"),
            ("skip_header_lines", "text"),
        ):
            value = getattr(self, option) or 0
            if value < 0:
                raise ValueError(f"{option} must not be negative, got {value}")
            if value and self.kind != kind:
                raise ValueError(
                    f'{option}={value!r} is for reader="{kind}" only, '
                    f"got reader={self.kind!r}: leave {option} out"
                )

    @property
    def _fixed_length(self) -> FixedLength:
        return FixedLength(
            self.record_bytes or 0,
            self.header_bytes,
            self.footer_bytes,
            self.hop_bytes,
            self.ignore_ragged_tail,
        )

    @property
    def compression(self) -> str:
        """TensorFlow's spelling: the empty string means none."""
        return self.compression_type or ""

    def blocks(self, path: tf.Tensor) -> tf.data.Dataset:
        """The records of the file `path`, a scalar string: string[?], or (string[?], string[?])."""
        size, block_records = self._look(path)
        if self.kind == "tfrecord":
            return self._tfrecord_blocks(path, size, block_records)
        if self.kind == "text":
            lines = tf.data.TextLineDataset(path, self.compression, self.buffer_size)
            skipped = self.skip_header_lines
            blocks = (lines.skip(skipped) if skipped else lines).batch(block_records)
            first = skipped + 1
        else:
            blocks = self._fixed_length.blocks(
                path, size, block_records, self.compression, self.buffer_size
            )
            first = 0
        if not self.with_keys:
            return blocks

        def add_keys(seen: tf.Tensor, block: tf.Tensor) -> tuple[tf.Tensor, Any]:
            end = seen + tf.size(block, tf.int64)
            return end, (_join(path, tf.range(seen, end)), block)

        return blocks.scan(tf.constant(first, tf.int64), add_keys)

    def whole(self, path: tf.Tensor) -> Any:
        """The file's whole content, or (path, content)."""
        content = tf.io.read_file(path)
        if self.compression:
            # Reading it in Python first costs a second decompression, and finds damage that
            # TensorFlow would report without the file's name, or not at all.
            with tf.control_dependencies([self._size(path)[0]]):
                content = tf.io.decode_compressed(content, self.compression)
        content = tf.ensure_shape(content, [])
        return (path, content) if self.with_keys else content

    def _tfrecord_blocks(
        self, path: tf.Tensor, size: tf.Tensor, block_records: tf.Tensor
    ) -> tf.data.Dataset:
        records = tf.data.TFRecordDataset(path, self.compression, self.buffer_size)
        # Every block that is asked for uses up a number, also one that fails: a gap in the
        # numbers is how the two marks at the end (empty blocks) learn of an error.
        marks = tf.data.Dataset.from_tensors(tf.zeros([0], tf.string)).repeat(2)
        # A file that does not open (any more) fails for ever: the numbers end, and the marks are
        # missed at the very end.
        numbers = tf.data.Dataset.range(_ENDLESS).take_while(
            lambda number: tf.cond(
                tf.equal(number % _LOOK_AFTER, _LOOK_AFTER - 1),
                lambda: _is_readable(path),
                lambda: tf.constant(True),
            )
        )
        blocks = records.batch(block_records).concatenate(marks)
        numbered = tf.data.Dataset.zip((numbers, blocks)).ignore_errors()
        nothing = (tf.constant(_MISSING, tf.int64), tf.zeros([0], tf.string))
        numbered = numbered.concatenate(tf.data.Dataset.from_tensors(nothing))

        def follow(state: Any, numbered_block: Any) -> tuple[Any, Any]:
            number, block = numbered_block
            expected, seen, offset, failed_before, marked_before = state
            is_lost = tf.logical_and(tf.equal(number, _MISSING), tf.logical_not(marked_before))
            gone = tf.strings.join([path, " can no longer be opened: it is gone, or not readable"])
            with tf.control_dependencies([tf.debugging.Assert(tf.logical_not(is_lost), [gone])]):
                block = tf.identity(block)
            failed = tf.logical_or(failed_before, number > expected)
            marked = tf.equal(tf.size(block), 0)
            # Behind the last record the file must be at its end.
            first_mark = tf.logical_and(marked, tf.logical_not(marked_before))
            suspicious = tf.logical_and(first_mark, not_at_end(offset))
            block = tf.cond(
                tf.logical_or(failed, suspicious),
                lambda: self._rest(path, seen, offset, block_records, failed_before, failed),
                lambda: block,
            )
            sizes = tf.strings.length(block) + _RECORD_FRAME_BYTES
            positions = tf.concat([[offset], offset + tf.cumsum(tf.cast(sizes, tf.int64))], 0)
            seen += tf.size(block, tf.int64)
            state = (number + 1, seen, positions[-1], failed, marked)
            return state, ((_join(path, positions[:-1]), block) if self.with_keys else block)

        def not_at_end(offset: tf.Tensor) -> tf.Tensor:
            if self.compression == "GZIP":
                return tf.not_equal(offset % (1 << 32), size)
            return tf.not_equal(offset, size)

        zero = tf.constant(0, tf.int64)
        return numbered.scan((zero, zero, zero, tf.constant(False), tf.constant(False)), follow)

    def _look(self, path: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The size of the content, and how many records make a block."""
        if self.kind == "text":
            size = self._size(path)[0] if self.compression else tf.constant(_UNKNOWN, tf.int64)
            return size, tf.constant(_BLOCK_LINES, tf.int64)
        size, record_bytes = self._size(path)
        # A length that is nonsense because the file is damaged makes small blocks, no more.
        block_records = _BLOCK_BYTES // tf.maximum(record_bytes, 1)
        return size, tf.clip_by_value(block_records, 1, _BLOCK_RECORDS)

    def _size(self, path: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """One look at the file from Python: its size and its records', or the named error."""

        def look(path: bytes) -> tuple[np.int64, np.int64, bytes]:
            name = path.decode("utf-8", "surrogateescape")
            record_bytes = max(self.record_bytes or 0, self.hop_bytes)
            try:
                size = self._checked_size(name)
                if self.kind == "tfrecord":
                    record_bytes = min(first_record_size(name, self.compression), _BLOCK_BYTES)
                return np.int64(size), np.int64(record_bytes), b""
            except DamagedFileError as error:
                damage = str(error).encode("utf-8", "surrogateescape")
                return np.int64(_UNKNOWN), np.int64(0), damage
            except tf.errors.OpError:
                return np.int64(_MISSING), np.int64(0), b""

        size, record_bytes, damage = (
            tf.ensure_shape(part, [])
            # Not stateful: a pipeline with stateful functions cannot be checkpointed.
            for part in tf.numpy_function(
                look, [path], (tf.int64, tf.int64, tf.string), stateful=False
            )
        )

        def opened() -> tf.Tensor:
            # TensorFlow itself says, in its own error class, why the file does not open.
            return tf.cast(tf.strings.length(tf.io.read_file(path)), tf.int64)

        with tf.control_dependencies([tf.debugging.Assert(tf.equal(damage, ""), [damage])]):
            size = tf.cond(tf.equal(size, _MISSING), opened, lambda: tf.identity(size))
            return size, tf.identity(record_bytes)

    def _checked_size(self, path: str) -> int:
        if self.kind == "tfrecord" and self.compression:
            tf.io.gfile.stat(path)
            return gzip_size_modulo(path) if self.compression == "GZIP" else _UNKNOWN
        with tf.io.gfile.GFile(path, "rb") as file:
            file.read(1)  # raises for a directory, which has a size, too
        if self.kind == "tfrecord":
            return content_size(path, "")
        size = content_size(path, self.compression)
        if self.kind == "fixed":
            self._fixed_length.check(path, size)
        return size

    def _rest(
        self,
        path: tf.Tensor,
        seen: tf.Tensor,
        offset: tf.Tensor,
        block_records: tf.Tensor,
        failed_before: tf.Tensor,
        failed: tf.Tensor,
    ) -> tf.Tensor:
        """The sound records in front of the damage (once), else the error that names it."""

        def look(
            path: bytes, seen: int, offset: int, most: int, failed_before: bool, failed: bool
        ) -> tuple[np.ndarray, bytes]:
            name = path.decode("utf-8", "surrogateescape")
            records, damage = [], ""
            if failed and not failed_before:
                records = sound_records(name, int(seen), int(most), self.compression)
            if not records:
                damage = describe_damage(name, int(offset), self.compression, bool(failed))
            return np.array(records, dtype=object), damage.encode("utf-8", "surrogateescape")

        records, damage = tf.numpy_function(
            look,
            [path, seen, offset, block_records, failed_before, failed],
            (tf.string, tf.string),
            stateful=False,
        )
        damage = tf.ensure_shape(damage, [])
        with tf.control_dependencies([tf.debugging.Assert(tf.equal(damage, ""), [damage])]):
            return tf.ensure_shape(records, [None])


def _is_readable(path: tf.Tensor) -> tf.Tensor:
    def look(path: bytes) -> np.bool_:
        try:
            with tf.io.gfile.GFile(path.decode("utf-8", "surrogateescape"), "rb") as file:
                file.read(1)
            return np.bool_(True)
        except tf.errors.OpError:
            return np.bool_(False)

    return tf.ensure_shape(tf.numpy_function(look, [path], tf.bool, stateful=False), [])


def _join(path: tf.Tensor, positions: tf.Tensor) -> tf.Tensor:
    return tf.strings.join([path, tf.strings.as_string(positions)], ":")
