"""The demo's verdict: what counts as wrong, and what the table says about it."""

import dataclasses

import demo
import pytest

ORDERED = demo.Program("slices.py", "batch ", ())
ANY_ORDER = dataclasses.replace(ORDERED, ordered=False)
RAW = dataclasses.replace(ORDERED, raw_queue=True)


def outcome(elements, engine="datasets", rate=100.0):
    pipeline = {
        "name": "batch",
        "engine": engine,
        "reason": "a reason" if engine == "queue" else "",
        "elements": len(elements),
        "elements_per_second": rate,
    }
    return demo.Outcome(elements, pipeline)


def test_equal_elements_on_datasets_are_right():
    cells, wrong = demo.row(ORDERED, outcome(["1", "2"], "queue", 50), outcome(["1", "2"]))
    assert wrong == []
    assert cells == ["slices.py", "batch", "datasets", "2", "same, in order", "50", "100", "2.00"]


@pytest.mark.parametrize("elements", [["2", "1"], ["1"], ["1", "2", "3"], ["1", "3"]])
def test_different_elements_are_wrong(elements):
    cells, wrong = demo.row(ORDERED, outcome(["1", "2"]), outcome(elements))
    assert "DIFFERENT" in cells
    assert wrong == ["slices.py: the engines delivered different elements"]


def test_no_element_at_all_is_wrong():
    cells, wrong = demo.row(ANY_ORDER, outcome([]), outcome([]))
    assert "NONE" in cells
    assert len(wrong) == 1


def test_a_fall_back_is_wrong_and_has_a_reason():
    cells, wrong = demo.row(ORDERED, outcome(["1"]), outcome(["1"], "queue"))
    assert "queue, FELL BACK" in cells
    assert wrong == ["slices.py: fell back to a queue: a reason"]


def test_a_queue_of_the_programs_own_is_right():
    cells, wrong = demo.row(RAW, outcome(["1"], "queue"), outcome(["1"], "queue"))
    assert "queue, made by the program" in cells
    assert wrong == []


def test_numbers_stand_to_the_right():
    cells, _ = demo.row(ORDERED, outcome(["1"], "queue", 1234), outcome(["1"]))
    header, ruler, line = demo.table([cells]).splitlines()
    assert header.index("queues/s") + len("queues/s") == line.index("1,234") + len("1,234")
    assert set(ruler) == {"-", " "}


def test_every_program_is_shown():
    shown = {program.script for program in demo.PROGRAMS}
    assert shown == {path.name for path in demo.LEGACY.glob("*.py")}


def test_a_failing_program_ends_the_demo_with_its_error(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(demo, "DATA", tmp_path)  # empty: digits.npy is missing
    with pytest.raises(SystemExit, match=r"range_slices\.py --engine=queues: ended with status"):
        demo.run(demo.PROGRAMS[1], "queues")
    assert "digits.npy" in capsys.readouterr().err
