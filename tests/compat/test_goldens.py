"""What TensorFlow 1.15.5 did in some hundred small programs, compat does too."""

import json
from pathlib import Path

import harness
import pytest
import scenarios  # noqa: F401  (fills harness.SCENARIOS)

GOLDENS = Path(__file__).resolve().parents[1] / "goldens"
EXPECTED = json.loads((GOLDENS / "scenarios.json").read_text())


def test_every_scenario_was_recorded():
    assert set(EXPECTED) == set(harness.SCENARIOS)


def test_no_recorded_scenario_failed_itself():
    texts = {name: json.dumps(outcome) for name, outcome in EXPECTED.items()}
    failed = ('{"failed": ', '{"died": ')
    assert [name for name, text in texts.items() if text.startswith(failed)] == []


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_like_tensorflow_1(name, goldens):
    outcomes, _ = goldens
    if name.startswith("slim_"):
        pytest.importorskip("tf_slim")
    expected = EXPECTED[name]
    scenario = harness.SCENARIOS[name]
    if scenario.differs:
        assert outcomes[name] != expected, f"no longer differs, though: {scenario.differs}"
        expected = {**expected, **scenario.instead}
    assert outcomes[name] == expected


def test_nine_of_ten_pipelines_run_on_datasets(goldens):
    _, share = goldens
    assert share.of_input_functions >= 0.9, share


def test_the_reasons_for_a_queue_are_the_listed_ones(goldens):
    _, share = goldens
    assert (share.unknown_reasons(), share.unmet_reasons()) == (set(), set())
