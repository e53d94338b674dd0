from __future__ import annotations

import itertools
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import tfprefetch


@pytest.fixture(autouse=True)
def _in_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write(name, array, header=b"", footer=b""):
    with open(name, "wb") as file:
        file.write(header + np.ascontiguousarray(array).tobytes() + footer)
    return name


def batches(*args, **kwargs):
    return list(tfprefetch.from_raw(*args, **kwargs).as_numpy_iterator())


def run_program(program):
    done = subprocess.run(
        [sys.executable, "-W", "error:::tfprefetch", "-c", program],
        env={**os.environ, "PYTHONPATH": str(pathlib.Path(__file__).parents[2])},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def numbers(count, **options):
    """All int32 records of a file of 0, 1, ..., in the order in which they come."""
    write("n.bin", np.arange(count, dtype=np.int32))
    found = batches("n.bin", tf.int32, [], **{"batch_size": 10, **options})
    return np.concatenate(found).tolist() if found else []


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


# --- .npy files -----------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
@pytest.mark.parametrize("dtype", ["<f4", ">f4", "|u1", "?", ">c16"])
def test_npy(dtype, version):
    array = np.arange(60).reshape(10, 2, 3).astype(dtype)
    with open("a.npy", "wb") as file:
        np.lib.format.write_array(file, array, version)
    dataset = tfprefetch.from_raw("a.npy", None, None, 4)
    spec = tf.TensorSpec([None, 2, 3], array.dtype.newbyteorder("="))
    assert dataset.element_spec == spec
    assert np.concatenate(list(dataset.as_numpy_iterator())).tolist() == array.tolist()
    assert len(batches("a.npy", array.dtype.newbyteorder("="), [2, 3], 4)) == 3


def save_npy(name, array, **options):
    np.save(name, array, **options)
    return name


@pytest.mark.parametrize(
    ("array", "options", "message"),
    [
        (np.zeros([2, 3], order="F"), {}, "a.npy is in Fortran order.*ascontiguousarray"),
        (np.array([{}, 1]), {}, "a.npy holds object"),
        (np.array(["a", "b"]), {}, "a.npy holds <U1"),
        (np.array([b"a", b"b"]), {}, r"a.npy holds \|S1"),
        (np.array(["2024-01-01"], "M8[D]"), {}, "a.npy holds datetime64"),
        (np.zeros(3, [("x", "f4")]), {}, "a.npy holds"),
        (np.array(3.0), {}, "a.npy holds a single number"),
        (np.zeros([2, 3]), {"dtype": tf.float32}, "dtype=float32, but a.npy holds float64"),
        (np.zeros([2, 3]), {"shape": [4]}, r"shape=\[4\], but .*a.npy have shape \[3\]"),
        (np.zeros([2, 3]), {"header_bytes": 1}, "header_bytes .* must be 0 for a.npy.*1"),
    ],
)
def test_npy_that_cannot_be(array, options, message):
    np.save("a.npy", array, allow_pickle=True)
    with pytest.raises(ValueError, match=message):
        tfprefetch.from_raw("a.npy", **{"dtype": None, "shape": None, "batch_size": 2, **options})


def test_damaged_npy():
    np.save("a.npy", np.zeros([10, 3]))
    content = open("a.npy", "rb").read()
    for damaged, message in (
        (content[:-1], r"a.npy has 367 bytes.*10 records of 24 bytes \(float64\[3\]\), 368 in"),
        (content + b"x", "a.npy has 369 bytes"),
        (content[:50], "a.npy is no .npy file that can be read"),
        (b"", "a.npy is no .npy file that can be read"),
        (b"\x93NUMPY\x03" + content[7:], "a.npy is no .npy.*version 3.0"),
    ):
        pathlib.Path("a.npy").write_bytes(damaged)
        with pytest.raises(ValueError, match=message):
            tfprefetch.from_raw("a.npy", None, None, 2)


def test_fortran_order_of_one_axis_is_no_matter():
    np.save("a.npy", np.zeros([5, 2], order="F")[:, 0])
    np.save("b.npy", np.zeros([5, 1], order="F"))
    assert batches(("a.npy", "b.npy"), None, None, 5)[0][1].shape == (5, 1)


# --- shuffled -------------------------------------------------------------------------------------


# In one pool; in many; in pools of one batch; with blocks that pools divide.
@pytest.mark.parametrize("buffer_bytes", [1 << 20, 900, 1, 12 * 500])
@pytest.mark.parametrize("drop_remainder", [False, True])
def test_every_epoch_is_a_new_order_of_everything(buffer_bytes, drop_remainder):
    options = {
        "num_epochs": 3,
        "shuffle": True,
        "shuffle_buffer_bytes": buffer_bytes,
        "drop_remainder": drop_remainder,
        "batch_size": 8,
    }
    found = numbers(605, seed=3, **options)
    length = 600 if drop_remainder else 605
    assert len(found) == 3 * length
    epochs = [found[start : start + length] for start in range(0, 3 * length, length)]
    for epoch in epochs:
        assert len(set(epoch)) == length
        assert set(epoch) <= set(range(605))
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]
    if drop_remainder:  # not the same ones every time
        assert len({frozenset(range(605)) - frozenset(epoch) for epoch in epochs}) == 3
    assert found == numbers(605, seed=3, **options)
    options["num_epochs"] = 1
    assert numbers(605, seed=4, **options) != epochs[0]
    assert numbers(605, **options) != numbers(605, **options)
    # Spread over the whole file, wherever one looks.
    assert abs((np.array(epochs[0][:300]) < 300).mean() - 0.5) < 0.2


def test_a_small_file_is_shuffled_evenly():
    write("n.bin", np.arange(3, dtype=np.int32))
    dataset = tfprefetch.from_raw("n.bin", tf.int32, [], 3, num_epochs=600, shuffle=True, seed=1)
    orders = [tuple(batch) for batch in dataset.as_numpy_iterator()]
    counts = [orders.count(order) for order in set(orders)]
    assert len(counts) == 6
    assert min(counts) > 60


def test_blocks_from_all_over_the_file_are_mixed():
    # A pool has 512 records, 128 blocks of 4 neighbours.
    found = numbers(65536, batch_size=64, shuffle=True, seed=1, shuffle_buffer_bytes=512 * 12)
    pools = np.array(found).reshape(-1, 512)
    assert sorted(found) == list(range(65536))
    for pool in pools[::10]:
        assert len(set(pool // 4)) == 128
        assert len(set(pool // 2048)) > 25  # of 32 parts of the file
        assert (np.diff(pool) == 1).sum() < 10
    firsts = pools[:-1] // 4
    assert len(set(firsts[:, 0])) > 100


def test_each_iteration_has_its_own_order():
    write("n.bin", np.arange(100, dtype=np.int32))

    def three():
        dataset = tfprefetch.from_raw("n.bin", tf.int32, [], 100, shuffle=True, seed=5)
        return [next(iter(dataset)).numpy().tolist() for _ in range(3)]

    first = three()
    assert first[0] != first[1] != first[2]
    assert first == three()


def test_components_are_shuffled_alike():
    write("x.bin", np.arange(2000, dtype=np.int32).reshape(1000, 2))
    write("y.bin", np.arange(1000, dtype=np.int32))
    for x, y in batches(
        ("x.bin", "y.bin"), tf.int32, ([2], []), 9, shuffle=True, shuffle_buffer_bytes=999
    ):
        assert (x[:, 0] == 2 * y).all()
        assert (x[:, 1] == 2 * y + 1).all()


# --- resuming -------------------------------------------------------------------------------------

RESUME = """
import tensorflow as tf
import tfprefetch

for case, (shuffle, seed) in enumerate({cases}):
    dataset = tfprefetch.from_raw(
        "n.bin", tf.int32, [], 7, num_epochs=3, shuffle=shuffle, seed=seed,
        shuffle_buffer_bytes=2000,
    )
    iterator = iter(dataset)
    tf.train.Checkpoint(iterator=iterator).restore("checkpoint%d-1" % case)
    print(*[number for batch in iterator for number in batch.numpy()])
"""


def test_resuming_in_another_process():
    write("n.bin", np.arange(1000, dtype=np.int32))
    cases = [(False, None), (True, None), (True, 3)]
    options = {"num_epochs": 3, "shuffle_buffer_bytes": 2000}
    found = []
    for case, (shuffle, seed) in enumerate(cases):
        dataset = tfprefetch.from_raw(
            "n.bin", tf.int32, [], 7, shuffle=shuffle, seed=seed, **options
        )
        iterator = iter(dataset)
        found.append([number for _ in range(200) for number in next(iterator).numpy().tolist()])
        tf.train.Checkpoint(iterator=iterator).save(f"checkpoint{case}")
    lines = run_program(RESUME.format(cases=cases)).splitlines()
    for numbers_before, line in zip(found, lines, strict=True):
        numbers_before += map(int, line.split())
        assert len(numbers_before) == 3000
        for epoch in range(3):
            one = numbers_before[epoch * 1000 : (epoch + 1) * 1000]
            assert sorted(one) == list(range(1000))
    assert found[0] == [*range(1000)] * 3
    assert found[2] == numbers(1000, batch_size=7, shuffle=True, seed=3, **options)


def test_a_checkpoint_holds_no_pool():
    write("n.bin", np.zeros(2 << 20, np.float32))
    iterator = iter(tfprefetch.from_raw("n.bin", tf.float32, [], 1024, shuffle=True, num_epochs=9))
    next(iterator)
    tf.train.Checkpoint(iterator=iterator).write("checkpoint")
    assert sum(path.stat().st_size for path in pathlib.Path().glob("checkpoint*")) < 1 << 20


# --- damaged files --------------------------------------------------------------------------------


def test_a_file_that_ends_inside_a_record():
    write("a.bin", np.zeros(99, np.uint8))
    with pytest.raises(ValueError, match=r"a.bin ends inside a record: it has 99 bytes; a record "):
        tfprefetch.from_raw("a.bin", tf.float32, [5], 3)
    message = (
        r"95 without header_bytes=2 and footer_bytes=2; .*float32\[5\].*20 bytes.* 4 records and 15"
    )
    with pytest.raises(ValueError, match=message):
        tfprefetch.from_raw("a.bin", tf.float32, [5], 3, header_bytes=2, footer_bytes=2)
    with pytest.raises(ValueError, match="a.bin has 99 bytes, less than header_bytes=100"):
        tfprefetch.from_raw("a.bin", tf.float32, [5], 3, header_bytes=100)


def test_files_of_different_lengths():
    write("x.bin", np.zeros([100, 13], np.float32))
    write("y.bin", np.zeros([99], np.uint8))
    with pytest.raises(
        ValueError,
        match=r"equal numbers of records: x.bin has 100 records of 52 bytes \(float32\[13\]\) in "
        r"5200 bytes; y.bin has 99 records of 1 bytes \(uint8\[\]\) in 99 bytes",
    ):
        tfprefetch.from_raw(("x.bin", "y.bin"), (tf.float32, tf.uint8), ([13], []), 3)


def test_missing_files_and_directories():
    with pytest.raises(tf.errors.NotFoundError, match=r"gone.bin"):
        tfprefetch.from_raw("gone.bin", tf.float32, [], 3)
    with pytest.raises(tf.errors.NotFoundError, match=r"gone.npy"):
        tfprefetch.from_raw("gone.npy", None, None, 3)
    os.mkdir("folder")
    with pytest.raises(tf.errors.FailedPreconditionError, match="folder is a directory"):
        tfprefetch.from_raw("folder", tf.float32, [], 3)


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("size", [12000, 12004, 4000000 - 4, 4000004, 0, None])
def test_a_file_that_changes_later(size, shuffle):
    write("a.bin", np.zeros(1000000, np.float32))
    dataset = tfprefetch.from_raw("a.bin", tf.float32, [], 1000, shuffle=shuffle)
    if size is None:
        os.remove("a.bin")
        message = "a.bin cannot be read any more: .*No such file"
    else:
        os.truncate("a.bin", size)
        message = f"a.bin changed while it was read: it had 4000000 bytes.* has {size} now"
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        list(dataset)


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


def test_in_a_session():
    write("x.bin", np.arange(20, dtype=np.uint8))
    write("y.bin", np.arange(10, dtype=np.uint8))
    exec(GRAPH, {})
    disable = "import tensorflow.compat.v1 as tf\ntf.disable_v2_behavior()\n"
    run_program(disable + GRAPH)


# --- arguments ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"files": []}, ValueError, "files is empty"),
        ({"files": {}}, ValueError, "files is empty"),
        ({"files": ("n.bin", [])}, ValueError, "files is empty"),
        ({"files": 3}, TypeError, "files must be a file name.* got 3"),
        ({"files": tf.constant("n.bin")}, TypeError, "no tensors"),
        ({"dtype": None}, ValueError, "dtype=None .*n.bin is no .npy file"),
        ({"shape": None}, ValueError, "shape=None: n.bin is no .npy file"),
        ({"dtype": tf.string}, TypeError, "dtype must be .* tf.string"),
        ({"dtype": tf.qint8}, TypeError, "dtype must be .* tf.qint8"),
        ({"dtype": "flaot32"}, TypeError, "dtype must be .* 'flaot32'"),
        ({"dtype": (tf.int32, tf.int32)}, ValueError, "dtype must be .*; got"),
        ({"shape": 13}, ValueError, "shape must be .*, like .*; got 13"),
        ({"shape": [None, 2]}, ValueError, "shape must be .*; got"),
        ({"shape": [-1]}, ValueError, "shape must be .*; got"),
        ({"shape": [3, 0]}, ValueError, r"shape must not hold a 0.* got \[3, 0\]"),
        ({"files": ("n.bin",) * 2, "shape": ([], [], [])}, ValueError, "a tuple of 2 like files"),
        ({"files": {"a": "n.bin"}, "dtype": {"b": 1}}, ValueError, r"the keys of files, \['a'\]"),
        (
            {"files": {"a": ("n.bin",)}, "shape": {"a": {"b": []}}},
            ValueError,
            r"shape\['a'\] must be .*a tuple of 1",
        ),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1, got 0"),
        ({"batch_size": 2.0}, TypeError, "batch_size must be an integer, got 2.0"),
        ({"num_epochs": 0}, ValueError, "num_epochs .*None for ever, got 0"),
        ({"num_shards": 0}, ValueError, "num_shards .*got 0"),
        ({"index": 1}, ValueError, "index .*num_shards=1, got 1"),
        ({"shuffle_buffer_bytes": 0}, ValueError, "shuffle_buffer_bytes .*got 0"),
        ({"header_bytes": -1}, ValueError, "header_bytes must be .*got -1"),
        ({"footer_bytes": (0, 0)}, ValueError, "footer_bytes must be .*got"),
    ],
)
def test_bad_arguments_raise_at_once(arguments, error, message):
    write("n.bin", np.arange(10, dtype=np.int32))
    good = {"files": "n.bin", "dtype": tf.int32, "shape": [], "batch_size": 3}
    with pytest.raises(error, match=message):
        tfprefetch.from_raw(**{**good, **arguments})


def test_files_of_one_array_must_be_alike():
    np.save("a.npy", np.zeros([2, 3]))
    np.save("b.npy", np.zeros([2, 4]))
    with pytest.raises(ValueError, match=r"a.npy has 2.*float64\[3\].*b.npy has 2.*float64\[4\]"):
        tfprefetch.from_raw(["a.npy", "b.npy"], None, None, 2)
