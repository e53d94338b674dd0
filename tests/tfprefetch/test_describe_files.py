"""`describe`: what `from_files` notes for it."""

from __future__ import annotations

import pytest
import tensorflow as tf
from described import lines

import tfprefetch
from tfprefetch.notes import note_of

Dataset = tf.data.Dataset
pytestmark = pytest.mark.usefixtures("in_directory")


def write_files():
    with tf.io.TFRecordWriter("a.rec") as writer:
        for number in range(1100):
            writer.write(b"%d" % number)
    with tf.io.TFRecordWriter("b.rec"):
        pass
    for name in ("a.txt", "b.txt"):
        with open(name, "w") as file:
            file.write("".join(f"{number:03}" + "\n" * (number % 3 > 0) for number in range(400)))


@pytest.mark.parametrize("with_keys", [False, True])
@pytest.mark.parametrize(
    ("pattern", "options"),
    [
        ("*.rec", {}),
        ("*.txt", {"reader": "text"}),
        ("*.txt", {"reader": "fixed", "record_bytes": 5, "ignore_ragged_tail": True}),
    ],
)
def test_blocks_are_the_same_elements_in_the_same_order(pattern, options, with_keys):
    write_files()
    dataset = tfprefetch.from_files(pattern, with_keys=with_keys, num_epochs=2, **options)
    blocks = note_of(dataset).blocks
    one = tf.TensorSpec([None], tf.string)
    assert blocks.element_spec == ((one, one) if with_keys else one)
    elements = list(dataset.as_numpy_iterator())
    assert list(blocks.unbatch().as_numpy_iterator()) == elements
    sizes = [int(tf.size(tf.nest.flatten(block)[0])) for block in blocks]
    assert sum(sizes) == len(elements) > 500
    assert max(sizes) > 200
    endless = tfprefetch.from_files(pattern, num_epochs=None, **options)
    assert note_of(endless).blocks.cardinality() == tf.data.INFINITE_CARDINALITY


def read_lines(path):
    return tf.data.TextLineDataset(path)


@pytest.mark.parametrize(
    ("files", "options", "expected"),
    [
        ("*.rec", {}, ["from_files: tfrecord, 2 files", "reads many records at a time"]),
        (
            ["a.txt"],
            {"reader": "text", "shuffle": True, "seed": 0, "num_epochs": None, "with_keys": True},
            [
                "from_files: text, 1 file, shuffled, num_epochs=None (for ever), seed=0, "
                "with_keys=True",
                "reads many records at a time",
            ],
        ),
        (
            "*.rec",
            {"num_shards": 2, "index": 1, "block_length": 3, "compression_type": ""},
            [
                "from_files: tfrecord, 2 files, num_shards=2, index=1, block_length=3",
                "record by record (block_length)",
            ],
        ),
        ("*.txt", {"reader": "whole"}, ["from_files: whole, 2 files", "file by file"]),
        (
            "*.txt",
            {"reader": read_lines},
            [
                "from_files: function read_lines, 2 files",
                "element by element, as the function's datasets deliver them",
            ],
        ),
    ],
)
def test_notes_of_from_files(files, options, expected):
    write_files()
    dataset = tfprefetch.from_files(files, **options)
    note = note_of(dataset)
    assert [note.text, *note.details] == expected
    assert (note.blocks is None) == ("many" not in expected[1])
    assert note.inputs == ()
    assert lines(dataset)[0].startswith(expected[0])


def test_from_files_of_names_that_come_later():
    names = Dataset.from_tensor_slices(["a.txt"]).repeat()
    assert lines(tfprefetch.from_files(names, "text").map(tf.strings.length))[1:] == [
        "repeat: for ever string[]",
        "from_files: text, files of a dataset string[]",
        "  reads many records at a time",
        "map: string_length_v2 int32[]",
        "  example by example: StringLength",
    ]
    with tf.Graph().as_default():
        names = tf.compat.v1.placeholder(tf.string, [None])
        found = lines(tfprefetch.from_files(names, "text"))
        assert found[0] == "from_files: text, a tensor of names string[]"


def test_notes_are_seen_through_the_wrapping_of_tf1s_datasets():
    dataset = tf.compat.v1.data.Dataset.range(4)
    batches = dataset.apply(tfprefetch.map_and_batch(lambda number: number * 2, 2))
    assert "on whole batches: Mul" in tfprefetch.describe(batches)
