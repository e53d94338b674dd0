"""Functions that worker processes import, so nothing here needs TensorFlow."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np


def pair(number):
    return np.full([3], number, np.float64), {"number": number, "name": f"n{number}"}


def squares(number):
    return np.arange(number, dtype=np.int64) ** 2


def ones(number):
    return np.full([100_000], number, np.float32)


def identify(number):
    """Who does the work, and whether it has TensorFlow."""
    return os.getpid(), "tensorflow" in sys.modules


def refuse_seven(number):
    if number == 7:
        raise FileNotFoundError(f"no file for {number}")
    return number


class ThatCannotBeSent(Exception):
    def __init__(self, first, second):
        super().__init__(f"{first} and {second}")


def raise_what_cannot_be_sent(number):
    raise ThatCannotBeSent("salt", "pepper")


def leave(number):
    if number == 3:
        sys.exit("enough")
    return number


def not_contiguous(item):
    return np.zeros([1000, 1000], np.uint8)[:, ::2]


def kill_parent_of_none(number):
    """Somebody ends the worker, politely."""
    if number == 5:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
    return number


def local_type(number):
    class Local(tuple):
        __slots__ = ()
        _fields = ("x",)

        def __new__(cls, x):
            return super().__new__(cls, (x,))

    return Local(number)


def kill_at_seven(number):
    if number == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


class FailsToArrive:
    """Can be sent to worker processes, but not received there."""

    def __call__(self, number):
        return number

    def __reduce__(self):
        return os.kill, (0, 0, "one too many")


class Marks:
    """A generator's cleaning up leaves a file behind."""

    def __init__(self, path, count=10**9):
        self.path = Path(path)
        self.count = count

    def __call__(self):
        try:
            for number in range(self.count):
                (self.path / "at").write_text(str(number))
                yield number
        finally:
            os.close(os.open(self.path / "closed", os.O_CREAT))


def count_to_five():
    for number in range(5):
        yield {"number": number, "halves": [number / 2, number]}


def break_after_two():
    yield 1.0
    yield 2.0
    raise KeyError("no more")


def growing():
    for number in range(5):
        yield np.ones([number])


def kill_after_two():
    yield 1.0
    yield 2.0
    os.kill(os.getpid(), signal.SIGKILL)


def threads_of_loaders():
    return [thread for thread in threading.enumerate() if thread.name.startswith("tfprefetch")]


def raise_in_generator():
    yield 1.0
    raise ThatCannotBeSent("salt", "pepper")
