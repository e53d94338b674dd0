"""What a worker runs: it calls `load` for the items of a task.

    Work(load, is_batch=True)(["a.wav", "b.wav"])  # float32[2, ...]

In a worker process, `serve` does so for every task that comes over a connection. Nothing here needs
TensorFlow, so that a process starts in a fraction of a second, unless `load` itself needs it.
"""

from __future__ import annotations

import pickle
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Protocol

from tfprefetch.python_values import UnlikeError, stack, to_arrays
from tfprefetch.shared_blocks import ReadBlocks, WrittenBlocks

READY = -1  # the number of a worker's first message, which answers no task


@dataclass(frozen=True)
class LoadFailure:
    """`load` failed for an item.

    Attributes:
        position: which of the task's items.
        error: what it raised.
        trace: the traceback as text.
    """

    position: int
    error: BaseException
    trace: str


class Worker(Protocol):
    """What a worker is given: called with the items of a task, and closed at the end."""

    def __call__(self, items: Sequence[Any]) -> Any:  # noqa: D102
        ...

    def close(self) -> None:  # noqa: D102
        ...


@dataclass(frozen=True)
class Work:
    """What is to be done with the items of a task.

    Attributes:
        load: called with an item.
        is_batch: whether the results of all items of a task are stacked; else a task is one item.
        dtypes: of the leaves, in the structure of the results; None: as they are.
    """

    load: Callable[[Any], Any]
    is_batch: bool
    dtypes: Any = None

    def __call__(self, items: Sequence[Any]) -> Any | LoadFailure:
        """The result as arrays."""
        values: list[Any] = []
        try:
            for item in items:
                values.append(to_arrays(self.load(item), self.dtypes))
            return stack(values) if self.is_batch else values[0]
        except UnlikeError as error:
            return LoadFailure(error.position, ValueError(str(error)), f"ValueError: {error}\n")
        except BaseException as error:  # sys.exit() would else look like a worker that was killed
            if error.__traceback__ is not None:
                error = error.with_traceback(error.__traceback__.tb_next)  # not from here
            return LoadFailure(len(values), error, "".join(traceback.format_exception(error)))

    def close(self) -> None:
        """Nothing stays open."""


def serve(connection: Connection, work: Worker) -> None:
    """Answers tasks until the connection ends; says first that it is there.

    Tasks are `(number, items, released blocks)`; an answer is a number, what `work` made of the
    items, pickled, and the bytes of its arrays, which do not go through the pickle.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, whose end is ours
    signal.signal(signal.SIGTERM, _end)
    blocks = WrittenBlocks()
    try:
        _send(connection, blocks, READY, None)
        while True:
            number, items, released = connection.recv()
            blocks.release(released)
            _send(connection, blocks, number, work(items))
    except (EOFError, ConnectionError):
        pass  # the parent is gone, or needs us no more
    finally:
        work.close()


def _end(signal_number: int, frame: Any) -> None:
    # So that `finally` in load, or in a generator, is not left out.
    sys.exit(128 + signal_number)


def receive(connection: Connection, blocks: ReadBlocks) -> tuple[int, Any]:
    """What `serve` sent: a task's number, and its result or LoadFailure."""
    number, pickled = connection.recv()
    return number, pickle.loads(pickled, buffers=blocks.receive(connection))


def _send(connection: Connection, blocks: WrittenBlocks, number: int, outcome: Any) -> None:
    buffers: list[pickle.PickleBuffer] = []
    try:
        pickled = pickle.dumps(outcome, protocol=5, buffer_callback=buffers.append)
        if isinstance(outcome, LoadFailure):
            pickle.loads(pickled)  # exceptions with arguments of their own often cannot be
    except Exception:
        assert isinstance(outcome, LoadFailure)  # arrays of bytes and numbers can
        error = RuntimeError(f"{type(outcome.error).__name__}: {outcome.error}")
        pickled = pickle.dumps(LoadFailure(outcome.position, error, outcome.trace))
    connection.send((number, pickled))
    blocks.send(connection, [buffer.raw() for buffer in buffers])
