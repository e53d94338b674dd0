"""`from_raw` with .npy files, which say themselves what is in them."""

from __future__ import annotations

import pathlib

import numpy as np
import pytest
import tensorflow as tf
from raw_files import batches

import tfprefetch

pytestmark = pytest.mark.usefixtures("in_directory")


@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
@pytest.mark.parametrize("dtype", ["<f4", ">f4", "|u1", "?", ">c16"])
def test_npy(dtype, version):
    array = np.arange(60).reshape(10, 2, 3).astype(dtype)
    with open("a.npy", "wb") as file:
        np.lib.format.write_array(file, array, version)
    dataset = tfprefetch.from_raw("a.npy", None, None, 4)
    spec = tf.TensorSpec([None, 2, 3], array.dtype.newbyteorder("="))
    assert dataset.element_spec == spec
    assert np.concatenate(list(dataset.as_numpy_iterator())).tolist() == array.tolist()
    assert len(batches("a.npy", array.dtype.newbyteorder("="), [2, 3], 4)) == 3


def save_npy(name, array, **options):
    np.save(name, array, **options)
    return name


@pytest.mark.parametrize(
    ("array", "options", "message"),
    [
        (np.zeros([2, 3], order="F"), {}, "a.npy is in Fortran order.*ascontiguousarray"),
        (np.array([{}, 1]), {}, "a.npy holds object"),
        (np.array(["a", "b"]), {}, "a.npy holds <U1"),
        (np.array([b"a", b"b"]), {}, r"a.npy holds \|S1"),
        (np.array(["2024-01-01"], "M8[D]"), {}, "a.npy holds datetime64"),
        (np.zeros(3, [("x", "f4")]), {}, "a.npy holds"),
        (np.array(3.0), {}, "a.npy holds a single number"),
        (np.zeros([2, 3]), {"dtype": tf.float32}, "dtype=float32, but a.npy holds float64"),
        (np.zeros([2, 3]), {"shape": [4]}, r"shape=\[4\], but .*a.npy have shape \[3\]"),
        (np.zeros([2, 3]), {"header_bytes": 1}, "header_bytes .* must be 0 for a.npy.*1"),
    ],
)
def test_npy_that_cannot_be(array, options, message):
    np.save("a.npy", array, allow_pickle=True)
    with pytest.raises(ValueError, match=message):
        tfprefetch.from_raw("a.npy", **{"dtype": None, "shape": None, "batch_size": 2, **options})


def test_damaged_npy():
    np.save("a.npy", np.zeros([10, 3]))
    content = open("a.npy", "rb").read()
    for damaged, message in (
        (content[:-1], r"a.npy has 367 bytes.*10 records of 24 bytes \(float64\[3\]\), 368 in"),
        (content + b"x", "a.npy has 369 bytes"),
        (content[:50], "a.npy is no .npy file that can be read"),
        (b"", "a.npy is no .npy file that can be read"),
        (b"\x93NUMPY\x03" + content[7:], "a.npy is no .npy.*version 3.0"),
    ):
        pathlib.Path("a.npy").write_bytes(damaged)
        with pytest.raises(ValueError, match=message):
            tfprefetch.from_raw("a.npy", None, None, 2)


def test_fortran_order_of_one_axis_is_no_matter():
    np.save("a.npy", np.zeros([5, 2], order="F")[:, 0])
    np.save("b.npy", np.zeros([5, 1], order="F"))
    assert batches(("a.npy", "b.npy"), None, None, 5)[0][1].shape == (5, 1)
