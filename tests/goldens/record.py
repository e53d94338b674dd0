"""Runs every scenario and writes the outcomes, sorted, as JSON.

python tests/goldens/record.py                        under TensorFlow 1.15.5: the goldens
python tests/goldens/record.py --data DIRECTORY       and what the classic programs print
python record.py --tensorflow compat.v1 --out FILE    the same scenarios with that module
python record.py --only batch --out FILE              those whose name contains "batch"
python record.py --tensorflow compat.v1 --out FILE --pipelines FILE
                                                      and which of them ran on datasets
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import harness
import programs
import scenarios  # noqa: F401  (fills harness.SCENARIOS)
from files import make_files

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tensorflow", default="tensorflow", help="module that stands for tf")
    parser.add_argument("--out", type=Path, default=HERE / "scenarios.json")
    parser.add_argument("--only", default="", help="part of the names of scenarios to run")
    parser.add_argument("--data", type=Path, help="where examples/data.py put the data")
    parser.add_argument("--pipelines", type=Path, help="where to write on what compat ran them")
    parser.add_argument("--processes", type=int, default=0, help="how many at a time")
    parser.add_argument("--parent", type=int, help="process without which nobody wants them")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))  # after cleaning up

    tf = importlib.import_module(arguments.tensorflow)
    if arguments.tensorflow == "tensorflow" and tf.__version__ != "1.15.5":
        parser.error(f"goldens are what TensorFlow 1.15.5 does, this is {tf.__version__}")
    if hasattr(tf, "disable_v2_behavior"):
        tf.disable_v2_behavior()
    tf.logging.set_verbosity(tf.logging.ERROR)

    names = [name for name in harness.SCENARIOS if arguments.only in name]
    with tempfile.TemporaryDirectory() as directory:
        files = Path(directory)
        make_files(files)
        results = harness.run_all(
            tf,
            files,
            names,
            pipelines_of(arguments.tensorflow),
            arguments.processes,
            lambda: arguments.parent in (None, os.getppid()),
        )
    write(arguments.out, {name: result["outcome"] for name, result in results.items()})
    if arguments.pipelines:
        write(arguments.pipelines, {name: result["also"] for name, result in results.items()})
    if arguments.data:
        with tempfile.TemporaryDirectory() as directory:
            data = arguments.data.resolve()
            printed = {
                name: programs.run([sys.executable], name, data, Path(directory))
                for name in programs.CASES
            }
        write(arguments.out.with_name("programs.json"), printed)


def pipelines_of(module: str) -> Callable[[], Any]:
    """A function that returns what became of the pipelines of the scenario that has just run."""
    if not module.startswith("compat"):
        return lambda: None
    # Not imported above: TensorFlow 1.15.5's Python could not.
    settings = importlib.import_module("compat.settings").settings
    report = importlib.import_module("compat.report").Report(counts=False)
    settings.report = report

    def pipelines() -> list[dict[str, str]]:
        listed = report.as_dict()["pipelines"]
        report.pipelines.clear()  # those of the next scenario in this process follow
        return [{key: one[key] for key in ("name", "engine", "reason")} for one in listed]

    return pipelines


def write(path: Path, outcomes: dict[str, Any]) -> None:
    """One line for each outcome, so that one that changed is a line that changed."""
    lines = [
        f"{json.dumps(name)}: {json.dumps(outcomes[name], sort_keys=True)}"
        for name in sorted(outcomes)
    ]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
