"""Arrays in files to batches, by way of pools of records: the part of `from_raw` that reads.

    Pools(arrays, structure, begin=0, records=1000, batch_size=32, ...).dataset(num_epochs=None)

A pool is what is read at a time, a number of whole batches: neighbours, or (shuffled) blocks from
all over the arrays, whose records are mixed. Which records a pool holds follows from its number
and the epoch's random key alone; a checkpoint therefore holds numbers and no data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from tfprefetch.aligned import aligned_bytes
from tfprefetch.damage import DamagedFileError
from tfprefetch.raw_array import RawArray

POSITION_BYTES = 8  # what a record costs in a shuffled pool besides its own bytes
_BLOCKS_PER_POOL = 128

_plain = tf.autograph.experimental.do_not_convert  # our own code needs no conversion


@dataclass(frozen=True)
class Pools:
    """The records that are read at a time, by number, and the batches that are made of them."""

    arrays: list[RawArray]
    structure: Any
    begin: int  # the first record, from here on all are counted from 0
    records: int
    batch_size: int
    delivered: int  # how many of the records
    drop_remainder: bool
    shuffle: bool
    pool_records: int  # a multiple of batch_size

    @property
    def pools(self) -> int:
        """How many pools make an epoch."""
        return -(-self.delivered // self.pool_records)

    def dataset(self, num_epochs: int | None, seed: int | None, name: str | None) -> Any:
        """All batches of all epochs."""
        batches = -(-self.delivered // self.batch_size)
        if not batches:
            num_epochs = 1  # reading nothing for ever ends instead of hanging
        if self.shuffle:
            # What follows is a function of these keys, and they are saved in checkpoints. So the
            # order goes on as it began, also where no seed is given and in another process.
            keys = tf.data.Dataset.random(
                seed,
                # Without TensorFlow 2's behavior this would only give a warning.
                rerandomize_each_iteration=tf.compat.v1.executing_eagerly_outside_functions(),
            ).take(-1 if num_epochs is None else num_epochs)
            numbers = keys.flat_map(
                _plain(
                    lambda key: tf.data.Dataset.range(self.pools).map(
                        _plain(lambda number: (key, number))
                    )
                )
            )
        else:
            numbers = tf.data.Dataset.range(self.pools).repeat(num_epochs)
            numbers = numbers.map(_plain(lambda number: (tf.zeros([], tf.int64), number)))
        # One pool after another, but the next ones are read ahead.
        dataset = numbers.interleave(
            _plain(self._batches), cycle_length=1, num_parallel_calls=1, deterministic=True
        )
        infinite = tf.data.INFINITE_CARDINALITY
        dataset = dataset.apply(
            tf.data.experimental.assert_cardinality(
                infinite if num_epochs is None else batches * num_epochs
            )
        )
        return dataset if name is None else dataset.take(-1, name=name)

    def _batches(self, key: tf.Tensor, number: tf.Tensor) -> tf.data.Dataset:
        """The batches of one pool."""
        # Not stateful: a pipeline with stateful functions cannot be checkpointed.
        *pool, order, damage = tf.numpy_function(
            self._read,
            [key, number],
            [*(array.dtype for array in self.arrays), tf.int64, tf.string],
            stateful=False,
        )
        for part, array in zip(pool, self.arrays, strict=True):
            part.set_shape([None, *array.shape])
        order.set_shape([None])
        damage.set_shape([])
        with tf.control_dependencies([tf.debugging.Assert(tf.equal(damage, ""), [damage])]):
            begin = number * self.pool_records
        count = tf.minimum(self.delivered - begin, self.pool_records)
        whole = count // self.batch_size * self.batch_size

        def batches_of(parts: Any) -> tf.data.Dataset:
            # Slices of a tensor cost no step per batch, where a function would.
            batches = tf.data.Dataset.from_tensor_slices(
                tf.nest.map_structure(
                    lambda part: tf.reshape(
                        part[:whole], [-1, self.batch_size, *part.shape.as_list()[1:]]
                    ),
                    parts,
                )
            )
            if self.drop_remainder:
                return batches
            rest = tf.nest.map_structure(lambda part: part[whole:count], parts)
            rest = tf.data.Dataset.from_tensors(rest)
            return batches.concatenate(rest.take(tf.cast(count > whole, tf.int64)))

        pool = tf.nest.pack_sequence_as(self.structure, pool)
        if not self.shuffle:
            return batches_of(pool)

        def gather(records: tf.Tensor) -> Any:
            return tf.nest.map_structure(lambda part: tf.gather(part, records), pool)

        return batches_of(order).map(_plain(gather))

    def _read(self, key: np.ndarray, number: np.ndarray) -> list[np.ndarray | bytes]:
        """The records of a pool by component, (with `shuffle`) their order, what went wrong."""
        begin = int(number) * self.pool_records
        is_last = number == self.pools - 1
        # What the last pool has beyond `delivered` may be drawn like everything else.
        end = self.records if is_last else begin + self.pool_records
        order = np.empty([0], np.int64)
        runs = [(begin, end - begin)]
        if self.shuffle:
            runs = self._runs(key, begin, end)
            order = aligned_bytes((end - begin) * POSITION_BYTES).view(np.int64)
            order[:] = np.arange(end - begin)
            _generator(key, 1 + number).shuffle(order)
        runs = [(self.begin + first, count) for first, count in runs]
        try:
            return [*(array.read(runs) for array in self.arrays), order, b""]
        except DamagedFileError as error:
            damage = str(error).encode("utf-8", "surrogateescape")
            return [*(array.read([]) for array in self.arrays), order, damage]

    def _runs(self, key: np.ndarray, begin: int, end: int) -> list[tuple[int, int]]:
        """Records `begin` to `end` of the records whose blocks stand in random order."""
        if end - begin == self.records:
            return [(0, self.records)]  # all of them are mixed anyway
        block_records = max(self.pool_records // _BLOCKS_PER_POOL, 1)
        firsts = np.arange(0, self.records, block_records)
        firsts = _generator(key, 0).permutation(firsts)
        ends = np.cumsum(np.minimum(block_records, self.records - firsts))
        runs = []
        for block in range(np.searchsorted(ends, begin, "right"), len(ends)):
            block_begin = ends[block - 1] if block else 0
            if block_begin >= end:
                break
            skipped = max(begin - block_begin, 0)
            count = min(end, ends[block]) - block_begin - skipped
            runs.append((int(firsts[block] + skipped), int(count)))
        return sorted(runs)  # in the file's order, the records are mixed anyway


def _generator(key: np.ndarray, stream: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64([int(key), int(stream)]))
