"""`from_python` and `prefetch_python`, in threads; what only processes do is in another file."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
import time

import loaders
import numpy as np
import pytest
import tensorflow as tf
from waiting import until

from tfprefetch import describe, from_python, prefetch_python

MAKERS = pytest.mark.parametrize("make", [from_python, prefetch_python])


def listed(elements):
    """All elements, as NumPy arrays."""
    return list(elements.as_numpy_iterator() if isinstance(elements, tf.data.Dataset) else elements)


def numbers(elements):
    """Of elements or batches that are numbers."""
    return [np.asarray(element).tolist() for element in listed(elements)]


# --- elements -------------------------------------------------------------------------------------


@MAKERS
def test_structures_of_arrays_numbers_and_text(make):
    elements = listed(make(loaders.pair, range(2)))
    assert len(elements) == 2
    array, rest = elements[1]
    assert array.dtype == np.float64
    assert array.tolist() == [1.0, 1.0, 1.0]
    assert {key: np.asarray(value).item() for key, value in rest.items()} == {
        "number": 1,
        "name": b"n1",
    }


def test_the_signature_is_that_of_the_first_item():
    assert from_python(loaders.pair, range(2)).element_spec == (
        tf.TensorSpec([3], tf.float64),
        {"number": tf.TensorSpec([], tf.int32), "name": tf.TensorSpec([], tf.string)},
    )


@pytest.mark.parametrize(
    ("value", "spec"),
    [
        (1, tf.TensorSpec([], tf.int32)),
        (0.5, tf.TensorSpec([], tf.float32)),
        (True, tf.TensorSpec([], tf.bool)),
        ([1, 2], tf.TensorSpec([2], tf.int32)),
        ([[0.5], [1]], tf.TensorSpec([2, 1], tf.float32)),
        (["a", b"bc"], tf.TensorSpec([2], tf.string)),
        (np.float64(1), tf.TensorSpec([], tf.float64)),
        (np.array(["a"]), tf.TensorSpec([1], tf.string)),
        (np.zeros([2, 0], np.uint8), tf.TensorSpec([2, 0], tf.uint8)),
        (tf.constant([1.5]), tf.TensorSpec([1], tf.float32)),
    ],
)
def test_dtypes_are_those_that_tensorflow_gives_values(value, spec):
    dataset = from_python(lambda _: value, [None])
    assert dataset.element_spec == spec
    (element,) = dataset
    expected = tf.constant(
        value.tolist() if spec.dtype == tf.string and not isinstance(value, list) else value
    )
    np.testing.assert_array_equal(element, expected)


@MAKERS
def test_shapes_may_vary_where_the_signature_says_so(make):
    signature = tf.TensorSpec([None], tf.int64)
    elements = listed(make(loaders.squares, range(4), output_signature=signature))
    assert [element.tolist() for element in elements] == [[], [0], [0, 1], [0, 1, 4]]


def test_shapes_of_prefetch_python_may_vary_anyway():
    assert [len(element) for element in prefetch_python(loaders.squares, range(4))] == [0, 1, 2, 3]


@MAKERS
def test_arrays_are_converted_within_their_kind(make):
    spec = {"x": tf.TensorSpec([3], tf.float32), "n": tf.TensorSpec([], tf.int64)}
    (element,) = listed(make(lambda _: {"x": np.ones(3), "n": 2**40}, [0], output_signature=spec))
    assert element["x"].dtype == np.float32
    assert element["n"] == 2**40


@pytest.mark.parametrize(
    ("first", "then", "words"),
    [
        (np.zeros(2), np.zeros(3), ["float64[3] where float64[2]", "output_signature"]),
        (1, 2**40, ["1099511627776 does not fit int32", "np.int64"]),
        (np.int32(1), 0.5, ["dtype float64 where int32 is expected"]),
        ((1, 2), (1, 2, 3), ["the structure is not that of output_signature", "a tuple of 3"]),
        ({"a": 1}, {"b": 1}, ["['b']", "['a']"]),
        (1, None, ["None is no array"]),
        (np.ones(2), np.ma.masked_equal([1, 2], 2), ["would lose its mask"]),
        (1, [[1], [2, 3]], ["a list is no array"]),
    ],
)
def test_what_is_not_like_the_first_item_is_an_error(first, then, words):
    iterator = iter(from_python(lambda n: first if n == 0 else then, [0, 1]))
    next(iterator)
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        next(iterator)
    for word in words:
        assert word in str(caught.value)


def test_numpy_elements_are_the_callers_own():
    first, second = prefetch_python(lambda n: np.full(3, n), [1, 2])
    first[:] = 7
    assert second.tolist() == [2, 2, 2]


@MAKERS
def test_load_may_write_into_its_own_array_again(make):
    buffer = np.zeros(1000)

    def load(number):
        buffer[:] = number
        return buffer

    elements = listed(make(load, range(6), workers=1))
    assert [array[0] for array in elements] == [0, 1, 2, 3, 4, 5]
    if make is prefetch_python:
        assert all(array.flags.writeable for array in elements)


def test_elements_are_aligned_for_tensorflow():
    (element,) = prefetch_python(lambda n: np.ones(1000), [0])
    assert element.ctypes.data % 64 == 0


@MAKERS
def test_items_that_the_program_changes_meanwhile(make):
    items = [0, 1, 2, 3]
    elements = make(lambda n: n, items, num_epochs=2)
    items.clear()
    assert numbers(elements) == [0, 1, 2, 3] * 2


# --- batches, epochs, order -----------------------------------------------------------------------


@MAKERS
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [[0, 1, 2], [3, 4]]),
        ({"drop_remainder": True}, [[0, 1, 2]]),
        ({"num_epochs": 2}, [[0, 1, 2], [3, 4]] * 2),
    ],
)
def test_batches(make, options, expected):
    elements = make(lambda n: n, range(5), batch_size=3, **options)
    assert len(elements) == len(expected)
    assert numbers(elements) == expected


def test_the_batch_is_static_without_a_remainder():
    def spec(**options):
        return from_python(loaders.pair, range(8), batch_size=4, **options).element_spec[0].shape

    assert spec().as_list() == [None, 3]
    assert spec(drop_remainder=True).as_list() == [4, 3]


@MAKERS
def test_for_ever(make):
    elements = make(lambda n: n, range(3), num_epochs=None)
    if make is from_python:
        assert elements.cardinality() == tf.data.INFINITE_CARDINALITY
        elements = elements.as_numpy_iterator()
    assert [int(n) for n in itertools.islice(elements, 8)] == [0, 1, 2, 0, 1, 2, 0, 1]


@MAKERS
def test_items_of_unequal_shape_do_not_make_a_batch(make):
    signature = tf.TensorSpec([None], tf.int64)
    with pytest.raises((ValueError, tf.errors.InvalidArgumentError)) as caught:
        listed(make(loaders.squares, range(4), batch_size=4, output_signature=signature))
    text = "".join([str(caught.value), *getattr(caught.value, "__notes__", [])])
    assert "items[1]" in text
    assert "shape [1] where the first of the batch has [0]" in text


@MAKERS
def test_the_order_depends_on_the_seed_and_not_on_the_workers(make):
    def order(seed, workers):
        options = {"shuffle": True, "seed": seed, "num_epochs": 2}
        return numbers(make(lambda n: n, range(30), workers=workers, **options))

    one = order(3, 1)
    assert one == order(3, 5)
    assert one != order(4, 5)
    assert sorted(one[:30]) == sorted(one[30:]) == list(range(30))
    assert one[:30] != one[30:]
    assert one[:30] != list(range(30))


def test_numpy_and_dataset_have_the_same_order_and_a_new_one_each_time():
    options = {"shuffle": True, "seed": 3}
    dataset = from_python(lambda n: n, range(30), **options)
    first = numbers(dataset)
    assert first == numbers(prefetch_python(lambda n: n, range(30), **options))
    assert first != numbers(dataset)
    assert first != numbers(from_python(lambda n: n, range(30), shuffle=True))


@MAKERS
def test_a_slow_item_holds_up_others_only_where_the_order_is_fixed(make):
    can_go_on = threading.Event()

    def load(number):
        if number == 0:
            assert can_go_on.wait(30.0)
        return number

    options = {"workers": 2, "deterministic": False, "max_queue_size": 4}
    options["output_signature"] = tf.TensorSpec([], tf.int32)
    elements = make(load, range(10), **options)
    iterator = elements.as_numpy_iterator() if make is from_python else elements
    some = [int(next(iterator)) for _ in range(6)]
    assert 0 not in some
    can_go_on.set()
    assert sorted(some + [int(n) for n in iterator]) == list(range(10))


@MAKERS
def test_items_are_loaded_at_the_same_time_and_ahead(make):
    together = threading.Barrier(3)
    begun = []

    def load(number):
        begun.append(number)
        if number < 3:
            together.wait(30.0)  # passes only when three are here at once
        return number

    signature = tf.TensorSpec([], tf.int32)
    options = {"workers": 3, "max_queue_size": 5, "output_signature": signature}
    elements = make(load, range(100), **options)
    iterator = iter(elements)
    assert int(next(iterator)) == 0
    most = 1 + 5 if make is prefetch_python else 1 + 5 + 30  # tf.data reads ahead, too
    while len(begun) < 6:
        time.sleep(0.01)
    assert len(begun) <= most
    assert len(begun) < 100


# --- errors ---------------------------------------------------------------------------------------


def test_an_error_of_load_arrives_as_it_is_with_the_item():
    iterator = prefetch_python(loaders.refuse_seven, range(10))
    with pytest.raises(FileNotFoundError, match="no file for 7") as caught:
        numbers(iterator)
    assert "load failed for items[7], which is 7" in str(caught.value.__cause__)
    assert caught.traceback[-1].name == "refuse_seven"
    assert iterator.index == 8
    assert list(iterator) == []


def test_an_error_in_a_dataset_tells_item_and_traceback_and_the_next_element_follows():
    iterator = iter(
        from_python(
            loaders.refuse_seven, range(7, 10), output_signature=tf.TensorSpec([], tf.int32)
        )
    )
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        next(iterator)
    message = str(caught.value)
    assert "load failed for items[0], which is 7" in message
    assert 'raise FileNotFoundError(f"no file for {number}")' in message
    assert [int(number) for number in iterator] == [8, 9]


def test_an_error_for_the_first_item_comes_at_once():
    with pytest.raises(FileNotFoundError, match="no file for 7"):
        from_python(loaders.refuse_seven, [7])


@MAKERS
@pytest.mark.parametrize(
    ("error", "options", "words"),
    [
        (TypeError, {"load": 3}, "load must be a function"),
        (TypeError, {"items": "abc"}, "items must be a sequence"),
        (TypeError, {"items": {"a": 1}}, "a single item goes into a list"),
        (TypeError, {"items": 5}, "items must be a sequence"),
        (TypeError, {"items": {1, 2}}, "items must have an order"),
        (TypeError, {"items": np.array(5)}, "array without dimensions"),
        (TypeError, {"items": tf.data.Dataset.range(3)}, "dataset.map"),
        (ValueError, {"workers": 0}, "workers must be at least 1, got 0"),
        (TypeError, {"workers": 1.5}, "workers must be an integer, got 1.5"),
        (ValueError, {"batch_size": 0}, "batch_size must be at least 1"),
        (ValueError, {"num_epochs": -1}, "num_epochs must be at least 1"),
        (ValueError, {"max_queue_size": 0}, "max_queue_size must be at least 1"),
        (ValueError, {"drop_remainder": True}, "needs a batch_size"),
        (TypeError, {"output_signature": tf.int32}, "must be a tf.TensorSpec"),
        (TypeError, {"output_signature": [tf.TensorSpec([])]}, "must be a tf.TensorSpec"),
        (TypeError, {"seed": 0.5}, "seed must be an integer"),
    ],
)
def test_arguments_that_cannot_be(make, error, options, words):
    options = {"load": loaders.squares, "items": [1, 2], **options}
    with pytest.raises(error, match=words):
        make(options.pop("load"), options.pop("items"), **options)


def test_a_load_that_returns_nothing_at_all():
    for nothing in ({}, (), {"a": ()}):
        with pytest.raises(TypeError, match="holds no array"):
            from_python(lambda _, nothing=nothing: nothing, [1])


def test_no_items():
    with pytest.raises(ValueError, match="items is empty"):
        from_python(loaders.squares, [])
    signature = tf.TensorSpec([None], tf.int64)
    for num_epochs in (1, None):
        options = {"output_signature": signature, "num_epochs": num_epochs}
        assert listed(from_python(loaders.squares, [], **options)) == []
        assert listed(prefetch_python(loaders.squares, [], **options)) == []


# --- where datasets go ----------------------------------------------------------------------------


def test_in_a_function_and_with_keras():
    def load(number):
        return np.full([2], number, np.float32), np.float32(number)

    dataset = from_python(load, range(8), batch_size=4)

    @tf.function
    def total(dataset):
        result = 0.0
        for _, labels in dataset:
            result += tf.reduce_sum(labels)
        return result

    assert total(dataset) == 28.0
    model = tf.keras.Sequential([tf.keras.layers.Dense(1)])
    model.compile(loss="mse")
    history = model.fit(dataset, epochs=2, verbose=0)
    assert len(history.history["loss"]) == 2


def test_in_a_graph():
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        dataset = from_python(lambda n: n, range(4), batch_size=2)
        iterator = tf.compat.v1.data.make_one_shot_iterator(dataset)
        number = iterator.get_next()
        assert session.run(number).tolist() == [0, 1]
        assert session.run(number).tolist() == [2, 3]
        with pytest.raises(tf.errors.OutOfRangeError):
            session.run(number)


def test_described():
    dataset = from_python(loaders.squares, [3], workers=2, batch_size=4, num_epochs=None)
    assert describe(dataset).splitlines() == [
        "from_python: squares, 1 item, batch_size=4, num_epochs=None  int64[?, 3]",
        "  in 2 threads, at most 4 elements ahead",
    ]


# --- going on and ending --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"shuffle": True},
        {"shuffle": True, "seed": 5, "batch_size": 3},
        {"shuffle": True, "deterministic": False},
    ],
)
def test_saved_and_restored_in_the_middle(tmp_path, options):
    def load(number):
        time.sleep(0.001 * (number % 3))  # so that they overtake each other
        return number

    options = {"num_epochs": 3, "workers": 3, **options}
    first = iter(from_python(load, range(10), **options))
    delivered = [np.reshape(next(first), -1) for _ in range(7)]
    path = tf.train.Checkpoint(iterator=first).save(tmp_path / "checkpoint")
    second = iter(from_python(load, range(10), **options))
    tf.train.Checkpoint(iterator=second).restore(path).assert_consumed()
    rest = [np.reshape(element, -1) for element in second]
    everything = np.concatenate(delivered + rest).tolist()
    assert sorted(everything) == sorted([*range(10)] * 3)
    if options.get("deterministic", True):
        assert (
            np.concatenate(rest).tolist()
            == np.concatenate([np.reshape(e, -1) for e in first]).tolist()
        )


def test_numpy_goes_on_at_an_index():
    options = {"shuffle": True, "seed": 5, "num_epochs": 2, "batch_size": 3}
    with prefetch_python(lambda n: n, range(10), **options) as first:
        whole = numbers(first)
    with prefetch_python(lambda n: n, range(10), **options) as first:
        begin = [next(first).tolist() for _ in range(5)]
    assert first.index == 5
    second = prefetch_python(lambda n: n, range(10), start_index=first.index, **options)
    assert len(second) == len(whole)
    assert begin + numbers(second) == whole


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"start_index": 11}, "start_index must be at most 10"),
        ({"start_index": -1}, "start_index must be at least 0"),
        ({"start_index": 3, "deterministic": False}, "needs deterministic=True"),
        ({"start_index": 3, "shuffle": True}, "needs the seed"),
    ],
)
def test_indices_that_cannot_be(options, words):
    with pytest.raises(ValueError, match=words):
        prefetch_python(lambda n: n, range(10), **options)


def test_an_endless_iterator_has_no_length():
    with pytest.raises(TypeError, match="num_epochs=None"):
        len(prefetch_python(lambda n: n, range(10), num_epochs=None))


def gone():
    """Whether all threads ended."""
    return until(lambda: not loaders.threads_of_loaders())


def drop_dataset():
    iterator = iter(from_python(lambda n: n, range(100), num_epochs=None))
    next(iterator)


def use_up_dataset():
    listed(from_python(lambda n: n, range(10)))


def drop_numpy():
    next(prefetch_python(lambda n: n, range(100)))


def break_off():
    with prefetch_python(lambda n: n, range(100)) as iterator:
        next(iterator)
        assert loaders.threads_of_loaders()


def fail():
    iterator = prefetch_python(loaders.refuse_seven, range(100))
    with pytest.raises(FileNotFoundError):
        numbers(iterator)
    assert gone()  # while it is still there
    del iterator


@pytest.mark.parametrize("end", [drop_dataset, use_up_dataset, drop_numpy, break_off, fail])
def test_threads_end(end):
    end()
    assert gone()


def test_threads_may_take_turns_and_one_may_close():
    iterator = prefetch_python(lambda n: n, range(60))
    taken = []
    threads = [threading.Thread(target=lambda: taken.extend(iterator)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30.0)
        assert not thread.is_alive()
    assert sorted(int(number) for number in taken) == list(range(60))

    go_on = threading.Event()
    iterator = prefetch_python(lambda n: go_on.wait(30.0), range(60))
    thread = threading.Thread(target=lambda: taken.append(list(iterator)))
    thread.start()
    time.sleep(0.1)
    iterator.close()
    thread.join(20.0)
    assert not thread.is_alive()
    assert taken[-1] == []
    go_on.set()


NEVER_ENDS = """
import threading

import tensorflow as tf

import tfprefetch


def load(number):
    if number:
        threading.Event().wait()
    return number


iterators = [
    iter(tfprefetch.from_python(load, range(9))),
    tfprefetch.prefetch_python(load, range(9)),
]
for iterator in iterators:
    print(int(next(iterator)))
"""


def test_a_program_ends_while_load_does_not():
    done = subprocess.run(
        [sys.executable, "-c", NEVER_ENDS],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert (done.returncode, done.stdout) == (0, "0\n0\n")


def test_a_dropped_dataset_does_not_end_its_iterator():
    iterator = iter(from_python(lambda n: n, range(5)))
    assert [int(number) for number in iterator] == [0, 1, 2, 3, 4]


def test_a_pause_loses_nothing():
    iterator = iter(from_python(lambda n: n, range(50), num_epochs=None))
    before = [int(next(iterator)) for _ in range(3)]
    time.sleep(2.0)  # longer than a run without an iterator lives
    assert before + [int(next(iterator)) for _ in range(4)] == list(range(7))


def test_iterators_side_by_side_and_one_after_another_share_nothing():
    dataset = from_python(lambda n: n, range(6), shuffle=True, seed=1)
    pairs = [(int(a), int(b)) for a, b in zip(dataset, dataset, strict=True)]
    assert sorted(a for a, _ in pairs) == sorted(b for _, b in pairs) == list(range(6))
    assert sorted(int(number) for number in dataset.repeat(3)) == sorted([*range(6)] * 3)
