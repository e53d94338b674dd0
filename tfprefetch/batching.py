"""Per-example functions to batches: `map_and_batch`.

    dataset = dataset.apply(tfprefetch.map_and_batch(parse_example, batch_size=128))

Elements are mapped in blocks, several blocks in parallel. That costs less than mapping every
element by itself, and the elements of a block stay at hand until it is done: an error in it is
traced to its element (`tfprefetch.blame`), and costs nothing before it happens.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import tensorflow as tf

from tfprefetch.blame import Blame, zip_window

# Operations with a state whose errors are never OutOfRangeError.
_NEVER_ENDS = re.compile("Assert|Random|Variable|VarHandle|LookupTable|HashTable|Multinomial")
_BLOCK_ELEMENTS = 128  # a block costs some 0.3 ms, an element some 0.01 ms
_BLOCK_BYTES = 4 << 20
_BLOCK_ELEMENTS_OF_UNKNOWN_SIZE = 32


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
        if self.vectorize is True:
            raise NotImplementedError(
                'vectorize=True is not there yet: leave it at "auto", which runs map_func on '
                "single examples in parallel"
            )
        if self.vectorize not in ("auto", False):
            raise ValueError(f'vectorize must be "auto" or False, got {self.vectorize!r}')


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
            as there are CPU cores; None for one element after another, in their order.
        deterministic: as in `Dataset.map`; False lets blocks overtake each other.
        shuffle_buffer_size: how many elements to draw from at random, before `map_func` (raw
            elements are mostly smaller than mapped ones); None for no shuffling.
        seed: makes the shuffling repeatable.
        vectorize: `"auto"`: run `map_func` on whole batches where that gives the same result (in
            this version: nowhere); False: always on single elements. True is not implemented.
        element_name: from one element (before `map_func`) to the scalar string that names it in
            errors. By default the element's short scalar strings and its integers, for instance
            the key of `from_files(with_keys=True)`.
        name: a name for the dataset's last operation.

    Returns:
        A function from a dataset to a dataset of batches: every component gets a first dimension
        of `batch_size` (static with `drop_remainder`), or fewer in the last batch.

    Raises:
        TypeError, ValueError: at once, for an argument that cannot be.
        NotImplementedError: at once, for vectorize=True.
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
    if batching.shuffle_buffer_size is not None:
        dataset = dataset.shuffle(batching.shuffle_buffer_size, seed=batching.seed)
    if tf.is_tensor(batching.batch_size):
        batching = replace(batching, batch_size=tf.cast(batching.batch_size, tf.int64))
    batch_size = batching.batch_size
    map_func, spec, may_end = _trace(batching.map_func, dataset)
    element_bytes = _element_bytes(spec)
    block_elements = _block_elements(batch_size, element_bytes)
    blame = Blame(
        map_func,
        batching.element_name,
        dataset.element_spec,
        may_end,
        tf.compat.v1.executing_eagerly_outside_functions(),
    )
    batches = _blocks(batching, dataset, block_elements, blame)
    if block_elements is not batch_size:
        is_tuple = isinstance(spec, tuple)
        elements = batches.flat_map(
            _plain(lambda *parts: zip_window(parts if is_tuple else parts[0]))
        )
        if element_bytes is not None:
            batches = elements.batch(batch_size, batching.drop_remainder)
        else:
            # Elements of different blocks may differ in shape, and that is explained, too.
            in_order = replace(batching, num_parallel_calls=None)
            blame = Blame(None, None, elements.element_spec, False, blame.is_eager)
            batches = _blocks(in_order, elements, batch_size, blame)
    if not may_end and tf.executing_eagerly() and isinstance(batch_size, int):
        elements = dataset.cardinality().numpy()
        if elements >= 0:
            count = (
                elements // batch_size if batching.drop_remainder else -(-elements // batch_size)
            )
            batches = batches.apply(tf.data.experimental.assert_cardinality(count))
        elif elements == tf.data.INFINITE_CARDINALITY:
            batches = batches.apply(tf.data.experimental.assert_cardinality(elements))
    if batching.name is not None:
        batches = batches.prefetch(1, name=batching.name)
    return batches


def _blocks(
    batching: _Batching, dataset: tf.data.Dataset, block_elements: int | tf.Tensor, blame: Blame
) -> tf.data.Dataset:
    """The mapped elements, `block_elements` at a time.

    They come as batches if that is the batch size, else as windows, which are not copied.
    """
    is_batch = block_elements is batching.batch_size
    step = tf.cast(block_elements, tf.int64)
    starts = tf.data.Dataset.range(0, tf.int64.max, step)
    windows = tf.data.Dataset.zip((starts, dataset.window(step)))

    @_plain
    def run(start: tf.Tensor, window: Any) -> tf.data.Dataset:
        return blame.run(start, window, step, is_batch)

    parallel = batching.num_parallel_calls
    if parallel == tf.data.AUTOTUNE:
        # TensorFlow's own AUTOTUNE begins with one call, and finds the number after some hundred;
        # blocks are too few for that.
        parallel = os.cpu_count() or 1
    if parallel is None:
        blocks = windows.flat_map(run)
    else:
        blocks = windows.interleave(
            run,
            cycle_length=parallel,
            block_length=1,
            num_parallel_calls=parallel,
            deterministic=batching.deterministic,
        )
    if blame.may_end:
        blocks = blocks.scan(tf.constant(False), _plain(_note_end))
        blocks = blocks.take_while(_plain(lambda over, entered, block: tf.logical_not(over)))
        blocks = blocks.map(_plain(lambda over, entered, block: (entered, block)))
    if is_batch and batching.drop_remainder:
        blocks = blocks.filter(_plain(lambda entered, block: tf.equal(_elements(block), step)))

    @_plain
    def finish(entered: tf.Tensor, block: Any) -> Any:
        if is_batch and batching.drop_remainder and not tf.is_tensor(block_elements):
            return tf.nest.map_structure(lambda part: _set_batch_size(part, block_elements), block)
        return block

    return blocks.map(finish)


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
    return (
        tf.ensure_shape(part, [batch_size, *part.shape[1:]])
        if isinstance(part, tf.Tensor) and part.shape.rank
        else part
    )


def _trace(map_func: Callable[..., Any], dataset: tf.data.Dataset) -> tuple[Any, Any, bool]:
    """`map_func` as a function that is traced once, the structure of its result, `may_end`."""
    found = []

    def traced(*element: Any) -> Any:
        result = map_func(*element)
        operations = tf.compat.v1.get_default_graph().get_operations()
        found.extend(
            operation.type
            for operation in operations
            if operation.op_def.is_stateful and not _NEVER_ENDS.search(operation.type)
        )
        return result

    # With autograph on, as in Dataset.map; our own code around it needs no conversion.
    function = tf.function(traced)
    return function, dataset.map(function).element_spec, bool(found)


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
