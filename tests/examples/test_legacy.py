"""The classic programs under both engines, against what TensorFlow 1.15.5 printed."""

import dataclasses
import functools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import programs
import pytest

ROOT = Path(__file__).resolve().parents[2]
EXPECTED = json.loads((ROOT / "tests" / "goldens" / "programs.json").read_text())
ENGINES = ("datasets", "queues")
RAW_QUEUES = {"feature_thread": "FIFOQueue", "shuffle_queue": "RandomShuffleQueue"}


@dataclasses.dataclass(frozen=True)
class Run:
    """A case that has run: what it printed, the folder it ran in, what --stats lists."""

    done: subprocess.CompletedProcess
    directory: Path
    pipelines: list[dict[str, Any]]


@pytest.fixture(scope="module")
def run(data_directory, tmp_path_factory, forked_python):
    """Runs a case under an engine, once; `--strict` where it is to be all datasets."""

    @functools.cache
    def once(name, engine):
        directory = tmp_path_factory.mktemp(f"{name}-{engine}")
        stats = directory / "stats.json"
        strict = ["--strict"] if engine == "datasets" and name not in RAW_QUEUES else []
        python = compat_run(f"--engine={engine}", f"--stats={stats}", *strict)
        done = programs.completed(python, name, data_directory, directory, forked_python)
        return Run(done, directory, json.loads(stats.read_text())["pipelines"])

    return once


def compat_run(*options):
    return [sys.executable, "-m", "compat", "run", *options]


def test_every_case_was_recorded():
    assert set(EXPECTED) == set(programs.CASES)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_prints_what_tensorflow_1_printed(name, engine, run):
    assert programs.outcome(name, run(name, engine).done) == EXPECTED[name]


@pytest.mark.parametrize("name", sorted(set(EXPECTED) - set(RAW_QUEUES)))
def test_runs_on_datasets_when_strict(name, run):
    (pipeline,) = run(name, "datasets").pipelines
    assert (pipeline["engine"], pipeline["reason"]) == ("datasets", "")
    assert pipeline["stages"]


@pytest.mark.parametrize(("name", "queue"), RAW_QUEUES.items())
def test_a_queue_of_the_programs_own_stays_one(name, queue, run):
    (pipeline,) = run(name, "datasets").pipelines
    assert (pipeline["name"], pipeline["engine"]) == (queue, "queue")
    assert pipeline["elements"] == len(EXPECTED[name]["elements"])
    assert pipeline["reason"]


@pytest.mark.parametrize("engine", ENGINES)
def test_photos_are_shuffled_within_each_epoch(engine, data_directory, tmp_path, forked_python):
    script = programs.LEGACY / "read_photos.py"
    arguments = [f"--data_dir={data_directory}", "--shuffle", "--num_epochs=20"]
    done = forked_python(
        [*compat_run(f"--engine={engine}"), str(script), *arguments],
        cwd=tmp_path,
        env=os.environ,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    photos = {path.read_bytes(): path.name for path in (data_directory / "photos").iterdir()}
    written = [photos[(tmp_path / f"read/test_{i}.jpg").read_bytes()] for i in range(1, 61)]
    epochs = [tuple(written[start : start + 3]) for start in range(0, 60, 3)]
    assert {tuple(sorted(epoch)) for epoch in epochs} == {tuple(sorted(photos.values()))}
    assert len(set(epochs)) > 1  # 20 equal epochs have a chance of 1 in 6 ** 19
    assert done.stdout.endswith("done after 60 images\n")


def test_photos_in_order_are_written_byte_for_byte(data_directory, run):
    read = run("photos", "datasets").directory / "read"
    names = ("china.jpg", "flower.jpg", "grace_hopper.jpg")
    expected = [(data_directory / "photos" / name).read_bytes() for name in names] * 5
    assert [(read / f"test_{i}.jpg").read_bytes() for i in range(1, 16)] == expected


@pytest.mark.parametrize("engine", ENGINES)
def test_the_loss_falls(engine, run):
    lines = run("train", engine).done.stdout.splitlines()
    first, last = (float(line.split()[-1]) for line in lines[:2])
    assert first == pytest.approx(2.303)  # log(10): nothing is known at first
    assert last < 0.8


def test_the_python_function_runs_ahead_within_bounds(run):
    calls = delivered = 0
    for line in run("py_func", "datasets").done.stdout.decode().splitlines():
        calls += line.startswith("f ")
        if line.startswith("r "):
            delivered += 1
    assert delivered == 24
    # capacity 2, one thread, batches of 2
    assert 24 <= calls <= 24 + 2 + 1 + 2
