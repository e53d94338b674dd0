"""`from_files`: records, keys, epochs, order, shards."""

from __future__ import annotations

import os

import pytest
import tensorflow as tf
from record_files import KEYED, RECORDS, elements, keyed, write, write_records

import tfprefetch

pytestmark = pytest.mark.usefixtures("in_directory")


# --- what TensorFlow 1.15.5's readers gave for the same files ---------------------------------


def test_tfrecord_keys_are_byte_offsets():
    write_records("r.rec")
    assert elements("r.rec", with_keys=True) == keyed("r.rec", KEYED)
    assert elements("r.rec") == RECORDS


@pytest.mark.parametrize("compression", ["GZIP", "ZLIB"])
def test_tfrecord_offsets_count_decompressed_bytes(compression):
    write_records("c.rec", compression=compression)
    found = elements("c.rec", with_keys=True, compression_type=compression)
    assert found == keyed("c.rec", KEYED)


def test_text_keys_are_line_numbers_from_1():
    write("a.txt", b"h1\nh2\nl1\nl2\r\n\nl4")
    lines = [(3, b"l1"), (4, b"l2"), (5, b""), (6, b"l4")]
    assert elements("a.txt", "text", skip_header_lines=2, with_keys=True) == keyed("a.txt", lines)
    assert elements("a.txt", "text", with_keys=True)[:3] == keyed(
        "a.txt", [(1, b"h1"), (2, b"h2"), (3, b"l1")]
    )


def test_header_longer_than_the_file():
    write("one.txt", b"h1\n")
    write("two.txt", b"h1\nh2\nx")
    assert elements(["one.txt", "two.txt"], "text", skip_header_lines=2) == [b"x"]


def test_whole_keys_are_paths():
    write("a", b"123")
    write("b", b"")
    assert elements(["a", "b"], "whole", with_keys=True) == [(b"a", b"123"), (b"b", b"")]


def test_fixed_keys_are_record_numbers():
    write("f.bin", b"HHaaabbbcccFFFFF")
    options = {"record_bytes": 3, "header_bytes": 2, "footer_bytes": 5}
    found = elements("f.bin", "fixed", with_keys=True, **options)
    assert found == keyed("f.bin", [(0, b"aaa"), (1, b"bbb"), (2, b"ccc")])


# --- more files, epochs, shards, order ----------------------------------------------------------


@pytest.mark.parametrize("records", [1, 256, 1023, 1024, 1025])
@pytest.mark.parametrize("block_length", [None, 3])
def test_every_record_in_order_with_its_key(records, block_length):
    contents = [b"%d" % number * (number % 7) for number in range(records)]
    write_records("r.rec", contents)
    offset, pairs = 0, []
    for content in contents:
        pairs.append((offset, content))
        offset += len(content) + 16
    found = elements("r.rec", with_keys=True, block_length=block_length)
    assert found == keyed("r.rec", pairs)


def test_large_records():
    contents = [bytes([number]) * (3 << 20) for number in range(3)]
    write_records("r.rec", contents)
    assert elements("r.rec") == contents


def test_files_follow_each_other_and_epochs():
    for name in "abc":
        write(name, "".join(f"{name}{line}\n" for line in range(300)).encode())
    once = [f"{name}{line}".encode() for name in "abc" for line in range(300)]
    assert elements(["a", "b", "c"], "text", num_epochs=2) == once + once
    endless = tfprefetch.from_files(["a", "b", "c"], "text", num_epochs=None)
    assert list(endless.take(2000).as_numpy_iterator()) == (once * 3)[:2000]


def test_patterns_are_expanded_and_sorted():
    for name in ["b.txt", "a.txt", "c.dat", "odd[1].txt"]:
        write(name, name.encode())
    assert elements("*.txt", "whole", with_keys=True)[:2] == [
        (b"a.txt", b"a.txt"),
        (b"b.txt", b"b.txt"),
    ]
    assert elements(["c.dat", "[ab].txt"], "whole") == [b"c.dat", b"a.txt", b"b.txt"]
    assert elements("odd[1].txt", "whole") == [b"odd[1].txt"]
    assert elements(os.path.abspath("?.dat"), "whole") == [b"c.dat"]


def test_files_as_tensor_dataset_path():
    for name in "abc":
        write(name, name.encode())
    names = tf.data.Dataset.from_tensor_slices(["c", "a"])
    assert elements(tf.constant(["b", "a"]), "whole") == [b"b", b"a"]
    assert elements(tf.constant("b"), "whole") == [b"b"]
    assert elements(names, "whole", num_epochs=2) == [b"c", b"a", b"c", b"a"]
    assert elements(b"a", "whole") == [b"a"]


def test_shuffle_is_within_the_epoch_and_new_in_each():
    names = [f"f{number:02}" for number in range(20)]
    for name in names:
        write(name, f"{name}\n{name}\n".encode())
    one = elements("f*", "text", shuffle=True, seed=3, num_epochs=4)
    assert one == elements("f*", "text", shuffle=True, seed=3, num_epochs=4)
    assert one != elements("f*", "text", shuffle=True, seed=4, num_epochs=4)
    epochs = [one[start : start + 40] for start in range(0, 160, 40)]
    assert len({tuple(epoch) for epoch in epochs}) == 4
    for epoch in epochs:
        assert sorted(epoch) == sorted(name.encode() for name in names * 2)


def test_shuffling_a_dataset_of_names_of_unknown_size():
    for name in "abcdefgh":
        write(name, name.encode())
    names = tf.data.Dataset.from_tensor_slices(list("abcdefgh")).filter(lambda _: True)
    found = elements(names, "whole", shuffle=True, seed=1)
    assert sorted(found) == [c.encode() for c in "abcdefgh"]
    assert found != sorted(found)


def test_shards_are_disjoint_also_when_shuffled():
    names = [f"f{number}" for number in range(7)]
    for name in names:
        write(name, name.encode())
    shards = [
        elements("f*", "whole", shuffle=True, num_shards=3, index=index) for index in range(3)
    ]
    assert [len(shard) for shard in shards] == [3, 2, 2]
    assert sorted(name for shard in shards for name in shard) == [name.encode() for name in names]


def test_interleaving():
    for name in "ab":
        write(name, "".join(f"{name}{line}\n" for line in range(4)).encode())
    found = elements(["a", "b"], "text", cycle_length=2, block_length=2)
    assert found == [b"a0", b"a1", b"b0", b"b1", b"a2", b"a3", b"b2", b"b3"]
    free = elements(["a", "b"], "text", deterministic=False)
    assert sorted(free) == sorted(found)
    assert elements(["a", "b"], "text", num_parallel_calls=None) == sorted(found)


def test_reader_function():
    def reader(path):
        return tf.data.Dataset.range(2).map(lambda number: (path, number))

    assert elements(["x", "y"], reader) == [(b"x", 0), (b"x", 1), (b"y", 0), (b"y", 1)]
    assert elements("x", reader, with_keys=True) == [(b"x:0", (b"x", 0)), (b"x:1", (b"x", 1))]
    with pytest.raises(TypeError, match="must return a tf.data.Dataset"):
        tfprefetch.from_files("x", lambda path: path)


def test_cardinality_and_spec():
    for name in "ab":
        write(name, b"")
    whole = tfprefetch.from_files(["a", "b"], "whole", num_epochs=3)
    assert whole.cardinality() == 6
    assert tfprefetch.from_files("a", "whole", num_epochs=None).cardinality() == -1
    scalar = tf.TensorSpec([], tf.string)
    assert whole.element_spec == scalar
    for reader in ("text", "tfrecord"):
        assert tfprefetch.from_files("a", reader).element_spec == scalar
        assert tfprefetch.from_files("a", reader, with_keys=True).element_spec == (scalar, scalar)


@pytest.mark.parametrize("reader", ["text", "tfrecord", "whole"])
def test_in_a_graph_with_names_known_only_later(reader):
    write("a.txt", b"one\ntwo\n")
    write_records("a.rec")
    path, expected = ("a.rec", RECORDS) if reader == "tfrecord" else ("a.txt", [b"one", b"two"])
    expected = [b"one\ntwo\n"] if reader == "whole" else expected
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        names = tf.compat.v1.placeholder(tf.string, [None])
        dataset = tfprefetch.from_files(names, reader, shuffle=True)
        iterator = tf.compat.v1.data.make_initializable_iterator(dataset)
        step = iterator.get_next()
        session.run(iterator.initializer, {names: [path]})
        assert [session.run(step) for _ in expected] == expected
        with pytest.raises(tf.errors.OutOfRangeError):
            session.run(step)
        with pytest.raises(tf.errors.InvalidArgumentError, match="files is empty"):
            session.run(iterator.initializer, {names: []})


def test_in_a_function():
    write("a.txt", b"one\ntwo\n")

    @tf.function
    def count():
        total = tf.constant(0)
        for line in tfprefetch.from_files("a.txt", "text"):
            total += tf.strings.length(line)
        return total

    assert count() == 6


@pytest.mark.parametrize("with_keys", [False, True])
def test_checkpoint_in_mid_epoch(with_keys):
    write_records("r.rec", [b"%d" % number for number in range(700)])
    everything = elements(["r.rec"] * 2, with_keys=with_keys)
    dataset = tfprefetch.from_files(["r.rec"] * 2, with_keys=with_keys)
    iterator = iter(dataset)
    for _ in range(900):
        next(iterator)
    path = tf.train.Checkpoint(iterator=iterator).save("checkpoint")
    restored = iter(dataset)
    tf.train.Checkpoint(iterator=restored).restore(path)
    rest = [tf.nest.map_structure(lambda part: part.numpy(), element) for element in restored]
    assert rest == everything[900:]
