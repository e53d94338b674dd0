"""Files of records of equal length: where the records lie, and the dataset that cuts them out.

layout = FixedLength(record_bytes=4, header_bytes=2, hop_bytes=6)
layout.check("a.bin", size=20)  # raises if 20 bytes are not a header and whole records
layout.blocks(tf.constant("a.bin"), tf.constant(20, tf.int64), tf.constant(256, tf.int64))
"""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from tfprefetch.damage import DamagedFileError


@dataclass(frozen=True)
class FixedLength:
    """A header, records whose beginnings are `hop_bytes` apart, a footer; all in bytes."""

    record_bytes: int
    header_bytes: int = 0
    footer_bytes: int = 0
    hop_bytes: int = 0  # 0: as long as a record
    ignore_ragged_tail: bool = False

    @property
    def hop(self) -> int:
        """From the beginning of one record to that of the next."""
        return self.hop_bytes or self.record_bytes

    def check(self, path: str, size: int) -> None:
        """Raises DamagedFileError if `size` bytes are not a header, whole records and a footer."""
        if size == 0 and self.header_bytes == 0:
            return  # an empty file has no records
        body = size - self.header_bytes - self.footer_bytes
        if size < self.header_bytes or (body < 0 and not self.ignore_ragged_tail):
            raise DamagedFileError(
                f"{path} has {size} bytes, less than header_bytes={self.header_bytes} and "
                f"footer_bytes={self.footer_bytes} together"
            )
        if self.ignore_ragged_tail:
            return
        left_over = body
        if body >= self.record_bytes:
            left_over = (body - self.record_bytes) % self.hop
            if left_over == self.hop - self.record_bytes:
                left_over = 0  # the gap behind the last record may be there or not
        if left_over:
            hop = f" and hop_bytes={self.hop_bytes}" if self.hop_bytes else ""
            raise DamagedFileError(
                f"{path} has {size} bytes, that is {body} without header and footer, and "
                f"record_bytes={self.record_bytes}{hop} does not divide that: {left_over}"
                " bytes are left over (ignore_ragged_tail=True leaves them out)"
            )

    def blocks(
        self,
        path: tf.Tensor,
        size: tf.Tensor,
        block_records: tf.Tensor,
        compression: str = "",
        buffer_size: int | None = None,
    ) -> tf.data.Dataset:
        """The records of the file `path`, whose content has `size` bytes, as string[?]."""

        def units(
            length: int | tf.Tensor, begin: int | tf.Tensor, number: tf.Tensor
        ) -> tf.data.Dataset:
            """`number` neighbours of `length` bytes, from `begin` on; what follows is a footer."""
            dataset = tf.data.FixedLengthRecordDataset(
                path, length, begin, size - begin - number * length, buffer_size, compression
            )
            # Without a record TensorFlow reads beyond the file's end and fails.
            return dataset.take(tf.where(number > 0, tf.constant(-1, tf.int64), 0))

        body = size - (self.header_bytes + self.footer_bytes)
        has_record = body >= self.record_bytes
        number = tf.where(has_record, (body - self.record_bytes) // self.hop + 1, 0)
        if self.hop == self.record_bytes:
            return units(self.record_bytes, self.header_bytes, number).batch(block_records)
        # Units as long as a hop: a record is one of them, cut short, or several, joined. The last
        # unit may be shorter, so it comes from a dataset of its own.
        used_bytes = tf.where(has_record, (number - 1) * self.hop + self.record_bytes, 0)
        whole, rest = used_bytes // self.hop, used_bytes % self.hop
        last = units(
            tf.maximum(rest, 1),
            self.header_bytes + whole * self.hop,
            tf.cast(rest > 0, tf.int64),
        )
        every = units(self.hop, self.header_bytes, whole).concatenate(last)
        units_per_record = -(-self.record_bytes // self.hop)

        def join(waiting: tf.Tensor, block: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            block = tf.concat([waiting, block], 0)
            begins = tf.range(tf.maximum(tf.size(block) - (units_per_record - 1), 0))
            parts = tf.gather(block, begins[:, None] + tf.range(units_per_record)[None, :])
            joined = tf.strings.reduce_join(parts, 1)
            # What is left is the beginning of records that end in the next block.
            return block[tf.size(begins) :], tf.strings.substr(joined, 0, self.record_bytes)

        return every.batch(block_records).scan(tf.zeros([0], tf.string), join)
