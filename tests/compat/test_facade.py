"""compat.v1 against TensorFlow's own compat.v1, name by name and path by path."""

import copy
import importlib
import inspect
import json
import pickle
import subprocess
import sys
import types
from unittest import mock

import pytest
import tensorflow

import compat
import compat.v1 as tf
from compat.facade import Facade
from compat.registry import REPLACEMENTS

v1 = tensorflow.compat.v1


def my_batch(tensors):
    """Stands in for a replacement."""
    return tensors


class MyQueue:
    """Stands in for a replaced class."""


@pytest.fixture
def facade():
    return Facade(v1, {"train.batch": my_batch, "FIFOQueue": MyQueue})


@pytest.mark.parametrize("path", ["", "compat.v1.", "compat.v1.compat.v1."])
def test_replaced_by_identity_on_every_public_path(facade, path):
    assert eval(f"tf.{path}train.batch", {"tf": facade}) is my_batch
    assert eval(f"tf.{path}FIFOQueue", {"tf": facade}) is MyQueue
    assert eval(f"tf.{path}queue.FIFOQueue", {"tf": facade}) is MyQueue


def test_replaced_in_the_modules_that_define_them(facade):
    assert facade.python.training.input.batch is my_batch
    assert facade.python.ops.data_flow_ops.FIFOQueue is MyQueue
    assert facade.compat.v2.queue.FIFOQueue is MyQueue


def test_everything_else_is_tensorflows(facade):
    assert facade.constant is v1.constant
    assert facade.train.Saver is v1.train.Saver
    assert facade.train.queue_runner.QueueRunner is v1.train.QueueRunner
    assert facade.keras is v1.keras
    assert v1.train.batch is not my_batch


def test_every_name_of_the_registry_is_served():
    for name, replacement in REPLACEMENTS.items():
        found = tf
        for part in name.split("."):
            found = getattr(found, part)
        assert found is replacement, name


def test_a_replacement_for_an_unknown_name_is_refused():
    with pytest.raises(AttributeError, match="no_such_function"):
        Facade(v1, {"train.no_such_function": my_batch})


def test_all_public_names_are_there():
    assert [name for name in v1.__all__ if not hasattr(tf, name)] == []
    assert set(dir(v1)) <= set(dir(tf))
    assert set(dir(v1.train)) <= set(dir(tf.train))
    # What TF1's scripts use of the top level that is not a function.
    assert tf.__version__ == tf.VERSION == tensorflow.__version__
    assert tf.compat.as_bytes("x") == b"x"
    assert tf.logging.INFO == 20 and tf.gfile.Exists(__file__)
    assert tf.flags.FLAGS is tf.app.flags.FLAGS


def test_modules_are_modules(facade):
    assert inspect.ismodule(facade.train) and facade.train is facade.compat.v1.train
    assert facade.train.__doc__ == v1.train.__doc__
    assert inspect.getsourcefile(facade.train) == inspect.getsourcefile(v1.train)
    assert repr(tf.train).startswith("<module 'compat.v1.train' on top of <module 'tensorflow.")
    assert "batch" in dict(inspect.getmembers(facade.train, inspect.isfunction))


def test_submodules_can_be_imported():
    train = importlib.import_module("compat.v1.train")
    assert train is tf.train
    from compat.v1.train import batch
    from compat.v1.train.queue_runner import QueueRunner

    from compat.v1 import gfile

    assert (gfile, batch, QueueRunner) == (tf.gfile, compat.batch, v1.train.QueueRunner)
    from compat.v1.python.ops import data_flow_ops

    assert data_flow_ops.FIFOQueue is tf.FIFOQueue
    from compat.v1.keras import layers
    from compat.v1.keras.layers import Dense

    # The real ones, not a second copy under our name.
    assert layers is sys.modules["compat.v1.keras"].layers
    assert Dense is tensorflow.keras.layers.Dense
    assert not layers.__name__.startswith("compat")
    with pytest.raises(ModuleNotFoundError, match="nothing"):
        importlib.import_module("compat.v1.nothing")


def test_import_star_brings_the_public_names():
    names = {}
    exec("from compat.v1 import *", names)
    assert names["train"] is tf.train and names["constant"] is v1.constant


def test_pickles_and_copies_are_the_same_modules():
    for module in (tf, tf.train, tf.python.ops.data_flow_ops, tf.layers):
        assert pickle.loads(pickle.dumps(module)) is module
        assert copy.deepcopy(module) is module
    assert pickle.loads(pickle.dumps(tf.train.batch)) is tf.train.batch


def test_attributes_can_be_set_and_reach_tensorflow(facade):
    facade.mul = facade.multiply
    assert facade.mul is v1.multiply and v1.mul is v1.multiply
    del facade.mul
    assert not hasattr(v1, "mul")
    with pytest.raises(AttributeError, match=r"use tf\.multiply"):
        facade.mul  # noqa: B018

    original = v1.train.batch
    with mock.patch.object(facade.train, "batch", len):
        assert facade.train.batch is len and v1.train.batch is len
    # Set back to what was read, which is our replacement: TensorFlow gets its own again.
    assert facade.train.batch is my_batch and v1.train.batch is original


def test_modules_that_are_set_are_tensorflows(facade):
    facade.my_train = facade.train
    try:
        assert isinstance(v1.my_train, types.ModuleType) and not isinstance(v1.my_train, Facade)
        assert facade.my_train is facade.train
    finally:
        del facade.my_train


def test_importing_has_no_side_effects(tmp_path):
    program = """if True:
        import json, sys, tensorflow
        from tensorflow.compat import v1
        def state():
            return [tensorflow.executing_eagerly(), v1.control_flow_v2_enabled(),
                    v1.resource_variables_enabled(), sorted(dir(v1)), sorted(dir(v1.train))]
        modules = set(sys.modules)
        before = state()
        import compat.v1
        assert state() == before
        assert sys.modules["tensorflow"] is tensorflow
        new = {name.partition(".")[0] for name in set(sys.modules) - modules}
        print(json.dumps(sorted(new)))
        """
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    new = set(json.loads(done.stdout)) - set(sys.stdlib_module_names)
    assert new == {"compat", "tfprefetch"}
