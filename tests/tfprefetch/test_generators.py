"""`from_generator`, in threads and in processes."""

from __future__ import annotations

import multiprocessing
import threading
import time

import loaders
import numpy as np
import pytest
import tensorflow as tf
from waiting import until

from tfprefetch import describe, from_generator

KINDS = pytest.mark.parametrize("use_multiprocessing", [False, True])
NUMBER = tf.TensorSpec([], tf.int32)


def nothing_is_left():
    return not loaders.threads_of_loaders() and not multiprocessing.active_children()


@pytest.fixture(autouse=True)
def _leaves_nothing_behind():
    yield
    assert until(nothing_is_left)


@KINDS
def test_elements_and_their_signature(use_multiprocessing):
    dataset = from_generator(loaders.count_to_five, use_multiprocessing=use_multiprocessing)
    assert dataset.element_spec == {
        "number": tf.TensorSpec([], tf.int32),
        "halves": tf.TensorSpec([2], tf.float32),
    }
    for _ in range(2):  # every iteration begins anew
        elements = list(dataset.as_numpy_iterator())
        assert [int(element["number"]) for element in elements] == [0, 1, 2, 3, 4]
        assert [element["halves"].tolist() for element in elements][3] == [1.5, 3.0]


@KINDS
def test_shapes_may_vary(use_multiprocessing):
    dataset = from_generator(
        loaders.growing,
        use_multiprocessing=use_multiprocessing,
        output_signature=tf.TensorSpec([None], tf.float32),
    )
    assert [len(element) for element in dataset] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("shapes", [(2, 3), (0, 1), (3, 3, 2)])
def test_a_shape_unlike_the_signature_is_an_error(shapes):
    iterator = iter(from_generator(lambda: (np.zeros(size) for size in shapes)))
    like_the_first = [size for size in shapes if size == shapes[0]]
    assert [len(next(iterator)) for _ in like_the_first] == like_the_first
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"\\[{shapes[-1]}\\]"):
        next(iterator)


@KINDS
def test_an_error_comes_behind_what_was_yielded_with_its_traceback(use_multiprocessing):
    iterator = iter(
        from_generator(loaders.break_after_two, use_multiprocessing=use_multiprocessing)
    )
    assert [float(next(iterator)) for _ in range(2)] == [1.0, 2.0]
    with pytest.raises(tf.errors.OpError, match="KeyError: 'no more'") as caught:
        next(iterator)
    assert 'raise KeyError("no more")' in str(caught.value)


def test_an_error_before_the_first_element_comes_at_once():
    def generate():
        raise FileNotFoundError("gone")
        yield

    with pytest.raises(FileNotFoundError, match="gone"):
        from_generator(generate)


def test_a_process_that_is_killed_is_an_error():
    iterator = iter(from_generator(loaders.kill_after_two, use_multiprocessing=True))
    with pytest.raises(tf.errors.OpError, match="SIGKILL"):
        for _ in iterator:
            pass
    del iterator


@KINDS
@pytest.mark.parametrize("max_queue_size", [1, 10])
def test_it_runs_ahead_but_not_too_far(tmp_path, use_multiprocessing, max_queue_size):
    generator = loaders.Marks(tmp_path)
    iterator = iter(
        from_generator(
            generator,
            use_multiprocessing=use_multiprocessing,
            max_queue_size=max_queue_size,
            output_signature=NUMBER,
        )
    )
    assert int(next(iterator)) == 0

    def at():
        return int((tmp_path / "at").read_text() or -1)

    assert until(lambda: at() > 0)
    time.sleep(0.3)
    # A chunk was handed over; tf.data may have asked for another one.
    assert at() <= 3 * max_queue_size
    assert [int(next(iterator)) for _ in range(50)] == list(range(1, 51))
    del iterator
    assert until((tmp_path / "closed").exists)


def test_what_is_there_need_not_wait_for_what_is_not():
    go_on = threading.Event()

    def generate():
        yield 1
        yield 2
        assert go_on.wait(30)
        yield 3

    iterator = iter(from_generator(generate, output_signature=NUMBER))
    assert [int(next(iterator)), int(next(iterator))] == [1, 2]
    go_on.set()
    assert [int(number) for number in iterator] == [3]


def test_a_generator_may_write_into_its_own_array_again():
    def generate():
        array = np.zeros([3])
        for number in range(20):
            array[:] = number
            yield array

    assert [int(array[0]) for array in from_generator(generate)] == list(range(20))


def test_an_error_that_cannot_be_sent_is_told_all_the_same():
    iterator = iter(from_generator(loaders.raise_in_generator, use_multiprocessing=True))
    assert float(next(iterator)) == 1.0
    with pytest.raises(tf.errors.OpError, match="ThatCannotBeSent: salt and pepper"):
        next(iterator)
    del iterator


@KINDS
def test_several_are_interleaved(use_multiprocessing):
    generators = [loaders.count_to_five, loaders.count_to_five]
    options = {"use_multiprocessing": use_multiprocessing}

    def order(**more):
        dataset = from_generator(generators, **options, **more)
        return [int(element["number"]) for element in dataset]

    assert order() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    if not use_multiprocessing:
        assert order(block_length=2) == [0, 1, 0, 1, 2, 3, 2, 3, 4, 4]
        assert order(cycle_length=1) == [*range(5)] * 2


def test_several_run_at_the_same_time():
    together = threading.Barrier(2)

    def generate():
        yield together.wait(30) * 0  # passes only when both are here
        yield 1

    dataset = from_generator([generate, generate], output_signature=NUMBER)
    assert [int(number) for number in dataset] == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("error", "make_generator", "options", "words"),
    [
        (TypeError, [3], {}, "must be a function that makes a generator"),
        (TypeError, 5, {}, "must be a function that makes a generator"),
        (ValueError, [], {}, "must not be an empty list"),
        (ValueError, lambda: [], {}, "yields nothing"),
        (TypeError, lambda: 3, {}, "not iterable"),
        (ValueError, loaders.growing, {"max_queue_size": 0}, "max_queue_size must be at least 1"),
        (ValueError, loaders.growing, {"cycle_length": 0}, "cycle_length must be at least 1"),
        (ValueError, loaders.growing, {"block_length": 0}, "block_length must be at least 1"),
        (TypeError, lambda: [1], {"use_multiprocessing": True}, "top level of a module"),
        (TypeError, loaders.growing, {"output_signature": tf.int32}, "must be a tf.TensorSpec"),
    ],
)
def test_arguments_that_cannot_be(error, make_generator, options, words):
    with pytest.raises(error, match=words):
        from_generator(make_generator, **options)


def test_nothing_at_all_with_a_signature():
    assert list(from_generator(lambda: [], output_signature=NUMBER)) == []


def test_in_a_graph_and_in_a_function():
    def generate():
        yield from range(4)

    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        dataset = from_generator(generate).batch(2)
        batch = tf.compat.v1.data.make_one_shot_iterator(dataset).get_next()
        assert session.run(batch).tolist() == [0, 1]
        assert session.run(batch).tolist() == [2, 3]

    @tf.function
    def total(dataset):
        return dataset.reduce(0, lambda a, b: a + b)

    assert total(from_generator(generate)) == 6


def test_it_cannot_be_saved(tmp_path):
    iterator = iter(from_generator(loaders.count_to_five))
    next(iterator)
    with pytest.raises(tf.errors.UnimplementedError, match="GeneratorDataset does not support"):
        tf.train.Checkpoint(iterator=iterator).save(tmp_path / "checkpoint")
    del iterator


def test_described():
    dataset = from_generator([loaders.growing, loaders.growing], output_signature=NUMBER)
    assert describe(dataset).splitlines() == [
        "from_generator: growing and 1 more  int32[]",
        "  each in a thread of its own, at most 10 elements ahead",
    ]
