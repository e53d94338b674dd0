"""The modern programs against what TensorFlow 1.15.5 printed in the legacy ones."""

import contextlib
import functools
import io
import json
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import programs
import pytest

ROOT = Path(__file__).resolve().parents[2]
MODERN = ROOT / "examples" / "modern"
EXPECTED = json.loads((ROOT / "tests" / "goldens" / "programs.json").read_text())
# This one is refused before the first batch; TensorFlow 1 failed after the last that fits.
REFUSED = "slices_one_too_many"


def printed(script, arguments, directory):
    """Runs a program in this process, which has TensorFlow; the lines that it prints."""
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as monkeypatch, contextlib.redirect_stdout(out):
        monkeypatch.chdir(directory)
        monkeypatch.setattr(sys, "argv", [script, *arguments])
        runpy.run_path(str(MODERN / script), run_name="__main__")
    return out.getvalue().splitlines()


@pytest.fixture(scope="module")
def run(data_directory, tmp_path_factory):
    """Runs a case once; the lines that it printed, and the folder it ran in."""

    @functools.cache
    def once(name):
        case, directory = programs.CASES[name], tmp_path_factory.mktemp(name)
        arguments = [argument.replace("DATA", str(data_directory)) for argument in case.arguments]
        return printed(case.script, arguments, directory), directory

    return once


def test_every_legacy_program_has_a_modern_form():
    modern, legacy = (
        sorted(path.name for path in folder.glob("*.py")) for folder in (MODERN, programs.LEGACY)
    )
    assert modern == legacy


@pytest.mark.parametrize("path", sorted(MODERN.glob("*.py")), ids=lambda path: path.stem)
def test_is_clearly_shorter(path):
    modern, legacy = (
        sum(bool(line.strip()) for line in file.read_text().splitlines())
        for file in (path, programs.LEGACY / path.name)
    )
    assert modern <= 0.75 * legacy


@pytest.mark.parametrize("name", sorted(set(EXPECTED) - {REFUSED}))
def test_prints_what_the_legacy_program_printed(name, run):
    lines, _ = run(name)
    done = SimpleNamespace(returncode=0, stdout="\n".join(lines).encode())
    assert programs.outcome(name, done) == EXPECTED[name]


def test_too_many_slices_are_refused_at_once(run, capsys):
    with pytest.raises(SystemExit, match="2"):
        run(REFUSED)
    assert "11 batches of 6 do not fit in 65 rows" in capsys.readouterr().err


def test_photos_in_order_are_written_byte_for_byte(run, data_directory):
    _, directory = run("photos")
    names = ("china.jpg", "flower.jpg", "grace_hopper.jpg")
    expected = [(data_directory / "photos" / name).read_bytes() for name in names] * 5
    assert [(directory / f"read/test_{i}.jpg").read_bytes() for i in range(1, 16)] == expected


def test_photos_are_shuffled_within_each_epoch(data_directory, tmp_path):
    arguments = [f"--data_dir={data_directory}", "--shuffle", "--num_epochs=20"]
    *lines, last = printed("read_photos.py", arguments, tmp_path)
    names = [line.split()[1] for line in lines]
    epochs = [tuple(names[start : start + 3]) for start in range(0, 60, 3)]
    assert {tuple(sorted(epoch)) for epoch in epochs} == {tuple(sorted(names[:3]))}
    assert len(set(epochs)) > 1  # 20 equal epochs have a chance of 1 in 6 ** 19
    assert last == "done after 60 images"


def test_the_loss_falls_as_in_the_legacy_program(run):
    lines, _ = run("train")
    first, last = (float(line.split()[-1]) for line in lines[:2])
    assert first == pytest.approx(2.303)  # log(10): nothing is known at first
    assert last < 0.8


def test_the_python_generator_runs_ahead_of_the_batches(run):
    lines, _ = run("py_func")
    made = [int(line.split()[1]) for line in lines if line.startswith("f ")]
    assert made == list(range(len(made)))
    for i in range(24):
        (received,) = (at for at, line in enumerate(lines) if line.startswith(f"r {i} "))
        assert lines.index(f"f {i}") < received
    # One batch of two is received, another is filled: what is made lies that much ahead at most.
    assert 24 <= len(made) <= 48
