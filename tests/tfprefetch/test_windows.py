from __future__ import annotations

import collections
import itertools
import math
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import tfprefetch
from tfprefetch.windows import context_windows

Dataset = tf.data.Dataset
EDGES = ("repeat", "zero", "drop")
DTYPES = (
    np.float32,
    np.float64,
    np.float16,
    np.int8,
    np.uint16,
    np.int64,
    np.complex64,
    bool,
    object,
)
Utterance = collections.namedtuple("Utterance", ["frames", "speaker"])


def obvious(frames, left, right, stride, edge, flatten):
    """Windows, frame by frame."""
    windows = []
    zero = b"" if frames.dtype == object else 0
    for centre in range(0, len(frames), stride):
        window = []
        for place in range(centre - left, centre + right + 1):
            if 0 <= place < len(frames):
                window.append(frames[place])
            elif edge == "repeat":
                window.append(frames[min(max(place, 0), len(frames) - 1)])
            elif edge == "zero":
                window.append(np.full(frames.shape[1:], zero, frames.dtype))
        if len(window) == left + 1 + right:
            windows.append(window)
    width = left + 1 + right
    windows = np.array(windows, frames.dtype).reshape(len(windows), width, *frames.shape[1:])
    if flatten:
        return windows.reshape(len(windows), width * math.prod(frames.shape[1:]))
    return windows


def random_frames(chance, dtype, rank, time=None):
    time = chance.integers(12) if time is None else time
    shape = [time, *chance.integers(4, size=rank - 1)]
    numbers = chance.integers(100, size=shape)
    if dtype is object:
        return np.array([b"%d" % number for number in numbers.flat], object).reshape(shape)
    return numbers.astype(dtype)


def random_arguments(chance):
    return {
        "left": int(chance.integers(5)),
        "right": int(chance.integers(5)),
        "stride": int(chance.integers(1, 5)),
        "flatten": bool(chance.integers(2)),
    }


def assert_same(windows, expected, arguments):
    assert windows.dtype == expected.dtype, arguments
    assert windows.shape == expected.shape, arguments
    assert (windows == expected).all(), arguments


# --- the same as the obvious loop -----------------------------------------------------------------


@pytest.mark.parametrize("edge", EDGES)
def test_arrays_and_tensors(edge):
    chance = np.random.default_rng(1)
    for dtype, rank, _ in itertools.product(DTYPES, (1, 2, 3), range(12)):
        arguments = {**random_arguments(chance), "edge": edge}
        frames = random_frames(chance, dtype, rank)
        expected = obvious(frames, **arguments)
        before = frames.copy()
        windows = context_windows(**arguments)
        array = windows(frames)
        assert isinstance(array, np.ndarray)
        assert_same(array, expected, arguments)
        tensor = windows(tf.constant(frames, tf.string if dtype is object else None))
        assert isinstance(tensor, tf.Tensor)
        assert_same(tensor.numpy(), expected, arguments)
        assert (frames == before).all()


def test_arrays_of_types_that_only_numpy_has():
    windows = context_windows(1, 1, edge="zero")
    for dtype in ("U2", object):
        frames = np.array(["a", "bc"], dtype)
        assert windows(frames).tolist() == [["", "a", "bc"], ["a", "bc", ""]]
    assert windows(np.array([b"a", b"bc"])).tolist() == [[b"", b"a", b"bc"], [b"a", b"bc", b""]]
    big_endian = np.array([1, 2], ">i2")
    assert context_windows(1, 0, edge="zero")(big_endian).dtype == big_endian.dtype


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("known", ["shape", "rank", "nothing"])
def test_datasets(edge, known):
    """Utterances of any length, also none, each by itself."""
    chance = np.random.default_rng(2)
    for dtype, rank in itertools.product((np.float32, object), (1, 3)):
        arguments = {**random_arguments(chance), "edge": edge}
        utterances = [random_frames(chance, dtype, rank, time) for time in (0, 1, 2, 5, 9, 0, 30)]
        sizes = {"shape": [3] * (rank - 1), "rank": [None] * (rank - 1)}
        if known == "shape":
            all_frames = random_frames(chance, dtype, 1, 30 * 3 ** (rank - 1))
            utterances = [np.resize(all_frames, [len(f), *sizes[known]]) for f in utterances]
        spec = tf.TensorSpec(
            None if known == "nothing" else [None, *sizes[known]],
            tf.string if dtype is object else dtype,
        )
        dataset = Dataset.from_generator(lambda u=utterances: iter(u), output_signature=spec)
        windows = dataset.apply(context_windows(**arguments))
        expected = [obvious(frames, **arguments) for frames in utterances]
        for one, other in zip(windows.as_numpy_iterator(), expected, strict=True):
            assert_same(one, other, arguments)
        width = arguments["left"] + 1 + arguments["right"]
        if known == "nothing":
            shape = tf.TensorShape([None, None] if arguments["flatten"] else None)
        elif arguments["flatten"]:
            is_known = known == "shape" or rank == 1
            shape = tf.TensorShape([None, width * math.prod(sizes[known]) if is_known else None])
        else:
            shape = tf.TensorShape([None, width, *sizes[known]])
        assert str(windows.element_spec.shape) == str(shape)


@pytest.mark.parametrize("edge", EDGES)
def test_shapes_are_known_where_the_length_is(edge):
    for time, stride, flatten in itertools.product((0, 1, 3, 10), (1, 3), (False, True)):
        windows = context_windows(2, 1, stride=stride, edge=edge, flatten=flatten)
        dataset = Dataset.from_tensors(np.zeros([time, 5])).apply(windows)
        (one,) = dataset.as_numpy_iterator()
        assert dataset.element_spec.shape.as_list() == list(one.shape)


def test_what_drop_leaves_are_the_same_windows():
    """Centres stay the multiples of `stride`; with left=0 windows begin there."""
    frames = np.arange(11)
    dropped = context_windows(2, 1, stride=3, edge="drop")(frames)
    assert dropped.tolist() == [[1, 2, 3, 4], [4, 5, 6, 7], [7, 8, 9, 10]]
    repeated = context_windows(2, 1, stride=3)(frames)
    assert repeated[1:].tolist() == dropped.tolist()
    begins = context_windows(0, 3, stride=3, edge="drop")(frames)
    assert begins.tolist() == [[0, 1, 2, 3], [3, 4, 5, 6], [6, 7, 8, 9]]
    assert context_windows(6, 6, edge="drop")(np.arange(12)).shape == (0, 13)
    assert context_windows(6, 6, edge="drop")(np.arange(13)).shape == (1, 13)


# --- structures -----------------------------------------------------------------------------------


def test_components_of_tuples_and_dicts():
    frames, labels = np.arange(14.0).reshape(7, 2), np.arange(7)
    pair = Dataset.from_tensors((frames, labels))
    one = next(pair.apply(context_windows(1, 1, components=[0])).as_numpy_iterator())
    assert type(one) is tuple
    assert (one[0] == obvious(frames, 1, 1, 1, "repeat", False)).all()
    assert (one[1] == labels).all()

    record = Dataset.from_tensors({"features": frames, "labels": labels, "speaker": "me"})
    windows = context_windows(1, 0, stride=2, components=["labels", "features"])
    for one in (*record.apply(windows).as_numpy_iterator(), windows(next(iter(record)))):
        assert list(one) == ["features", "labels", "speaker"]
        assert np.shape(one["features"]) == (4, 2, 2)
        assert np.array(one["labels"]).tolist() == [[0, 0], [1, 2], [3, 4], [5, 6]]
        assert one["speaker"] == b"me"

    named = Dataset.from_tensors(Utterance(frames, 3)).apply(context_windows(1, 1, components=[0]))
    assert isinstance(named.element_spec, Utterance)
    assert next(iter(named)).frames.shape == (7, 3, 2)
    arrays = context_windows(1, 1, components=[0])(Utterance(frames, 3))
    assert isinstance(arrays, Utterance)
    assert isinstance(arrays.frames, np.ndarray)
    (single,) = Dataset.from_tensors((frames,)).apply(context_windows(1, 1, components=[0]))
    assert single[0].shape == (7, 3, 2)


@pytest.mark.parametrize("edge", EDGES)
def test_labels_of_the_centres(edge):
    """As the docstring says."""
    frames = np.arange(20)
    dataset = Dataset.from_tensors((frames, frames * 10))
    dataset = dataset.apply(context_windows(5, 2, stride=3, edge=edge, components=[0, 1]))
    dataset = dataset.map(lambda windows, labels: (windows, labels[:, 5]))
    windows, labels = next(dataset.as_numpy_iterator())
    assert (windows[:, 5] * 10 == labels).all()
    centres = [6, 9, 12, 15] if edge == "drop" else [0, 3, 6, 9, 12, 15, 18]
    assert labels.tolist() == [centre * 10 for centre in centres]


# --- pipelines ------------------------------------------------------------------------------------


def utterances():
    return Dataset.range(20).map(lambda n: tf.reshape(tf.range(n * 2), [-1, 2]))


def test_order_and_cardinality_stay():
    options = tf.data.Options()
    options.deterministic = False
    lengths = [100_000, 1] * 50  # the short ones are ready earlier
    dataset = Dataset.from_tensor_slices(lengths).map(tf.zeros).with_options(options)
    dataset = dataset.apply(context_windows(5, 5))
    assert dataset.cardinality() == 100
    assert [len(one) for one in dataset] == lengths
    assert (
        utterances().repeat().apply(context_windows(1, 1)).cardinality()
        == tf.data.INFINITE_CARDINALITY
    )


def test_saved_and_restored_in_the_middle(tmp_path):
    for edge in EDGES:
        for source in (utterances(), utterances().map(lambda frames: {"frames": frames})):
            components = ["frames"] if isinstance(source.element_spec, dict) else None
            windows = context_windows(2, 1, stride=2, edge=edge, components=components)
            dataset = source.apply(windows)
            iterator = iter(dataset)
            for _ in range(8):
                next(iterator)
            path = tf.train.Checkpoint(iterator=iterator).save(str(tmp_path / "checkpoint"))
            restored = iter(dataset)
            tf.train.Checkpoint(iterator=restored).restore(path)
            rest = [tf.nest.flatten(one)[0].numpy().tolist() for one in restored]
            expected = [tf.nest.flatten(one)[0].numpy().tolist() for one in dataset.skip(8)]
            assert rest == expected
            assert len(rest) == 12


def test_in_functions():
    frames = np.arange(10.0).reshape(5, 2)
    expected = obvious(frames, 1, 2, 2, "zero", True)
    windows = context_windows(1, 2, stride=2, edge="zero", flatten=True)
    signature = [tf.TensorSpec([None, None], tf.float64)]
    assert (tf.function(windows, input_signature=signature)(frames) == expected).numpy().all()
    mapped = Dataset.from_tensors(frames).map(windows)
    assert (next(mapped.as_numpy_iterator()) == expected).all()
    in_map = Dataset.from_tensors(({"a": frames}, 1)).map(lambda x, y: ({"a": windows(x["a"])}, y))
    assert (next(in_map.as_numpy_iterator())[0]["a"] == expected).all()
    assert (windows(tf.Variable(frames)).numpy() == expected).all()

    @tf.function
    def total():
        result = tf.constant(0.0, tf.float64)
        for one in Dataset.from_tensors(frames).apply(windows):
            result += tf.reduce_sum(one)
        return result

    assert total() == expected.sum()


def test_gradients_flow_to_the_frames():
    frames = tf.Variable(tf.ones([4, 1]))
    with tf.GradientTape() as tape:
        windows = context_windows(1, 1)(frames)
    assert np.squeeze(tf.convert_to_tensor(tape.gradient(windows, frames))).tolist() == [3, 3, 3, 3]


def test_in_a_graph():
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        frames = tf.compat.v1.placeholder(tf.int32)
        tensor = context_windows(1, 1)(frames)
        assert session.run(tensor, {frames: [1, 2]}).tolist() == [[1, 1, 2], [1, 2, 2]]
        dataset = utterances().apply(context_windows(1, 1, edge="zero", flatten=True))
        step = tf.compat.v1.data.make_one_shot_iterator(dataset).get_next()
        assert [session.run(step).tolist() for _ in range(3)] == [
            [],
            [[0, 0, 0, 1, 0, 0]],
            [[0, 0, 0, 1, 2, 3], [0, 1, 2, 3, 0, 0]],
        ]
        with pytest.raises(tf.errors.InvalidArgumentError, match="got one number"):
            session.run(tensor, {frames: 7})


WITHOUT_V2 = """
import tensorflow.compat.v1 as tf
tf.disable_v2_behavior()
from tfprefetch.windows import context_windows

features = tf.placeholder(tf.string, [None, None])
dataset = tf.data.Dataset.from_tensors({"features": features, "label": 5}).repeat(2)
dataset = dataset.apply(context_windows(1, 0, edge="zero", components=["features"], name="windows"))
iterator = tf.data.make_initializable_iterator(dataset)
step = iterator.get_next()
assert step["features"].shape.as_list() == [None, 2, None]
with tf.Session() as session:
    session.run(iterator.initializer, {features: [["a"], ["b"]]})
    for _ in range(2):
        element = session.run(step)
        assert element["features"].tolist() == [[[b""], [b"a"]], [[b"a"], [b"b"]]], element
        assert element["label"] == 5
    try:
        session.run(step)
    except tf.errors.OutOfRangeError:
        print("the end")
"""


def test_without_v2_behavior():
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_V2],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "the end\n", done.stderr


def test_arrays_need_no_tensorflow_operation(monkeypatch):
    """So that a loader in a worker process may use it, to which it can be sent."""
    windows = pickle.loads(pickle.dumps(context_windows(1, 1, edge="zero", components=["x"])))

    def fail(*arguments, **options):
        raise AssertionError("a TensorFlow operation")

    monkeypatch.setattr(tf.compat.v1.Graph, "_create_op_internal", fail)
    monkeypatch.setattr(tf, "convert_to_tensor", fail)
    assert windows({"x": np.array([1, 2])})["x"].tolist() == [[0, 1, 2], [1, 2, 0]]


def test_describe():
    dataset = utterances().apply(context_windows(2, 3, stride=4, edge="drop", flatten=True))
    assert tfprefetch.describe(dataset).splitlines()[-1].split("  ") == [
        "context_windows: left=2, right=3, stride=4, edge=drop, flatten=True",
        "int64[?, 12]",
    ]
    dataset = utterances().map(lambda x: (x, x)).apply(context_windows(0, 1, components=[1]))
    assert "context_windows: left=0, right=1, components=[1]  " in tfprefetch.describe(dataset)


# --- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"left": -1}, ValueError, "left must be at least 0, got -1"),
        ({"right": -2}, ValueError, "right must be at least 0, got -2"),
        ({"left": 1.0}, TypeError, "left must be an integer, got 1.0"),
        ({"right": True}, TypeError, "right must be an integer, got True"),
        ({"right": None}, TypeError, "right must be an integer, got None"),
        ({"left": tf.constant(1)}, TypeError, "left must be an integer, got <tf.Tensor"),
        ({"stride": 0}, ValueError, "stride must be at least 1, got 0"),
        ({"stride": "2"}, TypeError, "stride must be an integer, got '2'"),
        ({"edge": "reflect"}, ValueError, 'must be "repeat", "zero" or "drop", got \'reflect\''),
        ({"edge": None}, ValueError, 'edge must be "repeat", "zero" or "drop", got None'),
        ({"components": "features"}, TypeError, "components must be a list .* got 'features'"),
        ({"components": 0}, TypeError, "components must be a list of keys or indices.* got 0"),
        ({"components": []}, ValueError, "components is empty: name at least one"),
    ],
)
def test_arguments_that_cannot_be(arguments, error, message):
    with pytest.raises(error, match=message):
        context_windows(**{"left": 1, "right": 1, **arguments})


def test_numpy_integers_are_integers():
    windows = context_windows(np.int32(1), np.uint8(1), stride=np.int64(1))
    assert windows(np.array([1, 2])).tolist() == [[1, 1, 2], [1, 2, 2]]
    assert str(windows) == "context_windows: left=1, right=1"


RAGGED = tf.ragged.constant([[1.0], [2.0, 3.0]])
FRAMES, ONE = np.zeros([3, 2]), np.int64(1)


@pytest.mark.parametrize(
    ("element", "components", "error", "message"),
    [
        (np.int64(5), None, ValueError, r"frames must be \[time, dim...\], got .* a single number"),
        (RAGGED, None, TypeError, "got a RaggedTensor: make windows .* before they are batched"),
        (tf.sparse.eye(3), None, TypeError, "got a SparseTensor: use tf.sparse.to_dense first"),
        ((FRAMES, ONE), None, ValueError, r"components \[0, 1\]: name .* components=\[0\]"),
        ({"x": FRAMES}, None, ValueError, r"name .* for instance components=\['x'\]"),
        ({"x": FRAMES}, ["y"], ValueError, r"components must be some of \['x'\], got 'y'"),
        ((FRAMES, ONE), [-1], ValueError, r"components must be some of \[0, 1\], got -1"),
        ((FRAMES, ONE), [0, 1], ValueError, r"frames\[1\] must be \[time, dim...\]"),
        ((FRAMES, RAGGED), [1], TypeError, r"frames\[1\] must be one utterance"),
        (
            ({"x": FRAMES}, ONE),
            [0],
            TypeError,
            r"frames\[0\] must be one tensor, got \['x'\]: call",
        ),
        (FRAMES, [0], ValueError, r"components=\[0\], but frames are no dict or tuple"),
    ],
)
def test_elements_without_windows(element, components, error, message):
    windows = context_windows(1, 1, components=components)
    with pytest.raises(error, match=message):
        Dataset.from_tensors(element).apply(windows)
    with pytest.raises(error, match=message):
        windows(element)


@pytest.mark.parametrize("value", [[1, 2], None, 5, "frames.npy"])
def test_what_is_neither_dataset_nor_array_nor_tensor(value):
    with pytest.raises(TypeError, match=r"must be a dataset, an array or a tensor, got .*asarray"):
        context_windows(1, 1)(value)
