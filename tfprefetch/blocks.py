"""Maps elements in blocks: several in parallel, each of them all at once where that is possible.

    map_whole_blocks(blocks, mapping)     # batches of elements → the same batches, mapped
    map_windows(dataset, mapping)         # elements → batches (or windows) of mapped elements

The elements of a block stay at hand until it is done. If it fails as a whole, its elements are
mapped one by one; if one of them fails, too, `tfprefetch.blame` says which, and why.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any

import tensorflow as tf

from tfprefetch.blame import Blame, map_elements, zip_window
from tfprefetch.empty_value import empty_value
from tfprefetch.stages import Stages

# Autograph is for the user's functions; it takes a while, and ours need no conversion.
_plain = tf.autograph.experimental.do_not_convert
_ALL_OF_A_BLOCK = 1 << 20  # elements that come out of one block before the next one's turn


@dataclass(frozen=True)
class BlockMapping:
    """How to map elements in blocks.

    Attributes:
        stages: what to do with the elements; None leaves them as they are.
        blame: what to say if that fails.
        block_elements: how many elements make a block, at most.
        rows_at_a_time: how many elements are mapped one by one before they are handed on, where a
            block failed as a whole.
        as_batches: whether a block comes out as one batch (else as a window, which copies nothing).
        drop_remainder: whether to leave out a block that has fewer elements.
        num_parallel_calls: as in `map_and_batch`.
        deterministic: as in `map_and_batch`.
    """

    stages: Stages | None
    blame: Blame
    block_elements: int | tf.Tensor
    rows_at_a_time: int | tf.Tensor
    as_batches: bool
    drop_remainder: bool
    num_parallel_calls: int | None
    deterministic: bool | None

    @property
    def parallel(self) -> int | None:
        """How many blocks at a time, None for one after another."""
        if self.num_parallel_calls == tf.data.AUTOTUNE:
            # TensorFlow's own AUTOTUNE begins with one call, and finds the number after some
            # hundred; blocks are too few for that.
            return os.cpu_count() or 1
        return self.num_parallel_calls

    @property
    def may_end(self) -> bool:
        """Whether an OutOfRangeError ends the dataset (else it is an error)."""
        return self.stages is not None and self.stages.may_end


def map_whole_blocks(blocks: tf.data.Dataset, mapping: BlockMapping) -> tf.data.Dataset:
    """For functions that run on whole batches from the start.

    Args:
        blocks: batches of elements, whose sizes may differ.
        mapping: how; `as_batches` goes without saying.

    Returns:
        The same blocks, mapped.
    """

    @_plain
    def number(start: tf.Tensor, block: Any) -> Any:
        return start + _elements(block), (start, block)

    singly = replace(mapping, stages=mapping.stages.singly(), as_batches=True)
    step = tf.cast(mapping.rows_at_a_time, tf.int64)

    @_plain
    def one_by_one(start: tf.Tensor, block: Any) -> tf.data.Dataset:
        """Some rows at a time, so that those in front of an error, and behind it, arrive."""
        elements = tf.data.Dataset.from_tensor_slices(block)
        starts = tf.data.Dataset.range(start, tf.int64.max, step)
        windows = tf.data.Dataset.zip((starts, elements.window(step)))
        rows = windows.flat_map(lambda first, window: _run_window(first, window, step, singly))
        return rows.map(_plain(lambda entered, block: block))

    @_plain
    def run(start: tf.Tensor, block: Any) -> tf.data.Dataset:
        batched = tf.data.Dataset.from_tensors(block).map(mapping.stages.batched)
        good = batched.map(_plain(lambda *result: (True, _whole(result, batched))))
        failed = tf.data.Dataset.from_tensors((False, empty_value(batched.element_spec)))

        @_plain
        def choose(is_good: tf.Tensor, result: Any) -> tf.data.Dataset:
            number = tf.cast(is_good, tf.int64)
            source = tf.data.Dataset.from_tensors((start, block)).take(1 - number)
            return (
                tf.data.Dataset.from_tensors(result)
                .take(number)
                .concatenate(source.flat_map(one_by_one))
            )

        return good.ignore_errors().concatenate(failed).take(1).flat_map(choose)

    # A source of blocks may have some without elements.
    blocks = blocks.filter(_plain(lambda *block: _elements(block) > 0))
    numbered = blocks.scan(tf.constant(0, tf.int64), number)
    return _finished(_in_parallel(numbered, run, mapping, _ALL_OF_A_BLOCK), mapping)


def map_windows(dataset: tf.data.Dataset, mapping: BlockMapping) -> tf.data.Dataset:
    """For functions that need single elements, first or only.

    Args:
        dataset: single elements.
        mapping: how.

    Returns:
        Batches or windows of mapped elements.
    """
    step = tf.cast(mapping.block_elements, tf.int64)
    starts = tf.data.Dataset.range(0, tf.int64.max, step)
    windows = tf.data.Dataset.zip((starts, dataset.window(step)))

    @_plain
    def run(start: tf.Tensor, window: Any) -> tf.data.Dataset:
        return _run_window(start, window, step, mapping)

    blocks = _in_parallel(windows, run, mapping)
    if mapping.may_end:
        blocks = blocks.scan(tf.constant(False), _plain(_note_end))
        blocks = blocks.take_while(_plain(lambda over, entered, block: tf.logical_not(over)))
        blocks = blocks.map(_plain(lambda over, entered, block: (entered, block)))
    blocks = blocks.map(_plain(lambda entered, block: block))
    if mapping.as_batches and mapping.drop_remainder:
        blocks = blocks.filter(_plain(lambda *block: tf.equal(_elements(block), step)))
    return _finished(blocks, mapping)


def _in_parallel(
    dataset: tf.data.Dataset, run: Any, mapping: BlockMapping, block_length: int = 1
) -> tf.data.Dataset:
    if mapping.parallel is None:
        return dataset.flat_map(run)
    return dataset.interleave(
        run,
        cycle_length=mapping.parallel,
        block_length=block_length,
        num_parallel_calls=mapping.parallel,
        deterministic=mapping.deterministic,
    )


def _finished(blocks: tf.data.Dataset, mapping: BlockMapping) -> tf.data.Dataset:
    size = mapping.block_elements
    if not (mapping.as_batches and mapping.drop_remainder) or tf.is_tensor(size):
        return blocks

    @_plain
    def finish(*block: Any) -> Any:
        whole = _whole(block, blocks)
        return tf.nest.map_structure(lambda part: _set_batch_size(part, size), whole)

    return blocks.map(finish)


def _run_window(
    first: tf.Tensor, window: Any, block_elements: tf.Tensor, mapping: BlockMapping
) -> tf.data.Dataset:
    """A dataset of one element, (how many elements went in, the mapped elements)."""
    raw = zip_window(window)
    stages = mapping.stages
    if stages is None or stages.batched is None:
        mapped = raw if stages is None else map_elements(raw, stages.whole, stages.may_end)
        if mapping.as_batches:
            block = _batch(mapped, block_elements)
        else:
            block = mapped.window(block_elements)
    else:
        halfway = map_elements(raw, stages.single, stages.may_end).window(block_elements)
        block = halfway.flat_map(_plain(lambda *parts: _map_batch(parts, block_elements, stages)))
    if stages is not None and stages.may_end:
        # If nothing was mapped before the end, that is a block, too, and no failure.
        block = block.concatenate(tf.data.Dataset.from_tensors(empty_value(block.element_spec)))
    # A failure uses up the only element of `entered`, so that nothing behind it is delivered.
    entered = tf.data.Dataset.from_tensors(tf.nest.flatten(window)[0].cardinality())
    good = tf.data.Dataset.zip((entered, block)).ignore_errors()
    result = empty_value(good.element_spec)
    reason = tf.data.Dataset.from_tensors(first).flat_map(
        _plain(lambda first: mapping.blame.explain(first, raw, block_elements, result))
    )
    return good.concatenate(_once(reason)).take(1)


def _map_batch(parts: Any, block_elements: tf.Tensor, stages: Stages) -> tf.data.Dataset:
    """A window of what `stages.single` made, as a mapped batch."""
    halfway = zip_window(parts)
    good = halfway.batch(block_elements).map(stages.batched).ignore_errors()
    slow = tf.data.Dataset.from_tensors(0).flat_map(
        _plain(lambda _: _batch(halfway.map(stages.rest), block_elements))
    )
    return good.concatenate(slow).take(1)


def _whole(result: tuple[Any, ...], dataset: tf.data.Dataset) -> Any:
    """An element of `dataset`, from the arguments with which a mapped function gets it."""
    return result if isinstance(dataset.element_spec, tuple) else result[0]


def _batch(mapped: tf.data.Dataset, batch_size: tf.Tensor) -> tf.data.Dataset:
    """`batch`, which TensorFlow does not fuse with the map before it.

    The fused step starts a thread for each block, which makes small functions half as fast, and
    several of them in one pipeline confuse the optimizer. The options change nothing else.
    """
    return mapped.with_options(tf.data.Options()).batch(batch_size)


def _once(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Its first element or its first error, and nothing behind that."""
    once = tf.data.Dataset.zip((tf.data.Dataset.from_tensors(0), dataset))
    return once.map(_plain(lambda _, result: result))


def _note_end(ended: tf.Tensor, entered_and_block: Any) -> Any:
    """Marks what comes behind the first block that lost elements to an OutOfRangeError."""
    entered, block = entered_and_block
    elements = _elements(block)
    over = tf.logical_or(ended, tf.equal(elements, 0))
    return tf.logical_or(over, elements < entered), (over, entered, block)


def _elements(block: Any) -> tf.Tensor:
    part = tf.nest.flatten(block)[0]
    if isinstance(part, tf.data.Dataset):
        return part.cardinality()
    if isinstance(part, tf.SparseTensor):
        return part.dense_shape[0]
    if isinstance(part, tf.RaggedTensor):
        return tf.cast(part.nrows(), tf.int64)
    return tf.shape(part, tf.int64)[0]


def _set_batch_size(part: Any, batch_size: int) -> Any:
    if isinstance(part, tf.Tensor) and part.shape.rank:
        return tf.ensure_shape(part, [batch_size, *part.shape.as_list()[1:]])
    return part
