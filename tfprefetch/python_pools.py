"""Workers that call `load`: threads, or processes.

    pool = ThreadPool(work, workers=2)  # or ProcessPool(work, workers=2, most_held=8)
    pool.submit(0, ["a.wav"])
    pool.submit(1, ["b.wav"])
    pool.wait()  # (0, <arrays or LoadFailure>), or number 1, whichever is there first
    pool.close()

A pool is used by one thread at a time, and has no thread of its own in between: replies are
received where they are waited for. So a Python loop in the program does not lose time to it.
"""

from __future__ import annotations

import atexit
import collections
import contextlib
import multiprocessing
import multiprocessing.connection
import multiprocessing.util  # registers what it does at exit
import os
import queue
import signal
import threading
import time
import weakref
from collections.abc import Sequence
from multiprocessing.reduction import ForkingPickler
from typing import Any

from tfprefetch.python_worker import Worker
from tfprefetch.shared_blocks import ReadBlocks
from tfprefetch.worker_process import READY, receive, serve

_SECONDS_TO_END = 2.0  # then processes are killed
_SECONDS_TO_LEAVE = 0.1


class WorkerDied(RuntimeError):
    """A worker process ended before its work was done.

    Attributes:
        number: the task it was at; None if it died before it began.
    """

    def __init__(self, number: int | None, message: str) -> None:
        super().__init__(number, message)
        self.number = number

    def __str__(self) -> str:
        return self.args[1]


class PoolClosed(RuntimeError):
    """Somebody closed the pool while a result was waited for."""

    def __init__(self) -> None:
        super().__init__("closed while an element was waited for")


class ThreadPool:
    """Calls `work` in threads."""

    def __init__(self, work: Worker, workers: int) -> None:
        self._tasks: queue.SimpleQueue = queue.SimpleQueue()
        self._results: queue.SimpleQueue = queue.SimpleQueue()
        is_closed = threading.Event()
        self._close = weakref.finalize(
            self, _end_threads, self._tasks, self._results, is_closed, workers
        )
        _close_at_exit(self)
        for position in range(workers):
            # Daemons, because nobody wants to wait for `load` when the program ends.
            threading.Thread(
                target=_work_on,
                args=(work, self._tasks, self._results, is_closed),
                name=f"tfprefetch-load-{position}",
                daemon=True,
            ).start()

    def submit(self, number: int, items: Sequence[Any]) -> None:
        """Has the items loaded; `wait` delivers the result under this number."""
        self._tasks.put((number, items))

    def wait(self) -> tuple[int, Any]:
        """Any task's number and its result, once there is one.

        Raises:
            PoolClosed: it was closed meanwhile.
        """
        result = self._results.get()
        if result is None:
            raise PoolClosed
        return result

    def close(self) -> None:
        """Ends the threads once they have done what they are at; does not wait for it."""
        _close_now(self._close)


def _work_on(
    work: Worker, tasks: queue.SimpleQueue, results: queue.SimpleQueue, is_closed: threading.Event
) -> None:
    while (task := tasks.get()) is not None and not is_closed.is_set():
        number, items = task
        results.put((number, work(items)))
        del task, items  # not kept while waiting for the next
    work.close()


def _end_threads(
    tasks: queue.SimpleQueue, results: queue.SimpleQueue, is_closed: threading.Event, workers: int
) -> None:
    is_closed.set()
    results.put(None)
    for _ in range(workers):
        tasks.put(None)


class ProcessPool:
    """Calls `work` in processes.

    Args:
        work: must be picklable.
        workers: how many processes.
        most_held: how many results may be in use at a time before they are copied, per worker.
    """

    def __init__(self, work: Worker, workers: int, most_held: int) -> None:
        if multiprocessing.current_process().daemon:
            raise RuntimeError(
                "use_multiprocessing=True does not work in a daemonic process, which may not have "
                "processes of its own: start that one with daemon=False, or use threads here"
            )
        # Not fork: TensorFlow's threads, and what locks they hold, do not survive it.
        context = multiprocessing.get_context("spawn")
        pickled = None
        # What only a process that is about to start can be given, as locks, goes with it. All else
        # is sent: while a process is started, nobody would notice that it died reading.
        with contextlib.suppress(RuntimeError):
            pickled = bytes(ForkingPickler.dumps(work))
        self._workers: list[_Process] = []
        self._ready: collections.deque[tuple[int, Any]] = collections.deque()
        self._close = weakref.finalize(self, _close, self._workers, os.getpid())
        _close_at_exit(self)
        try:
            for position in range(workers):
                given = work if pickled is None else None
                self._workers.append(_Process(context, given, most_held, position))
            if pickled is not None:
                for worker in self._workers:
                    worker.send_work(pickled)
        except BaseException:
            self.close()
            raise

    def submit(self, number: int, items: Sequence[Any]) -> None:
        """Has the items loaded; `wait` delivers the result under this number.

        Raises:
            WorkerDied: a worker is gone.
        """
        worker = min(self._workers, key=lambda worker: len(worker.numbers))
        worker.send(number, items)

    def wait(self) -> tuple[int, Any]:
        """Any task's number and its result, once there is one.

        Raises:
            WorkerDied: a worker is gone.
            PoolClosed: it was closed meanwhile.
        """
        try:
            while not self._ready:
                self._receive()
        except (OSError, TypeError, ValueError):  # of connections that are closed
            if self._close.alive:
                raise
            raise PoolClosed from None
        return self._ready.popleft()

    def _receive(self) -> None:
        """Waits for something from the workers."""
        waiting: dict[Any, _Process] = {}
        for worker in self._workers:
            waiting[worker.connection] = worker
            waiting[worker.process.sentinel] = worker
        for ready in multiprocessing.connection.wait(list(waiting)):
            worker = waiting[ready]
            if ready is worker.connection:
                number, outcome = worker.receive()
                if number != READY:
                    self._ready.append((number, outcome))
            elif not worker.connection.poll():  # what it sent before it ended is good
                raise worker.death()

    def close(self) -> None:
        """Ends the processes, also in the middle of their work."""
        _close_now(self._close)


class _Process:
    """One process, and the tasks it has."""

    def __init__(self, context: Any, work: Worker | None, most_held: int, position: int) -> None:
        self.numbers: collections.deque[int] = collections.deque()
        self._blocks = ReadBlocks(most_held)
        self.connection, others_end = context.Pipe()
        self.process = context.Process(
            target=serve, args=(others_end, work), name=f"tfprefetch-load-{position}", daemon=True
        )
        try:
            self.process.start()
        finally:
            others_end.close()  # so that the worker's end is seen here
        self._is_ready = False

    def send_work(self, pickled: bytes) -> None:
        with contextlib.suppress(ConnectionError):  # that it is dead is seen later
            self.connection.send_bytes(pickled)

    def send(self, number: int, items: Sequence[Any]) -> None:
        self.numbers.append(number)
        # By itself, so that what cannot be unpickled there is an error of this task alone.
        pickled = bytes(ForkingPickler.dumps(items))
        try:
            self.connection.send((number, pickled, self._blocks.released()))
        except ConnectionError:
            raise self.death() from None

    def receive(self) -> tuple[int, Any]:
        try:
            number, outcome = receive(self.connection, self._blocks)
        except (EOFError, ConnectionError):
            raise self.death() from None
        if number == READY:
            self._is_ready = True
        else:
            self.numbers.remove(number)
        return number, outcome

    def death(self) -> WorkerDied:
        self.process.join(5.0)
        code = self.process.exitcode
        how = f"exit code {code}"
        # One that handles SIGTERM ends with the code that a shell gives for it.
        number = signal.SIGTERM if code == 128 + signal.SIGTERM else -(code or 0)
        if number > 0:
            with contextlib.suppress(ValueError):
                how = f"signal {signal.Signals(number).name}"
            if number == signal.SIGKILL:
                how += ", which is what the system sends when memory runs out"
        if not self._is_ready:
            return WorkerDied(
                None,
                f"a worker process ended while it started ({how}); what it printed on stderr says "
                "why. Most often a module cannot be imported there, or the program has no "
                '`if __name__ == "__main__":` around what starts it',
            )
        return WorkerDied(
            self.numbers[0] if self.numbers else None, f"a worker process was ended ({how})"
        )


def _close(workers: list[_Process], owner: int) -> None:
    if os.getpid() != owner:
        return  # a fork of the program ended, whose workers these are not
    for worker in workers:
        worker.connection.close()
        worker.process.terminate()  # nothing of it is needed, and `load` may take its time
    deadline = time.monotonic() + _SECONDS_TO_END
    for worker in workers:
        worker.process.join(max(deadline - time.monotonic(), 0.0))
        if worker.process.exitcode is None:  # it does not get to the signal, or ignores it
            worker.process.kill()
            worker.process.join()


def _close_now(finalizer: weakref.finalize) -> None:
    # Calling it does nothing any more once `weakref` has done what it does at exit.
    detached = finalizer.detach()
    if detached is not None:
        _, function, arguments, _ = detached
        function(*arguments)


_open_pools: weakref.WeakSet = weakref.WeakSet()
_program_ends = threading.Event()


def _close_at_exit(pool: ThreadPool | ProcessPool) -> None:
    if _program_ends.is_set():  # tf.data goes on asking until its iterators are gone
        raise PoolClosed
    pool._close.atexit = False  # that may come too late, see below
    _open_pools.add(pool)


@atexit.register  # before what multiprocessing registered, which waits for processes to end
def _close_all() -> None:
    _program_ends.set()
    pools = list(_open_pools)
    for pool in pools:
        pool.close()
    if pools:
        # A thread of tf.data's that waited for an element needs Python to leave. When that is gone
        # it would be stuck, and with it whoever destroys the iterator.
        time.sleep(_SECONDS_TO_LEAVE)
