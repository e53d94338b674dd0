"""TF1's graph mode for the tests of compat, without touching the other tests of the process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf
from share import Share

REPOSITORY = Path(__file__).resolve().parents[2]
SHARE = pytest.StashKey[Share]()


@pytest.fixture(scope="session")
def goldens(request, tmp_path_factory):
    """The outcomes of all golden scenarios under compat, and their share on datasets.

    All run in a subprocess, which forks: graph mode is for a whole process, and the other tests
    are eager.
    """
    out = tmp_path_factory.mktemp("goldens")
    outcomes, pipelines = out / "outcomes.json", out / "pipelines.json"
    record = [sys.executable, str(REPOSITORY / "tests/goldens/record.py")]
    done = subprocess.run(
        [*record, "--tensorflow=compat.v1", f"--out={outcomes}", f"--pipelines={pipelines}"],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=1200,
    )
    assert done.returncode == 0, done.stderr
    share = Share.of(json.loads(pipelines.read_text()))
    request.config.stash[SHARE] = share
    return json.loads(outcomes.read_text()), share


def pytest_terminal_summary(terminalreporter, config):
    """Says how much of TF1's input API runs on datasets."""
    if SHARE in config.stash:
        terminalreporter.write_line(str(config.stash[SHARE]))


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
    with tf.compat.v1.Session() as session:
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
