"""Functions that run on whole batches in part, or not for some elements."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from mapped import UNOPTIMIZED

import tfprefetch
from tfprefetch.notes import note_of
from tfprefetch.splitting import split_function

ELEMENTS = 17
numbers = np.random.RandomState(0)
VECTOR = numbers.randint(0, 9, [ELEMENTS, 4]).astype(np.float32)
WHOLE = numbers.randint(0, 3, [ELEMENTS, 4]).astype(np.int32)
TEXT = np.array([b" Word %d aB" % number for number in range(ELEMENTS)], object)


def plain(map_func):
    return tf.autograph.experimental.do_not_convert(map_func)


def batches_of(dataset):
    return list(dataset.as_numpy_iterator())


def details(dataset):
    return "\n".join(note_of(dataset).details)


def check(columns, map_func, vectorize="auto", batch_size=2, **options):
    """Compares with map and batch; returns what runs how."""
    columns = columns if isinstance(columns, tuple) else (columns,)
    dataset = tf.data.Dataset.from_tensor_slices(columns)
    function = plain(map_func)
    expected = batches_of(dataset.map(function).batch(batch_size).with_options(UNOPTIMIZED))
    ours = dataset.apply(
        tfprefetch.map_and_batch(function, batch_size, vectorize=vectorize, **options)
    )
    assert_equal(batches_of(ours.with_options(UNOPTIMIZED)), expected)
    return details(ours)


def assert_equal(found, expected):
    tf.nest.assert_same_structure(found, expected)
    for one, other in zip(tf.nest.flatten(found), tf.nest.flatten(expected), strict=True):
        np.testing.assert_array_equal(one, other, strict=True)


def error_of(dataset, map_func, *args, **options):
    """The batches before an error, and its message."""
    found = []
    dataset = dataset.apply(tfprefetch.map_and_batch(plain(map_func), *args, **options))
    iterator = iter(dataset.with_options(UNOPTIMIZED))
    with pytest.raises(tf.errors.InvalidArgumentError) as error:
        for batch in iterator:
            found.append(batch.numpy())
    return found, error.value.message.replace("\\'", "'")


def checked(tensor, condition):
    with tf.control_dependencies([tf.debugging.Assert(condition, [tensor])]):
        return tf.identity(tensor)


# --- only in part, or not at all -----------------------------------------------------------------


PARTLY = {
    "PyFunc": lambda x: tf.ensure_shape(tf.numpy_function(np.negative, [x], tf.float32), [4]),
    "EagerPyFunc": lambda x: tf.ensure_shape(tf.py_function(lambda a: a * 2, [x], tf.float32), [4]),
    "PrintV2": lambda x: (tf.print("", end=""), x)[1],
    "DecodePng": lambda x: tf.cast(
        tf.reshape(tf.io.decode_png(tf.io.encode_png(tf.cast(x, tf.uint8)[None, :, None])), [4]),
        tf.float32,
    ),
    "StatelessWhile": lambda x: tf.ensure_shape(
        tf.while_loop(lambda n, a: n < 3, lambda n, a: (n + 1, a + x), [0, x])[1], [4]
    ),
    "StatelessCase": lambda x: tf.switch_case(
        tf.cast(x[0] % 3, tf.int32), [lambda: x, lambda: -x, lambda: x * 2]
    ),
    "StatelessRandomUniformV2": lambda x: tf.random.stateless_uniform(
        [4], tf.cast(x[:2], tf.int32)
    ),
    "Where": lambda x: x * tf.reduce_sum(tf.boolean_mask(x, x > 4)),
    "Unique": lambda x: x + tf.cast(tf.size(tf.unique(x)[0]), tf.float32),
}


@pytest.mark.parametrize("name", PARTLY)
def test_the_rest_runs_on_whole_batches(name):
    def map_func(x):
        return tf.reduce_max(PARTLY[name](x) * 2 + 1), x - 1

    said = check(VECTOR, map_func)
    single, batched = said.split("on whole batches: ")
    assert f"  {name}: " in single and "Max" in batched and "Sub" in batched
    with pytest.raises(ValueError, match=name):
        check(VECTOR, map_func, True)


def test_features_of_varying_length_are_not_padded():
    def serialized(number):
        values = tf.train.FloatList(value=[2.0] * number)
        features = tf.train.Features(feature={"x": tf.train.Feature(float_list=values)})
        return tf.train.Example(features=features).SerializeToString()

    records = np.array([serialized(number) for number in range(ELEMENTS)], object)
    for feature in (
        tf.io.VarLenFeature(tf.float32),
        tf.io.FixedLenSequenceFeature([], tf.float32, allow_missing=True),
        tf.io.RaggedFeature(tf.float32),
    ):

        def map_func(record, feature=feature):
            found = tf.io.parse_single_example(record, {"x": feature})["x"]
            found = found.values if isinstance(found, tf.SparseTensor) else found
            return tf.reduce_sum(found) / 2 + tf.cast(tf.size(found), tf.float32)

        assert "features of varying length" in check(records, map_func)


def test_counters_and_variables_that_change_take_turns():
    def counted(variable, before):
        def map_func(x):
            count = variable.read_value() if before else None
            added = variable.assign_add(1.0)
            return x * 2 + (count if before else added)

        return map_func

    numbers_in = tf.data.Dataset.range(40).map(lambda number: tf.cast(number, tf.float32))
    for before in (False, True):
        variables = [tf.Variable(0.0), tf.Variable(0.0)]
        functions = [counted(variable, before) for variable in variables]
        expected = batches_of(numbers_in.map(functions[0]).batch(7))
        ours = tfprefetch.map_and_batch(functions[1], 7, num_parallel_calls=None)
        assert_equal(batches_of(numbers_in.apply(ours)), expected)


def test_what_only_single_examples_can_do():
    """A guarded division fails for a batch; records of different lengths do not make one."""

    def map_func(i, text):
        guarded = tf.cond(i[0] > 0, lambda: i[1] // i[0], lambda: -1)
        return guarded, tf.io.decode_raw(text, tf.uint8)[:3]

    assert "example by example" not in check((WHOLE, TEXT), map_func)
    lengths = np.array([b"ab" * (number // 3 + 1) for number in range(ELEMENTS)], object)
    check(lengths, lambda text: tf.io.decode_raw(text, tf.int16)[:1], batch_size=3)


# --- large constants -----------------------------------------------------------------------------


LARGE = np.arange(20_000, dtype=np.int32).reshape([5000, 4])
LARGE_TEXT = np.array([b"%d" % number for number in range(2000)], object)


def with_large_constants(number):
    """Half of it runs example by example."""
    decoded = PARTLY["DecodePng"](tf.fill([4], tf.cast(number, tf.float32)))
    row = tf.gather(LARGE, number) + tf.cast(decoded, tf.int32)
    half = tf.gather(tf.cast(LARGE, tf.float32) / 2, number)
    return row, half * 2, tf.gather(LARGE_TEXT, number), tf.reduce_max(LARGE), tf.zeros([40, 40])


def test_large_constants_stand_in_memory_once():
    spec = tf.TensorSpec([], tf.int64)
    function = tf.function(with_large_constants, autograph=False).get_concrete_function(spec)
    split = split_function(function, True)
    batch = [tf.TensorSpec([None, *part.shape], part.dtype) for part in split.specs]
    for run, specs in (
        (split.run_whole, [spec]),
        (split.run_single, [spec]),
        (split.run_rest, split.specs),
        (split.run_batched, batch),
    ):
        copy = tf.function(run, autograph=False).get_concrete_function(*specs)
        assert copy.graph.as_graph_def().ByteSize() < 20_000
    assert function.graph.as_graph_def().ByteSize() > LARGE.nbytes


@pytest.mark.parametrize("vectorize", ["auto", False])
def test_large_constants_in_a_pipeline(vectorize, tmp_path):
    said = check(np.arange(40), with_large_constants, vectorize)
    assert ("on whole batches: " in said) == (vectorize == "auto")
    numbers = tf.data.Dataset.range(40)
    batch = tfprefetch.map_and_batch(plain(with_large_constants), 10, vectorize=vectorize)
    batches = numbers.apply(batch).with_options(UNOPTIMIZED)
    iterator = iter(batches)
    first = [next(iterator), next(iterator)][0]
    path = tf.train.Checkpoint(iterator=iterator).save(str(tmp_path / "checkpoint"))
    third = next(iterator)
    again = iter(batches)
    tf.train.Checkpoint(iterator=again).restore(path)
    assert_equal(next(again), third)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        batches = tf.data.Dataset.range(40).apply(batch).with_options(UNOPTIMIZED)
        iterator = tf.compat.v1.data.make_initializable_iterator(batches)
        step = iterator.get_next()
        session.run(iterator.initializer)
        assert_equal(session.run(step), tf.nest.map_structure(np.asarray, first))


def test_what_is_captured_is_no_part_of_an_example():
    """Large examples are faster one by one, but a large table is no example."""
    table = tf.constant(LARGE)
    assert check(np.arange(40), lambda number: tf.gather(table, number)) == (
        "on whole batches: GatherV2"
    )


# --- errors --------------------------------------------------------------------------------------


INT64 = tf.train.Feature(int64_list=tf.train.Int64List(value=[5]))
RECORD = tf.train.Example(features=tf.train.Features(feature={"x": INT64})).SerializeToString()
BAD = {
    "number": ([b"1", b"2", b"x3", b"4"], tf.strings.to_number, "x3"),
    "length": (
        [b"abcd", b"efgh", b"ijk", b"lmno"],
        lambda s: tf.reshape(tf.io.decode_raw(s, tf.uint8), [2, 2]),
        "reshape",
    ),
    "feature": (
        [RECORD, RECORD, tf.train.Example().SerializeToString(), RECORD],
        lambda s: tf.io.parse_single_example(s, {"x": tf.io.FixedLenFeature([], tf.int64)})["x"],
        "required but could not be found",
    ),
    "in a branch": (
        [1, 2, -3, 4],
        lambda n: tf.cond(n < 0, lambda: checked(n, n > 0), lambda: n),
        "-3",
    ),
    "gather": ([0, 1, 9, 2], lambda n: tf.gather(tf.constant([1, 2, 3]), n), "9"),
    "division": ([1, 2, 0, 4], lambda n: 5 // n, "zero"),
}


@pytest.mark.parametrize("name", BAD)
def test_the_bad_one_is_named(name):
    values, map_func, reason = BAD[name]
    dataset = tf.data.Dataset.from_tensor_slices(values)
    before, message = error_of(dataset, map_func, 1)
    assert "failed on element 2" in message and reason in message
    assert_equal(before, batches_of(dataset.take(2).map(plain(map_func)).batch(1))[: len(before)])


@pytest.mark.parametrize("with_conditions", [False, True])
def test_segments_that_are_out_of_range(with_conditions):
    """On a batch they would be the next example's."""
    segments = np.array([[0, 1], [0, 2], [1, 0]], np.int32)

    def map_func(x, ids):
        if with_conditions:
            return tf.cond(x[0] > 0, lambda: tf.math.unsorted_segment_sum(x, ids, 2), lambda: x)
        return tf.math.unsorted_segment_sum(x, ids, 2)

    dataset = tf.data.Dataset.from_tensor_slices((np.ones([3, 2], np.float32), segments))
    _, message = error_of(dataset, map_func, 3)
    assert "failed on element 1" in message and "out of range" in message
