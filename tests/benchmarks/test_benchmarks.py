"""Each benchmark runs, and its table has a row for each contestant: no word about speed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
CONTESTANTS = {
    "small_records": 4,
    "fixed_records": 5,
    "raw_arrays": 4,
}


def test_every_benchmark_is_run():
    scripts = {path.stem for path in (REPOSITORY / "benchmarks").glob("*.py")}
    assert scripts == {"contest", *CONTESTANTS}


@pytest.mark.parametrize(("script", "contestants"), CONTESTANTS.items())
def test_a_row_for_each_contestant(script, contestants):
    flags = ["--records=200", "--batch_size=16", "--seconds=0.01", "--rounds=2"]
    done = subprocess.run(
        [sys.executable, f"benchmarks/{script}.py", *flags],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
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
