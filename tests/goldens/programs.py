"""The programs of examples/legacy with small counts, and what they delivered.

    outcome = run([sys.executable], "range_slices", data, empty_directory)

Runs on Python 3.7 too, as TensorFlow 1.15.5 needs it.
"""

from __future__ import annotations

import dataclasses
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

LEGACY = Path(__file__).resolve().parents[2] / "examples" / "legacy"
TIMEOUT_S = 300


@dataclasses.dataclass(frozen=True)
class Case:
    """One way to run a program. Lines that begin with `prefix` are its elements.

    Attributes:
      script: file in examples/legacy.
      prefix: what the lines with elements begin with.
      arguments: command line; `DATA` stands for the data's directory.
      ordered: whether the order of elements is defined; if not they are sorted.
    """

    script: str
    prefix: str
    arguments: tuple[str, ...]
    ordered: bool = True


CASES = {
    "photos": Case("read_photos.py", "test_", ("--data_dir=DATA", "--read_dir=read")),
    "slices": Case("range_slices.py", "batch ", ("--data_dir=DATA", "--num_epochs=2")),
    "slices_endless": Case("range_slices.py", "batch ", ("--data_dir=DATA", "--num_epochs=0")),
    "slices_one_too_many": Case(
        "range_slices.py", "batch ", ("--data_dir=DATA", "--num_batches=11")
    ),
    # 898 frames in the file: this rewinds
    "feature_thread": Case("feature_thread.py", "frame ", ("--data_dir=DATA", "--num_steps=200")),
    "py_func": Case("py_func_batch.py", "r ", ("DATA", "12")),
    "train": Case("train_digits.py", "digit ", ("--data_dir=DATA",), ordered=False),
    "shuffle_queue": Case(
        "shuffle_queue.py", "example ", ("--data_dir=DATA", "--num_examples=220"), ordered=False
    ),
}


def run(python: list[str], name: str, data: Path, directory: Path) -> dict[str, Any]:
    """Runs a case in `directory`: exit status, elements, and the lines that follow them."""
    return outcome(name, completed(python, name, data, directory))


def completed(
    python: list[str],
    name: str,
    data: Path,
    directory: Path,
    run: Callable[..., subprocess.CompletedProcess] = subprocess.run,
) -> subprocess.CompletedProcess:
    """Runs a case in `directory`, by `run`."""
    case = CASES[name]
    arguments = [argument.replace("DATA", str(data)) for argument in case.arguments]
    return run(
        [*python, str(LEGACY / case.script), *arguments],
        cwd=str(directory),
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=TIMEOUT_S,
    )


def outcome(name: str, done: subprocess.CompletedProcess) -> dict[str, Any]:
    """Exit status, elements, and the lines that follow them."""
    case = CASES[name]
    if done.returncode:
        print(done.stderr.decode())  # pytest shows it with the test that fails
    lines = done.stdout.decode().splitlines()
    elements = [line for line in lines if line.startswith(case.prefix)]
    last = max((at for at, line in enumerate(lines) if line.startswith(case.prefix)), default=-1)
    # "f …" lines of the Python function come when the read-ahead makes them
    after = [line for line in lines[last + 1 :] if not line.startswith("f ")]
    return {
        "status": done.returncode,
        "elements": elements if case.ordered else sorted(elements),
        "after": after,
    }
