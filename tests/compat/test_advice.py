"""Walks the table: no row is stale, every row is served, and what it recommends exists."""

import operator
import re

import pytest
import tensorflow

import compat.v1 as tf
from compat import advice
from compat.facade import import_module

# These modules exist, but what was in them is gone; or they lead to what is served.
INSIDE = {
    "contrib.lookup": "contrib.lookup.MutableHashTable",
    "contrib": "contrib.no_such_part",
    "contrib.data": "contrib.data.no_such_function",
    "contrib.framework": "contrib.framework.no_such_function",
    "contrib.rnn": "contrib.rnn.no_such_cell",
    "contrib.training": "contrib.training.no_such_function",
    "layers": "layers.dense",
    "nn.rnn_cell": "nn.rnn_cell.LSTMCell",
}


@pytest.fixture(autouse=True)
def without_the_extra(monkeypatch):
    """What advice says is for those who have not installed `legacy`."""
    monkeypatch.setattr("compat.facade.is_installed", lambda package: False)


def exists(module, dotted):
    try:
        operator.attrgetter(dotted)(module)
    except AttributeError:
        return False
    return True


@pytest.mark.parametrize("name", advice.GONE)
def test_a_lost_name_raises_with_its_remedy(name):
    name = INSIDE.get(name, name)
    assert not exists(tensorflow.compat.v1, name), "TensorFlow has it: the row is stale"
    with pytest.raises(AttributeError) as raised:
        operator.attrgetter(name)(tf)
    assert str(raised.value).endswith(advice.remedy(raised.value.name[len("tensorflow.") :]))


@pytest.mark.parametrize("name", [name for name in advice.GONE if name not in INSIDE])
def test_importing_a_lost_name_raises_with_its_remedy(name):
    with pytest.raises(ModuleNotFoundError, match=re.escape(advice.GONE[name])):
        import_module(tf, f"tensorflow.{name}")
    package, _, attribute = f"tensorflow.{name}".rpartition(".")
    with pytest.raises(ModuleNotFoundError, match=re.escape(advice.GONE[name])):
        import_module(tf, package, [attribute])


@pytest.mark.parametrize("name", advice.GONE)
def test_what_a_remedy_recommends_exists(name):
    for recommended in re.findall(r"\btf\.(\w[\w.]*\w)", advice.GONE[name]):
        # What is in contrib is there with the extra: tests/compat/test_contrib.py
        assert recommended.startswith("contrib.slim.") or exists(tf, recommended), recommended


@pytest.mark.parametrize("name", advice.MOVED)
def test_a_moved_name_is_found(name):
    assert not exists(tensorflow.compat.v1, name)
    if advice.MOVED[name].startswith("nn.rnn_cell."):  # of Keras 2, which may not be there
        assert exists(tf, name) == exists(tf, advice.MOVED[name])
    else:
        assert exists(tf, name)


def test_the_whole_name_is_read_from_the_line():
    # Python asks for `contrib.layers` alone.
    with pytest.raises(AttributeError, match=r"contrib\.layers\.xavier_initializer is .*glorot"):
        tf.contrib.layers.xavier_initializer()
    with pytest.raises(ModuleNotFoundError, match=r"contrib\.slim is .*tfprefetch\[legacy\]"):
        from compat.v1.contrib import slim  # noqa: F401


def test_names_that_tf1_did_not_have_get_no_advice():
    assert advice.message("train.no_such_thing") is None
    with pytest.raises(AttributeError, match="no attribute 'no_such_thing'"):
        tf.no_such_thing  # noqa: B018
