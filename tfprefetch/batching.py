"""Per-example functions to batches: `map_and_batch`.

    dataset = dataset.apply(tfprefetch.map_and_batch(parse_example, batch_size=128))

`map_func` is written for one element. What of it can runs on whole blocks of elements
(`tfprefetch.stages` decides), several blocks in parallel (`tfprefetch.blocks`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import tensorflow as tf

from tfprefetch.blame import Blame, zip_window
from tfprefetch.blocks import BlockMapping, map_whole_blocks, map_windows
from tfprefetch.notes import Note, add_note, note_of
from tfprefetch.stages import Stages

_BLOCK_ELEMENTS = 128  # a block costs some 0.3 ms, an element some 0.01 ms
_BLOCK_BYTES = 4 << 20
_BLOCK_ELEMENTS_OF_UNKNOWN_SIZE = 32
# On whole batches an element costs a microsecond: a block has to be larger to be worth its cost.
_WHOLE_BLOCK_BATCHES = 16
_WHOLE_BLOCK_ELEMENTS = 2048
_FEWEST_WHOLE_BLOCK_ELEMENTS = 32

# Autograph is for the user's functions; it takes a while, and ours need no conversion.
_plain = tf.autograph.experimental.do_not_convert


@dataclass(frozen=True)
class _Batching:
    """The arguments of `map_and_batch`."""

    map_func: Callable[..., Any]
    batch_size: int | tf.Tensor
    drop_remainder: bool
    num_parallel_calls: int | None
    deterministic: bool | None
    shuffle_buffer_size: int | None
    seed: int | None
    vectorize: str | bool
    element_name: Callable[..., tf.Tensor] | None
    name: str | None

    def __str__(self) -> str:
        name = getattr(self.map_func, "__name__", type(self.map_func).__name__)
        size = "a tensor" if tf.is_tensor(self.batch_size) else self.batch_size
        parts = [f"map_and_batch: {name}, batch_size={size}"]
        for option in ("drop_remainder", "shuffle_buffer_size", "seed"):
            value = getattr(self, option)
            if value is not None and value is not False:
                parts.append(f"{option}={value}")
        return ", ".join(parts)

    def __post_init__(self) -> None:
        if not callable(self.map_func):
            raise TypeError(f"map_func must be a function, got {self.map_func!r}")
        if self.element_name is not None and not callable(self.element_name):
            raise TypeError(f"element_name must be a function, got {self.element_name!r}")
        for option in ("batch_size", "shuffle_buffer_size", "num_parallel_calls"):
            value = getattr(self, option)
            if tf.is_tensor(value) or (value is None and option != "batch_size"):
                continue
            if option == "num_parallel_calls" and value == tf.data.AUTOTUNE:
                continue
            if isinstance(value, bool) or not hasattr(value, "__index__"):
                raise TypeError(f"{option} must be an integer, got {value!r}")
            if value < 1:
                raise ValueError(f"{option} must be at least 1, got {value}")
        if self.vectorize not in ("auto", True, False):
            raise ValueError(f'vectorize must be "auto", True or False, got {self.vectorize!r}')


def map_and_batch(
    map_func: Callable[..., Any],
    batch_size: int | tf.Tensor,
    *,
    drop_remainder: bool = False,
    num_parallel_calls: int | None = tf.data.AUTOTUNE,
    deterministic: bool | None = None,
    shuffle_buffer_size: int | None = None,
    seed: int | None = None,
    vectorize: str | bool = "auto",
    element_name: Callable[..., tf.Tensor] | None = None,
    name: str | None = None,
) -> Callable[[tf.data.Dataset], tf.data.Dataset]:
    """`map(map_func)`, then `batch(batch_size)`, as a function for `Dataset.apply`.

    `map_func` is written for one element. What of it gives the same result on a whole batch runs
    there, which is ten times as fast for small records; the rest, and what follows from results of
    varying shape, runs element by element. `tfprefetch.describe` says what runs how, and why. Not
    on batches: what may have side effects, loops, features of varying length, and, unless
    `vectorize=True`, results of more than 32 KiB per element, which are faster one by one. Random
    operations draw from the same distribution, those with equal seeds the same numbers as each
    other.

    Elements are read ahead in blocks, of up to 16 batches (2,048 elements, results of 4 MiB) where
    all runs on whole batches, and of up to one batch where not; one block per parallel call.

    An error in `map_func` becomes an InvalidArgumentError that names the element (see
    `element_name`), its position and the original error. An OutOfRangeError in `map_func`
    (a Python function that raises StopIteration, for instance) is no error: it ends the dataset,
    after a smaller last batch.

    Args:
        map_func: from one element (any structure) to one element, as in `Dataset.map`. For an
            error's report it is run once more on the element that failed.
        batch_size: elements per batch, at least 1.
        drop_remainder: whether to leave out a last batch that is smaller.
        num_parallel_calls: how many blocks of elements are mapped in parallel; AUTOTUNE for as many
            as there are CPU cores; None for one element after another, in their order. Only then
            do random operations with a seed draw the same numbers in every run.
        deterministic: as in `Dataset.map`; False lets blocks overtake each other.
        shuffle_buffer_size: how many elements to draw from at random, before `map_func` (raw
            elements are mostly smaller than mapped ones); None for no shuffling.
        seed: makes the shuffling repeatable.
        vectorize: `"auto"`: run `map_func` on whole batches, or as much of it as gives the same
            result; `describe` says what. False: on single elements. True: raise ValueError where
            not all of it can run on whole batches.
        element_name: from one element (before `map_func`) to the scalar string that names it in
            errors. By default the element's short scalar strings and its integers, for instance
            the key of `from_files(with_keys=True)`.
        name: a name for the dataset's last operation.

    Returns:
        A function from a dataset to a dataset of batches: every component gets a first dimension
        of `batch_size` (static with `drop_remainder`), or fewer in the last batch.

    Raises:
        TypeError, ValueError: at once, for an argument that cannot be.
        tf.errors.InvalidArgumentError: while reading, for an error in `map_func`, or results of
            different shapes that cannot stand in one batch; the message names both shapes.

    >>> dataset = tf.data.Dataset.range(5).apply(map_and_batch(lambda x: x * 10, batch_size=2))
    >>> [batch.tolist() for batch in dataset.as_numpy_iterator()]
    [[0, 10], [20, 30], [40]]
    """
    batching = _Batching(
        map_func,
        batch_size,
        drop_remainder,
        num_parallel_calls,
        deterministic,
        shuffle_buffer_size,
        seed,
        vectorize,
        element_name,
        name,
    )

    def apply(dataset: tf.data.Dataset) -> tf.data.Dataset:
        return _apply(batching, dataset)

    return apply


def _apply(batching: _Batching, dataset: tf.data.Dataset) -> tf.data.Dataset:
    source = dataset
    if batching.shuffle_buffer_size is not None:
        dataset = dataset.shuffle(batching.shuffle_buffer_size, seed=batching.seed)
    if tf.is_tensor(batching.batch_size):
        batching = replace(batching, batch_size=tf.cast(batching.batch_size, tf.int64))
    in_sequence = batching.num_parallel_calls is None
    stages = Stages.of(batching.map_func, dataset, batching.vectorize, in_sequence)
    if stages.is_sequential:
        batching = replace(batching, num_parallel_calls=None)
    if stages.batched is None:
        batches = _map_elements(batching, dataset, stages)
    else:
        batches = _map_blocks(batching, dataset, stages)
    if not stages.may_end:
        batches = _with_cardinality(batching, dataset, batches)
    if batching.name is not None:
        batches = batches.prefetch(1, name=batching.name)
    return add_note(batches, Note(str(batching), stages.details, (source,)))


def _map_blocks(batching: _Batching, dataset: tf.data.Dataset, stages: Stages) -> tf.data.Dataset:
    """For functions that run on whole batches, at least the last part of them."""
    block_elements = batching.batch_size
    if stages.has_fixed_shapes:
        element_bytes = _element_bytes(stages.element_spec)
        if stages.single is None:
            block_elements = _whole_block_elements(batching.batch_size, element_bytes)
        else:
            block_elements = _block_elements(batching.batch_size, element_bytes)
    mapping = _mapping(batching, dataset, stages, block_elements)
    if stages.single is not None:
        blocks = map_windows(dataset, mapping)
    else:
        note = note_of(dataset)
        if note is not None and note.blocks is not None and stages.has_fixed_shapes:
            # Records that come in blocks need not be taken out of them.
            mapping = replace(mapping, drop_remainder=False)
            blocks = map_whole_blocks(note.blocks, mapping)
            return blocks.rebatch(batching.batch_size, batching.drop_remainder)
        whole = dataset.batch(block_elements, mapping.drop_remainder)
        blocks = map_whole_blocks(whole, mapping)
    if block_elements is batching.batch_size:
        return blocks
    return blocks.rebatch(batching.batch_size, batching.drop_remainder)


def _map_elements(batching: _Batching, dataset: tf.data.Dataset, stages: Stages) -> tf.data.Dataset:
    """For functions that run on single elements only."""
    element_bytes = _element_bytes(stages.element_spec)
    block_elements = _block_elements(batching.batch_size, element_bytes)
    mapping = _mapping(batching, dataset, stages, block_elements)
    blocks = map_windows(dataset, mapping)
    if block_elements is batching.batch_size:
        return blocks
    is_tuple = isinstance(stages.element_spec, tuple)
    elements = blocks.flat_map(_plain(lambda *parts: zip_window(parts if is_tuple else parts[0])))
    if element_bytes is not None:
        return elements.batch(batching.batch_size, batching.drop_remainder)
    # Elements of different blocks may differ in shape, and that is explained, too.
    in_order = replace(batching, num_parallel_calls=None)
    return map_windows(elements, _mapping(in_order, elements, None, batching.batch_size))


def _mapping(
    batching: _Batching,
    dataset: tf.data.Dataset,
    stages: Stages | None,
    block_elements: int | tf.Tensor,
) -> BlockMapping:
    is_batch = block_elements is batching.batch_size
    is_eager = tf.compat.v1.executing_eagerly_outside_functions()
    if stages is None:
        blame = Blame(None, None, dataset.element_spec, False, is_eager)
    else:
        name = batching.element_name
        blame = Blame(stages.whole, name, dataset.element_spec, stages.may_end, is_eager)
    return BlockMapping(
        stages,
        blame,
        block_elements,
        batching.batch_size,
        as_batches=is_batch or (stages is not None and stages.batched is not None),
        drop_remainder=batching.drop_remainder and is_batch,
        num_parallel_calls=batching.num_parallel_calls,
        deterministic=batching.deterministic,
    )


def _with_cardinality(
    batching: _Batching, dataset: tf.data.Dataset, batches: tf.data.Dataset
) -> tf.data.Dataset:
    """The batches with their number, where tf.data can know it."""
    if not tf.executing_eagerly() or not isinstance(batching.batch_size, int):
        return batches
    elements = dataset.cardinality().numpy()
    if elements == tf.data.INFINITE_CARDINALITY:
        return batches.apply(tf.data.experimental.assert_cardinality(elements))
    if elements < 0:
        return batches
    whole, rest = divmod(elements, batching.batch_size)
    number = whole if batching.drop_remainder else whole + (rest > 0)
    return batches.apply(tf.data.experimental.assert_cardinality(number))


def _element_bytes(spec: Any) -> int | None:
    """Bytes of one mapped element; None if not every component has a known shape."""
    total = 0
    for part in tf.nest.flatten(spec):
        if not isinstance(part, tf.TensorSpec) or not part.shape.is_fully_defined():
            return None
        total += part.shape.num_elements() * part.dtype.size
    return total


def _block_elements(batch_size: int | tf.Tensor, element_bytes: int | None) -> int | tf.Tensor:
    """How many elements to map at a time: the whole batch or, if that is much, a part of it."""
    most = _BLOCK_ELEMENTS_OF_UNKNOWN_SIZE
    if element_bytes is not None:
        most = min(max(_BLOCK_BYTES // max(element_bytes, 1), 1), _BLOCK_ELEMENTS)
    if tf.is_tensor(batch_size):
        return most
    if batch_size <= most:
        return batch_size
    blocks = -(-batch_size // most)
    return -(-batch_size // blocks)  # equal parts: no batch waits for much of the next one


def _whole_block_elements(batch_size: int | tf.Tensor, element_bytes: int) -> int | tf.Tensor:
    """The same where elements are mapped all at once: several batches, if they are small."""
    most = min(max(_BLOCK_BYTES // max(element_bytes, 1), 1), _WHOLE_BLOCK_ELEMENTS)
    if tf.is_tensor(batch_size) or batch_size > most:
        return _block_elements(batch_size, element_bytes)
    some = max(_WHOLE_BLOCK_BATCHES, _FEWEST_WHOLE_BLOCK_ELEMENTS // batch_size)
    return batch_size * min(most // batch_size, some)
