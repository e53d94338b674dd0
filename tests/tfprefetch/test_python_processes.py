"""`from_python`, `prefetch_python` and their like in worker processes, some of which are killed."""

from __future__ import annotations

import functools
import multiprocessing
import operator
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import loaders
import numpy as np
import psutil
import pytest
import tensorflow as tf
from waiting import until

from tfprefetch import from_python, prefetch_python

MAKERS = pytest.mark.parametrize("make", [from_python, prefetch_python])
prefetch = functools.partial(prefetch_python, use_multiprocessing=True, workers=2)
dataset_of = functools.partial(from_python, use_multiprocessing=True, workers=2)


def no_children():
    return not multiprocessing.active_children()


@pytest.fixture(autouse=True)
def _leaves_nothing_behind():
    yield
    assert until(no_children)


# --- elements -------------------------------------------------------------------------------------


def test_the_elements_are_those_of_threads():
    for options in ({}, {"batch_size": 3}, {"shuffle": True, "seed": 2, "num_epochs": 2}):
        here = list(prefetch_python(loaders.pair, range(8), **options))
        there = list(prefetch(loaders.pair, range(8), **options))
        tf.nest.map_structure(np.testing.assert_array_equal, here, there)


def test_large_arrays_come_intact_and_can_be_kept_and_written():
    arrays = []
    for position, array in enumerate(prefetch(loaders.ones, range(40))):  # more than are shared
        assert (array == position).all()
        array += 1
        arrays.append(array)
    assert all((array == position + 1).all() for position, array in enumerate(arrays))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="others have no nameless memory")
def test_shared_memory_has_no_name_that_could_be_left_behind():
    iterator = prefetch(loaders.ones, range(10))
    next(iterator)
    workers = [process.pid for process in multiprocessing.active_children()]
    here, *there = [Path(f"/proc/{pid}/maps").read_text() for pid in (os.getpid(), *workers)]
    assert "/memfd:tfprefetch (deleted)" in here
    # The other worker may still be about to start.
    assert any("/memfd:tfprefetch (deleted)" in maps for maps in there)
    assert not any("/dev/shm/" in maps for maps in (here, *there))
    iterator.close()


def test_a_dataset_of_large_arrays():
    dataset = dataset_of(loaders.ones, range(12), batch_size=2, drop_remainder=True)
    assert dataset.element_spec.shape == [2, 100_000]
    batches = list(dataset)
    assert [int(batch[1, 7]) for batch in batches] == [1, 3, 5, 7, 9, 11]


def test_the_work_is_done_in_processes_that_need_no_tensorflow():
    done = list(prefetch(loaders.identify, range(20)))
    workers = {int(process) for process, _ in done}
    assert 1 <= len(workers) <= 2
    assert os.getpid() not in workers
    assert not any(has_tensorflow for _, has_tensorflow in done)


def test_objects_and_partial_functions_can_be_sent():
    assert list(prefetch(functools.partial(operator.mul, 3), range(4))) == [0, 3, 6, 9]
    assert list(prefetch(operator.itemgetter(1), [(0, 1), (2, 3)])) == [1, 3]


def test_workers_stay_for_the_next_epoch():
    dataset = dataset_of(
        loaders.identify,
        range(6),
        output_signature=(tf.TensorSpec([], tf.int32), tf.TensorSpec([], tf.bool)),
    )
    first = {int(process) for process, _ in dataset}
    assert first | {int(process) for process, _ in dataset} == first


def test_saved_and_restored_in_the_middle(tmp_path):
    options = {"shuffle": True, "num_epochs": 2}
    first = iter(dataset_of(loaders.ones, range(10), **options))
    delivered = [int(next(first)[0]) for _ in range(7)]
    path = tf.train.Checkpoint(iterator=first).save(tmp_path / "checkpoint")
    del first
    second = iter(dataset_of(loaders.ones, range(10), **options))
    tf.train.Checkpoint(iterator=second).restore(path).assert_consumed()
    assert sorted(delivered + [int(array[0]) for array in second]) == sorted([*range(10)] * 2)


# --- errors ---------------------------------------------------------------------------------------


def test_an_error_of_load_arrives_with_its_traceback_and_the_item():
    with pytest.raises(FileNotFoundError, match="no file for 7") as caught:
        list(prefetch(loaders.refuse_seven, range(10)))
    cause = str(caught.value.__cause__)
    assert "load failed for items[7], which is 7" in cause
    assert 'raise FileNotFoundError(f"no file for {number}")' in cause


def test_an_error_that_cannot_be_sent_is_told_all_the_same():
    with pytest.raises(RuntimeError, match="ThatCannotBeSent: salt and pepper"):
        list(prefetch(loaders.raise_what_cannot_be_sent, range(10)))


def test_leaving_is_an_error_too():
    with pytest.raises(SystemExit) as caught:
        list(prefetch(loaders.leave, range(10)))
    assert "items[3]" in str(caught.value.__cause__)


@MAKERS
def test_a_worker_that_is_killed_at_its_work_is_an_error_for_its_item(make):
    make = functools.partial(make, use_multiprocessing=True, workers=2)
    delivered = []
    with pytest.raises((RuntimeError, tf.errors.InvalidArgumentError)) as caught:
        delivered.extend(int(element) for element in make(loaders.kill_at_seven, range(20)))
    assert "signal SIGKILL" in str(caught.value)
    assert "items[7]" in str(caught.value)


def test_what_comes_behind_the_item_that_killed_a_worker_is_still_delivered():
    iterator = iter(dataset_of(loaders.kill_at_seven, range(12)))
    assert [int(next(iterator)) for _ in range(7)] == list(range(7))
    with pytest.raises(tf.errors.InvalidArgumentError, match="SIGKILL"):
        next(iterator)
    assert [int(element) for element in iterator] == list(range(8, 12))


@MAKERS
def test_workers_that_somebody_kills_are_an_error(make):
    iterator = iter(make(loaders.ones, range(1000), use_multiprocessing=True, workers=2))
    next(iterator)
    for process in multiprocessing.active_children():
        os.kill(process.pid, signal.SIGKILL)
    with pytest.raises((RuntimeError, tf.errors.InvalidArgumentError), match="SIGKILL"):
        for _ in iterator:
            pass
    del iterator


@MAKERS
def test_what_cannot_be_sent_to_processes_is_told_at_once(make):
    def inner(number):
        return number

    for load in (lambda number: number, inner):
        with pytest.raises(TypeError, match="top level of a module") as caught:
            make(load, range(3), use_multiprocessing=True)
        assert "load cannot be sent to worker processes" in str(caught.value)


def test_what_does_not_arrive_in_processes_is_an_error():
    with pytest.raises(RuntimeError, match="ended while it started"):
        list(prefetch(loaders.FailsToArrive(), range(3)))


def test_large_items_and_large_results_do_not_wait_for_each_other():
    items = [bytes(300_000)] * 12
    results = list(prefetch(loaders.not_contiguous, items))
    assert [result.shape for result in results] == [(1000, 500)] * 12


def test_a_worker_that_is_asked_to_end_is_an_error_for_its_item():
    with pytest.raises(RuntimeError, match=r"signal SIGTERM.*items\[5\]"):
        list(prefetch(loaders.kill_parent_of_none, range(10)))


def test_what_the_parent_cannot_find_is_an_error_for_its_item():
    with pytest.raises(Exception, match="Local") as caught:
        list(prefetch(loaders.local_type, range(3)))
    assert "items[0]" in str(caught.value.__cause__)


def test_an_end_in_a_fork_leaves_the_workers_alone():
    iterator = prefetch(loaders.ones, range(6))
    next(iterator)
    child = os.fork()
    if not child:
        iterator.close()
        os._exit(0)
    os.waitpid(child, 0)
    assert len(list(iterator)) == 5


def test_a_daemon_is_told_that_it_cannot_have_workers():
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=in_a_daemon, args=(theirs,), daemon=True)
    process.start()
    assert "start that one with daemon=False" in ours.recv()
    process.join()


def in_a_daemon(connection):
    try:
        next(prefetch(loaders.ones, range(3)))
    except RuntimeError as error:
        connection.send(str(error))


# --- whole programs -------------------------------------------------------------------------------


def program(tmp_path, text):
    """Runs a program; returns it as it is running."""
    path = tmp_path / "program.py"
    path.write_text(textwrap.dedent(text))
    return start([str(path)])


def start(arguments):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        [sys.executable, *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_functions_of_a_notebook_are_told_at_once():
    text = (
        "import tfprefetch\n"
        "def load(n): return n\n"
        "try: tfprefetch.prefetch_python(load, [1], use_multiprocessing=True)\n"
        "except TypeError as error: print(error)\n"
    )
    output, _ = start(["-c", text]).communicate(timeout=120)
    assert "load is defined in a notebook or an interactive session" in output.replace(
        "=", " is ", 1
    )


def test_a_program_without_a_guard_is_told_what_it_needs(tmp_path):
    process = program(
        tmp_path,
        """
        import functools

        import tfprefetch

        def load_with(much, number):
            return number

        load = functools.partial(load_with, bytes(1_000_000))
        print(list(tfprefetch.prefetch_python(load, range(3), use_multiprocessing=True)))
        """,
    )
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert 'if __name__ == "__main__":' in errors.splitlines()[-1]


WAITS = """
import sys
import time

import loaders
import tfprefetch

if __name__ == "__main__":
    iterator = tfprefetch.prefetch_python(
        loaders.ones, range(10**6), use_multiprocessing=True, workers=2
    )
    if sys.argv[1:] == ["dataset"]:
        iterator = tfprefetch.from_python(
            loaders.ones, range(10**6), use_multiprocessing=True, workers=2
        )
    for position, _ in enumerate(iterator):
        if position == 3:
            print("running", flush=True)
        time.sleep(0.01)
"""


@pytest.mark.parametrize(
    ("kind", "signal_number"),
    [("numpy", signal.SIGINT), ("dataset", signal.SIGINT), ("dataset", signal.SIGKILL)],
)
def test_workers_end_with_their_program_however_it_ends(tmp_path, kind, signal_number):
    path = tmp_path / "program.py"
    path.write_text(WAITS)
    process = start([str(path), kind])
    assert process.stdout.readline() == "running\n"
    workers = psutil.Process(process.pid).children(recursive=True)
    assert len([worker for worker in workers if "spawn_main" in " ".join(worker.cmdline())]) == 2
    # As from a terminal: Ctrl-C reaches the workers, too.
    for one in [process, *workers] if signal_number == signal.SIGINT else [process]:
        one.send_signal(signal_number)
    _, errors = process.communicate(timeout=120)
    assert until(lambda: not any(worker.is_running() for worker in workers))
    assert process.returncode != 0
    if signal_number == signal.SIGINT:
        assert errors.count("Traceback") == 1  # the program's own
        assert errors.rstrip().endswith("KeyboardInterrupt")
