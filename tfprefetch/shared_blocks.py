"""Memory that a worker process shares with its parent, in blocks that are used again and again.

    blocks = WrittenBlocks()              # in the worker
    blocks.send(connection, buffers)      # some bytes-like objects
    buffers = ReadBlocks().receive(...)   # in the parent: views of the same memory, not copied

A block has no name in any file system. Its file descriptor travels over the connection when the
block is new, so nothing can be left behind, however either process ends. A block is free again
when the parent's arrays of it are gone; the parent tells that with its next task.
"""

from __future__ import annotations

import mmap
import os
import socket
import weakref
from collections import deque
from collections.abc import Iterable, Sequence
from multiprocessing.connection import Connection

import numpy as np

from tfprefetch.aligned import ALIGNMENT_BYTES, aligned_bytes

_SHARES_MEMORY = hasattr(os, "memfd_create") and hasattr(socket, "send_fds")  # Linux
_INLINE_BYTES = 4096  # so little is sent over the connection, which is quicker
_PAGE_BYTES = mmap.PAGESIZE


class WrittenBlocks:
    """A worker's blocks."""

    def __init__(self) -> None:
        self._memory: dict[int, mmap.mmap] = {}
        self._free: set[int] = set()

    def release(self, numbers: Iterable[int]) -> None:
        """These blocks may be written again."""
        self._free.update(numbers)

    def send(self, connection: Connection, buffers: Sequence[memoryview]) -> None:
        """Sends what a parent's `ReadBlocks.receive` understands."""
        layout, size = [], 0
        for buffer in buffers:
            layout.append((size, buffer.nbytes))
            size += -(-buffer.nbytes // ALIGNMENT_BYTES) * ALIGNMENT_BYTES
        if size <= _INLINE_BYTES or not _SHARES_MEMORY:
            connection.send((None, size, layout))
            if size:
                memory = np.empty(size, np.uint8)
                _fill(memory, buffers, layout)
                connection.send_bytes(memory)
            return
        number, descriptor = self._take(size)
        _fill(np.frombuffer(self._memory[number], np.uint8), buffers, layout)
        connection.send((number, size if descriptor is None else -size, layout))
        if descriptor is not None:
            with socket.socket(fileno=os.dup(connection.fileno())) as channel:
                socket.send_fds(channel, [b"d"], [descriptor])
            os.close(descriptor)

    def _take(self, size: int) -> tuple[int, int | None]:
        """A block of at least `size` bytes; with its file descriptor if it is new to the parent."""
        fitting = [number for number in self._free if len(self._memory[number]) >= size]
        if fitting:
            number = min(fitting, key=lambda number: len(self._memory[number]))
            self._free.remove(number)
            return number, None
        # A larger one takes the place of one that is too small.
        number = self._free.pop() if self._free else len(self._memory)
        size = -(-(size + size // 4) // _PAGE_BYTES) * _PAGE_BYTES  # the next may be larger
        descriptor = os.memfd_create("tfprefetch")
        os.ftruncate(descriptor, size)
        self._memory[number] = mmap.mmap(descriptor, size)
        return number, descriptor


class ReadBlocks:
    """A parent's view of one worker's blocks.

    Args:
        most_held: how many blocks may be in use at a time. What would be more is copied, so that
            a program that keeps all elements does not keep as many blocks.
    """

    def __init__(self, most_held: int) -> None:
        self._memory: dict[int, mmap.mmap] = {}
        self._most_held = most_held
        self._held = 0
        self._released: deque[int] = deque()  # appended to wherever an array is collected

    def released(self) -> list[int]:
        """The blocks that are free since the last call."""
        numbers = [self._released.popleft() for _ in range(len(self._released))]
        self._held -= len(numbers)
        return numbers

    def receive(self, connection: Connection) -> list[memoryview]:
        """The buffers that the worker sent: writable, and the caller's alone."""
        number, size, layout = connection.recv()
        if number is None:
            memory = aligned_bytes(size)
            if size:
                connection.recv_bytes_into(memory)
        else:
            if size < 0:
                size = -size
                with socket.socket(fileno=os.dup(connection.fileno())) as channel:
                    _, descriptors, _, _ = socket.recv_fds(channel, 1, 1)
                if not descriptors:
                    raise OSError(
                        "this process has as many files open as it may, and no room for memory "
                        "that it shares with a worker: raise the limit (ulimit -n), or close some"
                    )
                (descriptor,) = descriptors
                self._memory[number] = mmap.mmap(descriptor, os.fstat(descriptor).st_size)
                os.close(descriptor)
            memory = np.frombuffer(self._memory[number], np.uint8, size)
            self._held += 1
            if self._held > self._most_held:
                copy = aligned_bytes(size)
                copy[:] = memory
                memory = copy
                self._released.append(number)
            else:
                # All arrays that are made of this one keep it alive.
                weakref.finalize(memory, self._released.append, number).atexit = False
        return [memoryview(memory[begin : begin + size]) for begin, size in layout]


def _fill(
    memory: np.ndarray, buffers: Sequence[memoryview], layout: Sequence[tuple[int, int]]
) -> None:
    for buffer, (begin, size) in zip(buffers, layout, strict=True):
        memory[begin : begin + size] = np.frombuffer(buffer, np.uint8)
