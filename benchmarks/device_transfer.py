"""Steps on the GPU, their batches copied there before each step or during the step before it.

    python benchmarks/device_transfer.py --step_ms=5 --batch_megabytes=64

A step is matrix products, as many as take `--step_ms` where the data is there already, and the
sum of the batch, so that no step can do without it. Without a GPU, everything runs on the CPU:
there is nothing to copy then, and both ways are equal.
"""

from __future__ import annotations

import functools
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
from absl import app, flags

from tfprefetch.device import prefetch_to_device

FLAGS = flags.FLAGS
flags.DEFINE_float("step_ms", 5.0, "how long a step computes", lower_bound=0.1)
flags.DEFINE_integer("batch_megabytes", 64, "size of a batch, in units of 2**20 bytes", 1)
flags.DEFINE_integer("buffer_size", 2, "batches that wait on the device", lower_bound=1)
flags.DEFINE_integer("steps", 100, "steps in a turn", lower_bound=1)
flags.DEFINE_integer("rounds", 5, "how many turns each contestant has", lower_bound=1)
flags.DEFINE_string("device", None, "where steps run, such as GPU:1; by default the first GPU")

_RUN_UP = 5  # steps before the clock starts: uses up what was copied ahead in between
_CALIBRATIONS = 8
_ROW = 1 << 18  # floats: 1 MiB

Step = Callable[[Any], tf.Tensor]


@dataclass(frozen=True)
class Score:
    """A contestant's turns.

    Attributes:
        name: the contestant.
        step_ms: milliseconds per step, one for each round.
        ratios: the same, divided by those of the step alone in that round.
    """

    name: str
    step_ms: tuple[float, ...]
    ratios: tuple[float, ...]

    def cells(self) -> tuple[str, ...]:
        """The row of the table: name, median time, median ratio, the ratios' spread."""
        return (
            self.name,
            f"{statistics.median(self.step_ms):.2f}",
            f"{statistics.median(self.ratios):.2f}",
            f"{min(self.ratios):.2f} to {max(self.ratios):.2f}",
        )


def batches() -> tf.data.Dataset:
    """The same batch for ever, in the host's memory; making it costs nothing."""
    with tf.device("CPU:0"):
        batch = tf.random.stateless_uniform([FLAGS.batch_megabytes, _ROW], seed=[1, 2])
        return tf.data.Dataset.from_tensors(batch).repeat()


def on(device: str) -> tf.Tensor:
    """A batch that is there."""
    batch = next(iter(batches()))
    with tf.device(device):
        return tf.identity(batch)


def calibrated(device: str) -> Step:
    """A step on `device` that takes `--step_ms` with a batch that is there."""
    batch = on(device)
    with tf.device(device):
        is_gpu = "GPU" in batch.device
        size = 4096 if is_gpu else 256
        matrix = tf.random.stateless_uniform([size, size], seed=[3, 4]) / size
        # Half the precision, and the matrix units: what a training step would use.
        matrix = tf.cast(matrix, tf.bfloat16 if is_gpu else tf.float32)

        @tf.function(reduce_retracing=True)
        def step(batch: tf.Tensor, products: tf.Tensor) -> tf.Tensor:
            with tf.device(device):
                product = matrix
                for _ in tf.range(products):
                    product = tf.matmul(product, matrix)
                return tf.reduce_sum(batch) + tf.cast(product[0, 0], tf.float32)

    products = 1
    for _ in range(_CALIBRATIONS):
        run = functools.partial(step, products=tf.constant(products))
        elapsed_ms = min(time_ms(run, _repeated(batch), min(20, FLAGS.steps)) for _ in range(3))
        if abs(elapsed_ms / FLAGS.step_ms - 1) < 0.03:
            break
        # The sum takes its time, too: a step of no more than that cannot be made shorter.
        products = max(1, round(products * min(4.0, FLAGS.step_ms / elapsed_ms)))
    return functools.partial(step, products=tf.constant(products))


def time_ms(run: Step, elements: Iterator[Any], steps: int) -> float:
    """Milliseconds per step. Each step is waited for, as a loop does that looks at its loss."""
    for _ in range(min(steps, _RUN_UP)):
        run(next(elements)).numpy()
    start = time.perf_counter()
    for _ in range(steps):
        run(next(elements)).numpy()
    return (time.perf_counter() - start) * 1000 / steps


def _repeated(batch: tf.Tensor) -> Iterator[tf.Tensor]:
    while True:
        yield batch


def table(device: str) -> str:
    """Holds the contest, on `device`."""
    step = calibrated(device)
    contestants = {
        "step alone, batch on the device": _repeated(on(device)),
        "prefetch (on the host)": iter(batches().prefetch(FLAGS.buffer_size)),
        "prefetch_to_device": iter(batches().apply(prefetch_to_device(device, FLAGS.buffer_size))),
    }
    rounds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(FLAGS.rounds):
        for name, elements in contestants.items():  # in turns, as machines change their pace
            rounds[name].append(time_ms(step, elements, FLAGS.steps))
    reference = rounds["step alone, batch on the device"]
    rows = [("contestant", "ms/step", "ratio", "spread")]
    for name, turns in rounds.items():
        ratios = tuple(turn / first for turn, first in zip(turns, reference, strict=True))
        rows.append(Score(name, tuple(turns), ratios).cells())
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, tuple("-" * width for width in widths))
    return "\n".join(
        "  ".join(
            [cells[0].ljust(widths[0])]
            + [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
        )
        for cells in rows
    )


def main(arguments: list[str]) -> None:
    """Prints where it ran, and the table."""
    if len(arguments) > 1:
        raise app.UsageError(f"unknown arguments: {arguments[1:]}")
    gpus = tf.config.list_physical_devices("GPU")
    device = FLAGS.device or ("GPU:0" if gpus else "CPU:0")
    prefetch_to_device(device)  # says so if there is no such device
    where = device if gpus else f"{device} (no GPU: nothing is copied)"
    print(f"{where}, batches of {FLAGS.batch_megabytes} MiB, steps of {FLAGS.step_ms:g} ms")
    print(table(device))


if __name__ == "__main__":
    app.run(main)
