from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import tfprefetch

KEYS = [b"file:0", b"file:1", b"file:2", b"file:3"]


def batches(dataset, *args, **kwargs):
    dataset = dataset.apply(tfprefetch.map_and_batch(*args, **kwargs))
    return [tf.nest.map_structure(to_python, batch) for batch in dataset]


def to_python(part):
    if isinstance(part, tf.SparseTensor):
        part = tf.sparse.to_dense(part)
    return part.to_list() if isinstance(part, tf.RaggedTensor) else part.numpy().tolist()


def expected(dataset, map_func, *args, **kwargs):
    dataset = dataset.map(map_func).batch(*args, **kwargs)
    return [tf.nest.map_structure(to_python, batch) for batch in dataset]


def batches_and_error(dataset, *args, **kwargs):
    found = []
    with pytest.raises(tf.errors.InvalidArgumentError) as error:
        for batch in dataset.apply(tfprefetch.map_and_batch(*args, **kwargs)):
            found.append(batch)
    return found, error.value.message.replace("\\'", "'")


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


@pytest.mark.parametrize("num_parallel_calls", [None, 1, 3, tf.data.AUTOTUNE])
@pytest.mark.parametrize("drop_remainder", [False, True])
@pytest.mark.parametrize("batch_size", [1, 7, 100, 130, 1000])
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
@pytest.mark.parametrize("drop_remainder", [False, True])
@pytest.mark.parametrize("batch_size", [7, 33, 70])
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
        tfprefetch.map_and_batch(**{"map_func": scale, "batch_size": 2, **arguments})
