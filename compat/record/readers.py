"""TF1's readers: on a producer they read through a dataset, on a real queue they are TensorFlow's.

    key, value = WholeFileReader().read(string_input_producer(["a.jpg", "b.jpg"]))
    keys, values = TextLineReader().read_up_to(string_input_producer(["a.txt"]), 8)

Keys are TF1's: the file's name, followed by `:line`, `:record` or `:byte offset` where a file has
several records.
"""

from __future__ import annotations

import tensorflow as tf

from compat.plan.reading import ReadIdentity
from compat.plan.stages import Read
from compat.record.dataset_reader import DatasetReader


class WholeFileReader(DatasetReader, tf.compat.v1.WholeFileReader):
    """One record per file: (its name, its content)."""

    def __init__(self, name: str | None = None) -> None:
        """Takes TF1's argument."""
        super().__init__(name, read=Read("whole"))


class TextLineReader(DatasetReader, tf.compat.v1.TextLineReader):
    """One record per line, without its newline."""

    def __init__(self, skip_header_lines: int | None = None, name: str | None = None) -> None:
        """Skips the first `skip_header_lines` lines of every file."""
        read = Read("text", (("skip_header_lines", skip_header_lines or 0),))
        super().__init__(skip_header_lines, name, read=read)


class FixedLengthRecordReader(DatasetReader, tf.compat.v1.FixedLengthRecordReader):
    """One record per `record_bytes` bytes."""

    def __init__(
        self,
        record_bytes: int,
        header_bytes: int | None = None,
        footer_bytes: int | None = None,
        hop_bytes: int | None = None,
        name: str | None = None,
        encoding: str | None = None,
    ) -> None:
        """Takes TF1's arguments, lengths in bytes.

        Args:
          record_bytes: length of a record; TensorFlow's own reader reads records of 0 bytes, which
            never end, and says what is wrong with a negative number.
          header_bytes: what comes before the first record of a file.
          footer_bytes: what comes behind the last one.
          hop_bytes: from the beginning of one record to that of the next.
          name: name of the op.
          encoding: compression of the files, "ZLIB" or "GZIP"; anything else is none, as in TF1.
        """
        options = (
            ("record_bytes", record_bytes),
            ("header_bytes", header_bytes or 0),
            ("footer_bytes", footer_bytes or 0),
            ("hop_bytes", hop_bytes or 0),
            ("compression_type", encoding if encoding in ("ZLIB", "GZIP") else None),
            ("ignore_ragged_tail", True),
        )
        numbers = (header_bytes, footer_bytes, hop_bytes)
        is_sound = record_bytes > 0 and all((number or 0) >= 0 for number in numbers)
        super().__init__(
            *(record_bytes, header_bytes, footer_bytes, hop_bytes, name, encoding),
            read=Read("fixed", options) if is_sound else None,
        )


class TFRecordReader(DatasetReader, tf.compat.v1.TFRecordReader):
    """One record per record of a TFRecord file."""

    def __init__(
        self, name: str | None = None, options: tf.io.TFRecordOptions | None = None
    ) -> None:
        """Takes TF1's arguments; `options` names the compression."""
        compression_type = tf.compat.v1.io.TFRecordOptions.get_compression_type_string(options)
        read = Read("tfrecord", (("compression_type", compression_type),))
        super().__init__(name, options, read=read)


class IdentityReader(DatasetReader, tf.compat.v1.IdentityReader):
    """One record per work item, which is both key and value."""

    def __init__(self, name: str | None = None) -> None:
        """Takes TF1's argument."""
        super().__init__(name, read=ReadIdentity())


class LMDBReader(DatasetReader, tf.compat.v1.LMDBReader):
    """One record per entry of an LMDB file; TensorFlow 2 says in `session.run` that it has none."""

    def __init__(
        self, name: str | None = None, options: tf.io.TFRecordOptions | None = None
    ) -> None:
        """Takes TF1's arguments."""
        super().__init__(name, options, read=None, reason="there is no dataset of LMDB files")
