"""`prefetch_to_device` on logical CPUs; `test_device.py` runs this in a process of its own."""

from __future__ import annotations

import gc
import warnings

import numpy as np
import pytest
import tensorflow as tf

from tfprefetch import describe
from tfprefetch.device import prefetch_to_device


@pytest.fixture(scope="module", autouse=True)
def three_devices():
    host = tf.config.list_physical_devices("CPU")[0]
    one = tf.config.LogicalDeviceConfiguration()
    tf.config.set_logical_device_configuration(host, [one] * 3)


def elements(count=10):
    """Every kind of dtype that a device treats in its own way."""
    return tf.data.Dataset.range(count).map(
        lambda index: {
            "int64": index,
            "int32": tf.cast(index, tf.int32),
            "float": tf.fill([3], tf.cast(index, tf.float32)),
            "string": tf.as_string(index),
        }
    )


def indices(dataset):
    return [int(element["int64"]) for element in dataset]


def device_of(tensor):
    return tensor.backing_device[-5:]


def test_elements_are_on_the_device():
    dataset = elements().apply(prefetch_to_device("/cpu:1"))
    for index, element in enumerate(dataset):
        assert {device_of(element[name]) for name in ("int64", "int32", "float")} == {"CPU:1"}
        assert device_of(element["string"]) == "CPU:0"
        assert element["float"].numpy().tolist() == [index] * 3
        assert [element["int32"], element["string"]] == [index, b"%d" % index]
    assert index == 9


@pytest.mark.parametrize(
    "name", ["CPU:2", "cpu:2", "/device:CPU:2", "/job:localhost/replica:0/task:0/device:CPU:2"]
)
def test_names_of_devices(name):
    dataset = elements().apply(prefetch_to_device(name))
    assert device_of(next(iter(dataset))["float"]) == "CPU:2"


def test_a_logical_device():
    third = tf.config.list_logical_devices()[2]
    dataset = elements().apply(prefetch_to_device(third))
    assert device_of(next(iter(dataset))["float"]) == "CPU:2"


def test_an_unknown_device_names_those_there_are():
    with pytest.raises(ValueError, match="'cpu:3' is not there; there are CPU:0, CPU:1, CPU:2,"):
        prefetch_to_device("cpu:3")


def test_spec_and_cardinality_are_the_inputs():
    to_device = prefetch_to_device("CPU:1")
    dataset = elements().apply(to_device)
    assert dataset.element_spec == elements().element_spec
    assert len(dataset) == 10
    assert elements().repeat().apply(to_device).cardinality() == tf.data.INFINITE_CARDINALITY
    unknown = elements().filter(lambda element: element["int64"] < 5).apply(to_device)
    assert unknown.cardinality() == tf.data.UNKNOWN_CARDINALITY
    assert indices(unknown) == [0, 1, 2, 3, 4]


def test_describe():
    text = describe(elements().apply(prefetch_to_device("CPU:1", 3)))
    assert "prefetch_to_device: CPU:1, buffer_size=3" in text
    assert text.endswith("string components stay on the host")
    numbers = tf.data.Dataset.range(3).apply(prefetch_to_device("CPU:1"))
    assert "string components" not in describe(numbers)


def test_ragged_and_sparse_tensors():
    dataset = tf.data.Dataset.range(4).map(
        lambda size: (
            tf.RaggedTensor.from_row_lengths(tf.range(size), [size]),
            tf.sparse.from_dense([size, 0]),
        )
    )
    copied = list(dataset.apply(prefetch_to_device("CPU:1")))
    assert [ragged.to_list() for ragged, _ in copied] == [[[]], [[0]], [[0, 1]], [[0, 1, 2]]]
    dense = [tf.sparse.to_dense(sparse).numpy().tolist() for _, sparse in copied]
    assert dense == [[0, 0], [1, 0], [2, 0], [3, 0]]


@pytest.mark.parametrize("device", ["CPU:1", ["CPU:0", "CPU:1"]])
def test_nested_datasets_are_refused(device):
    windows = tf.data.Dataset.range(4).window(2)
    with pytest.raises(ValueError, match="cannot copy to CPU:1, as there are nested datasets"):
        windows.apply(prefetch_to_device(device))


def test_functions():
    dataset = elements().apply(prefetch_to_device("CPU:1"))

    @tf.function
    def total(iterator):
        result = tf.zeros([], tf.int64)
        for element in iterator:
            result += element["int64"]
        return result

    @tf.function
    def total_of_new_dataset():
        result = tf.zeros([], tf.int64)
        for element in elements().apply(prefetch_to_device("CPU:1")):
            result += element["int64"]
        return result

    assert total(iter(dataset)) == 45
    assert total_of_new_dataset() == 45


def test_keras():
    inputs = np.random.default_rng(1).random([64, 3], np.float32)
    dataset = tf.data.Dataset.from_tensor_slices((inputs, inputs.sum(1))).batch(8)
    dataset = dataset.apply(prefetch_to_device("CPU:1"))
    model = tf.keras.Sequential([tf.keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Your input ran out of data")
        losses = model.fit(dataset, epochs=3, verbose=0, shuffle=False).history["loss"]
    assert losses[-1] < losses[0]
    assert model.predict(dataset, verbose=0).shape == (64, 1)


def test_tf1_graph():
    with tf.Graph().as_default():
        dataset = elements().apply(prefetch_to_device("CPU:1"))
        iterator = tf.compat.v1.data.make_initializable_iterator(dataset)
        element = iterator.get_next()
        assert element["float"].device == "/device:CPU:1"
        config = tf.compat.v1.ConfigProto(device_count={"CPU": 2})
        with tf.compat.v1.Session(config=config) as session:
            for _ in range(2):
                session.run(iterator.initializer)
                results = [session.run(element) for _ in range(10)]
                with pytest.raises(tf.errors.OutOfRangeError):
                    session.run(element)
        with pytest.raises(RuntimeError, match=r"a list of devices needs eager execution.*shard"):
            elements().apply(prefetch_to_device(["CPU:0", "CPU:1"]))
    assert [result["int64"] for result in results] == list(range(10))
    assert [result["string"] for result in results] == [b"%d" % index for index in range(10)]


def test_errors_keep_their_type_and_their_place():
    def checked(index):
        with tf.control_dependencies([tf.debugging.Assert(index < 3, ["three is too many"])]):
            return tf.identity(index)

    seen = []
    with pytest.raises(tf.errors.InvalidArgumentError, match="three is too many"):
        for index in tf.data.Dataset.range(5).map(checked).apply(prefetch_to_device("CPU:1")):
            seen.append(int(index))
    assert seen == [0, 1, 2]


@pytest.mark.parametrize("device", ["CPU:1", ["CPU:1", "CPU:2"]])
def test_a_checkpoint_names_what_refuses_it(device, tmp_path):
    iterator = iter(elements().apply(prefetch_to_device(device)))
    with pytest.raises(tf.errors.UnimplementedError, match="prefetch_to_device cannot be saved"):
        tf.train.Checkpoint(iterator=iterator).write(str(tmp_path / "saved"))


def test_restoring_names_what_refuses_it(tmp_path):
    path = tf.train.Checkpoint(iterator=iter(elements())).write(str(tmp_path / "saved"))
    checkpoint = tf.train.Checkpoint(iterator=iter(elements().apply(prefetch_to_device("CPU:1"))))
    with pytest.raises(tf.errors.UnimplementedError, match="prefetch_to_device cannot be saved"):
        checkpoint.read(path)


def test_reads_ahead_as_far_as_it_says():
    taken = []

    def take(index):
        taken.append(index)
        return index

    dataset = tf.data.Dataset.range(100).map(
        lambda index: tf.numpy_function(take, [index], tf.int64)
    )
    iterator = iter(dataset.apply(prefetch_to_device("CPU:1", 5)))
    next(iterator)
    while len(taken) < 6:  # the buffer fills by itself
        pass
    next(iterator)
    del iterator
    gc.collect()
    assert len(taken) < 20


def test_a_list_of_devices_deals_in_turn():
    dataset = elements().apply(prefetch_to_device(["CPU:1", "CPU:2"]))
    assert dataset.element_spec == (elements().element_spec,) * 2
    assert len(dataset) == 5
    assert "prefetch_to_device: [CPU:1, CPU:2], buffer_size=2" in describe(dataset)
    for _ in range(2):
        for position, (first, second) in enumerate(dataset):
            assert [first["int64"], second["int64"]] == [2 * position, 2 * position + 1]
            assert [device_of(first["float"]), device_of(second["float"])] == ["CPU:1", "CPU:2"]
            assert second["string"] == b"%d" % (2 * position + 1)
        assert position == 4
    behind = dataset.map(lambda first, second: first["int64"] + second["int64"])
    assert list(behind.as_numpy_iterator()) == [1, 5, 9, 13, 17]


def test_a_list_of_devices_in_functions():
    dataset = elements().apply(prefetch_to_device(["CPU:1", "CPU:2"]))
    iterator = iter(dataset)

    @tf.function
    def step():
        first, second = next(iterator)
        return first["int64"] * second["int64"]

    assert [int(step()) for _ in range(5)] == [0, 6, 20, 42, 72]


def test_what_cannot_be_dealt_out():
    three = ["CPU:0", "CPU:1", "CPU:2"]
    unknown = elements().filter(lambda _: True)
    with pytest.raises(ValueError, match="10 elements; .*drop_remainder=True leaves them out"):
        elements().apply(prefetch_to_device(three))
    seen = []
    with pytest.raises(tf.errors.InvalidArgumentError, match="drop_remainder=True leaves them out"):
        for parts in unknown.apply(prefetch_to_device(three)):
            seen += indices(parts)
    assert seen == list(range(9))
    for dataset in (elements(), unknown):
        dealt = dataset.apply(prefetch_to_device(three, drop_remainder=True))
        assert [indices(parts) for parts in dealt] == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    for_ever = elements().repeat().apply(prefetch_to_device(three))
    assert for_ever.cardinality() == tf.data.INFINITE_CARDINALITY
