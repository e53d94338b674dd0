"""A Python function that loads an item, called in parallel: `from_python`, `prefetch_python`.

dataset = tfprefetch.from_python(load, paths, workers=4, batch_size=32, shuffle=True)

with tfprefetch.prefetch_python(load, paths, workers=4, batch_size=32) as batches:
    for features, labels in batches:  # NumPy arrays, for loops that are written in Python
        ...
"""

from __future__ import annotations

import itertools
import os
import secrets
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfprefetch.notes import Note, add_note
from tfprefetch.python_arguments import (
    as_sequence,
    check_integer,
    check_picklable,
    check_seed,
    checked_signature,
    numpy_dtype,
    signature_of,
)
from tfprefetch.python_pools import PoolClosed
from tfprefetch.python_runs import Cursor, Job, Run, load_error
from tfprefetch.python_sources import steps_dataset
from tfprefetch.python_values import map_leaves
from tfprefetch.python_worker import LoadFailure, Work


def from_python(
    load: Callable[[Any], Any],
    items: Iterable[Any],
    *,
    workers: int | None = None,
    use_multiprocessing: bool = False,
    batch_size: int | None = None,
    output_signature: Any = None,
    deterministic: bool = True,
    num_epochs: int | None = 1,
    shuffle: bool = False,
    seed: int | None = None,
    drop_remainder: bool = False,
    max_queue_size: int | None = None,
    name: str | None = None,
) -> tf.data.Dataset:
    """A dataset of what `load` returns for each item; `load` runs in parallel, ahead of its use.

    Threads suffice where `load` waits (for a disk, a network) or works in NumPy and other libraries
    that let other threads run. Where it is Python code that computes, `use_multiprocessing=True`
    keeps all cores busy. Worker processes are fresh interpreters, which import the module of
    `load` (and the program's main module): a module that does not import TensorFlow makes them
    start in a fraction of a second, and take less memory. Arrays come from them through shared
    memory, and are not copied. They end when the iterator is dropped, and when the data end, unless
    the next epoch begins within a second.

    Args:
        load: takes an item and returns an array, a number, text, bytes, or dicts, tuples and named
            tuples of those. Python's numbers become int32 and float32, as in TensorFlow. For
            processes it has to be a function of a module, or another object that can be pickled.
        items: what `load` is called with, one by one; a sequence, or anything that can be listed.
        workers: how many threads or processes; by default as many as there are cores.
        use_multiprocessing: processes instead of threads.
        batch_size: how many items make an element; their arrays are stacked in the worker. None:
            each item is an element.
        output_signature: `tf.TensorSpec`s in the structure that `load` returns, of one item also
            where there is a `batch_size`. None: as for the first item, which is loaded at once for
            that. Needed where shapes vary: `tf.TensorSpec([None, 80], tf.float32)`.
        deterministic: False: elements come as soon as they are loaded, in any order.
        num_epochs: how often all items are loaded; None is for ever. With `batch_size`, the last
            batch of each epoch may be smaller.
        shuffle: whether the items come in a new order in every epoch, and each time that the
            dataset is iterated over.
        seed: makes these orders repeatable (with the same version of NumPy). They do not depend
            on the number of workers.
        drop_remainder: whether to leave out a last batch that is smaller, in every epoch.
        max_queue_size: how many elements may be loaded ahead, those under way included; by default
            two per worker.
        name: a name for the dataset's last operation.

    Returns:
        A dataset with known shapes (those of `output_signature`; with `batch_size` `[batch, ...]`,
        where `batch` is static with `drop_remainder`) and known cardinality, also of infinity. It
        can be saved and restored in the middle of an epoch with `tf.train.Checkpoint`: what was
        read ahead is loaded again.

    Raises:
        TypeError, ValueError: at once, for an argument that cannot be, an empty `items` without
            `output_signature`, a `load` that cannot be sent to processes. And what `load` raises
            for the first item.
        tf.errors.InvalidArgumentError: while iterating, if `load` raises for an item, or returns
            what is not like `output_signature`, or if a worker process was killed. Tells the item,
            its index, and the traceback. The next element is the one behind it.

    >>> import numpy as np
    >>> dataset = from_python(lambda n: {"n": n, "ones": np.ones(n)}, [2, 3],
    ...     output_signature={"n": tf.TensorSpec([], tf.int32), "ones": tf.TensorSpec([None])})
    >>> [element["ones"].tolist() for element in dataset.as_numpy_iterator()]
    [[1.0, 1.0], [1.0, 1.0, 1.0]]
    """
    job, signature = _job(
        load,
        items,
        workers=workers,
        use_multiprocessing=use_multiprocessing,
        batch_size=batch_size,
        output_signature=output_signature,
        deterministic=deterministic,
        num_epochs=num_epochs,
        shuffle=shuffle,
        drop_remainder=drop_remainder,
        max_queue_size=max_queue_size,
        needs_signature=True,
    )
    check_seed(seed)
    keys = map(lambda iteration: _key(seed, iteration), itertools.count())
    return add_note(steps_dataset(job, signature, keys.__next__, name), _note(job))


def prefetch_python(
    load: Callable[[Any], Any],
    items: Iterable[Any],
    *,
    workers: int | None = None,
    use_multiprocessing: bool = False,
    batch_size: int | None = None,
    output_signature: Any = None,
    deterministic: bool = True,
    num_epochs: int | None = 1,
    shuffle: bool = False,
    seed: int | None = None,
    drop_remainder: bool = False,
    max_queue_size: int | None = None,
    start_index: int = 0,
) -> PrefetchedIterator:
    """The elements of `from_python` as NumPy arrays, for loops that are written in Python.

    The arguments are those of `from_python`, and so are the elements and their order (that of the
    first iteration over a dataset with the same seed). Every step in a Python loop is quicker by
    what tf.data's iterator takes, some tenths of a millisecond. Without `output_signature` arrays
    may have any shape and dtype; with it, they are checked and converted.

    Args:
        load, items, workers, use_multiprocessing, batch_size, output_signature, deterministic,
        num_epochs, shuffle, seed, drop_remainder, max_queue_size: as for `from_python`.
        start_index: begin with this element, usually the `index` of an iterator before this one.
            Needs `deterministic`, and with `shuffle` the seed.

    Returns:
        An iterator of structures of arrays, see `PrefetchedIterator`. Arrays are writable, and
        the caller's alone.

    Raises:
        TypeError, ValueError: at once, for an argument that cannot be.
        Exception: while iterating, whatever `load` raised, with its traceback; a note tells the
            item and its index.
        LoadError: while iterating, if a worker process was killed.

    >>> with prefetch_python(lambda n: n * 0.5, range(5), batch_size=2) as batches:
    ...     [batch.tolist() for batch in batches]
    [[0.0, 0.5], [1.0, 1.5], [2.0]]
    """
    job, _ = _job(
        load,
        items,
        workers=workers,
        use_multiprocessing=use_multiprocessing,
        batch_size=batch_size,
        output_signature=output_signature,
        deterministic=deterministic,
        num_epochs=num_epochs,
        shuffle=shuffle,
        drop_remainder=drop_remainder,
        max_queue_size=max_queue_size,
        needs_signature=False,
    )
    check_seed(seed)
    check_integer("start_index", start_index, 0)
    if job.steps is not None and start_index > job.steps:
        raise ValueError(f"start_index must be at most {job.steps}, the end; got {start_index}")
    if start_index and not deterministic:
        raise ValueError(
            f"start_index={start_index} needs deterministic=True: without an order, a number does "
            "not tell which elements are still to come"
        )
    if start_index and shuffle and seed is None:
        raise ValueError(
            f"start_index={start_index} with shuffle=True needs the seed of the iterator that it "
            "continues: the order follows from it"
        )
    return PrefetchedIterator(Run(job, Cursor(_key(seed, 0), start_index)))


class PrefetchedIterator(Iterator[Any]):
    """What `prefetch_python` returns: an iterator that loads ahead, in threads or processes.

    It begins with the first element that is asked for, and ends with the last one, at an error,
    with `close()`, at the end of a `with` block, and when it is dropped. `len()` is the number of
    all its elements, from index 0 on.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._close = weakref.finalize(self, Run.close, run)
        self._close.atexit = False  # pools see to that themselves
        self._lock = threading.Lock()

    @property
    def index(self) -> int:
        """How many elements were delivered: the `start_index` to go on with."""
        return self._run.cursor.step + len(self._run.cursor.ahead)

    def close(self) -> None:
        """Ends the workers."""
        self._close()

    def __next__(self) -> Any:
        with self._lock:  # threads may take turns
            if not self._close.alive:
                raise StopIteration
            try:
                delivered = self._run.next()
            except PoolClosed:
                raise StopIteration from None  # another thread closed it meanwhile
            except BaseException:
                self.close()
                raise
            if delivered is None:
                self.close()
                raise StopIteration
            if delivered.error is not None:
                self.close()
                raise delivered.error.original()
            return delivered.value

    def __len__(self) -> int:
        steps = self._run.job.steps
        if steps is None:
            raise TypeError("num_epochs=None: the iterator never ends, and has no length")
        return steps

    def __enter__(self) -> PrefetchedIterator:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _job(
    load: Callable[[Any], Any],
    items: Iterable[Any],
    *,
    workers: int | None,
    use_multiprocessing: bool,
    batch_size: int | None,
    output_signature: Any,
    deterministic: bool,
    num_epochs: int | None,
    shuffle: bool,
    drop_remainder: bool,
    max_queue_size: int | None,
    needs_signature: bool,
) -> tuple[Job, Any]:
    """What is to be done, and the signature of one item (None: not known and not needed)."""
    if not callable(load):
        raise TypeError(f"load must be a function of an item, got {load!r}")
    for option, value in (
        ("workers", workers),
        ("batch_size", batch_size),
        ("num_epochs", num_epochs),
        ("max_queue_size", max_queue_size),
    ):
        if value is not None:
            check_integer(option, value, 1)
    if drop_remainder and batch_size is None:
        raise ValueError("drop_remainder=True needs a batch_size: single items leave no remainder")
    items = as_sequence(items)
    signature = checked_signature(output_signature)
    if signature is None and needs_signature:
        signature = _signature_of_first(load, items)
    dtypes = None
    if signature is not None:
        dtypes = map_leaves(lambda path, spec: numpy_dtype(spec.dtype), signature)
    work = Work(load, batch_size is not None, dtypes, copies=not use_multiprocessing)
    if use_multiprocessing:
        check_picklable("load", load)
    workers = workers or _cores()
    job = Job(
        work=work,
        items=items,
        batch_size=batch_size,
        drop_remainder=drop_remainder,
        num_epochs=num_epochs,
        shuffle=shuffle,
        deterministic=deterministic,
        workers=workers,
        use_multiprocessing=use_multiprocessing,
        max_queue_size=max_queue_size or 2 * workers,
    )
    return job, signature


def _cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _key(seed: int | None, iteration: int) -> int:
    """What the orders of one iteration follow from."""
    if seed is None:
        return secrets.randbits(62)
    state = np.random.SeedSequence([seed % 2**64, iteration]).generate_state(1, np.uint64)
    return int(state[0]) >> 2


def _signature_of_first(load: Callable[[Any], Any], items: Sequence[Any]) -> Any:
    if not len(items):
        raise ValueError(
            "items is empty, so there is no first item to tell what load returns: check where they "
            "come from, or pass output_signature"
        )
    with tf.init_scope():  # also where the dataset is made in another dataset's function
        outcome = Work(load, is_batch=False)([items[0]])
    if isinstance(outcome, LoadFailure):
        raise load_error(outcome, 0, items[0]).original()
    return signature_of(outcome)


def _note(job: Job) -> Note:
    one, many = ("process", "processes") if job.use_multiprocessing else ("thread", "threads")
    parts = [
        getattr(job.work.load, "__name__", type(job.work.load).__name__),
        f"{len(job.items)} item{'' if len(job.items) == 1 else 's'}",
        f"batch_size={job.batch_size}" if job.batch_size else "",
        "shuffled" if job.shuffle else "",
        "" if job.num_epochs == 1 else f"num_epochs={job.num_epochs}",
        "" if job.deterministic else "deterministic=False",
    ]
    workers = f"in {job.workers} {one if job.workers == 1 else many}"
    return Note(
        f"from_python: {', '.join(part for part in parts if part)}",
        (f"{workers}, at most {job.max_queue_size} elements ahead",),
    )
