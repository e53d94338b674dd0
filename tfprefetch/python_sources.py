"""Runs of Python loaders as a dataset: what connects `python_runs` with tf.data.

    steps_dataset(job, signature, next_key, name=None)

tf.data sees a function from a cursor to an element and the next cursor, in `Dataset.scan`. The
function belongs to no iterator: it looks for a run that stands at that cursor, and starts one where
there is none. So a checkpoint needs to hold nothing but cursors, and an iterator that is restored,
in whatever process, goes on like any other.

That an iterator is gone is seen by tokens: each element carries one, an array that TensorFlow takes
over instead of copying it, until it is handed on. Some elements always wait to be handed on, so a
run without tokens has nobody to work for.
"""

from __future__ import annotations

import itertools
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfprefetch.aligned import aligned_bytes
from tfprefetch.python_arguments import check_shapes, numpy_dtype
from tfprefetch.python_runs import Cursor, Job, Pool, Run

_ITERATOR_GONE_SECONDS = 0.5  # a run that nobody has asked for so long, with no token, ends
_POOL_KEPT_SECONDS = 1.0  # how long the next epoch may take to begin with the same workers
_LOOK_SECONDS = 0.1

_plain = tf.autograph.experimental.do_not_convert  # our own code needs no conversion


def steps_dataset(
    job: Job, signature: Any, next_key: Callable[[], int], name: str | None
) -> tf.data.Dataset:
    """The steps of `job`, in every iteration with another key.

    Args:
        job: what to load.
        signature: the specs of one item.
        next_key: the key of a new iteration.
        name: a name for the dataset's last operation.
    """
    specs = tf.nest.map_structure(lambda spec: _step_spec(job, spec), signature)
    runs = _Runs(job, specs)
    flat = tf.nest.flatten(specs)

    def fetch(cursor: tf.Tensor, _: tf.Tensor) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
        # Not stateful: a pipeline with stateful functions cannot be checkpointed.
        after, token, error, *leaves = tf.numpy_function(
            runs.fetch,
            [cursor],
            [tf.int64, tf.int64, tf.string, *(spec.dtype for spec in flat)],
            stateful=False,
        )
        after.set_shape([2 if job.deterministic else None])
        token.set_shape([])
        error.set_shape([])
        for leaf, spec in zip(leaves, flat, strict=True):
            leaf.set_shape(spec.shape)
        return after, (token, error, *leaves)

    def deliver(token: tf.Tensor, error: tf.Tensor, *leaves: tf.Tensor) -> Any:
        del token  # see above

        def fail() -> list[tf.Tensor]:
            # Not an Assert, which would write the traceback's line breaks as "\\n".
            nothing = tf.numpy_function(
                _raise, [error], [spec.dtype for spec in flat], stateful=False
            )
            for leaf, spec in zip(nothing, flat, strict=True):
                leaf.set_shape(spec.shape)
            return nothing

        leaves = tf.cond(tf.equal(error, ""), lambda: list(leaves), fail)
        return tf.nest.pack_sequence_as(specs, leaves)

    def first_cursor(_: tf.Tensor) -> tf.Tensor:
        key = tf.numpy_function(lambda _: np.int64(next_key()), [_], tf.int64, stateful=False)
        key.set_shape([])
        return tf.stack([key, tf.zeros([], tf.int64)])

    steps = tf.data.Dataset.range(2**62 if job.steps is None else job.steps)
    # The cursor is an element, which is saved; a function is only run once more.
    dataset = tf.data.Dataset.range(1).map(_plain(first_cursor))
    dataset = dataset.flat_map(_plain(lambda cursor: steps.scan(cursor, _plain(fetch))))
    cardinality = tf.data.INFINITE_CARDINALITY if job.steps is None else job.steps
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(cardinality))
    dataset = dataset.prefetch(1).map(_plain(deliver))
    return dataset if name is None else dataset.take(-1, name=name)


def _step_spec(job: Job, spec: tf.TensorSpec) -> tf.TensorSpec:
    if job.batch_size is None:
        return spec
    batch = job.batch_size if job.drop_remainder else None
    return tf.TensorSpec([batch, *spec.shape] if spec.shape.rank is not None else None, spec.dtype)


def _raise(error: bytes) -> None:
    message, _, trace = error.decode().partition("\n\n")
    raise ValueError(message) from (RuntimeError(f"in load:\n\n{trace}") if trace else None)


class _Live:
    """A run, and who needs it."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.is_fetching = False
        self.tokens: set[int] = set()  # not a count: any thread may be the one that loses one
        self._numbers = itertools.count()
        self.needed_at = time.monotonic()

    def new_token(self, value: int) -> np.ndarray:
        token = aligned_bytes(8).view(np.int64).reshape([])
        token[...] = value
        number = next(self._numbers)
        self.tokens.add(number)
        memory = token
        while isinstance(memory.base, np.ndarray):
            memory = memory.base
        weakref.finalize(memory, self._lose_token, number).atexit = False
        return token

    def _lose_token(self, number: int) -> None:
        self.tokens.discard(number)
        self.needed_at = time.monotonic()


class _Runs:
    """The runs of all iterators over one dataset."""

    def __init__(self, job: Job, specs: Any) -> None:
        self._job = job
        self._specs = specs
        self._lock = threading.Lock()
        self._live: list[_Live] = []
        self._idle_pools: list[tuple[float, Pool]] = []
        self._janitor: threading.Thread | None = None

    def fetch(self, cursor_array: np.ndarray) -> list[Any]:
        """The next cursor, a token, an error's text, and the leaves of the element."""
        cursor = Cursor.from_array(cursor_array)
        live = self._take(cursor)
        try:
            delivered = live.run.next()
            error = (
                "" if delivered.error is None else f"{delivered.error}\n\n{delivered.error.trace}"
            )
            leaves = []
            if not error:
                try:
                    check_shapes(delivered.value, self._specs)
                    leaves = tf.nest.flatten(delivered.value)
                except ValueError as mismatch:
                    error = str(mismatch)
            if error:
                leaves = [_placeholder(spec) for spec in tf.nest.flatten(self._specs)]
            token = live.new_token(cursor.step)
            return [delivered.cursor.to_array(), token, error.encode(), *leaves]
        finally:
            self._put_back(live)

    def _take(self, cursor: Cursor) -> _Live:
        with self._lock:
            for live in self._live:
                if not live.is_fetching and live.run.cursor == cursor:
                    break
            else:
                pool = self._idle_pools.pop()[1] if self._idle_pools else None
                live = _Live(Run(self._job, cursor, pool))
                self._live.append(live)
            live.is_fetching = True
            if self._janitor is None:
                self._janitor = threading.Thread(
                    target=self._clean_up, name="tfprefetch-janitor", daemon=True
                )
                self._janitor.start()
            return live

    def _put_back(self, live: _Live) -> None:
        with self._lock:
            live.is_fetching = False
            live.needed_at = time.monotonic()
            if live.run.has_ended:
                self._live.remove(live)
                if live.run.pool is not None:
                    self._idle_pools.append((time.monotonic(), live.run.pool))

    def _clean_up(self) -> None:
        """Ends what nobody needs any more; ends itself when there is nothing left."""
        while True:
            time.sleep(_LOOK_SECONDS)
            with self._lock:
                now = time.monotonic()
                gone = [
                    live
                    for live in self._live
                    if not (live.is_fetching or live.tokens)
                    and now - live.needed_at > _ITERATOR_GONE_SECONDS
                ]
                self._live = [live for live in self._live if live not in gone]
                old = [pool for since, pool in self._idle_pools if now - since > _POOL_KEPT_SECONDS]
                self._idle_pools = [(t, pool) for t, pool in self._idle_pools if pool not in old]
                if not self._live and not self._idle_pools:
                    self._janitor = None
                is_done = self._janitor is None
            for live in gone:
                live.run.close()
            for pool in old:
                pool.close()
            if is_done:
                return


def _placeholder(spec: tf.TensorSpec) -> np.ndarray:
    """What stands in an element that is only there to raise an error."""
    shape = [] if spec.shape.rank is None else [size or 0 for size in spec.shape.as_list()]
    return (
        np.zeros(shape, numpy_dtype(spec.dtype)) if spec.dtype != tf.string else np.full(shape, b"")
    )
