"""How far a loop is, and how long it waits for its data: `progress`.

for batch in tfprefetch.progress(dataset):
    step(batch)

1,234/3,300  105/s  0:19 left  12% waiting for data  [===========>                   ]
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TextIO, TypeVar

import tensorflow as tf

_SECONDS_BETWEEN = 0.1  # at least, from one look of the bar to the next
_SHORTEST_BAR = 10  # characters

Element = TypeVar("Element")


def progress(dataset: Iterable[Element], total: int | None = None) -> Iterable[Element]:
    """Iterates over `dataset`, with a bar on stderr, or in the output of a Jupyter cell.

    The bar says how many elements came, of how many, how many per second and how long the rest
    will take (on average since the loop began), and which share of that time the loop spent waiting
    for an element. Near 0 %, the input is as fast as it needs to be; near 100 %, the loop does
    little but wait, and faster input makes it faster. The bar is as wide as the terminal; it
    changes when an element is asked for or comes, ten times a second at most. When the loop ends,
    for whatever reason, the line is ended, too.

    Where stderr is neither a terminal nor Jupyter's nothing is written.

    Args:
        dataset: a dataset, or anything else to iterate over, such as what `prefetch_python`
            returns.
        total: how many elements there are; by default the cardinality of the dataset, or
            `len(dataset)`, where that is known.

    Returns:
        What gives the elements of `dataset` unchanged, as often as that can be iterated over. Its
        `len()` is `total`; a TypeError where that is not known, or infinite. Errors of the dataset
        pass unchanged.

    Raises:
        TypeError: at once, for what cannot be iterated over, or a total that is no integer.
        ValueError: at once, for a negative total.
        RuntimeError: from the loop, for a dataset in a graph or in a `tf.function`, where Python
            cannot iterate over it.

    >>> [int(number) for number in progress(tf.data.Dataset.range(3))]
    [0, 1, 2]
    >>> len(progress(tf.data.Dataset.range(3).repeat(2)))
    6
    """
    if not hasattr(dataset, "__iter__") and not hasattr(dataset, "__getitem__"):
        raise TypeError(f"dataset must be something to iterate over, got {dataset!r}")
    if total is None:
        try:
            total = len(dataset)
        except TypeError:  # not known, or infinite
            pass
    elif isinstance(total, bool) or not hasattr(total, "__index__"):
        raise TypeError(f"total must be an integer, or None, got {total!r}")
    elif total < 0:
        raise ValueError(f"total must be at least 0, or None where it is not known, got {total}")
    return _Progress(dataset, total)


@dataclass(frozen=True)
class _Progress(Generic[Element]):
    """The arguments of `progress`."""

    dataset: Iterable[Element]
    total: int | None

    def __len__(self) -> int:
        if self.total is None:
            raise TypeError("the number of elements is not known, or infinite: give progress total")
        return self.total

    def __iter__(self) -> Iterator[Element]:
        is_pipeline = isinstance(self.dataset, tf.data.Dataset | tf.data.Iterator)
        if is_pipeline and not tf.executing_eagerly():
            # In a tf.function Python would never see the end of it.
            raise RuntimeError(
                "progress iterates in Python, which needs eager execution: iterate over the "
                "dataset itself here"
            )
        show = _look()
        if show is None:
            return iter(self.dataset)
        return _shown(self.dataset, self.total, show)


@dataclass(frozen=True)
class _State:
    """How far a loop is.

    Attributes:
        done: the number of elements that came.
        total: the number of all elements, None if not known.
        elapsed_s: seconds since the loop began.
        waited_s: seconds of it that the loop waited for elements.
        is_last: whether the loop has ended.
    """

    done: int
    total: int | None
    elapsed_s: float
    waited_s: float
    is_last: bool = False

    def parts(self) -> list[str]:
        """What there is to say, the most important first."""
        known = self.total is not None and self.done <= self.total
        parts = [f"{self.done:,}/{self.total:,}" if known else f"{self.done:,}"]
        if self.done and self.elapsed_s:
            rate = self.done / self.elapsed_s
            parts.append(f"{rate:,.0f}/s" if rate >= 100 else f"{rate:.3g}/s")
            if known and not self.is_last:
                parts.append(f"{_clock((self.total - self.done) / rate)} left")
        if self.is_last:
            parts.append(f"took {_clock(self.elapsed_s)}")
        if self.elapsed_s:
            parts.append(f"{self.waited_s / self.elapsed_s:.0%} waiting for data")
        return parts

    def line(self, columns: int) -> str:
        """One line of at most `columns` characters: what fits, and a bar if there is room."""
        first, *rest = self.parts()
        line = first[:columns]
        for part in rest:
            if len(line) + 2 + len(part) > columns:
                break
            line += "  " + part
        room = columns - len(line) - len("  []")
        if self.total and self.done <= self.total and room >= _SHORTEST_BAR:
            filled = room * self.done // self.total
            bar = "=" * filled + ">" * (filled < room)
            line += f"  [{bar:{room}}]"
        return line

    def __repr__(self) -> str:
        return "  ".join(self.parts())

    def _repr_html_(self) -> str:
        text = " &nbsp; ".join(self.parts())
        if not self.total or self.done > self.total:
            return text
        return f'<progress value="{self.done}" max="{self.total}"></progress> &nbsp; {text}'


def _clock(seconds: float) -> str:
    """`0:19`, `1:05:00`."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _shown(
    dataset: Iterable[Element], total: int | None, show: Callable[[_State], None]
) -> Iterator[Element]:
    """The elements of `dataset`; between them, `show` is called."""
    now = time.perf_counter
    begin = now()
    waited_s = 0.0
    done = 0
    show(_State(done, total, 0.0, waited_s))
    due = now() + _SECONDS_BETWEEN
    try:
        # That an iterator has to start counts as waiting.
        asked = now()
        iterator = iter(dataset)
        while True:
            try:
                element = next(iterator)
            except StopIteration:
                return
            finally:
                came = now()
                waited_s += came - asked
            done += 1
            if came >= due:
                show(_State(done, total, came - begin, waited_s))
                due = now() + _SECONDS_BETWEEN
            yield element
            asked = now()
    finally:  # also after an error, and when the loop is left by `break`
        show(_State(done, total, now() - begin, waited_s, is_last=True))


def _look() -> Callable[[_State], None] | None:
    """The function that shows a state; None where nobody would see it."""
    # Who is in Jupyter has imported IPython; nobody else needs it.
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if getattr(shell, "kernel", None) is not None:  # else it is IPython in a terminal
        return _cell()
    stream = sys.stderr
    if hasattr(stream, "isatty") and not _is_closed(stream) and stream.isatty():
        return _terminal(stream)
    return None


def _cell() -> Callable[[_State], None]:
    """Shows states in the output of a Jupyter cell."""
    display = sys.modules["IPython.display"].display
    handle = None

    def show(state: _State) -> None:
        nonlocal handle
        if handle is None:
            handle = display(state, display_id=True)
        else:
            handle.update(state)

    return show


def _terminal(stream: TextIO) -> Callable[[_State], None]:
    """Shows states in the last line of a terminal."""
    is_gone = False

    def show(state: _State) -> None:
        nonlocal is_gone
        if is_gone or _is_closed(stream):
            return
        # One column stays free, as some terminals begin a new line behind the last.
        columns = max(_columns(stream) - 1, 1)
        try:
            stream.write("\r" + state.line(columns).ljust(columns) + "\n" * state.is_last)
            stream.flush()
        except OSError:
            # The terminal was closed, and the program still runs: let it.
            is_gone = True

    return show


def _is_closed(stream: TextIO) -> bool:
    return getattr(stream, "closed", False)


def _columns(stream: TextIO) -> int:
    """How wide the terminal is."""
    try:
        columns = os.get_terminal_size(stream.fileno()).columns
    except OSError:
        columns = 0
    # Not all terminals tell.
    return columns or shutil.get_terminal_size().columns
