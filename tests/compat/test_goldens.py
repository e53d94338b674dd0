"""What TensorFlow 1.15.5 did in 240 small programs, compat does too.

All run in one subprocess, which forks for each: graph mode is for a whole process, and the other
tests are eager.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import harness
import pytest
import scenarios  # noqa: F401  (fills harness.SCENARIOS)

GOLDENS = Path(__file__).resolve().parents[1] / "goldens"
EXPECTED = json.loads((GOLDENS / "scenarios.json").read_text())


@pytest.fixture(scope="session")
def outcomes(tmp_path_factory):
    out = tmp_path_factory.mktemp("goldens") / "outcomes.json"
    record = [sys.executable, str(GOLDENS / "record.py"), "--tensorflow", "compat.v1"]
    done = subprocess.run(
        [*record, "--out", str(out)],
        cwd=GOLDENS.parents[1],
        env={**os.environ, "PYTHONPATH": str(GOLDENS.parents[1])},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=1200,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(out.read_text())


def test_every_scenario_was_recorded():
    assert set(EXPECTED) == set(harness.SCENARIOS)


def test_no_recorded_scenario_failed_itself():
    texts = {name: json.dumps(outcome) for name, outcome in EXPECTED.items()}
    failed = ('{"failed": ', '{"died": ')
    assert [name for name, text in texts.items() if text.startswith(failed)] == []


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_like_tensorflow_1(name, outcomes):
    expected = EXPECTED[name]
    scenario = harness.SCENARIOS[name]
    if scenario.differs:
        assert outcomes[name] != expected, f"no longer differs, though: {scenario.differs}"
        expected = {**expected, **scenario.instead}
    assert outcomes[name] == expected
