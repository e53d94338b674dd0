"""`describe`: whole pipelines, and the stages of tf.data."""

from __future__ import annotations

import collections

import pytest
import tensorflow as tf
from described import ADVICE, identity, last_line, lines, scale

import tfprefetch
from tfprefetch.notes import Note, add_note, note_of
from tfprefetch.specs import spec_text

Dataset = tf.data.Dataset
pytestmark = pytest.mark.usefixtures("in_directory")


# --- whole pipelines ------------------------------------------------------------------------------


def test_from_top_to_bottom_in_columns():
    images, labels = tf.zeros([60, 28, 28], tf.uint8), tf.zeros([60], tf.int64)
    dataset = Dataset.from_tensor_slices((images, labels)).shuffle(1000, seed=3)
    dataset = dataset.map(scale, num_parallel_calls=tf.data.AUTOTUNE)
    dataset = dataset.batch(32, drop_remainder=True).map(identity).prefetch(tf.data.AUTOTUNE)
    assert tfprefetch.describe(dataset) == "\n".join(
        [
            "from_tensor_slices: 60 elements            (uint8[28, 28], int64[])",
            "shuffle: buffer_size=1000, seeded          (uint8[28, 28], int64[])",
            "map: scale, num_parallel_calls=AUTOTUNE    (float32[28, 28], int64[])",
            "  example by example: Cast, RealDiv",
            ADVICE,
            "batch: batch_size=32, drop_remainder=True  (float32[32, 28, 28], int64[32])",
            "map: identity                              (float32[32, 28, 28], int64[32])",
            "  on whole batches",
            "prefetch: buffer_size=AUTOTUNE             (float32[32, 28, 28], int64[32])",
        ]
    )


def test_several_inputs_are_a_tree():
    numbers = Dataset.range(10)
    pairs = Dataset.zip((numbers.skip(1), numbers.concatenate(numbers).concatenate(numbers)))
    dataset = Dataset.zip({"a": numbers, "b": pairs}).enumerate().take(3)
    assert lines(dataset) == [
        "- range: 10 int64[]",
        "- - range: 10 int64[]",
        "    skip: count=1 int64[]",
        "  - - range: 10 int64[]",
        "    - range: 10 int64[]",
        "    - range: 10 int64[]",
        "    concatenate int64[]",
        "  zip (int64[], int64[])",
        'zip {"a": int64[], "b": (int64[], int64[])}',
        'enumerate (int64[], {"a": int64[], "b": (int64[], int64[])})',
        'take: count=3 (int64[], {"a": int64[], "b": (int64[], int64[])})',
    ]


def test_what_runs_twice_is_listed_once():
    shuffled = Dataset.range(3).shuffle(3)
    assert lines(Dataset.zip((shuffled, shuffled.take(2)))) == [
        "- range: 3 int64[]",
        "  shuffle: buffer_size=3 int64[]",
        "- shuffle: buffer_size=3 int64[]",
        "    what it reads stands above, and runs once more",
        "  take: count=2 int64[]",
        "zip (int64[], int64[])",
    ]
    doubled = shuffled
    for _ in range(30):
        doubled = Dataset.zip((doubled, doubled)).map(lambda a, b: a + b)
    assert len(tfprefetch.describe(doubled).splitlines()) < 300  # not 2**30


def test_a_note_is_printed_instead_of_what_is_inside():
    numbers = Dataset.range(4)
    inner = Dataset.zip((numbers.window(2), numbers)).map(lambda window, number: number)
    note = Note("stage: of a library", ("on whole batches: Mul", "example by example: Foo"))
    source = add_note(inner, note)
    assert note_of(source) is note
    assert note_of(source.take(1)) is None
    assert lines(source.batch(2)) == [
        "stage: of a library int64[]",
        "  on whole batches: Mul",
        "  example by example: Foo",
        "batch: batch_size=2 int64[?]",
    ]
    add_note(inner, Note("stage: of a library", inputs=(numbers.skip(1), numbers)))
    assert lines(inner)[:4] == [
        "- range: 4 int64[]",
        "  skip: count=1 int64[]",
        "- range: 4 int64[]",
        "stage: of a library int64[]",
    ]


def test_map_and_batch_is_one_stage_with_the_dataset_it_is_applied_to():
    found = lines(Dataset.range(9).apply(tfprefetch.map_and_batch(lambda x: x * 2, 4)).map(abs))
    assert found[0] == "range: 9 int64[]"
    assert found[1].startswith("map_and_batch")
    assert found[1].endswith(" int64[?]")
    assert all(line.startswith("  ") for line in found[2:-2])
    assert "Mul" in "".join(found[2:-2])
    assert found[-2:] == ["map int64[?]", "  on whole batches: Abs"]


def test_advice_only_where_it_helps():
    def of(dataset):
        return [line for line in lines(dataset) if line.startswith("  ")]

    numbers = Dataset.range(9)
    double = numbers.map(lambda x: x * 2)
    by_example = "  example by example: Mul"
    assert of(double) == [by_example]
    assert of(double.batch(3)) == [by_example, ADVICE]
    assert of(double.shuffle(9).prefetch(1).batch(3)) == [by_example, ADVICE]
    assert of(double.map(lambda x: x + 1).batch(3))[0:3:2] == [by_example, ADVICE]
    assert of(double.cache().batch(3)) == [by_example]  # mapped once, for all epochs
    assert of(double.padded_batch(3)) == [by_example]
    assert of(numbers.batch(2).map(lambda x: x * 2).batch(3)) == ["  on whole batches: Mul"]
    unknown = Dataset.from_tensors([1, 2]).map(lambda x: x * 2)
    assert of(unknown) == ["  runs Mul"]
    many = numbers.map(lambda x: tf.sin(tf.cos(tf.exp(tf.abs(-tf.cast(x * 2 + 1, tf.float32))))))
    assert of(many) == ["  example by example: Mul, AddV2, Cast, Neg, Abs, Exp, ..."]


def test_python_functions_are_told_also_inside_of_functions():
    @tf.function
    def load(number):
        if number > 1:
            return tf.numpy_function(lambda n: n, [number], tf.int64)
        return number

    found = lines(Dataset.range(3).map(load).batch(3))
    assert found[1].startswith("map: load ")
    assert "PyFunc" in found[2]
    assert found[3] == "  calls Python functions, which run one at a time"
    assert ADVICE not in found

    numbers = Dataset.from_generator(lambda: iter([1]), output_signature=tf.TensorSpec([]))
    assert lines(numbers) == [
        "from_generator float32[]",
        "  a Python generator: one element at a time",
    ]


# --- the stages of tf.data ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda d: d.repeat(), "repeat: for ever int64[]"),
        (lambda d: d.repeat(2), "repeat: count=2 int64[]"),
        (lambda d: d.cache(), "cache: in memory int64[]"),
        (lambda d: d.cache("file"), "cache: filename='file' int64[]"),
        (lambda d: d.shard(2, 0), "shard: num_shards=2, index=0 int64[]"),
        (lambda d: d.shuffle(tf.data.UNKNOWN_CARDINALITY), "shuffle: buffer_size=all int64[]"),
        (lambda d: d.window(3), "window: size=3, shift=3 dataset of int64[]"),
        (lambda d: d.batch(2, num_parallel_calls=3).unbatch(), "unbatch int64[]"),
        (lambda d: d.batch(2).rebatch(3), "rebatch: batch_size=3 int64[?]"),
        (lambda d: d.ragged_batch(2), "ragged_batch: batch_size=2 int64[?]"),
        (lambda d: d.filter(lambda x: x > 1), "filter int64[]"),
        (lambda d: d.flat_map(Dataset.range), "flat_map: range int64[]"),
        (lambda d: d.take_while(lambda x: x < 2), "take_while int64[]"),
        (lambda d: d.scan(0, lambda state, x: (state, x)).unique(), "unique int64[]"),
        (lambda d: Dataset.range(0, 10, 2), "range: 0 to 10 by 2 int64[]"),
        (lambda d: Dataset.random(seed=1), "random: seeded int64[]"),
        (lambda d: Dataset.from_tensors({"a": 1}), 'from_tensors {"a": int32[]}'),
        (lambda d: Dataset.choose_from_datasets([d, d], d), "choose_from_datasets int64[]"),
        (lambda d: Dataset.sample_from_datasets([d, d]), "sample_from_datasets int64[]"),
        (lambda d: tf.data.TextLineDataset("a"), "TextLineDataset: 1 file string[]"),
        (
            lambda d: tf.data.FixedLengthRecordDataset(["a", "b"], 3),
            "FixedLengthRecordDataset: 2 files, record_bytes=3 string[]",
        ),
        (
            lambda d: tf.data.TFRecordDataset(["a", "b"], "GZIP", num_parallel_reads=2),
            "TFRecordDataset: 2 files, compression_type=GZIP, num_parallel_reads=2 string[]",
        ),
        (
            lambda d: d.interleave(Dataset.range, tf.data.AUTOTUNE, 4, num_parallel_calls=2),
            "interleave: range, cycle_length=AUTOTUNE, block_length=4, num_parallel_calls=2 "
            "int64[]",
        ),
    ],
)
def test_stages_in_the_words_of_their_calls(make, expected):
    assert last_line(make(Dataset.range(10))) == expected


def test_files_of_a_dataset():
    names = Dataset.from_tensor_slices(["a", "b"]).shuffle(2)
    assert lines(tf.data.TFRecordDataset(names)) == [
        "from_tensor_slices: 2 elements string[]",
        "shuffle: buffer_size=2 string[]",
        "TFRecordDataset string[]",
    ]
    found = lines(names.interleave(tf.data.TFRecordDataset, cycle_length=4))
    assert found[2:] == [
        "interleave: cycle_length=4 string[]",
        "  each element becomes a dataset: TFRecordDataset",
    ]


def test_options_where_they_matter():
    dataset = Dataset.range(3)
    options = tf.data.Options()
    unchanged = dataset.take(3).with_options(options)
    assert lines(unchanged) == ["range: 3 int64[]", "take: count=3 int64[]"]
    assert len(lines(Dataset.zip((unchanged, unchanged)))) == 5
    options.deterministic = False
    options.threading.private_threadpool_size = 4
    changed = dataset.with_options(options).take(2)
    assert lines(changed)[1] == (
        "with_options: deterministic=False, threading.private_threadpool_size=4 int64[]"
    )
    more = tf.data.Options()
    more.autotune.enabled = False
    assert last_line(changed.with_options(more)) == "with_options: autotune.enabled=False int64[]"


def test_a_class_nobody_knows():
    class Mine(tf.data.Dataset):
        def __init__(self):
            super().__init__(tf.data.experimental.to_variant(Dataset.range(3)))

        def _inputs(self):
            return []

        @property
        def element_spec(self):
            return tf.TensorSpec([], tf.int64)

    assert lines(Mine().take(1)) == ["Mine int64[]", "take: count=1 int64[]"]


def test_inside_of_a_function():
    found = []

    @tf.function
    def look(dataset):
        found.extend(lines(dataset.take(2)))

    look(Dataset.range(3))
    assert found[0].startswith("a dataset that was given to a function as an argument")
    assert found[1] == "take: count=2 int64[]"


def test_in_a_graph_nothing_is_run_and_no_operation_is_added():
    with tf.Graph().as_default() as graph:
        size = tf.compat.v1.placeholder(tf.int64, [])
        dataset = tf.compat.v1.data.Dataset.range(size).map(lambda x: x + 1, 4).batch(size)
        dataset = dataset.prefetch(size * 0 + 2)
        operations = len(graph.get_operations())
        found = lines(dataset)
        assert len(graph.get_operations()) == operations
    assert found == [
        "range: ? int64[]",
        "map: num_parallel_calls=4 int64[]",
        "  example by example: AddV2",
        ADVICE,
        "batch: batch_size=? int64[?]",
        "prefetch: buffer_size=? int64[?]",
    ]


def test_nothing_is_read():
    def fail():
        raise AssertionError("it was iterated over")

    tfprefetch.describe(Dataset.from_generator(fail, output_signature=tf.TensorSpec([])))
    tfprefetch.describe(tfprefetch.from_files(["no such file"]).batch(3))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (3, r"got 3 \(int\)$"),
        (None, "got None"),
        (lambda: iter(Dataset.range(1)), "describe the dataset it iterates over"),
        (lambda: Dataset.range(1).as_numpy_iterator(), "describe the dataset it iterates over"),
        ([1, 2], r"got \[1, 2\] \(list\): describe one dataset at a time"),
        (lambda: tfprefetch.map_and_batch(abs, 2), r"describe dataset.apply\(function\)"),
        (lambda: type("Model", (), {"fit": print})(), "the dataset that is given to fit"),
    ],
)
def test_what_is_no_dataset(value, message):
    value = value() if callable(value) else value
    with pytest.raises(TypeError, match="describe needs a tf.data.Dataset, .*" + message):
        tfprefetch.describe(value)


def test_specs():
    Point = collections.namedtuple("Point", ["x", "y"])
    scalar = tf.TensorSpec([], tf.int64)
    assert spec_text(tf.TensorSpec(None, tf.uint8)) == "uint8[...]"
    assert spec_text(Point(scalar, (scalar,))) == "Point(x=int64[], y=(int64[],))"
    assert spec_text(tf.RaggedTensorSpec([None, None, 2], tf.int32)) == "ragged int32[?, ?, 2]"
    assert spec_text(tf.SparseTensorSpec([None, 5])) == "sparse float32[?, 5]"
    assert spec_text({"a": tf.data.DatasetSpec(scalar)}) == '{"a": dataset of int64[]}'
