"""`prefetch_to_device`: arguments, machines without a GPU, and a GPU where there is one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tfprefetch import describe
from tfprefetch.dealing import dealt_out
from tfprefetch.device import prefetch_to_device

REPOSITORY = Path(__file__).resolve().parents[2]
HAS_GPU = bool(tf.config.list_physical_devices("GPU"))

without_gpu = pytest.mark.skipif(HAS_GPU, reason="there is a GPU")


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


def test_on_several_logical_devices():
    """They are decided on before TensorFlow starts: a process of its own."""
    tests = "tests/tfprefetch/logical_devices.py"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tests],
        cwd=REPOSITORY,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "2"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("buffer_size", [0, -1, tf.data.AUTOTUNE])
def test_a_buffer_holds_something(buffer_size):
    with pytest.raises(ValueError, match="buffer_size must be at least 1 element, got"):
        prefetch_to_device(buffer_size=buffer_size)


@pytest.mark.parametrize("buffer_size", [2.0, None, True])
def test_a_buffer_size_is_an_int(buffer_size):
    with pytest.raises(TypeError, match="buffer_size must be an int"):
        prefetch_to_device(buffer_size=buffer_size)


@pytest.mark.parametrize(
    "device", ["GPU:99", "/gpu:99", "/device:CPU:99", "nonsense", "", "/job:worker/device:CPU:0"]
)
@pytest.mark.parametrize("as_list", [False, True])
def test_an_unknown_device_is_an_error_at_once(device, as_list):
    with pytest.raises(ValueError, match=r"is not there; there are CPU:0") as caught:
        prefetch_to_device(["CPU:0", device] if as_list else device)
    assert repr(device) in str(caught.value)


def test_a_device_is_a_name():
    with pytest.raises(TypeError, match="device must be a name like 'GPU:0'.* got 5"):
        prefetch_to_device(5)
    with pytest.raises(ValueError, match="names no device"):
        prefetch_to_device([])
    with pytest.raises(ValueError, match="drop_remainder=True is for a list"):
        prefetch_to_device("CPU:0", drop_remainder=True)


@pytest.mark.parametrize(
    "device", ["CPU:0", "cpu", "/cpu:0", "/device:CPU:0", tf.config.LogicalDevice("CPU:0", "CPU")]
)
def test_what_is_on_the_host_already_is_prefetched(device):
    dataset = elements().apply(prefetch_to_device(device, 3))
    assert describe(dataset).splitlines()[-1].startswith("prefetch_to_device: CPU:0, buffer_size=3")
    assert [element["int64"] for element in dataset.as_numpy_iterator()] == list(range(10))
    assert len(dataset) == 10


@without_gpu
def test_without_a_gpu_it_is_a_plain_prefetch():
    dataset = elements().apply(prefetch_to_device())
    assert dataset.element_spec == elements().element_spec
    assert len(dataset) == 10
    assert "prefetch_to_device: no GPU, buffer_size=2" in describe(dataset)
    assert [element["int64"] for element in dataset.as_numpy_iterator()] == list(range(10))
    with pytest.raises(ValueError, match="there are CPU:0, and no GPU"):
        prefetch_to_device("GPU:0")


@without_gpu
def test_a_plain_prefetch_can_be_saved(tmp_path):
    iterator = iter(elements().apply(prefetch_to_device()))
    next(iterator)
    path = tf.train.Checkpoint(iterator=iterator).write(str(tmp_path / "saved"))
    restored = iter(elements().apply(prefetch_to_device()))
    tf.train.Checkpoint(iterator=restored).read(path)
    assert [int(element["int64"]) for element in restored] == list(range(1, 10))


def test_tuples_of_elements_of_different_shapes():
    dataset = tf.data.Dataset.range(4).map(lambda size: (size, tf.range(size)))
    first, second = dealt_out(dataset, 2, False).as_numpy_iterator()
    assert [size for size, _ in (*first, *second)] == [0, 1, 2, 3]
    assert [numbers.tolist() for _, numbers in (*first, *second)] == [[], [0], [0, 1], [0, 1, 2]]


@pytest.mark.gpu
@pytest.mark.parametrize("device", [None, "GPU:0", "/gpu:0"])
def test_gpu(device):
    dataset = elements().apply(prefetch_to_device(device))
    assert dataset.element_spec == elements().element_spec
    assert len(dataset) == 10
    text = describe(dataset)
    assert "prefetch_to_device: GPU:0, buffer_size=2" in text
    assert "string components stay on the host" in text
    for index, element in enumerate(dataset):
        for name in ("int64", "int32", "float"):
            assert "GPU:0" in element[name].backing_device
        assert "CPU:0" in element["string"].backing_device
        assert [element["int64"], element["int32"]] == [index, index]
        assert element["float"].numpy().tolist() == [index] * 3
        assert element["string"] == b"%d" % index


@pytest.mark.gpu
def test_gpu_in_functions():
    dataset = elements().apply(prefetch_to_device())

    @tf.function
    def total(iterator):
        result = tf.zeros([], tf.int64)
        for element in iterator:
            result += element["int64"]
        return result

    @tf.function
    def total_of_dataset():
        result = tf.zeros([], tf.int64)
        for element in dataset:
            result += element["int64"]
        return result

    assert total(iter(dataset)) == 45
    assert total_of_dataset() == 45


@pytest.mark.gpu
def test_gpu_under_keras():
    inputs = np.random.default_rng(1).random([64, 3], np.float32)
    dataset = tf.data.Dataset.from_tensor_slices((inputs, inputs.sum(1))).batch(8)
    model = tf.keras.Sequential([tf.keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    losses = model.fit(dataset.apply(prefetch_to_device()), epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


@pytest.mark.gpu
@pytest.mark.parametrize("kind", ["ragged", "sparse"])
def test_gpu_leaves_what_it_cannot_take(kind):
    dataset = tf.data.Dataset.range(3).map(
        lambda size: (
            tf.RaggedTensor.from_row_lengths(tf.range(size), [size])
            if kind == "ragged"
            else tf.sparse.from_dense([size, 0])
        )
    )
    with pytest.raises(ValueError, match=f"cannot copy to GPU:0, as there are {kind} tensors"):
        dataset.apply(prefetch_to_device("GPU:0"))
    on_host = dataset.apply(prefetch_to_device())
    assert len(list(on_host)) == 3
    assert f"prefetch_to_device: {kind} tensors, buffer_size=2" in describe(on_host)


@pytest.mark.gpu
def test_gpu_in_a_tf1_graph():
    with tf.Graph().as_default():
        dataset = elements().apply(prefetch_to_device("GPU:0"))
        iterator = tf.compat.v1.data.make_initializable_iterator(dataset)
        element = iterator.get_next()
        assert "GPU:0" in element["float"].device
        with tf.compat.v1.Session() as session:
            session.run(iterator.initializer)
            results = [session.run(element) for _ in range(10)]
    assert [result["int64"] for result in results] == list(range(10))
    assert [result["string"] for result in results] == [b"%d" % index for index in range(10)]


@pytest.mark.gpu
def test_gpu_beside_the_host():
    dataset = elements().apply(prefetch_to_device(["GPU:0", "CPU:0"]))
    for on_gpu, on_host in dataset:
        assert "GPU:0" in on_gpu["float"].backing_device
        assert "CPU:0" in on_host["float"].backing_device
        assert on_host["int64"] == on_gpu["int64"].numpy() + 1
