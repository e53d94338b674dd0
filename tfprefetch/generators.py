"""Sources that Python code can only read in sequence: `from_generator`.

dataset = tfprefetch.from_generator(read_log, use_multiprocessing=True)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import tensorflow as tf

from tfprefetch.generator_dataset import generator_dataset
from tfprefetch.notes import Note, add_note
from tfprefetch.python_arguments import (
    check_integer,
    check_picklable,
    check_shapes,
    checked_signature,
    numpy_dtype,
    signature_of,
)
from tfprefetch.python_generators import TakeChunk
from tfprefetch.python_pools import ProcessPool, ThreadPool
from tfprefetch.python_runs import LoadError
from tfprefetch.python_values import map_leaves

_plain = tf.autograph.experimental.do_not_convert  # our own code needs no conversion

MakeGenerator = Callable[[], Iterable[Any]]


def from_generator(
    make_generator: MakeGenerator | Sequence[MakeGenerator],
    *,
    use_multiprocessing: bool = False,
    max_queue_size: int = 10,
    output_signature: Any = None,
    cycle_length: int | None = None,
    block_length: int = 1,
    name: str | None = None,
) -> tf.data.Dataset:
    """A dataset of what a generator yields; it runs ahead, in a thread or process of its own.

    As `tf.data.Dataset.from_generator`, but the signature need not be spelled out, the generator
    does its work while its elements are used, and elements of known shapes cross over to TensorFlow
    many at a time. Where items can be loaded one by one, use `from_python`: it works in parallel.

    Args:
        make_generator: called without arguments in each iteration over the dataset; returns a
            generator, or anything to iterate over. Its elements are as for `from_python`. Or a list
            of such functions, whose generators run at the same time and are interleaved: one
            element of each in turn, those that have ended left out.
        use_multiprocessing: whether each generator runs in a process instead of a thread, for
            generators that compute in Python. See `from_python`.
        max_queue_size: how many elements it may be ahead (2, if that is 1).
        output_signature: `tf.TensorSpec`s in the structure of an element. None: as the first one
            is, for which the (first) generator is begun once more, at once. Needed where shapes
            vary.
        cycle_length: how many generators of a list run at the same time; by default all.
        block_length: how many elements are taken from one of them before the next one's turn.
        name: a name for the dataset's last operation.

    Returns:
        A dataset of unknown cardinality (see `tf.data.experimental.assert_cardinality`). It
        cannot be saved with `tf.train.Checkpoint` in the middle, as nobody knows how to go on with
        a generator: TensorFlow says "GeneratorDataset does not support checkpointing".

    Raises:
        TypeError, ValueError: at once, for an argument that cannot be, a generator that yields
            nothing without `output_signature`. And what the generator raises before its first
            element.
        tf.errors.OpError: while iterating, when the generator raises, with its message and
            traceback (of what class depends on the exception, as in tf.data); if it yields what is
            not like `output_signature`, or its process was killed.

    >>> def count():
    ...     for number in range(5):
    ...         yield {"number": number}
    >>> [int(element["number"]) for element in from_generator(count)]
    [0, 1, 2, 3, 4]
    """
    is_list = isinstance(make_generator, Sequence)
    functions = list(make_generator) if is_list else [make_generator]
    for function in functions:
        if not callable(function):
            raise TypeError(
                "make_generator must be a function that makes a generator, or a list of such "
                f"functions; got {function!r}"
            )
    if not functions:
        raise ValueError("make_generator must not be an empty list")
    check_integer("max_queue_size", max_queue_size, 1)
    check_integer("block_length", block_length, 1)
    if cycle_length is not None:
        check_integer("cycle_length", cycle_length, 1)
    if use_multiprocessing:
        for function in functions:
            check_picklable("make_generator", function)
    signature = checked_signature(output_signature)
    if signature is None:
        signature = _signature_of_first(functions[0])
    source = _Source(functions, use_multiprocessing, max_queue_size, signature)
    cycle_length = min(cycle_length or len(functions), len(functions))
    numbers = tf.data.Dataset.range(len(functions))
    if len(functions) == 1:
        dataset = numbers.flat_map(_plain(source.dataset))
    else:
        dataset = numbers.interleave(
            _plain(source.dataset),
            cycle_length,
            block_length,
            num_parallel_calls=cycle_length,
            deterministic=True,
        )
    if name is not None:
        dataset = dataset.take(-1, name=name)
    return add_note(dataset, source.note())


class _Source:
    """The generators, and how they run."""

    def __init__(
        self,
        functions: list[MakeGenerator],
        use_multiprocessing: bool,
        max_queue_size: int,
        signature: Any,
    ) -> None:
        self._functions = functions
        self._use_multiprocessing = use_multiprocessing
        # `unbatch` of arrays without elements ends the process with a segmentation fault.
        self._is_stacked = all(spec.shape.num_elements() for spec in tf.nest.flatten(signature))
        self._chunk_signature = tf.nest.map_structure(
            lambda spec: (
                tf.TensorSpec([None, *spec.shape], spec.dtype) if self._is_stacked else spec
            ),
            signature,
        )
        self._dtypes = map_leaves(lambda path, spec: numpy_dtype(spec.dtype), signature)
        # One half is on its way to TensorFlow, the other waits to be taken.
        self._chunk_size = max(max_queue_size // 2, 1)
        self._most_ahead = max(max_queue_size - self._chunk_size, 1)

    def dataset(self, number: tf.Tensor) -> tf.data.Dataset:
        """The elements of one of the generators."""
        dataset = generator_dataset(self._chunks, number, self._chunk_signature)
        return dataset.unbatch() if self._is_stacked else dataset

    def note(self) -> Note:
        """What `describe` says."""
        first = getattr(self._functions[0], "__name__", type(self._functions[0]).__name__)
        more = f" and {len(self._functions) - 1} more" if len(self._functions) > 1 else ""
        kind = "process" if self._use_multiprocessing else "thread"
        ahead = self._chunk_size + self._most_ahead
        detail = f"each in a {kind} of its own, at most {ahead} elements ahead"
        return Note(f"from_generator: {first}{more}", (detail,))

    def _chunks(self, number: Any) -> Iterator[Any]:
        """One generator's elements, stacked by chunks where they can be."""
        work = TakeChunk(
            self._functions[int(number)],
            self._chunk_size,
            self._most_ahead,
            self._is_stacked,
            self._dtypes,
        )
        if self._use_multiprocessing:
            pool = ProcessPool(work, 1, most_held=8)
        else:
            pool = ThreadPool(work, 1)
        # TensorFlow closes this generator when the iterator is gone.
        try:
            pool.submit(0, [None])
            while True:
                _, chunk = pool.wait()
                is_last = chunk.is_last or chunk.failure is not None
                if not is_last:
                    pool.submit(0, [None])
                values = [chunk.values] if self._is_stacked else chunk.values
                for value in values:
                    if value is not None:
                        check_shapes(value, self._chunk_signature)
                        yield value
                if chunk.failure is not None:
                    raise LoadError("the generator failed", chunk.failure).original()
                if is_last:
                    return
        finally:
            pool.close()


def _signature_of_first(function: MakeGenerator) -> Any:
    take = TakeChunk(function, most=1, most_ahead=1, is_stacked=False)
    chunk = take([None])
    take.close()
    if chunk.failure is not None:
        raise LoadError("the generator failed", chunk.failure).original()
    if not chunk.values:
        raise ValueError(
            "make_generator yields nothing, so there is no first element to tell what it yields: "
            "pass output_signature"
        )
    return signature_of(chunk.values[0])
