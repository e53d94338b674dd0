"""`map_and_batch`: the same as map, then batch, wherever it is used."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from mapped import batches, expected, to_python

import tfprefetch

KEYS = [b"file:0", b"file:1", b"file:2", b"file:3"]


def scale(number):
    return tf.cast(number, tf.float32) * 0.5


def in_structures(number):
    return {"a": number, "b": (tf.range(4) + tf.cast(number, tf.int32), tf.as_string(number))}


def unknown_shape(number):
    return tf.ensure_shape(
        tf.py_function(lambda n: tf.ones([3], tf.int64) * n, [number], tf.int64), None
    )


def ragged(number):
    return tf.RaggedTensor.from_row_splits(tf.range(number), tf.stack([0, number // 2, number]))


def sparse(number):
    return tf.sparse.from_dense(tf.one_hot(number % 5, 5)), number


# --- the same as map, then batch ----------------------------------------------------------------


@pytest.mark.parametrize("drop_remainder", [False, True])
@pytest.mark.parametrize(
    ("batch_size", "num_parallel_calls"),
    [(1, None), (7, 1), (7, 3), (100, None), (130, tf.data.AUTOTUNE), (1000, 3)],
)
def test_same_as_map_and_batch(batch_size, drop_remainder, num_parallel_calls):
    dataset = tf.data.Dataset.range(300)
    for map_func in (scale, in_structures):
        plain = dataset.map(map_func).batch(batch_size, drop_remainder)
        ours = dataset.apply(
            tfprefetch.map_and_batch(
                map_func,
                batch_size,
                drop_remainder=drop_remainder,
                num_parallel_calls=num_parallel_calls,
            )
        )
        assert ours.element_spec == plain.element_spec
        assert ours.cardinality() == plain.cardinality()
        found = [tf.nest.map_structure(to_python, batch) for batch in ours]
        assert found == expected(dataset, map_func, batch_size, drop_remainder)


@pytest.mark.parametrize("map_func", [unknown_shape, ragged, sparse])
@pytest.mark.parametrize(("batch_size", "drop_remainder"), [(7, True), (33, False), (70, True)])
def test_results_of_every_kind(map_func, batch_size, drop_remainder):
    dataset = tf.data.Dataset.range(150)
    found = batches(dataset, map_func, batch_size, drop_remainder=drop_remainder)
    assert found == expected(dataset, map_func, batch_size, drop_remainder)


def test_elements_of_every_kind():
    ragged_rows = tf.data.Dataset.from_tensor_slices(tf.ragged.constant([[1], [2, 3], [], [4]]))
    assert batches(ragged_rows, tf.reduce_sum, 3) == [[1, 5, 0], [4]]
    different = tf.data.Dataset.range(5).map(tf.range)
    assert batches(different, tf.size, 2) == [[0, 1], [2, 3], [4]]
    dicts = tf.data.Dataset.from_tensor_slices({"a": [1, 2, 3], "b": ["x", "y", "z"]})
    assert batches(dicts, lambda e: (e["a"] * 2, e["b"]), 2) == [
        ([2, 4], [b"x", b"y"]),
        ([6], [b"z"]),
    ]
    tuples = tf.data.Dataset.from_tensor_slices(([1, 2, 3], ([4, 5, 6], [7, 8, 9])))
    assert batches(tuples, lambda a, b: a + b[0] + b[1], 3) == [[12, 15, 18]]
    one = tf.data.Dataset.from_tensor_slices(([1, 2],))
    assert batches(one, lambda a: (a,), 2) == [([1, 2],)]
    split = batches(tf.data.Dataset.range(200), lambda n: (n,), 200)
    assert split == [(list(range(200)),)]
    sparse_rows = tf.data.Dataset.range(3).map(lambda n: tf.sparse.from_dense(tf.one_hot(n, 3)))
    assert batches(sparse_rows, tf.sparse.reduce_sum, 3) == [[1.0, 1.0, 1.0]]


def test_autograph_as_in_map():
    def branch(number):
        if number > 2:
            number = number * 100
        return number

    assert batches(tf.data.Dataset.range(5), branch, 5) == [[0, 1, 2, 300, 400]]


def test_map_func_is_traced_once():
    traces = []

    def map_func(number):
        traces.append(number)
        return number

    assert batches(tf.data.Dataset.range(3), map_func, 2) == [[0, 1], [2]]
    assert len(traces) == 1


def test_empty_and_infinite_datasets():
    assert batches(tf.data.Dataset.range(0), scale, 3) == []
    endless = tf.data.Dataset.range(5).repeat().apply(tfprefetch.map_and_batch(scale, 200))
    assert endless.cardinality() == tf.data.INFINITE_CARDINALITY
    assert next(iter(endless)).numpy()[:6].tolist() == [0, 0.5, 1, 1.5, 2, 0]


def test_free_order_loses_nothing():
    found = batches(tf.data.Dataset.range(1000), lambda n: n, 30, deterministic=False)
    assert sorted(number for batch in found for number in batch) == list(range(1000))


def test_shuffles_before_the_map():
    dataset = tf.data.Dataset.range(50)
    options = {"shuffle_buffer_size": 50, "seed": 3, "num_parallel_calls": None}
    one = batches(dataset, lambda n: n, 50, **options)[0]
    assert sorted(one) == list(range(50)) != one
    assert one == batches(dataset, lambda n: n, 50, **options)[0]
    assert one != batches(dataset, lambda n: n, 50, **{**options, "seed": 4})[0]
    assert one == [n for n in dataset.shuffle(50, seed=3).as_numpy_iterator()]


def test_seeded_random_operations_go_on_from_block_to_block():
    def draw(_):
        return tf.random.uniform([], maxval=1 << 30, dtype=tf.int32, seed=5)

    drawn = batches(tf.data.Dataset.range(400), draw, 400, num_parallel_calls=None)[0]
    assert len(set(drawn)) == 400


def test_batch_size_as_a_tensor():
    assert batches(tf.data.Dataset.range(5), lambda n: n, tf.constant(2)) == [[0, 1], [2, 3], [4]]


# --- where it is used -----------------------------------------------------------------------------


def test_in_a_graph_with_captured_tensors_tables_and_variables():
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        offset = v1.placeholder(tf.int64, [])
        variable = v1.get_variable("v", initializer=tf.constant(1000, tf.int64), use_resource=True)
        initializer = tf.lookup.KeyValueTensorInitializer(
            tf.range(300, dtype=tf.int64), tf.range(300, dtype=tf.int64) * 2
        )
        table = tf.lookup.StaticHashTable(initializer, -1)

        def map_func(number):
            return table.lookup(number) + offset + variable

        dataset = tf.data.Dataset.range(300).apply(tfprefetch.map_and_batch(map_func, 200))
        iterator = v1.data.make_initializable_iterator(dataset)
        step = iterator.get_next()
        session.run([v1.global_variables_initializer(), v1.tables_initializer()])
        session.run(iterator.initializer, {offset: 1})
        both = np.concatenate([session.run(step), session.run(step)])
        assert both.tolist() == [2 * number + 1001 for number in range(300)]
        with pytest.raises(tf.errors.OutOfRangeError):
            session.run(step)


@pytest.mark.parametrize("with_table", [False, True])
def test_error_in_a_graph(with_table):
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        initializer = tf.lookup.KeyValueTensorInitializer(
            tf.constant([1], tf.int64), tf.constant([1], tf.int64)
        )
        table = tf.lookup.StaticHashTable(initializer, -1)

        def map_func(key, value):
            if with_table:
                value = tf.strings.join(
                    [value, tf.as_string(table.lookup(tf.constant(7, tf.int64)))]
                )
            return tf.strings.to_number(value)

        values = ["1", "2", "3x", "4"]
        dataset = tf.data.Dataset.from_tensor_slices((KEYS, values))
        dataset = dataset.apply(tfprefetch.map_and_batch(map_func, 4))
        iterator = v1.data.make_initializable_iterator(dataset)
        step = iterator.get_next()
        session.run([v1.tables_initializer(), iterator.initializer])
        first_bad = 0 if with_table else 2
        with pytest.raises(tf.errors.InvalidArgumentError) as error:
            session.run(step)
        assert f"failed on element {first_bad} (file:{first_bad}, " in error.value.message
        said = "TensorFlow's log" if with_table else "StringToNumberOp could not correctly convert"
        assert said in error.value.message.replace("\\'", "'")


def test_in_a_function():
    @tf.function
    def total():
        result = tf.constant(0, tf.int64)
        for batch in tf.data.Dataset.range(10).apply(tfprefetch.map_and_batch(lambda n: n, 4)):
            result += tf.reduce_sum(batch)
        return result

    assert total() == 45


def test_captured_variables_are_live():
    variable = tf.Variable(1, dtype=tf.int64)
    dataset = tf.data.Dataset.range(2).apply(
        tfprefetch.map_and_batch(lambda number: number + variable, 2)
    )
    assert next(iter(dataset)).numpy().tolist() == [1, 2]
    variable.assign(10)
    assert next(iter(dataset)).numpy().tolist() == [10, 11]


def test_keras_fit():
    def example(number):
        x = tf.cast(number, tf.float32) / 100
        return tf.reshape(x, [1]), 2 * x

    dataset = tf.data.Dataset.range(100).apply(
        tfprefetch.map_and_batch(example, 20, shuffle_buffer_size=100, drop_remainder=True)
    )
    model = tf.keras.Sequential([tf.keras.layers.Dense(1)])
    model.compile(tf.keras.optimizers.SGD(0.5), "mse")
    history = model.fit(dataset, epochs=5, verbose=0).history["loss"]
    assert history[-1] < history[0]


@pytest.mark.parametrize("batch_size", [10, 200])
def test_checkpoint_in_mid_epoch(tmp_path, batch_size):
    dataset = tf.data.Dataset.range(1000).apply(tfprefetch.map_and_batch(scale, batch_size))
    everything = [batch.tolist() for batch in dataset.as_numpy_iterator()]
    iterator = iter(dataset)
    for _ in range(3):
        next(iterator)
    path = tf.train.Checkpoint(iterator=iterator).save(str(tmp_path / "checkpoint"))
    restored = iter(dataset)
    tf.train.Checkpoint(iterator=restored).restore(path)
    assert [batch.numpy().tolist() for batch in restored] == everything[3:]
