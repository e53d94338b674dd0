"""Files of records for the tests of `from_files`, in the current directory."""

from __future__ import annotations

import pytest
import tensorflow as tf

import tfprefetch

RECORDS = [b"", b"a", b"abc" * 100, b"z"]
KEYED = [(0, b""), (16, b"a"), (33, b"abc" * 100), (349, b"z")]


def write(name, content):
    with open(name, "wb") as file:
        file.write(content)
    return name


def write_records(name, records=RECORDS, compression=""):
    with tf.io.TFRecordWriter(name, compression) as writer:
        for record in records:
            writer.write(record)
    return name


def elements(*args, **kwargs):
    return list(tfprefetch.from_files(*args, **kwargs).as_numpy_iterator())


def elements_and_error(*args, **kwargs):
    found = []
    with pytest.raises(tf.errors.OpError) as error:
        for element in tfprefetch.from_files(*args, **kwargs).as_numpy_iterator():
            found.append(element)
    return found, error.value


def keyed(name, pairs):
    return [(f"{name}:{position}".encode(), record) for position, record in pairs]
