"""`map_and_batch`: errors and ends in the middle of a block, arguments that cannot be."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from mapped import batches, batches_and_error

import tfprefetch

KEYS = [b"file:0", b"file:1", b"file:2", b"file:3"]


# --- errors ---------------------------------------------------------------------------------------


def decode(key, value):
    return key, tf.io.decode_raw(value, tf.int32)


RAW = tf.data.Dataset.from_tensor_slices((KEYS, [b"abcd", b"efgh", b"xyz", b"ijkl"]))


@pytest.mark.parametrize("num_parallel_calls", [None, 2])
def test_error_names_the_element_and_its_cause(num_parallel_calls):
    found, message = batches_and_error(RAW, decode, 2, num_parallel_calls=num_parallel_calls)
    assert len(found) == 1
    assert (
        "map_func failed on element 2 (file:2, xyz): "
        "Input to DecodeRaw has length 3 that is not a multiple of 4" in message
    )


def test_error_is_named_by_element_name():
    _, message = batches_and_error(
        RAW, decode, 4, element_name=lambda key, value: tf.strings.join(["record ", key])
    )
    assert "map_func failed on element 2 (record file:2): Input to DecodeRaw" in message


def test_long_values_are_no_names():
    dataset = tf.data.Dataset.from_tensors((b"k", b"x" * 1001))
    _, message = batches_and_error(dataset, decode, 2)
    assert "map_func failed on element 0 (k): Input to DecodeRaw" in message


@pytest.mark.parametrize("position", [0, 127, 128, 700])
def test_position_of_an_error(position):
    def fail_at(number):
        with tf.control_dependencies([tf.debugging.assert_none_equal(number, np.int64(position))]):
            return tf.identity(number)

    _, message = batches_and_error(tf.data.Dataset.range(1000), fail_at, 300)
    assert f"map_func failed on element {position} ({position}): " in message


def test_python_error():
    def fail(number):
        raise KeyError(f"no {number}")

    _, message = batches_and_error(
        tf.data.Dataset.range(4), lambda n: tf.numpy_function(fail, [n], tf.int64), 2
    )
    assert "map_func failed on element 0 (0): KeyError: 'no 0'" in message


def test_function_that_always_fails_does_not_hang_on_an_endless_dataset():
    found, message = batches_and_error(tf.data.Dataset.range(4).repeat(), _fails, 2)
    assert found == []
    assert "failed on element 0" in message


def _fails(number):
    return tf.debugging.check_numerics(1 / (0 * tf.cast(number, tf.float32)), "bad")


def test_error_in_a_sparse_element():
    dataset = tf.data.Dataset.range(3).map(lambda n: (n, tf.sparse.from_dense(tf.one_hot(n, 3))))
    _, message = batches_and_error(
        dataset, lambda n, s: tf.debugging.check_numerics(1 / (n - 1), "bad"), 3
    )
    assert "map_func failed on element 1 (1): bad : Tensor had Inf" in message


@pytest.mark.parametrize(("batch_size", "elements"), [(4, (0, 2)), (100, None)])
def test_shapes_that_disagree(batch_size, elements):
    change = 2 if elements else 60
    _, message = batches_and_error(
        tf.data.Dataset.range(100), lambda n: (n, tf.zeros([n // change + 1])), batch_size
    )
    assert "cannot stand in one batch: component 1 of map_func's result" in message
    assert "has the shapes [1] and [2]. Make them equal" in message
    if elements:
        assert "elements {} and {}".format(*elements) in message


def test_error_of_the_dataset_before_it():
    bad = tf.data.Dataset.range(4).map(lambda n: tf.debugging.check_numerics(1 / (n - 2), "before"))
    with pytest.raises(tf.errors.InvalidArgumentError, match="before : Tensor had Inf"):
        batches(bad, lambda x: x, 2)


def test_damaged_file_before_it(tmp_path):
    path = str(tmp_path / "r.rec")
    with tf.io.TFRecordWriter(path) as writer:
        for number in range(300):
            writer.write(b"%d" % number)
    with open(path, "r+b") as file:
        file.truncate(200)
    records = tfprefetch.from_files(path, with_keys=True)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"r\.rec is damaged at byte"):
        batches(records, lambda key, record: record, 2)


# --- the end --------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 3, 7, 8, 200])
@pytest.mark.parametrize("drop_remainder", [False, True])
def test_stop_iteration_ends_the_dataset(batch_size, drop_remainder):
    numbers = iter(range(7))

    def map_func(_):
        return tf.ensure_shape(tf.numpy_function(lambda: next(numbers), [], tf.int64), [])

    found = batches(
        tf.data.Dataset.range(1 << 62),
        map_func,
        batch_size,
        drop_remainder=drop_remainder,
        num_parallel_calls=None,
    )
    flat = list(range(7))
    parts = [flat[start : start + batch_size] for start in range(0, 7, batch_size)]
    assert found == [part for part in parts if len(part) == batch_size or not drop_remainder]


def test_stop_iteration_with_several_calls_in_flight():
    def map_func(number):
        def value(number):
            if number >= 500:
                raise StopIteration
            return number

        return tf.ensure_shape(tf.numpy_function(value, [number], tf.int64), [])

    found = batches(tf.data.Dataset.range(1 << 62), map_func, 30, num_parallel_calls=4)
    assert [number for batch in found for number in batch] == list(range(500))


# --- arguments ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1, got 0"),
        ({"batch_size": -3}, ValueError, "batch_size must be at least 1, got -3"),
        ({"batch_size": 2.5}, TypeError, "batch_size must be an integer, got 2.5"),
        ({"batch_size": None}, TypeError, "batch_size must be an integer, got None"),
        ({"map_func": 3}, TypeError, "map_func must be a function, got 3"),
        ({"element_name": "key"}, TypeError, "element_name must be a function, got 'key'"),
        ({"num_parallel_calls": 0}, ValueError, "num_parallel_calls .*got 0"),
        ({"shuffle_buffer_size": 0}, ValueError, "shuffle_buffer_size .*got 0"),
        ({"vectorize": "yes"}, ValueError, "vectorize .*'yes'"),
    ],
)
def test_bad_arguments_raise_at_once(arguments, error, message):
    with pytest.raises(error, match=message):
        tfprefetch.map_and_batch(**{"map_func": tf.negative, "batch_size": 2, **arguments})
