"""Every argument of TF1's input API has a golden scenario whose outcome changes with it."""

import inspect
import json
from pathlib import Path

import harness
import pytest
import scenarios  # noqa: F401  (fills harness.SCENARIOS)
import tensorflow

v1 = tensorflow.compat.v1
GOLDENS = Path(__file__).resolve().parents[1] / "goldens"
EXPECTED = json.loads((GOLDENS / "scenarios.json").read_text())

FUNCTIONS = (
    "add_queue_runner",
    "batch",
    "batch_join",
    "input_producer",
    "limit_epochs",
    "match_filenames_once",
    "maybe_batch",
    "maybe_batch_join",
    "maybe_shuffle_batch",
    "maybe_shuffle_batch_join",
    "range_input_producer",
    "shuffle_batch",
    "shuffle_batch_join",
    "slice_input_producer",
    "start_queue_runners",
    "string_input_producer",
)
READERS = (
    "FixedLengthRecordReader",
    "IdentityReader",
    "TFRecordReader",
    "TextLineReader",
    "WholeFileReader",
)
READER_METHODS = (
    "num_records_produced",
    "num_work_units_completed",
    "read",
    "read_up_to",
    "reset",
    "restore_state",
    "serialize_state",
)
QUEUE_METHODS = (
    "close",
    "dequeue",
    "dequeue_many",
    "dequeue_up_to",
    "enqueue",
    "enqueue_many",
    "is_closed",
    "size",
)


def arguments(prefix, function):
    """`prefix.argument` for each argument of `function`."""
    names = [name for name in inspect.signature(function).parameters if name != "self"]
    return [f"{prefix}.{name}" for name in names]


def walked():
    """Every argument of the functions, constructors and methods above, as TensorFlow lists them."""
    found = arguments("QueueRunner", v1.train.QueueRunner.__init__)
    for name in FUNCTIONS:
        found += arguments(name, getattr(v1.train, name))
    for name in READERS:
        found += arguments(name, getattr(v1, name).__init__)
    for name in READER_METHODS:
        found += arguments(f"reader.{name}", getattr(v1.ReaderBase, name))
    for name in QUEUE_METHODS:
        found += arguments(f"queue.{name}", getattr(v1.FIFOQueue, name))
    return found


COVERING = {covered: name for name, entry in harness.SCENARIOS.items() for covered in entry.covers}


@pytest.mark.parametrize("argument", walked())
def test_an_outcome_changes_with_the_argument(argument):
    assert argument in COVERING, "no scenario shows what this argument does"
    name = COVERING[argument]
    base = harness.SCENARIOS[name].against
    assert EXPECTED[name] != EXPECTED[base], f"{name} and {base} came out alike"


def test_no_scenario_covers_what_does_not_exist():
    assert set(COVERING) <= set(walked())


def methods(kind):
    """The public methods of a class, without its properties."""
    names = [name for name in dir(kind) if not name.startswith("_")]
    return {name for name in names if callable(getattr(kind, name))}


def test_the_lists_above_are_complete():
    producers = {name for name in dir(v1.train) if name.endswith("_producer")}
    batches = {name for name in dir(v1.train) if "batch" in name}
    assert producers | batches <= set(FUNCTIONS)
    readers = {name for name in dir(v1) if name.endswith("Reader")}
    assert readers - {"LMDBReader"} == set(READERS)  # a file of LMDB takes a package of its own
    assert methods(v1.ReaderBase) == set(READER_METHODS)
    # from_list makes a queue out of queues: it is no method of one
    assert methods(v1.FIFOQueue) - {"from_list"} == set(QUEUE_METHODS)
