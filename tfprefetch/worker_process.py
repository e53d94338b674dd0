"""A worker process: `serve` runs in it, `receive` in its parent.

Tasks are `(number, items, released blocks)`; an answer is a number, what the work made of the
items, pickled, and the bytes of its arrays, which do not go through the pickle (see
`shared_blocks`). Nothing here needs TensorFlow.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import sys
import threading
import time
import traceback
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any

from tfprefetch.python_worker import LoadFailure, Worker
from tfprefetch.shared_blocks import ReadBlocks, WrittenBlocks

READY = -1  # the number of a worker's first message, which answers no task
_SECONDS_TO_END = 1.0  # for `finally` in load; what does not end by then is ended


def serve(connection: Connection, work: Worker | None) -> None:
    """Answers tasks until the connection ends; says first that it is there.

    Args:
        connection: to the parent.
        work: what is done for each task; None: it is the first thing that the parent sends.
    """
    is_ending = threading.Event()

    def end(signal_number: int, frame: Any) -> None:
        if not is_ending.is_set():
            is_ending.set()
            threading.Thread(target=_end_at_last, daemon=True).start()
            sys.exit(128 + signal_number)  # so that `finally` in load, or in a generator, is done

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, whose end is ours
    signal.signal(signal.SIGTERM, end)
    blocks = WrittenBlocks()
    tasks: queue.SimpleQueue = queue.SimpleQueue()
    try:
        if work is None:
            work = pickle.loads(connection.recv_bytes())
        _send(connection, blocks, READY, None)
        threading.Thread(target=_read_tasks, args=(connection, tasks), daemon=True).start()
        while True:
            number, pickled, released = tasks.get()
            blocks.release(released)
            outcome = _result(work, pickled)
            if is_ending.is_set():  # what `end` raised passes for an error of load
                sys.exit(128 + signal.SIGTERM)
            _send(connection, blocks, number, outcome)
    except (EOFError, ConnectionError):
        pass  # the parent is gone, or needs us no more
    finally:
        if work is not None:
            work.close()


def receive(connection: Connection, blocks: ReadBlocks) -> tuple[int, Any]:
    """What `serve` sent: a task's number, and its result or LoadFailure."""
    number, pickled = connection.recv()
    return number, pickle.loads(pickled, buffers=blocks.receive(connection))


def _read_tasks(connection: Connection, tasks: queue.SimpleQueue) -> None:
    """Takes tasks at once: a parent that waits to send one does not receive results meanwhile."""
    try:
        while True:
            tasks.put(connection.recv())
    except (EOFError, OSError):
        os.kill(os.getpid(), signal.SIGTERM)  # the parent is gone, but load may be at it for long
        _end_at_last()


def _end_at_last() -> None:
    time.sleep(_SECONDS_TO_END)
    os._exit(128 + signal.SIGTERM)


def _result(work: Worker, pickled: bytes) -> Any:
    try:
        items = pickle.loads(pickled)
    except Exception as error:
        return _failure(error)
    return work(items)


def _failure(error: BaseException) -> LoadFailure:
    return LoadFailure(0, error, "".join(traceback.format_exception(error)))


def _send(connection: Connection, blocks: WrittenBlocks, number: int, outcome: Any) -> None:
    buffers: list[pickle.PickleBuffer] = []
    try:
        outcome = _with_error_that_can_be_sent(outcome)
        pickled = pickle.dumps(outcome, protocol=5, buffer_callback=buffers.append)
    except Exception as error:  # a class that the parent cannot find
        buffers.clear()
        pickled = pickle.dumps(_with_error_that_can_be_sent(_failure(error)))
    connection.send((number, pickled))
    blocks.send(connection, [buffer.raw() for buffer in buffers])


def _with_error_that_can_be_sent(outcome: Any) -> Any:
    """`outcome`; exceptions that cannot be pickled, as many of one's own, are told in words."""
    if not isinstance(outcome, LoadFailure):
        failure = getattr(outcome, "failure", None)  # of a chunk
        if failure is None:
            return outcome
        return replace(outcome, failure=_with_error_that_can_be_sent(failure))
    try:
        pickle.loads(pickle.dumps(outcome))
    except Exception:
        error = RuntimeError(f"{type(outcome.error).__name__}: {outcome.error}")
        return replace(outcome, error=error)
    return outcome
