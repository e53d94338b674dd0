"""tf.contrib: what is mapped here, and how packages of others are served.

What TensorFlow 1.15.5 did is in tests/goldens/contrib.py and slim.py.
"""

import importlib
import json
import os
import sys
import textwrap

import pytest
import tensorflow
from tensorflow.python.eager.context import eager_mode

import compat.v1 as tf
from compat import QueueFallbackError, QueueFallbackWarning, advice
from compat.contrib.packages import BoundPackage
from compat.contrib.parallel_reading import parallel_read
from compat.contrib.prefetching import prefetch_queue
from compat.facade import Facade
from compat.report import Report
from compat.settings import settings


@pytest.fixture
def report(monkeypatch):
    monkeypatch.setattr(settings, "report", Report())
    return settings.report


def numbers(count=8):
    return tf.train.range_input_producer(count, num_epochs=1, shuffle=False).dequeue()


# ---------------------------------------------------------------- bucket


def test_a_bucket_is_one_dataset_with_what_is_before_it(report, run_to_end):
    number = numbers(8)
    which, batch = tf.contrib.training.bucket([number * 2], number % 2, 2, 2)
    delivered = run_to_end([which, batch])
    assert [(int(bucket), row.tolist()) for bucket, row in delivered] == [
        (0, [0, 4]),
        (1, [2, 6]),
        (0, [8, 12]),
        (1, [10, 14]),
    ]
    (entry,) = report.as_dict()["pipelines"]
    assert (entry["name"], entry["engine"], entry["elements"]) == ("bucket", "datasets", 8)
    assert entry["stages"][0].startswith("elements: 8")
    assert "2 buckets, batch (2)" in entry["stages"]


def test_buckets_fall_back_with_line_and_reason(report):
    size = tf.identity(tf.Variable(2))
    with pytest.warns(QueueFallbackWarning, match=r"test_contrib\.py:\d+ .*batch_size is a tensor"):
        tf.contrib.training.bucket([numbers(4)], tf.constant(0), size, 2)
    (entry,) = report.as_dict()["pipelines"]
    assert (entry["name"], entry["engine"]) == ("bucket", "queue")


def test_strict_refuses_buckets_on_queues(monkeypatch):
    monkeypatch.setattr(settings, "strict", True)
    size = tf.identity(tf.Variable(2))
    with pytest.raises(QueueFallbackError, match="batch_size is a tensor"):
        tf.contrib.training.bucket([numbers()], tf.constant(0), size, 2)


def test_no_buckets_are_refused():
    with pytest.raises(ValueError, match="num_buckets must be positive, got 0"):
        tf.contrib.training.bucket([numbers()], tf.constant(0), 2, 0)


@pytest.mark.parametrize(
    "call",
    [
        lambda: tf.contrib.training.bucket([1], 0, 2, 2),
        lambda: prefetch_queue([tf.constant(1)]),
        lambda: parallel_read(["a"], tf.TextLineReader),
    ],
)
def test_contribs_functions_need_a_graph(call):
    with eager_mode(), pytest.raises(RuntimeError, match="disable_v2_behavior"):
        call()


# ---------------------------------------------------------------- slim's input functions


def test_prefetch_queue_is_one_dataset_with_its_batch(report, run_to_end):
    queue = prefetch_queue([tf.train.batch([numbers(6)], 3)], capacity=2)
    assert isinstance(queue, tf.QueueBase)
    assert [row.tolist() for row in run_to_end(queue.dequeue())] == [[0, 1, 2], [3, 4, 5]]
    (entry,) = report.as_dict()["pipelines"]
    assert (entry["name"], entry["engine"]) == ("prefetch_queue", "datasets")
    assert entry["stages"][-1] == "prefetch (2)"


@pytest.mark.parametrize(
    "use",
    [
        lambda queue: queue.size(),
        lambda queue: queue.close(),
        lambda queue: queue.is_closed(),
        lambda queue: queue.enqueue(1),
        lambda queue: queue.enqueue_many([1]),
        lambda queue: queue.queue_ref,
    ],
)
def test_what_a_prefetch_queue_cannot_do_says_so(use):
    with pytest.raises(NotImplementedError, match=r"test_contrib\.py:\d+ needs a real queue"):
        use(prefetch_queue([numbers()]))


def test_parallel_read_names_wrong_arguments(tmp_path):
    with pytest.raises(ValueError, match="No data files found in"):
        parallel_read([str(tmp_path / "*.none")], tf.TextLineReader)
    with pytest.raises(ValueError, match="num_readers must be positive, got 0"):
        parallel_read(["a"], tf.TextLineReader, num_readers=0)


def test_parallel_read_reads_as_many_files_at_a_time_as_it_has_readers(
    report, tmp_path, run_to_end
):
    for name in "abc":
        (tmp_path / name).write_text(f"{name}1\n{name}2\n")
    names = [str(tmp_path / name) for name in "abc"]
    _, line = parallel_read(names, tf.TextLineReader, num_epochs=1, num_readers=3, shuffle=False)
    assert sorted(run_to_end(line)) == [b"a1", b"a2", b"b1", b"b2", b"c1", b"c2"]
    (entry,) = report.as_dict()["pipelines"]
    assert (entry["name"], entry["engine"]) == ("parallel_read", "datasets")
    assert any("cycle_length=3" in stage for stage in entry["stages"])


# ---------------------------------------------------------------- packages of others


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package written for TF1, and a facade that serves it as `tf.contrib.old`."""
    folder = tmp_path / "old_package"
    folder.mkdir()
    (folder / "__init__.py").write_text(
        "from old_package import data\nimport old_package.data as same_data\n"
    )
    (folder / "data.py").write_text(
        "import tensorflow as tf\n"
        "from tensorflow.python.framework import ops\n"
        "def read():\n    return tf.compat.v1.train.batch\n"
        "def tensor():\n    return ops.Tensor\n"
        "def provide():\n    return read()\n"
    )
    (folder / "lazy.py").write_text("import os, no_such_package_at_all\n")
    (folder / "fine.py").write_text("value = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(
        advice,
        "PACKAGES",
        {"contrib.old": "old_package", "contrib.old.python.old": "old_package"},
    )
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    before = set(sys.modules)
    yield "old_package"
    for name in set(sys.modules) - before:
        if name.startswith("old_package"):
            del sys.modules[name]


def test_a_package_sees_the_facade_and_its_own_copy_of_itself(package):
    facade = Facade(tensorflow.compat.v1, {"train.batch": "ours"})
    old = facade.contrib.old
    assert old.data.read() == "ours"
    assert old.data.tensor() is tensorflow.Tensor, "which TensorFlow 2 no longer has there"
    assert old.same_data.read is old.data.read
    assert "old_package" not in sys.modules
    import old_package.data

    assert old_package.data.read() is tensorflow.compat.v1.train.batch, "others see their own"


def test_additions_stand_in_the_copy_only(package):
    facade = Facade(tensorflow.compat.v1, {}, additions={"contrib.old.data.read": lambda: "added"})
    assert facade.contrib.old.data.read() == "added"
    assert facade.contrib.old.data.provide() == "added", "inside of the package too"
    import old_package.data

    assert old_package.data.provide() is tensorflow.compat.v1.train.batch


def test_a_package_has_all_the_names_that_tf1_had_for_it(package):
    facade = Facade(tensorflow.compat.v1, {})
    assert facade.contrib.old.python.old.data.provide() is tensorflow.compat.v1.train.batch
    assert facade.contrib.old.fine.value == 1, "a submodule that nobody has imported"
    with pytest.raises(AttributeError, match="no attribute 'no_such_module'|not in TensorFlow 2"):
        facade.contrib.old.no_such_module  # noqa: B018
    with pytest.raises(ModuleNotFoundError, match="no_such_package_at_all"):
        facade.contrib.old.lazy  # noqa: B018


def test_a_package_that_is_not_installed_has_advice(monkeypatch):
    monkeypatch.setattr(advice, "PACKAGES", {"contrib.slim": "no_such_package_at_all"})
    with pytest.raises(AttributeError, match=r"contrib\.slim .*pip install tfprefetch\[legacy\]"):
        Facade(tensorflow.compat.v1, {}).contrib.slim  # noqa: B018


def test_a_bound_package_names_what_is_missing(package):

    def import_tensorflow(name, fromlist):
        return importlib.import_module(name) if fromlist else tensorflow

    bound = BoundPackage(package, import_tensorflow, {})
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        bound.load("old_package.no_such_module")


# ---------------------------------------------------------------- the extra `legacy`


@pytest.fixture
def run(tmp_path, forked_python):
    """Runs a program's text."""

    def run_text(program, *options, **environment):
        (tmp_path / "program.py").write_text(textwrap.dedent(program))
        return forked_python(
            [sys.executable, "-m", "compat", "run", *options, "program.py"],
            cwd=tmp_path,
            env={**os.environ, **environment},
            text=True,
        )

    return run_text


def test_run_gives_programs_keras_2(run):
    pytest.importorskip("tf_keras")
    program = """
        import tensorflow as tf
        from tensorflow.keras.layers import Dense
        images = tf.placeholder(tf.float32, [2, 8, 8, 3])
        hidden = tf.layers.flatten(tf.layers.conv2d(images, 4, 3, activation=tf.nn.relu))
        hidden = tf.layers.batch_normalization(tf.layers.dense(hidden, 6), training=True)
        hidden = Dense(6)(tf.layers.dropout(hidden))
        cell = tf.nn.rnn_cell.MultiRNNCell([tf.contrib.rnn.BasicLSTMCell(4)])
        outputs, _ = tf.nn.dynamic_rnn(cell, tf.reshape(hidden, [2, 3, 2]), dtype=tf.float32)
        step = tf.train.AdamOptimizer().minimize(tf.reduce_sum(outputs))
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            session.run(step, {images: [[[[1.0] * 3] * 8] * 8] * 2})
        print(len(tf.get_collection(tf.GraphKeys.UPDATE_OPS)), outputs.shape)
    """
    done = run(program)
    assert (done.stdout, done.returncode) == ("2 (2, 3, 4)\n", 0), done.stderr
    assert "layers" in run(program, TF_USE_LEGACY_KERAS="0").stderr, "the user decides"


def test_run_serves_slim_by_all_its_names(run, tmp_path):
    pytest.importorskip("tf_slim")
    pytest.importorskip("tf_keras")
    program = """
        import tensorflow as tf
        import tensorflow.contrib.slim as slim
        import tf_slim
        from tensorflow.contrib import layers, slim as same_slim
        from tensorflow.contrib.framework import arg_scope
        from tensorflow.contrib.framework.python.ops import arg_scope as module
        from tensorflow.contrib.layers.python.layers import utils
        from tensorflow.contrib.slim.nets import resnet_v1
        from tensorflow.contrib.slim.python.slim.nets import vgg
        assert slim is same_slim is tf_slim is tf.contrib.slim
        assert arg_scope is module.arg_scope is slim.arg_scope
        assert layers.conv2d is slim.conv2d and utils.smart_cond
        number = tf.train.range_input_producer(64).dequeue()
        image = tf.fill([64, 64, 3], tf.cast(number, tf.float32))
        images = slim.prefetch_queue.prefetch_queue([tf.train.batch([image], 2)]).dequeue()
        with slim.arg_scope(resnet_v1.resnet_arg_scope()):
            logits, _ = resnet_v1.resnet_v1_50(images, 10, is_training=True)
        initializer = tf.contrib.layers.xavier_initializer()
        with slim.arg_scope([slim.fully_connected], weights_initializer=initializer):
            logits = slim.fully_connected(tf.squeeze(logits), 2, normalizer_fn=slim.batch_norm)
        loss = tf.losses.sparse_softmax_cross_entropy([0, 1], logits)
        step = slim.learning.create_train_op(loss, tf.train.MomentumOptimizer(0.01, 0.9))
        slim.learning.train(step, None, number_of_steps=2, save_summaries_secs=0)
        print(len(slim.get_model_variables()), logits.shape, step.shape)
    """
    done = run(program, "--strict", "--stats=stats.json")
    assert done.returncode == 0, done.stderr
    variables, *shapes = done.stdout.split(maxsplit=1)
    assert int(variables) > 250 and shapes == ["(2, 2) ()\n"]
    (entry,) = json.loads((tmp_path / "stats.json").read_text())["pipelines"]
    assert (entry["name"], entry["engine"]) == ("prefetch_queue", "datasets")


def test_what_advice_recommends_of_slim_exists():
    pytest.importorskip("tf_slim")
    assert tf.contrib.slim.learning.train and tf.contrib.slim.evaluation.evaluate_once
    assert tf.contrib.framework.nest is tf.nest
    with pytest.raises(AttributeError, match=r"embed_sequence .*tf_slim does not have it either"):
        tf.contrib.layers.embed_sequence  # noqa: B018


def test_lookup_tables_have_contribs_names(session):
    lookup = tf.contrib.lookup
    index = lookup.index_table_from_tensor(mapping=["a", "b"], num_oov_buckets=1)
    back = lookup.index_to_string_table_from_tensor(mapping=["a", "b"])
    table = lookup.HashTable(lookup.KeyValueTensorInitializer(["a"], [7]), -1, "shared")
    values = [index.lookup(tf.constant("b")), back.lookup(tf.constant(0, tf.int64))]
    session.run([tf.tables_initializer(), table.init])
    assert session.run([*values, table.lookup(tf.constant(["a", "x"]))[0]]) == [1, b"a", 7]
