"""What a worker runs for `from_generator`: it takes elements out of a generator, chunk by chunk.

    take = TakeChunk(make_generator, most=5, most_ahead=5, is_stacked=True)
    take([None])  # Chunk(values=float32[2, ...]): what is there by now
    take.close()

The generator runs in a thread of its own, so that what it has yielded need not wait for what it is
still at. Knows nothing of TensorFlow, like `python_worker`.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tfprefetch.python_values import UnlikeError, copied, stack, to_arrays
from tfprefetch.python_worker import LoadFailure

_SECONDS_TO_END = 0.5  # for a generator's `finally`


@dataclass(frozen=True)
class Chunk:
    """Some elements, and what came after them.

    Attributes:
        values: structures of arrays; with `is_stacked` one structure, stacked; None for no element.
        is_last: whether the generator ended.
        failure: what it raised.
    """

    values: Any
    is_last: bool = False
    failure: LoadFailure | None = None


@dataclass
class TakeChunk:
    """Takes the next elements at each call, at least one; begins with the first call.

    Attributes:
        make_generator: makes the generator.
        most: how many elements at a time.
        most_ahead: how many elements may wait to be taken.
        is_stacked: whether to stack them.
        dtypes: of the leaves, in the structure of an element; None: as they are.
    """

    make_generator: Callable[[], Iterable[Any]]
    most: int
    most_ahead: int
    is_stacked: bool
    dtypes: Any = None
    _producer: _Producer | None = field(default=None, init=False)

    def __call__(self, items: Sequence[Any]) -> Chunk:
        """The next chunk; `items` says nothing."""
        if self._producer is None:
            self._producer = _Producer(self.make_generator, self.dtypes, self.most_ahead)
        values, end = self._producer.take(self.most)
        is_last = end is not None and end.failure is None
        failure = None if end is None else end.failure
        if not self.is_stacked:
            return Chunk(values, is_last, failure)
        try:
            return Chunk(stack(values) if values else None, is_last, failure)
        except UnlikeError as error:
            values = values[: error.position]
            failure = LoadFailure(len(values), ValueError(str(error)), f"ValueError: {error}\n")
            return Chunk(stack(values) if values else None, False, failure)

    def close(self) -> None:
        """Ends the generator, so that its `finally` is done now."""
        if self._producer is not None:
            self._producer.close()


@dataclass(frozen=True)
class _End:
    """What stands behind the last element."""

    failure: LoadFailure | None = None


class _Producer:
    """A generator in a thread of its own, ahead of what is taken."""

    def __init__(
        self, make_generator: Callable[[], Iterable[Any]], dtypes: Any, most_ahead: int
    ) -> None:
        self._make_generator = make_generator
        self._dtypes = dtypes
        self._space = threading.Semaphore(most_ahead)
        self._elements: queue.SimpleQueue = queue.SimpleQueue()
        self._end: _End | None = None
        self._is_closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tfprefetch-generator", daemon=True)
        self._thread.start()

    def take(self, most: int) -> tuple[list[Any], _End | None]:
        """Waits for one element, and takes what else is there; also what comes behind all."""
        values: list[Any] = []
        with contextlib.suppress(queue.Empty):
            while self._end is None and len(values) < most:
                element = self._elements.get(block=not values)
                if isinstance(element, _End):
                    self._end = element
                else:
                    values.append(element)
                    self._space.release()
        return values, self._end

    def close(self) -> None:
        """Ends the thread; waits a little for it."""
        self._is_closed.set()
        self._space.release()
        self._thread.join(_SECONDS_TO_END)

    def _run(self) -> None:
        end = _End()
        try:
            generator = iter(self._make_generator())
            with contextlib.closing(generator) if hasattr(generator, "close") else _nothing:
                while self._space.acquire() and not self._is_closed.is_set():
                    try:
                        value = next(generator)
                    except StopIteration:
                        break
                    # A generator may go on to write into its own array.
                    self._elements.put(copied(to_arrays(value, self._dtypes)))
                    del value
        except BaseException as error:
            if error.__traceback__ is not None:
                error = error.with_traceback(error.__traceback__.tb_next)  # not from here
            trace = "".join(traceback.format_exception(error))
            end = _End(LoadFailure(0, error, trace))
        self._elements.put(end)


_nothing = contextlib.nullcontext()
