"""Scenarios: small programs, written once, run by TensorFlow 1.15.5 and by whatever stands for it.

A scenario is a function of a `tf` module and a directory of small files. It returns what can be
observed from outside as JSON: values, shapes, the exception that ended it. This module runs on
Python 3.7 too, as TensorFlow 1.15.5 needs it.

    @scenario
    def range_in_order(tf, files):
        return drain(tf, tf.train.range_input_producer(3, num_epochs=1, shuffle=False).dequeue())
"""

from __future__ import annotations

import collections
import dataclasses
import json
import os
import select
import signal
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

TIMEOUT_S = 60  # for a whole scenario; then it is killed
GROUP = 50  # scenarios in one process
RUN_TIMEOUT_MS = 20_000  # for one session.run; then it raises DeadlineExceededError
JOIN_TIMEOUT_S = 10


@dataclasses.dataclass(frozen=True)
class Scenario:
    """One scenario.

    Attributes:
      run: called with the module that stands for TensorFlow, and the directory of files.
      differs: why compat's outcome is meant to be another one than TensorFlow 1's.
      instead: the keys of the outcome that differ, with compat's values.
      covers: the arguments that it shows the effect of, such as `"batch.capacity"`.
      against: the scenario that is the same without that argument; its outcome has to differ.
    """

    run: Callable[[Any, Path], Any]
    differs: str = ""
    instead: dict[str, Any] = dataclasses.field(default_factory=dict)
    covers: tuple[str, ...] = ()
    against: str = ""


SCENARIOS: dict[str, Scenario] = {}


def add(
    name: str,
    run: Callable[[Any, Path], Any],
    differs: str = "",
    covers: tuple[str, ...] = (),
    against: str = "",
    **instead: Any,
) -> None:
    """Enters a scenario under `name`."""
    if name in SCENARIOS:
        raise ValueError(f"two scenarios are called {name!r}")
    if bool(differs) != bool(instead):
        raise ValueError(f"{name}: `differs` needs the keys that differ, and they need it")
    SCENARIOS[name] = Scenario(run, differs, instead, covers, against)


def scenario(run: Callable[[Any, Path], Any]) -> Callable[[Any, Path], Any]:
    """Enters a function under its own name."""
    add(run.__name__, run)
    return run


def differs(reason: str, **instead: Any) -> Callable:
    """Enters a function whose outcome differs from TensorFlow 1's on purpose."""

    def decorate(run: Callable[[Any, Path], Any]) -> Callable[[Any, Path], Any]:
        add(run.__name__, run, reason, **instead)
        return run

    return decorate


# ---------------------------------------------------------------- to be used by scenarios


def session(tf: Any) -> Any:
    """A session in which nothing waits for ever."""
    # Threads of its own: those of another scenario may still be blocked.
    return tf.Session(
        config=tf.ConfigProto(
            operation_timeout_in_ms=RUN_TIMEOUT_MS,
            use_per_session_threads=True,
            inter_op_parallelism_threads=4,
        )
    )


def initialize(tf: Any, sess: Any) -> None:
    """Runs both initializers, as every TF1 program did."""
    sess.run([tf.global_variables_initializer(), tf.local_variables_initializer()])


def fetch(run: Callable[[], Any], limit: int) -> dict[str, Any]:
    """Calls `run` up to `limit` times; `ended` is the exception that ended it."""
    values: list[Any] = []
    ended = "limit"
    try:
        while len(values) < limit:
            values.append(run())
    except Exception as error:
        ended = type(error).__name__
    return {"values": values, "ended": ended}


def join(coord: Any, threads: Any) -> str | None:
    """Stops; returns the type of what `coord.join` raised."""
    coord.request_stop()
    try:
        coord.join(threads, stop_grace_period_secs=JOIN_TIMEOUT_S)
    except Exception as error:
        return type(error).__name__
    return None


def drain(tf: Any, fetches: Any, limit: int = 200) -> dict[str, Any]:
    """The usual loop: initialize, start, fetch until something is raised, stop, join."""
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        outcome = fetch(lambda: sess.run(fetches), limit)
        outcome["joined"] = join(coord, threads)
    return outcome


def as_multiset(outcome: dict[str, Any], flatten: bool = True) -> dict[str, Any]:
    """The outcome where order is not defined: all elements, sorted, and the sizes of batches."""
    values = plain(outcome["values"])
    if flatten and values and isinstance(values[0], list):
        outcome = {**outcome, "sizes": [len(batch) for batch in values]}
        values = [element for batch in values for element in batch]
    return {**outcome, "values": sorted(values)}


def raised(call: Callable[[], Any], *words: str) -> dict[str, Any]:
    """What `call` raises, and whether the message has these words."""
    try:
        call()
    except Exception as error:
        text = str(error).lower()
        return {"raises": type(error).__name__, "says": {word: word in text for word in words}}
    return {"raises": None, "says": {}}


def static(tensors: Any) -> Any:
    """Static shapes and dtypes, in the structure of `tensors`, with the types of containers."""
    if isinstance(tensors, dict):
        return {"dict": {key: static(value) for key, value in tensors.items()}}
    if isinstance(tensors, (list, tuple)):
        return {type(tensors).__name__: [static(tensor) for tensor in tensors]}
    if hasattr(tensors, "dense_shape"):
        return {"sparse": {"shape": dimensions(tensors.get_shape()), "dtype": tensors.dtype.name}}
    return {"shape": dimensions(tensors.shape), "dtype": tensors.dtype.name}


def dimensions(shape: Any) -> list[int | None] | None:
    """`[2, None]`, or None where the rank is not known."""
    return None if shape.ndims is None else shape.as_list()


def plain(value: Any) -> Any:
    """`value` as JSON can hold it."""
    if isinstance(value, dict):
        return {key: plain(value[key]) for key in value}
    if hasattr(value, "dense_shape"):
        return {name: plain(getattr(value, name)) for name in ("indices", "values", "dense_shape")}
    if isinstance(value, (list, tuple)):
        return [plain(element) for element in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, (bytes, Path)):
        return value.decode("latin-1") if isinstance(value, bytes) else str(value)
    return value


# ---------------------------------------------------------------- running them


def run_all(
    tf: Any,
    files: Path,
    names: list[str],
    also: Callable[[], Any] = lambda: None,
    processes: int = 0,
    is_wanted: Callable[[], bool] = lambda: True,
) -> dict[str, dict[str, Any]]:
    """Runs scenarios in processes of their own, `GROUP` in each.

    Args:
      tf: the module that stands for TensorFlow.
      files: the directory of files.
      names: which scenarios.
      also: called in the scenario's process after it.
      processes: how many at a time; 0 is one more than there are CPUs, as some only wait.
      is_wanted: asked about once a second; where it says no, all that runs is killed.

    Returns:
      By name, the `outcome`, and under `also` what `also()` returned in that process afterwards.
    """
    pending = collections.deque(names[at : at + GROUP] for at in range(0, len(names), GROUP))
    running: dict[int, Group] = {}
    results: dict[str, Any] = {}
    processes = processes or (os.cpu_count() or 1) + 1
    try:
        while pending or running:
            if not is_wanted():
                raise SystemExit("nobody waits for the outcomes any more")
            while pending and len(running) < processes:
                group = _fork(tf, files, pending.popleft(), also)
                running[group.pipe] = group
            for pipe in select.select(list(running), [], [], 1.0)[0]:
                group = running[pipe]
                data = os.read(pipe, 65536)
                *lines, group.partial = (group.partial + data).split(b"\n")
                for line in lines:
                    results[group.names.pop(0)] = json.loads(
                        line.decode().replace(str(files), "DIR")
                    )
                    group.since = time.monotonic()
                if data:
                    continue
                del running[pipe]
                os.close(pipe)
                status = os.waitpid(group.pid, 0)[1]
                if group.names:  # the first of them ended the process, the others have not run
                    died = {"outcome": {"died": f"wait status {status}"}, "also": None}
                    results[group.names.pop(0)] = died
                if group.names:
                    pending.appendleft(group.names)
            for group in running.values():
                if time.monotonic() - group.since > TIMEOUT_S:
                    os.kill(group.pid, signal.SIGKILL)
    finally:
        for group in running.values():
            os.kill(group.pid, signal.SIGKILL)
            os.waitpid(group.pid, 0)
    return {name: results[name] for name in sorted(results)}


@dataclasses.dataclass
class Group:
    """Scenarios that one process runs, one after the other, and those that it has still to run."""

    names: list[str]
    pid: int
    pipe: int
    since: float
    partial: bytes = b""


def _fork(tf: Any, files: Path, names: list[str], also: Callable[[], Any]) -> Group:
    # Processes, as a scenario that hangs or crashes must not take the others with it; several in
    # each, as the first pipeline of a process takes TensorFlow a second. No TensorFlow thread
    # exists before the fork, as nothing has run yet.
    read, write = os.pipe()
    pid = os.fork()
    if pid:
        os.close(write)
        return Group(list(names), pid, read, time.monotonic())
    try:
        with os.fdopen(write, "w") as pipe:
            for name in names:
                # The stacks of default graphs and sessions are a thread's; each has its own.
                result: dict[str, Any] = {}
                thread = threading.Thread(target=_run_one, args=(tf, files, name, result))
                thread.start()
                thread.join()
                pipe.write(json.dumps({"outcome": result["outcome"], "also": also()}) + "\n")
                pipe.flush()
    except BaseException:
        traceback.print_exc()
        os._exit(1)  # and leave the parent's files and processes to the parent
    os._exit(0)  # queue threads may still be blocked; the outcomes are out


def _run_one(tf: Any, files: Path, name: str, result: dict[str, Any]) -> None:
    try:
        with tf.Graph().as_default():
            result["outcome"] = plain(SCENARIOS[name].run(tf, files))
    except BaseException as error:
        traceback.print_exc()
        result["outcome"] = {"failed": type(error).__name__, "message": str(error)[:500]}
