"""Each benchmark runs, and its table has a row for each contestant: no word about speed."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
FEW_RECORDS = ["--records=200", "--batch_size=16"]
CONTESTANTS = {
    "small_records": (4, FEW_RECORDS),
    "fixed_records": (5, FEW_RECORDS),
    "raw_arrays": (4, FEW_RECORDS),
    "python_loaders": (6, ["--load_ms=1", "--step_ms=1"]),
}


def test_every_benchmark_is_run():
    scripts = {path.stem for path in (REPOSITORY / "benchmarks").glob("*.py")}
    assert scripts == {"contest", "device_transfer", *CONTESTANTS}


@pytest.mark.parametrize("script", CONTESTANTS)
def test_a_row_for_each_contestant(script, forked_python):
    contestants, flags = CONTESTANTS[script]
    flags = [*flags, "--seconds=0.01", "--rounds=2"]
    done = forked_python(
        [sys.executable, f"benchmarks/{script}.py", *flags],
        cwd=REPOSITORY,
        env=os.environ,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    header, ruler, *rows = done.stdout.splitlines()
    assert header.split() == ["contestant", "records/s", "ratio", "spread"]
    assert set(ruler) == {"-", " "}
    assert len(rows) == contestants
    for row in rows:
        name, rate, ratio, low, high = re.fullmatch(
            r"(\S.*?) +([\d,]+) +([\d.]+) +([\d.]+) to ([\d.]+)", row
        ).groups()
        assert name
        assert int(rate.replace(",", "")) > 0
        assert float(low) <= float(ratio) <= float(high)


def test_device_transfer(forked_python):
    flags = ["--step_ms=1", "--batch_megabytes=1", "--steps=3", "--rounds=2"]
    done = forked_python(
        [sys.executable, "benchmarks/device_transfer.py", *flags],
        cwd=REPOSITORY,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    where, header, ruler, *rows = done.stdout.splitlines()
    assert where == "CPU:0 (no GPU: nothing is copied), batches of 1 MiB, steps of 1 ms"
    assert header.split() == ["contestant", "ms/step", "ratio", "spread"]
    assert set(ruler) == {"-", " "}
    assert [row.split("  ")[0] for row in rows] == [
        "step alone, batch on the device",
        "prefetch (on the host)",
        "prefetch_to_device",
    ]
