"""Contestants side by side: each in a process of its own, reading in turns, in one run.

    CONTESTANTS = {"plain": make_plain, "ours": make_ours}  # from a directory to a `Step`

    if __name__ == "__main__":
        contest.main(CONTESTANTS, make_data)

Processes of their own, because TensorFlow's queues and eager execution exclude each other in one,
and because its thread pools and the autotuner would be shared. In turns, because what else the
machine does changes from second to second: a turn of each contestant makes a round, and the ratios
are taken within rounds. The first contestant is what the others are compared with.

The processes are forked, so that TensorFlow is imported once only. `make_data` must not run an
operation: TensorFlow's threads, once started, do not survive a fork.
"""

from __future__ import annotations

import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from absl import app, flags

Step = Callable[[], Any]  # the next batch: an array or tensor [records, ...]

FLAGS = flags.FLAGS
flags.DEFINE_float("seconds", 2.0, "how long a turn is", lower_bound=0.001)
flags.DEFINE_integer("rounds", 5, "how many turns each contestant has", lower_bound=1)
flags.DEFINE_integer("batch_size", 128, "records per batch", lower_bound=1)

_RUN_UP = 0.2  # seconds before the clock starts, per second: uses up what was read ahead in between


@dataclass(frozen=True)
class Score:
    """One contestant's turns.

    Attributes:
        name: the contestant.
        rates: records per second, one for each round.
        ratios: the same, divided by the first contestant's rate in that round.
    """

    name: str
    rates: tuple[float, ...]
    ratios: tuple[float, ...]

    def cells(self) -> tuple[str, ...]:
        """The row of the table: name, median rate, median ratio, the ratios' spread."""
        return (
            self.name,
            f"{statistics.median(self.rates):,.0f}",
            f"{statistics.median(self.ratios):.2f}",
            f"{min(self.ratios):.2f} to {max(self.ratios):.2f}",
        )


@dataclass(frozen=True)
class Result:
    """All scores; `str()` is a table."""

    scores: tuple[Score, ...]

    def __str__(self) -> str:
        rows = [("contestant", "records/s", "ratio", "spread")]
        rows += [score.cells() for score in self.scores]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        rows.insert(1, tuple("-" * width for width in widths))
        return "\n".join(
            "  ".join(
                [cells[0].ljust(widths[0])]
                + [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
            )
            for cells in rows
        )


def main(contestants: dict[str, Callable[[Path], Step]], make_data: Callable[[Path], None]) -> None:
    """Parses the flags, holds the contest and prints the table.

    Args:
        contestants: name to function that makes the pipeline out of the data's directory.
        make_data: writes the data into a directory, which is removed in the end.
    """

    def run(arguments: list[str]) -> None:
        if len(arguments) > 1:
            raise app.UsageError(f"unknown arguments: {arguments[1:]}")
        with tempfile.TemporaryDirectory() as directory:
            make_data(Path(directory))
            print(_contest(contestants, Path(directory)))

    app.run(run)


def _take_turns(make: Callable[[Path], Step], directory: Path, turns: Connection) -> None:
    """Sends the sum of the first batch; then, for the seconds of each turn, the rate."""
    step = make(directory)
    first = np.asarray(step(), dtype=np.float64)[: FLAGS.batch_size]
    turns.send(float(first.sum()))
    while True:
        seconds = turns.recv()
        _read(step, seconds * _RUN_UP)
        records, elapsed_s = _read(step, seconds)
        turns.send(records / elapsed_s)


def _read(step: Step, seconds: float) -> tuple[int, float]:
    """How many records came, and how long that took: at least `seconds`."""
    records, start = 0, time.perf_counter()
    while True:
        records += len(step())
        elapsed_s = time.perf_counter() - start
        if elapsed_s >= seconds:
            return records, elapsed_s


def _contest(contestants: dict[str, Callable[[Path], Step]], directory: Path) -> Result:
    fork = multiprocessing.get_context("fork")
    names, processes, turns = list(contestants), [], []
    try:
        for make in contestants.values():
            ours, theirs = fork.Pipe()
            process = fork.Process(target=_take_turns, args=(make, directory, theirs))
            process.start()
            theirs.close()  # so that its end is noticed here
            processes.append(process)
            turns.append(ours)
        sums = [_answer(name, turn) for name, turn in zip(names, turns, strict=True)]
        if not np.allclose(sums, sums[0]):
            sys.exit(f"the contestants deliver different data: {names}, first batches' sums {sums}")
        rates = np.zeros([FLAGS.rounds, len(names)])
        for round_ in range(FLAGS.rounds):
            for place, (name, turn) in enumerate(zip(names, turns, strict=True)):
                turn.send(FLAGS.seconds)
                rates[round_, place] = _answer(name, turn)
    finally:
        for process in processes:
            process.kill()  # not asked to end: some pipelines take long to stop
            process.join()
    ratios = rates / rates[:, :1]
    return Result(
        tuple(
            Score(name, tuple(rates[:, place].tolist()), tuple(ratios[:, place].tolist()))
            for place, name in enumerate(names)
        )
    )


def _answer(name: str, turns: Connection) -> float:
    try:
        return turns.recv()
    except EOFError:
        sys.exit(f"the contestant {name!r} ended; its error stands above")
