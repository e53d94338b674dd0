"""For all tests: those marked `gpu` need one; programs that need a process of their own."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

ROOT = Path(__file__).resolve().parents[1]


def pytest_runtest_setup(item):
    if item.get_closest_marker("gpu") and not tf.config.list_physical_devices("GPU"):
        pytest.skip("there is no GPU")


class ForkedPython:
    """Runs Python programs in forks of a process that has imported TensorFlow.

    To be called like `subprocess.run`, which it stands for where a program needs a process of its
    own, but not an interpreter of its own. The process is made at the first call.
    """

    def __init__(self) -> None:
        self._server: subprocess.Popen | None = None

    def __call__(
        self,
        command: list[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        text: bool = False,
        timeout: float = 240,
        **options: Any,
    ) -> subprocess.CompletedProcess:
        assert command[0] == sys.executable
        assert options.items() <= {"capture_output": True, "stdin": subprocess.DEVNULL}.items()
        if self._server is None:
            self._server = subprocess.Popen(
                [sys.executable, str(ROOT / "tests" / "fork_server.py")],
                env={**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                bufsize=1,
            )
        with tempfile.TemporaryDirectory() as directory:
            files = [Path(directory, name) for name in ("stdout", "stderr")]
            request = {"arguments": command[1:], "cwd": str(cwd), "env": dict(env)}
            request["files"] = [str(file) for file in files]
            self._server.stdin.write(json.dumps(request) + "\n")
            process = int(self._server.stdout.readline())
            if not select.select([self._server.stdout], [], [], timeout)[0]:
                os.kill(process, signal.SIGKILL)
            status = int(self._server.stdout.readline())
            out, err = [file.read_text() if text else file.read_bytes() for file in files]
        return subprocess.CompletedProcess(command, status, out, err)

    def stop(self) -> None:
        """Ends the process."""
        if self._server is not None:
            self._server.stdin.close()
            self._server.wait()
            self._server.stdout.close()


@pytest.fixture(scope="session")
def forked_python():
    """Like `subprocess.run` for a Python program, but several times as fast."""
    forked = ForkedPython()
    yield forked
    forked.stop()
