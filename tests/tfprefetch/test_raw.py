"""`from_raw`: the files' records in order, of every type, in every place."""

from __future__ import annotations

import itertools
import os
import pathlib

import numpy as np
import pytest
import tensorflow as tf
from raw_files import batches, numbers, write

import tfprefetch

pytestmark = pytest.mark.usefixtures("in_directory")


# --- in the files' order --------------------------------------------------------------------------


@pytest.mark.parametrize("case", range(20))
def test_equals_fromfile(case):
    random = np.random.default_rng(case)
    names = ["float32", "uint8", "int64", "float16", "bool", "complex64", "uint16", "float64"]
    dtype = np.dtype(names[case % len(names)])
    shape = [[], [1], [13], [3, 5], [2, 1, 4], [300, 200]][random.integers(6)]
    records = int(random.choice([1, 2, 63, 64, 65, 1000] if shape != [300, 200] else [1, 40]))
    batch_size = int(random.choice([1, 2, 7, 64, 2000]))
    if records // batch_size > 200:
        batch_size = 64
    header, footer = bytes(random.integers(7)), bytes(random.integers(7))
    is_big = bool(random.integers(2))
    data = random.integers(0, 2 if dtype.kind == "b" else 256, [records, *shape, dtype.itemsize])
    data = data.astype(np.uint8).tobytes()
    if dtype.kind == "b":
        data = data[: records * int(np.prod(shape))]
    write("a.bin", np.frombuffer(data, np.uint8), header, footer)
    expected = np.fromfile(
        "a.bin", dtype.newbyteorder(">" if is_big else "<"), -1, offset=len(header)
    )
    if footer:
        expected = np.frombuffer(data, dtype.newbyteorder(">" if is_big else "<"))
    expected = expected.reshape([-1, *shape]).astype(dtype)
    num_epochs, drop_remainder = int(random.integers(1, 3)), bool(random.integers(2))
    dataset = tfprefetch.from_raw(
        "a.bin",
        dtype,
        shape,
        batch_size,
        num_epochs=num_epochs,
        drop_remainder=drop_remainder,
        header_bytes=len(header),
        footer_bytes=len(footer),
        little_endian=not is_big,
    )
    reference = tf.data.Dataset.from_tensor_slices(expected)
    reference = reference.batch(batch_size, drop_remainder).repeat(num_epochs)
    assert dataset.element_spec == reference.element_spec
    assert dataset.cardinality() == reference.cardinality()
    found = list(dataset.as_numpy_iterator())
    assert len(found) == int(reference.cardinality())
    for one, other in zip(found, reference.as_numpy_iterator(), strict=True):
        assert one.tobytes() == other.tobytes()  # NaNs, too
        assert one.shape == other.shape


def test_several_pools():
    data = np.arange(3_000_000, dtype=np.float32).reshape(-1, 3)  # 12 MB, a pool has 4 MiB
    write("a.bin", data)
    for batch_size in (1000, 999, 400_000):
        found = batches("a.bin", "float32", [3], batch_size, num_epochs=2)
        sizes = [batch_size] * (1_000_000 // batch_size) + [1_000_000 % batch_size or batch_size]
        sizes = sizes[: -(-1_000_000 // batch_size)]
        assert [len(batch) for batch in found] == sizes * 2
        np.testing.assert_array_equal(np.concatenate(found), np.concatenate([data, data]))


@pytest.mark.parametrize("name", ["bfloat16", "half", "float8_e5m2", "int4"])
def test_unusual_types(name):
    dtype = tf.as_dtype(name)
    data = np.arange(6).astype(dtype.as_numpy_dtype)
    write("a.bin", data)
    if name in ("float8_e5m2", "int4"):
        with pytest.raises(TypeError, match=f"dtype must be .*cannot hold .*{name}"):
            tfprefetch.from_raw("a.bin", dtype, [], 4)
        return
    found = batches("a.bin", dtype, [2], 4)
    assert found[0].dtype == data.dtype
    assert found[0].tolist() == data.reshape(3, 2).tolist()
    np.save("a.npy", data)  # numpy forgets the type
    assert batches("a.npy", dtype, None, 6)[0].tolist() == data.tolist()


def test_big_endian_types():
    data = np.array([1, 2 + 3j, 4], np.complex64)
    write("a.bin", data.astype(">c8"))
    assert batches("a.bin", ">c8", [], 3)[0].tolist() == data.tolist()
    assert batches("a.bin", np.dtype(">c8"), [], 3)[0].tolist() == data.tolist()
    write("b.bin", np.array([1, 256, 7], ">u2"))
    assert batches("b.bin", tf.uint16, [], 3, little_endian=False)[0].tolist() == [1, 256, 7]
    assert batches("b.bin", tf.uint16, [], 3)[0].tolist() == [256, 1, 7 << 8]


def test_a_bool_of_another_byte_is_true():
    write("a.bin", np.array([0, 1, 2, 255], np.uint8))
    assert batches("a.bin", bool, [], 4)[0].view(np.uint8).tolist() == [0, 1, 1, 1]


def test_parallel_files():
    features, labels = np.random.rand(10, 2, 3).astype(np.float32), np.arange(10, dtype=np.uint8)
    write("x.bin", features, header=b"head")
    write("y.bin", labels)
    found = batches(
        {"y": "y.bin", "x": "x.bin"},
        {"x": tf.float32, "y": tf.uint8},
        {"x": [2, 3], "y": []},
        4,
        header_bytes={"x": 4, "y": 0},
    )
    assert [batch["x"].tolist() for batch in found] == [
        features[:4].tolist(),
        features[4:8].tolist(),
        features[8:].tolist(),
    ]
    assert [batch["y"].tolist() for batch in found] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    nested = batches(
        ("y.bin", {"b": pathlib.Path("y.bin"), "a": b"x.bin"}),
        (tf.uint8, {"a": tf.float32, "b": tf.int8}),
        ((), {"a": tf.TensorShape([2, 3]), "b": []}),
        10,
        header_bytes=(0, {"a": 4, "b": 0}),
    )
    assert nested[0][0].tolist() == nested[0][1]["b"].tolist() == labels.tolist()
    assert nested[0][1]["a"].tolist() == features.tolist()
    # One for all; a tuple of numbers is one shape.
    pair = batches(("y.bin", "y.bin"), tf.uint8, (5,), 2)
    assert pair[0][1].tolist() == labels.reshape(2, 5).tolist()


def test_lists_of_files_are_one_array():
    for name, count in (("a", 3), ("empty", 0), ("b", 5)):
        write(name, np.arange(count * 2, dtype=np.int16) + 100 * ord(name[0]), header=b"h" * 3)
    np.save("y.npy", np.arange(8))
    everything = [*range(9700, 9706), *range(9800, 9810)]
    for options in ({}, {"shuffle": True, "shuffle_buffer_bytes": 60}):
        found = batches(
            (["a", "empty", "b"], "y.npy"),
            (tf.int16, None),
            ([2], None),
            3,
            header_bytes=(3, 0),
            **options,
        )
        assert [len(batch[0]) for batch in found] == [3, 3, 2]
        pairs = zip(
            np.concatenate([batch[0] for batch in found]).tolist(),
            np.concatenate([batch[1] for batch in found]).tolist(),
            strict=True,
        )
        pairs = sorted(pairs, key=lambda pair: pair[1])
        assert pairs == [(everything[2 * i : 2 * i + 2], i) for i in range(8)]


def test_shards_are_disjoint():
    for shuffle in (False, True):
        shards = [numbers(103, num_shards=4, index=index, shuffle=shuffle) for index in range(4)]
        assert sorted(len(shard) for shard in shards) == [25, 26, 26, 26]
        assert sorted(itertools.chain(*shards)) == list(range(103))


def test_epochs_without_end():
    write("n.bin", np.arange(5, dtype=np.int32))
    for shuffle in (False, True):
        dataset = tfprefetch.from_raw("n.bin", tf.int32, [], 3, num_epochs=None, shuffle=shuffle)
        assert dataset.cardinality() == tf.data.INFINITE_CARDINALITY
        found = list(dataset.take(2000).as_numpy_iterator())
        assert [len(batch) for batch in found] == [3, 2] * 1000
        assert sorted(np.concatenate(found).tolist()) == sorted([*range(5)] * 1000)


def test_empty_files():
    write("empty.bin", np.zeros(0))
    np.save("n.npy", np.zeros([0, 2]))
    for num_epochs in (1, None):
        for shuffle in (False, True):
            options = {"num_epochs": num_epochs, "shuffle": shuffle}
            assert batches("empty.bin", tf.int32, [3], 3, **options) == []
            assert batches("n.npy", None, None, 3, **options) == []
            assert numbers(9, drop_remainder=True, **options) == []
    assert tfprefetch.from_raw("n.npy", None, None, 3, num_epochs=None).cardinality() == 0


def test_files_and_buffers_are_let_go():
    write("n.bin", np.zeros(1 << 20, np.float32))
    open_before = set(os.listdir("/proc/self/fd"))

    def resident_bytes():
        return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * 4096

    dataset = tfprefetch.from_raw("n.bin", tf.float32, [1024], 512, num_epochs=100, shuffle=True)
    for position, _ in enumerate(dataset):
        if position == 40:
            before = resident_bytes()
    assert resident_bytes() - before < 60 << 20  # 400 MiB went through
    assert len(set(os.listdir("/proc/self/fd")) - open_before) <= 1


# --- where it runs --------------------------------------------------------------------------------


def test_in_a_function_and_with_keras():
    features = np.random.rand(40, 3).astype(np.float32)
    write("x.bin", features)
    write("y.bin", features.sum(1))

    @tf.function
    def total():
        result = tf.constant(0.0)
        for batch in tfprefetch.from_raw("x.bin", tf.float32, [3], 7, shuffle=True):
            result += tf.reduce_sum(batch)
        return result

    assert abs(total().numpy() - features.sum()) < 1e-3
    dataset = tfprefetch.from_raw(
        ("x.bin", "y.bin"), tf.float32, ([3], []), 8, shuffle=True, seed=1, num_epochs=4
    )
    model = tf.keras.Sequential([tf.keras.layers.Dense(1, kernel_initializer="zeros")])
    model.compile("sgd", "mse")
    history = model.fit(dataset, epochs=3, verbose=0).history["loss"]
    assert history[-1] < history[0]


GRAPH = """
import tensorflow.compat.v1 as tf
import tfprefetch

files = {"x": "x.bin", "y": ["y.bin"]}
with tf.Graph().as_default(), tf.Session() as session:
    for shuffle in (False, True):
        dataset = tfprefetch.from_raw(
            files, "uint8", {"x": [2], "y": []}, 4, shuffle=shuffle, num_epochs=2, name="last"
        )
        iterator = tf.data.make_initializable_iterator(dataset)
        step = iterator.get_next()
        assert step["x"].shape.as_list() == [None, 2], step
        for _ in range(2):
            session.run(iterator.initializer)
            found = [session.run(step) for _ in range(6)]
            assert [len(batch["x"]) for batch in found] == [4, 4, 2] * 2
            for start in (0, 3):
                epoch = [tuple(row) for batch in found[start:start + 3] for row in batch["x"]]
                assert sorted(epoch) == [(i, i + 1) for i in range(0, 20, 2)], epoch
            for batch in found:
                assert (batch["x"][:, 0] == 2 * batch["y"]).all()
            try:
                session.run(step)
                raise SystemExit("no end")
            except tf.errors.OutOfRangeError:
                pass
"""


def test_in_a_session(run_program):
    write("x.bin", np.arange(20, dtype=np.uint8))
    write("y.bin", np.arange(10, dtype=np.uint8))
    exec(GRAPH, {})
    disable = "import tensorflow.compat.v1 as tf\ntf.disable_v2_behavior()\n"
    run_program(disable + GRAPH)
