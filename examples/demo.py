"""The main job: six classic TF1 programs, unmodified, on tf.data and on TensorFlow's queues.

    make demo       or, with the package and its demo extra installed: python examples/demo.py

Makes its small real data, runs each program of examples/legacy under both engines, one process at
a time, and prints one table. Ends with status 1 if the engines deliver different elements, or if a
pipeline that belongs on tf.data fell back to a queue.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parent
LEGACY = EXAMPLES / "legacy"
DATA = EXAMPLES / "data"
ENGINES = ("queues", "datasets")
TIMEOUT_S = 300


@dataclasses.dataclass(frozen=True)
class Program:
    """One program, with counts that keep it busy for about a second.

    Attributes:
      script: file in examples/legacy.
      prefix: what those printed lines begin with that are elements.
      arguments: command line; `DATA` stands for the data's directory.
      ordered: whether the order of elements is defined.
      raw_queue: whether the program makes its queue itself, so that it stays a queue.
    """

    script: str
    prefix: str
    arguments: tuple[str, ...]
    ordered: bool = True
    raw_queue: bool = False


PROGRAMS = (
    Program("read_photos.py", "test_", ("--data_dir=DATA", "--num_epochs=150")),
    Program(
        "range_slices.py",
        "batch ",
        ("--data_dir=DATA", "--rows=1797", "--num_batches=299", "--num_epochs=10"),
    ),
    Program("feature_thread.py", "frame ", ("--data_dir=DATA", "--num_steps=1000"), raw_queue=True),
    Program("py_func_batch.py", "r ", ("DATA", "1500")),
    Program("train_digits.py", "digit ", ("--data_dir=DATA", "--num_epochs=10"), ordered=False),
    Program(
        "shuffle_queue.py",
        "example ",
        ("--data_dir=DATA", "--num_examples=20000"),
        ordered=False,
        raw_queue=True,
    ),
)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What one run printed, and the report of its pipeline."""

    elements: list[str]
    pipeline: dict


def make_data() -> None:
    """Runs data.py in its own process: this one needs no TensorFlow, and its log stays there."""
    command = [sys.executable, str(EXAMPLES / "data.py"), str(DATA)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)


def run(program: Program, engine: str) -> Outcome:
    """Runs `program` in a directory of its own; exits with its error output if it fails."""
    arguments = [argument.replace("DATA", str(DATA)) for argument in program.arguments]
    with tempfile.TemporaryDirectory() as directory:
        stats = Path(directory) / "stats.json"
        command = [sys.executable, "-m", "compat", "run", f"--engine={engine}", f"--stats={stats}"]
        try:
            done = subprocess.run(
                [*command, str(LEGACY / program.script), *arguments],
                cwd=directory,
                env={"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=TIMEOUT_S,
            )
        except subprocess.TimeoutExpired:
            sys.exit(f"{program.script} --engine={engine}: not ended after {TIMEOUT_S} s")
        if done.returncode:
            sys.stderr.write(done.stderr)
            sys.exit(f"{program.script} --engine={engine}: ended with status {done.returncode}")
        pipelines = json.loads(stats.read_text())["pipelines"]
    if len(pipelines) != 1:
        sys.exit(f"{program.script} --engine={engine}: 1 pipeline expected, {pipelines} reported")
    elements = [line for line in done.stdout.splitlines() if line.startswith(program.prefix)]
    return Outcome(elements if program.ordered else sorted(elements), pipelines[0])


def row(program: Program, queues: Outcome, datasets: Outcome) -> tuple[list[str], list[str]]:
    """A row of the table, and what is wrong."""
    wrong = []
    same = "same, in order" if program.ordered else "same, any order"
    if not datasets.elements:
        same, wrong = "NONE", [f"{program.script}: delivered nothing"]
    elif queues.elements != datasets.elements:
        same, wrong = "DIFFERENT", [f"{program.script}: the engines delivered different elements"]
    engine = datasets.pipeline["engine"]
    if program.raw_queue:
        engine += ", made by the program"
    elif engine != "datasets":
        engine += ", FELL BACK"
        wrong.append(f"{program.script}: fell back to a queue: {datasets.pipeline['reason']}")
    rates = [outcome.pipeline["elements_per_second"] for outcome in (queues, datasets)]
    cells = [
        program.script,
        datasets.pipeline["name"],
        engine,
        f"{datasets.pipeline['elements']:,}",
        same,
        *(f"{rate:,.0f}" for rate in rates),
        f"{rates[1] / rates[0]:.2f}",
    ]
    return cells, wrong


HEADER = [
    "program",
    "pipeline",
    "engine",
    "elements",
    "both engines",
    "queues/s",
    "datasets/s",
    "ratio",
]
NUMBERS = {"elements", "queues/s", "datasets/s", "ratio"}


def table(rows: list[list[str]]) -> str:
    """Columns aligned, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(HEADER, *rows, strict=True)]
    ruler = ["-" * width for width in widths]
    lines = []
    for cells in (HEADER, ruler, *rows):
        padded = [
            cell.rjust(width) if name in NUMBERS else cell.ljust(width)
            for name, cell, width in zip(HEADER, cells, widths, strict=True)
        ]
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def progress(text: str) -> None:
    """One line that overwrites itself, on a terminal only."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{text}")  # back to the start of the line, and clear it
        sys.stderr.flush()


def main() -> int:
    """Runs everything and returns the exit status."""
    progress(f"making the data in {DATA}")
    make_data()
    rows, wrong = [], []
    for number, program in enumerate(PROGRAMS):
        outcomes = []
        for engine in ENGINES:
            progress(f"[{number + 1}/{len(PROGRAMS)}] {program.script} --engine={engine}")
            outcomes.append(run(program, engine))
        cells, faults = row(program, *outcomes)
        rows.append(cells)
        wrong += faults
    progress("")
    print(table(rows))
    for fault in wrong:
        print(fault, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
