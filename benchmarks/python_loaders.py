"""A Python function that loads an item, and a step that uses it: what remains of the step's speed.

python benchmarks/python_loaders.py --load=compute --load_ms=5 --step_ms=5 --workers=2

`--load=wait` sleeps, as one that waits for a disk; `--load=compute` computes in Python, which only
processes do beside a step. The step computes elsewhere, as on a GPU: here it sleeps. The first row
has nothing to load, so its ratio is what is possible, as long as loading is not slower in all.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import contest
import numpy as np
import tensorflow as tf
from absl import flags

import tfprefetch

FLAGS = flags.FLAGS
flags.DEFINE_enum("load", "compute", ["wait", "compute"], "what the loader does")
flags.DEFINE_float("load_ms", 5.0, "how long loading an item takes", lower_bound=0.0)
flags.DEFINE_float("step_ms", 5.0, "how long a step takes", lower_bound=0.0)
flags.DEFINE_integer("workers", 2, "threads or processes", lower_bound=1)

ITEMS = range(10**6)
SHAPE = (1, 128, 128)  # 64 KiB of float32


def wait(item: int, load_ms: float) -> np.ndarray:
    """Loads an item without using the processor."""
    time.sleep(load_ms / 1e3)
    return np.full(SHAPE, item, np.float32)


def compute(item: int, load_ms: float) -> np.ndarray:
    """Loads an item in Python code."""
    end = time.perf_counter() + load_ms / 1e3
    while time.perf_counter() < end:
        pass
    return np.full(SHAPE, item, np.float32)


class Load:
    """The loader that the flags describe; worker processes have no flags."""

    def __init__(self) -> None:
        self.load = {"wait": wait, "compute": compute}[FLAGS.load]
        self.load_ms = FLAGS.load_ms

    def __call__(self, item: int) -> np.ndarray:  # noqa: D102
        return self.load(int(item), self.load_ms)


def steps(items: Iterator[Any]) -> contest.Step:
    """A step for each item."""

    def step() -> Any:
        item = next(items)
        time.sleep(FLAGS.step_ms / 1e3)
        return item

    return step


def step_alone(directory: Path) -> contest.Step:
    """What would be, if loading took no time."""
    item = np.zeros(SHAPE, np.float32)
    return steps(itertools.repeat(item))


def from_generator(directory: Path) -> contest.Step:
    """tf.data's own."""
    load = Load()
    spec = tf.TensorSpec(SHAPE, tf.float32)
    dataset = tf.data.Dataset.from_generator(lambda: map(load, ITEMS), output_signature=spec)
    return steps(iter(dataset.prefetch(tf.data.AUTOTUNE)))


def our(make: Callable[..., Any], *, use_multiprocessing: bool) -> Callable[[Path], contest.Step]:
    """One of tfprefetch's."""

    def start(directory: Path) -> contest.Step:
        options = {"use_multiprocessing": use_multiprocessing, "workers": FLAGS.workers}
        return steps(iter(make(Load(), ITEMS, **options)))

    return start


CONTESTANTS = {
    "the step alone": step_alone,
    "tf.data's from_generator": from_generator,
    "from_python, threads": our(tfprefetch.from_python, use_multiprocessing=False),
    "from_python, processes": our(tfprefetch.from_python, use_multiprocessing=True),
    "prefetch_python, threads": our(tfprefetch.prefetch_python, use_multiprocessing=False),
    "prefetch_python, processes": our(tfprefetch.prefetch_python, use_multiprocessing=True),
}

if __name__ == "__main__":
    contest.main(CONTESTANTS, lambda directory: None)
