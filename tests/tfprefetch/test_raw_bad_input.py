"""What `from_raw` refuses: damaged files, arguments that cannot be."""

from __future__ import annotations

import os

import numpy as np
import pytest
import tensorflow as tf
from raw_files import write

import tfprefetch

pytestmark = pytest.mark.usefixtures("in_directory")


# --- damaged files --------------------------------------------------------------------------------


def test_a_file_that_ends_inside_a_record():
    write("a.bin", np.zeros(99, np.uint8))
    with pytest.raises(ValueError, match=r"a.bin ends inside a record: it has 99 bytes; a record "):
        tfprefetch.from_raw("a.bin", tf.float32, [5], 3)
    message = (
        r"95 without header_bytes=2 and footer_bytes=2; .*float32\[5\].*20 bytes.* 4 records and 15"
    )
    with pytest.raises(ValueError, match=message):
        tfprefetch.from_raw("a.bin", tf.float32, [5], 3, header_bytes=2, footer_bytes=2)
    with pytest.raises(ValueError, match="a.bin has 99 bytes, less than header_bytes=100"):
        tfprefetch.from_raw("a.bin", tf.float32, [5], 3, header_bytes=100)


def test_files_of_different_lengths():
    write("x.bin", np.zeros([100, 13], np.float32))
    write("y.bin", np.zeros([99], np.uint8))
    with pytest.raises(
        ValueError,
        match=r"equal numbers of records: x.bin has 100 records of 52 bytes \(float32\[13\]\) in "
        r"5200 bytes; y.bin has 99 records of 1 bytes \(uint8\[\]\) in 99 bytes",
    ):
        tfprefetch.from_raw(("x.bin", "y.bin"), (tf.float32, tf.uint8), ([13], []), 3)


def test_missing_files_and_directories():
    with pytest.raises(tf.errors.NotFoundError, match=r"gone.bin"):
        tfprefetch.from_raw("gone.bin", tf.float32, [], 3)
    with pytest.raises(tf.errors.NotFoundError, match=r"gone.npy"):
        tfprefetch.from_raw("gone.npy", None, None, 3)
    os.mkdir("folder")
    with pytest.raises(tf.errors.FailedPreconditionError, match="folder is a directory"):
        tfprefetch.from_raw("folder", tf.float32, [], 3)


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("size", [12000, 12004, 4000000 - 4, 4000004, 0, None])
def test_a_file_that_changes_later(size, shuffle):
    write("a.bin", np.zeros(1000000, np.float32))
    dataset = tfprefetch.from_raw("a.bin", tf.float32, [], 1000, shuffle=shuffle)
    if size is None:
        os.remove("a.bin")
        message = "a.bin cannot be read any more: .*No such file"
    else:
        os.truncate("a.bin", size)
        message = f"a.bin changed while it was read: it had 4000000 bytes.* has {size} now"
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        list(dataset)


# --- arguments ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"files": []}, ValueError, "files is empty"),
        ({"files": {}}, ValueError, "files is empty"),
        ({"files": ("n.bin", [])}, ValueError, "files is empty"),
        ({"files": 3}, TypeError, "files must be a file name.* got 3"),
        ({"files": tf.constant("n.bin")}, TypeError, "no tensors"),
        ({"dtype": None}, ValueError, "dtype=None .*n.bin is no .npy file"),
        ({"shape": None}, ValueError, "shape=None: n.bin is no .npy file"),
        ({"dtype": tf.string}, TypeError, "dtype must be .* tf.string"),
        ({"dtype": tf.qint8}, TypeError, "dtype must be .* tf.qint8"),
        ({"dtype": "flaot32"}, TypeError, "dtype must be .* 'flaot32'"),
        ({"dtype": (tf.int32, tf.int32)}, ValueError, "dtype must be .*; got"),
        ({"shape": 13}, ValueError, "shape must be .*, like .*; got 13"),
        ({"shape": [None, 2]}, ValueError, "shape must be .*; got"),
        ({"shape": [-1]}, ValueError, "shape must be .*; got"),
        ({"shape": [3, 0]}, ValueError, r"shape must not hold a 0.* got \[3, 0\]"),
        ({"files": ("n.bin",) * 2, "shape": ([], [], [])}, ValueError, "a tuple of 2 like files"),
        ({"files": {"a": "n.bin"}, "dtype": {"b": 1}}, ValueError, r"the keys of files, \['a'\]"),
        (
            {"files": {"a": ("n.bin",)}, "shape": {"a": {"b": []}}},
            ValueError,
            r"shape\['a'\] must be .*a tuple of 1",
        ),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1, got 0"),
        ({"batch_size": 2.0}, TypeError, "batch_size must be an integer, got 2.0"),
        ({"num_epochs": 0}, ValueError, "num_epochs .*None for ever, got 0"),
        ({"num_shards": 0}, ValueError, "num_shards .*got 0"),
        ({"index": 1}, ValueError, "index .*num_shards=1, got 1"),
        ({"shuffle_buffer_bytes": 0}, ValueError, "shuffle_buffer_bytes .*got 0"),
        ({"header_bytes": -1}, ValueError, "header_bytes must be .*got -1"),
        ({"footer_bytes": (0, 0)}, ValueError, "footer_bytes must be .*got"),
    ],
)
def test_bad_arguments_raise_at_once(arguments, error, message):
    write("n.bin", np.arange(10, dtype=np.int32))
    good = {"files": "n.bin", "dtype": tf.int32, "shape": [], "batch_size": 3}
    with pytest.raises(error, match=message):
        tfprefetch.from_raw(**{**good, **arguments})


def test_files_of_one_array_must_be_alike():
    np.save("a.npy", np.zeros([2, 3]))
    np.save("b.npy", np.zeros([2, 4]))
    with pytest.raises(ValueError, match=r"a.npy has 2.*float64\[3\].*b.npy has 2.*float64\[4\]"):
        tfprefetch.from_raw(["a.npy", "b.npy"], None, None, 2)
