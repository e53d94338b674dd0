"""Raw files for the tests of `from_raw`, in the current directory."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

import tfprefetch


def write(name, array, header=b"", footer=b""):
    with open(name, "wb") as file:
        file.write(header + np.ascontiguousarray(array).tobytes() + footer)
    return name


def batches(*args, **kwargs):
    return list(tfprefetch.from_raw(*args, **kwargs).as_numpy_iterator())


def numbers(count, **options):
    """All int32 records of a file of 0, 1, ..., in the order in which they come."""
    write("n.bin", np.arange(count, dtype=np.int32))
    found = batches("n.bin", tf.int32, [], **{"batch_size": 10, **options})
    return np.concatenate(found).tolist() if found else []
