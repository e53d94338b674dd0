"""TF1's graph mode for the tests of compat, without touching the other tests of the process."""

import functools
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from share import Share

REPOSITORY = Path(__file__).resolve().parents[2]


class GoldenRun:
    """All golden scenarios under compat, in a subprocess that runs beside the other tests.

    A process of its own, which forks: graph mode is for a whole process, and the other tests are
    eager.
    """

    def __init__(self) -> None:
        self._directory = tempfile.TemporaryDirectory()
        self._out = Path(self._directory.name)
        record = [sys.executable, str(REPOSITORY / "tests/goldens/record.py")]
        record += ["--tensorflow=compat.v1", f"--out={self._out / 'outcomes.json'}"]
        record += [f"--pipelines={self._out / 'pipelines.json'}", f"--parent={os.getpid()}"]
        # One for each CPU, as one of them is busy here.
        record += [f"--processes={os.cpu_count() or 1}"]
        with (self._out / "log").open("w") as log:
            self._process = subprocess.Popen(
                record,
                cwd=REPOSITORY,
                env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @functools.cached_property
    def results(self) -> tuple[dict[str, Any], Share]:
        """Outcomes by scenario, and the share of pipelines on datasets; waits for them."""
        status = self._process.wait(timeout=1200)
        assert status == 0, (self._out / "log").read_text()
        pipelines = json.loads((self._out / "pipelines.json").read_text())
        return json.loads((self._out / "outcomes.json").read_text()), Share.of(pipelines)

    def stop(self) -> None:
        """Ends it, with all that it has started, whether it is done or not."""
        self._process.terminate()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._directory.cleanup()


GOLDEN_RUN = pytest.StashKey[GoldenRun]()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Tests that wait for the golden run come last."""
    items.sort(key=_needs_goldens)


def pytest_collection_finish(session):
    """Starts the golden run where a test needs it; it is stopped however the session ends."""
    config = session.config
    if not config.option.collectonly and any(_needs_goldens(item) for item in session.items):
        config.stash[GOLDEN_RUN] = GoldenRun()
        config.add_cleanup(config.stash[GOLDEN_RUN].stop)


def _needs_goldens(item):
    return "goldens" in getattr(item, "fixturenames", ())


@pytest.fixture(scope="session")
def goldens(request):
    """The outcomes of all golden scenarios under compat, and their share on datasets."""
    return request.config.stash[GOLDEN_RUN].results


def pytest_terminal_summary(terminalreporter, config):
    """Says how much of TF1's input API runs on datasets."""
    run = config.stash.get(GOLDEN_RUN, None)
    if run is not None and "results" in vars(run):
        terminalreporter.write_line(str(run.results[1]))


@pytest.fixture(autouse=True)
def tf1_behavior(request):
    """What `tf.disable_v2_behavior()` switches, for one test and in a graph of its own."""
    v1 = tf.compat.v1
    v1.disable_control_flow_v2()
    v1.disable_resource_variables()
    v1.disable_v2_tensorshape()
    with tf.Graph().as_default():
        yield
    v1.enable_control_flow_v2()
    v1.enable_resource_variables()
    v1.enable_v2_tensorshape()


@pytest.fixture
def session():
    """A session that takes graphs as they are: the goldens' are optimized, as by default."""
    config = tf.compat.v1.ConfigProto()
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    with tf.compat.v1.Session(config=config) as session:
        yield session


@pytest.fixture
def run_to_end(session):
    """Starts the runners and collects what `fetches` deliver until OutOfRangeError."""

    def run(fetches, limit=1000):
        tf.compat.v1.train.start_queue_runners(session)
        delivered = []
        with pytest.raises(tf.errors.OutOfRangeError):
            for _ in range(limit):
                delivered.append(session.run(fetches))
        return delivered

    return run
