"""Walks TensorFlow's own modules: what is of TF1's input API has a row, and the rows are true."""

import importlib
import operator
from pathlib import Path

import pytest
import tensorflow
from tensorflow.python.ops import data_flow_ops

import compat.v1 as tf
from compat import advice
from compat.registry import TABLE, How
from compat.table import table, with_table

v1 = tensorflow.compat.v1
ROWS = {row.name: row for row in TABLE}

# What stands beside the input API: here nothing is replaced, and nothing needs a remark.
OPTIMIZERS = {name for name in dir(v1.train) if name.endswith("Optimizer")}
LEARNING_RATES = {name for name in dir(v1.train) if "_decay" in name} | {"piecewise_constant"}
PROTOCOL_BUFFERS = {
    *("BytesList", "ClusterDef", "Example", "Feature", "FeatureList", "FeatureLists", "Features"),
    *("FloatList", "Int64List", "JobDef", "SaverDef", "SequenceExample", "ServerDef"),
}
HOOKS_AND_SESSIONS = {
    *(name for name in dir(v1.train) if name.endswith(("Hook", "SessionCreator"))),
    *("CheckpointSaverListener", "NanLossDuringTrainingError", "Scaffold", "SecondOrStepTimer"),
    *("SessionManager", "SessionRunArgs", "SessionRunContext", "SessionRunValues"),
}
CHECKPOINTS = {
    *(name for name in dir(v1.train) if "checkpoint" in name.lower()),
    *("Saver", "VocabInfo", "list_variables", "load_variable", "warm_start"),
}
GRAPHS_AND_SERVERS = {
    *("ClusterSpec", "ExponentialMovingAverage", "Server", "assert_global_step"),
    *("create_global_step", "do_quantize_training_on_graphdef", "experimental"),
    *("export_meta_graph", "get_global_step", "get_or_create_global_step", "global_step"),
    *("import_meta_graph", "replica_device_setter", "sdca_fprint", "sdca_optimizer"),
    *("sdca_shrink_l1", "summary_iterator", "write_graph"),
}
BESIDE_TRAIN = (
    OPTIMIZERS
    | LEARNING_RATES
    | PROTOCOL_BUFFERS
    | HOOKS_AND_SESSIONS
    | CHECKPOINTS
    | GRAPHS_AND_SERVERS
)
# They collect gradients.
ACCUMULATORS = {
    *("ConditionalAccumulator", "ConditionalAccumulatorBase", "SparseConditionalAccumulator"),
}


def public(module):
    return {name for name in dir(module) if not name.startswith("_")}


def object_of(module, dotted):
    return operator.attrgetter(dotted)(module)


def in_tensorflow(row):
    """TensorFlow's object of that name; None where it has none."""
    module, _, attribute = row.name.rpartition(".")
    if module.startswith("python."):
        return getattr(importlib.import_module(f"tensorflow.{module}"), attribute)
    try:
        return object_of(v1, row.name)
    except AttributeError:
        return None


ROWS_OF_OBJECTS = {id(in_tensorflow(row)): row for row in TABLE if in_tensorflow(row) is not None}


def without_row(module, names):
    return {name for name in names if id(getattr(module, name)) not in ROWS_OF_OBJECTS}


def test_every_name_of_train_has_a_row_or_is_beside_the_input_api():
    modules = {"queue_runner"}  # walked below
    assert (
        public(v1.train)
        - BESIDE_TRAIN
        - modules
        - set(name.partition(".")[2] for name in ROWS if name.startswith("train."))
        == set()
    )
    assert without_row(v1.train.queue_runner, public(v1.train.queue_runner)) == set()


def test_no_name_is_said_to_be_beside_the_input_api_and_has_a_row():
    assert {f"train.{name}" for name in BESIDE_TRAIN} & set(ROWS) == set()
    assert BESIDE_TRAIN <= public(v1.train) | {"checkpoint"}, "TensorFlow lost some"


@pytest.mark.parametrize("part", ["", "queue", "io"])
def test_every_reader_and_queue_has_a_row(part):
    module = object_of(v1, part) if part else v1
    names = {name for name in public(module) if name.endswith(("Reader", "Queue", "QueueBase"))}
    names |= {name for name in public(module) if name.startswith(("ReaderBase", "match_filenames"))}
    assert names
    assert without_row(module, names) == set()


def test_every_class_of_data_flow_ops_has_a_row():
    classes = {
        name
        for name, value in vars(data_flow_ops).items()
        if isinstance(value, type) and value.__module__ == data_flow_ops.__name__
    }
    base = {"BaseStagingArea"}
    assert without_row(data_flow_ops, classes - ACCUMULATORS - base) == set()


def test_no_name_has_two_rows():
    assert len(ROWS) == len(TABLE)


@pytest.mark.parametrize("name", [name for name in ROWS if not name.startswith("contrib.slim.")])
def test_a_row_is_true(name):
    row = ROWS[name]
    if row.how is How.ADVICE:
        assert in_tensorflow(row) is None
        assert advice.remedy(name) is not None
        with pytest.raises(AttributeError, match="is not in TensorFlow 2"):
            object_of(tf, f"{name}.something")
    elif row.how is How.UNCHANGED:
        assert object_of(tf, name) is in_tensorflow(row) is not None
    else:
        assert object_of(tf, name) is row.replacement is not None
        assert in_tensorflow(row) is not row.replacement


def test_the_readme_has_the_table():
    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
    assert readme == with_table(readme), "run `make table`"
    for name in ROWS:
        assert f"`{name}`" in table()


def test_a_file_without_the_comments_is_refused():
    with pytest.raises(ValueError, match="has no place for the table"):
        with_table("# A README\n")
