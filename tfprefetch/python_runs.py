"""One pass over items in parallel: what is loaded when, and in which order it is delivered.

    run = Run(job, Cursor(key=7))
    while (delivered := run.next()) is not None:
        ...  # delivered.value, or delivered.error

A step is what is delivered at a time: an item, or a batch of them. Which items a step holds follows
from its number and the key alone. A cursor therefore says completely how to go on, in this process
or in another one.
"""

from __future__ import annotations

import contextlib
import reprlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfprefetch.python_pools import ProcessPool, ThreadPool, WorkerDied
from tfprefetch.python_worker import LoadFailure, Work

Pool = ThreadPool | ProcessPool
_MOST_HELD = 32  # results per worker that are not copied; each holds a file descriptor
_MOST_AHEAD = 10_000  # steps that may overtake one that takes its time


@dataclass(frozen=True)
class Cursor:
    """Where a run is.

    Attributes:
        key: what the orders of all epochs follow from.
        step: all steps below this one were delivered.
        ahead: those from this one on that were, too; only without a fixed order.
    """

    key: int
    step: int = 0
    ahead: tuple[int, ...] = ()

    def after(self, step: int) -> Cursor:
        """The cursor once `step` is delivered as well."""
        ahead = {*self.ahead, step}
        position = self.step
        while position in ahead:
            ahead.remove(position)
            position += 1
        return Cursor(self.key, position, tuple(sorted(ahead)))

    def to_array(self) -> np.ndarray:
        """As int64[2 + len(ahead)]."""
        return np.array([self.key, self.step, *self.ahead], np.int64)

    @classmethod
    def from_array(cls, array: np.ndarray) -> Cursor:
        """The opposite of `to_array`."""
        key, step, *ahead = array.tolist()
        return cls(key, step, tuple(ahead))


@dataclass(frozen=True)
class Job:
    """What is to be loaded, and how.

    Attributes:
        work: does the work for the items of a step.
        items: what `work.load` is called with.
        batch_size: items per step; None where a step is one item.
        drop_remainder: whether an epoch's last, smaller batch is left out.
        num_epochs: how often; None for ever.
        shuffle: whether every epoch has an order of its own.
        deterministic: whether steps are delivered in order.
        workers: how many threads or processes.
        use_multiprocessing: processes.
        max_queue_size: how many steps may be under way or waiting to be delivered.
    """

    work: Work
    items: Sequence[Any]
    batch_size: int | None
    drop_remainder: bool
    num_epochs: int | None
    shuffle: bool
    deterministic: bool
    workers: int
    use_multiprocessing: bool
    max_queue_size: int

    @property
    def steps_per_epoch(self) -> int:
        """How many steps an epoch has."""
        if self.batch_size is None:
            return len(self.items)
        if self.drop_remainder:
            return len(self.items) // self.batch_size
        return -(-len(self.items) // self.batch_size)

    @property
    def steps(self) -> int | None:
        """How many steps all epochs have; None for infinitely many."""
        if self.num_epochs is None and self.steps_per_epoch:
            return None
        return self.steps_per_epoch * (self.num_epochs or 0)

    def new_pool(self) -> Pool:
        """Workers for one run at a time."""
        workers = min(self.workers, self.max_queue_size)
        if self.use_multiprocessing:
            # What a program holds on to, as tf.data does with what it has read ahead, is not
            # copied, as long as it is about as much as is under way anyway.
            most_held = min(2 * self.max_queue_size + 4, _MOST_HELD)
            return ProcessPool(self.work, workers, most_held)
        return ThreadPool(self.work, workers)


class _Order:
    """Which items the steps hold; keeps the orders of two epochs."""

    def __init__(self, job: Job, key: int) -> None:
        self._job, self._key = job, key
        self._orders: dict[int, np.ndarray] = {}

    def indices(self, step: int) -> np.ndarray:
        job = self._job
        epoch, position = divmod(step, job.steps_per_epoch)
        size = job.batch_size or 1
        begin, end = position * size, min((position + 1) * size, len(job.items))
        if not job.shuffle:
            return np.arange(begin, end)
        if epoch not in self._orders:
            while len(self._orders) > 1:
                del self._orders[min(self._orders)]
            generator = np.random.Generator(np.random.PCG64([self._key, epoch]))
            self._orders[epoch] = generator.permutation(len(job.items))
        return self._orders[epoch][begin:end]


@dataclass(frozen=True)
class Delivered:
    """A step.

    Attributes:
        cursor: where the run is once this step was delivered.
        value: a structure of arrays; None if there is an error.
        error: what went wrong; names the item.
    """

    cursor: Cursor
    value: Any = None
    error: LoadError | None = None


class LoadError(RuntimeError):
    """Loading an item failed; the message names the item.

    Attributes:
        failure: what `load` raised; None if its process died.
    """

    def __init__(self, message: str, failure: LoadFailure | None = None) -> None:
        super().__init__(message)
        self.failure = failure

    @property
    def trace(self) -> str:
        """The traceback of what `load` raised, as text; it may be empty."""
        return self.failure.trace if self.failure else ""

    def original(self) -> BaseException:
        """What `load` raised, with the item as a note; the traceback in the worker is its cause."""
        if self.failure is None:
            return self
        error = self.failure.error
        if hasattr(error, "add_note"):  # Python 3.11
            error.add_note(str(self))
        error.__cause__ = LoadError(f"{self}\n\n{self.trace}")
        return error


def load_error(failure: LoadFailure, index: int, item: Any) -> LoadError:
    """`failure`, with the item that it is about."""
    return LoadError(f"load failed for items[{index}], which is {_short.repr(item)}", failure)


class Run:
    """Loads steps ahead of where they are delivered.

    Args:
        job: what to load.
        cursor: where to begin.
        pool: workers of a run before this one.
    """

    def __init__(self, job: Job, cursor: Cursor, pool: Pool | None = None) -> None:
        self.cursor = cursor
        self.pool = pool
        self.job = job
        self._order = _Order(job, cursor.key)
        self._next_step = cursor.step
        self._indices: dict[int, np.ndarray] = {}  # of the steps under way
        self._loaded: dict[int, Any] = {}

    @property
    def has_ended(self) -> bool:
        """Whether everything was delivered."""
        return self.job.steps is not None and self.cursor.step >= self.job.steps

    def next(self) -> Delivered | None:
        """The next step; None after the last one."""
        if self.has_ended:
            return None
        try:
            while (step := self._deliverable()) is None:
                self._load()
        except BaseException:
            self.close()  # what a worker sent may have been received by half
            raise
        indices, outcome = self._indices.pop(step), self._loaded.pop(step)
        self.cursor = self.cursor.after(step)
        if self.pool is not None:
            with self._mourning():
                self._submit()
        if isinstance(outcome, WorkerDied):
            return Delivered(self.cursor, error=self._death(indices, outcome))
        if isinstance(outcome, LoadFailure):
            index = int(indices[outcome.position])
            error = load_error(outcome, index, self.job.items[index])
            return Delivered(self.cursor, error=error)
        return Delivered(self.cursor, outcome)

    def close(self) -> None:
        """Ends the workers; what was loaded ahead is lost."""
        if self.pool is not None:
            self.pool.close()
        self.pool = None
        self._indices.clear()
        self._loaded.clear()
        self._next_step = self.cursor.step

    def _load(self) -> None:
        """Waits for one more step."""
        with self._mourning():
            if self.pool is None:
                self.pool = self.job.new_pool()
                for step in self._under_way():
                    self._send(step)  # what the pool before this one did not get done
            self._submit()
            step, outcome = self.pool.wait()
            self._loaded[step] = outcome

    @contextlib.contextmanager
    def _mourning(self) -> Iterator[None]:
        """When a worker dies its step is delivered, as an error; the others are loaded again."""
        try:
            yield
        except WorkerDied as death:
            self.pool.close()
            self.pool = None
            # One that was at nothing is an error all the same, and the next to be seen.
            step = self._under_way()[0] if death.number is None else death.number
            self._loaded[step] = death

    def _under_way(self) -> list[int]:
        return sorted(self._indices.keys() - self._loaded.keys())

    def _submit(self) -> None:
        """Keeps `max_queue_size` steps under way or loaded."""
        job = self.job
        while len(self._indices) < job.max_queue_size:
            step = self._next_step
            if job.steps is not None and step >= job.steps:
                return
            if step > self.cursor.step + _MOST_AHEAD:
                return
            self._next_step += 1
            if step not in self.cursor.ahead:
                self._indices[step] = self._order.indices(step)
                self._send(step)

    def _send(self, step: int) -> None:
        self.pool.submit(step, [self.job.items[index] for index in self._indices[step].tolist()])

    def _deliverable(self) -> int | None:
        if not self.job.deterministic:
            return next(iter(self._loaded), None)
        return self.cursor.step if self.cursor.step in self._loaded else None

    def _death(self, indices: np.ndarray, death: WorkerDied) -> LoadError:
        index = int(indices[0])
        item = self.job.items[index]
        message = str(death)
        if death.number is not None:
            batch = "" if self.job.batch_size is None else "the batch that begins with "
            message += f" while it loaded {batch}items[{index}], which is {_short.repr(item)}"
        return LoadError(message)


_short = reprlib.Repr()
_short.maxstring = _short.maxother = 200
