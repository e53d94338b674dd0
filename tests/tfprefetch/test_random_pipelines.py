"""Random programs of supported operations: on whole batches they give what they give one by one.

A program is a list of steps, each an operation on values that are there already, drawn by kind:
`number` (float32, whole numbers only, so that sums are exact in any order), `rough` (float32, to
rounding), `whole` (int32), `flag` (bool scalar), `text` (strings) and `bytes` (48 of them).
"""

from __future__ import annotations

import random

import numpy as np
import pytest
import tensorflow as tf

import tfprefetch

ELEMENTS = 45
LARGEST = 300  # values of a component; what is larger grows no further
TABLE = np.arange(60, dtype=np.float32).reshape(12, 5)
SEEDS = range(6)


def small(tensor):
    """Whole numbers that stay exact in float32."""
    return tf.math.floormod(tensor, 97.0)


def decoded(record, dtype, little_endian=True):
    return tf.ensure_shape(tf.io.decode_raw(record, dtype, little_endian), [48 // dtype.size])


def axis_of(tensor, number):
    rank = tensor.shape.rank
    return number % (2 * rank) - rank  # negative ones, too


def image(tensor):
    return tf.reshape(tf.tile(tf.reshape(tensor, [-1]), [48])[:48], [4, 4, 3])


def checked(tensor, flag):
    with tf.control_dependencies([tf.debugging.Assert(flag, ["never"])]):
        return tf.identity(tensor)


def position_in(tensor, number):
    """Where a slice of half of a vector may begin."""
    length = tensor.shape[0]
    return tf.math.floormod(tf.reduce_max(number), length - (length + 1) // 2 + 1)


def squeezed(number, tensor):
    return tf.squeeze(tf.expand_dims(tensor, axis_of(tensor[None], number)))


def half_from(tensor, begin):
    return tf.slice(tensor, [position_in(tensor, begin)], [(tensor.shape[0] + 1) // 2])


def in_python(tensor):
    doubled = tf.numpy_function(lambda array: array * np.float32(2), [tensor], tf.float32)
    return tf.ensure_shape(doubled, tensor.shape)


def flat(tensor):
    return tf.reshape(tensor, [-1])


def text_of(tensor):
    return tf.as_string(tf.cast(tensor, tf.int32))


# The kinds that a step reads, the kind that it gives, and what it does; p is a random number.
STEPS = [
    (["bytes"], "number", lambda p, s: tf.cast(decoded(s, tf.uint8), tf.float32)),
    (["bytes"], "whole", lambda p, s: tf.cast(decoded(s, tf.int16, p % 2 == 0), tf.int32)),
    (["bytes"], "text", lambda p, s: tf.strings.substr(tf.io.encode_base64(s), p % 9, 4)),
    (["number"], "number", lambda p, x: small(x * 3 + p % 5)),
    (["number"], "number", lambda p, x: tf.transpose(x)),
    (["number"], "number", lambda p, x: tf.reverse(flat(x), [-1])),
    (["number"], "number", lambda p, x: tf.roll(x[None], 1 + p % 3, axis_of(x[None], p))),
    (["number"], "number", lambda p, x: tf.pad(flat(x), [[1, p % 3]], constant_values=7)),
    (["number"], "number", lambda p, x: tf.pad(tf.tile(flat(x), [2]), [[1, 1]], "REFLECT")),
    (["number"], "number", lambda p, x: tf.tile(x[None], [1 + p % 2] + [1] * x.shape.rank)),
    (["number"], "number", squeezed),
    (["number"], "number", lambda p, x: tf.expand_dims(x, axis_of(x[None], p))),
    (["number"], "number", lambda p, x: flat(x)[:: -1 - p % 2]),
    (["number"], "number", lambda p, x: small(tf.cumsum(x[None], axis_of(x[None], p)))),
    (["number"], "number", lambda p, x: tf.reduce_max(x[None], axis_of(x[None], p))),
    (["number"], "number", lambda p, x: small(tf.reduce_sum(x, keepdims=p % 2 == 0))),
    (["number"], "number", lambda p, x: tf.sort(flat(x), direction="DESCENDING")),
    (["number"], "number", lambda p, x: tf.math.top_k(flat(x), 1).values),
    (["number"], "number", lambda p, x: tf.stack([x, small(x + 1)], axis_of(x[None], p))),
    (["number"], "number", lambda p, x: tf.concat(tf.split(tf.stack([x, -x]), 2)[::-1], 0)),
    (["number"], "number", lambda p, x: tf.gather(flat(x), [0, -1 % flat(x).shape[0], 0])),
    (["number"], "number", lambda p, x: small(tf.einsum("i,j->ji", flat(x)[:3], TABLE[p % 12]))),
    (["number"], "number", lambda p, x: small(tf.linalg.matmul(flat(x)[:2, None], TABLE[:1]))),
    (["number", "number"], "number", lambda p, x, y: small(x + tf.reduce_max(y))),
    (["number", "number"], "number", lambda p, x, y: tf.concat([flat(x), flat(y)], 0)),
    (["number", "number"], "number", lambda p, x, y: flat(x)[:, None] - flat(y)[None, :2]),
    (["number", "whole"], "number", lambda p, x, i: half_from(flat(x), i)),
    (["number", "whole"], "number", lambda p, x, i: tf.roll(flat(x), tf.reduce_max(i), -1)),
    (["whole"], "number", lambda p, i: tf.gather(TABLE, flat(i)[0] % 5, axis=p % 2)),
    (["whole"], "number", lambda p, i: tf.one_hot(flat(i)[:2] % 6, 5, 3.0, -1.0, p % 2)),
    (["whole"], "number", lambda p, i: tf.cast(i % 50, tf.float32)),
    (["number", "flag"], "number", lambda p, x, f: tf.cond(f, lambda: x + 1, lambda: x * 2)),
    (["number", "flag"], "number", lambda p, x, f: tf.where(f, x, 5.0)),
    (["number", "flag"], "number", lambda p, x, f: tf.cond(f, lambda: checked(x, f), lambda: -x)),
    (["number"], "number", lambda p, x: tf.map_fn(lambda part: part + 1, x[None])),
    (["number"], "number", lambda p, x: in_python(x)),
    (["number"], "whole", lambda p, x: tf.cast(x, tf.int32)),
    (["number"], "whole", lambda p, x: tf.argmax(x[None], axis_of(x[None], p), tf.int32)),
    (["number"], "flag", lambda p, x: tf.reduce_max(x) > p % 90),
    (["whole"], "whole", lambda p, i: tf.bitwise.bitwise_xor(i // 2, p % 100)),
    (["whole"], "flag", lambda p, i: tf.reduce_any(i % 3 == p % 3)),
    (["whole"], "text", lambda p, i: tf.as_string(i)),
    (["number"], "text", lambda p, x: text_of(flat(x)[:3])),
    (["text"], "text", lambda p, s: tf.strings.regex_replace(tf.strings.upper(s), "[1A]", "<\\0>")),
    (["text"], "text", lambda p, s: tf.strings.join([s, "-", flat(text_of(1.0 * p))[0]])),
    (["text"], "text", lambda p, s: tf.strings.substr(flat(s)[0], [0, 0], [1, p % 3])),
    (["text"], "text", lambda p, s: flat(tf.strings.reduce_join(s, keepdims=True))[0]),
    (["text", "flag"], "text", lambda p, s, f: tf.cond(f, lambda: s, lambda: tf.strings.lower(s))),
    (["text", "whole"], "text", lambda p, s, i: tf.strings.substr(flat(s)[0], flat(i)[0] % 1, 2)),
    (["text"], "whole", lambda p, s: tf.strings.length(s)),
    (["text"], "whole", lambda p, s: tf.cast(tf.strings.to_hash_bucket_fast(s, 99), tf.int32)),
    (["number"], "rough", lambda p, x: tf.nn.softmax(flat(x))),
    (["number"], "rough", lambda p, x: tf.image.resize(image(x), [3, 5], "bilinear")),
    (["number"], "rough", lambda p, x: tf.image.per_image_standardization(image(x))),
    (
        ["number", "whole"],
        "rough",
        lambda p, x, i: tf.image.adjust_contrast(image(x), small(tf.cast(flat(i)[0], tf.float32))),
    ),
    (["rough"], "rough", lambda p, x: tf.transpose(x) * 0.5),
    (["rough"], "rough", lambda p, x: tf.reduce_mean(x, 0)),
]


def random_program(draw, kinds):
    """Steps for values of these kinds: (function, p, indices of what it reads)."""
    kinds, program = list(kinds), []
    length = draw.randint(3, 10)
    while len(program) < length:
        needs, gives, function = draw.choice(STEPS)
        if all(kind in kinds for kind in needs):
            # Mostly what was made last: chains, not stars.
            read = [
                max(draw.sample([i for i, k in enumerate(kinds) if k == kind] * 2, 2))
                for kind in needs
            ]
            program.append((function, draw.randrange(1000), read))
            kinds.append(gives)
    return program


def run(program, values):
    """All values, those that the program makes at the end."""
    values = list(values)
    for function, number, read in program:
        inputs = [values[index] for index in read]
        if all(value.shape.num_elements() <= LARGEST for value in inputs):
            values.append(function(number, *inputs))
        else:
            values.append(inputs[0] if len(inputs) == 1 else tf.identity(inputs[0]))
    return values


def rows(draw):
    numbers = np.random.RandomState(draw.randrange(1 << 30))
    raw = [numbers.bytes(48) for _ in range(ELEMENTS)]
    return raw, numbers.randint(0, 90, [ELEMENTS, 5]), [b"Word %d" % n for n in range(ELEMENTS)]


def source(draw, directory):
    """A dataset, and from its elements to values of the kinds bytes, number, whole and text."""
    raw, numbers, words = rows(draw)
    kind = draw.choice(["slices", "generator", "tfrecord", "fixed"])
    path = str(directory / "data")
    if kind == "tfrecord":
        with tf.io.TFRecordWriter(path) as writer:
            for record, number, word in zip(raw, numbers, words, strict=True):
                feature = {
                    "raw": tf.train.Feature(bytes_list=tf.train.BytesList(value=[record])),
                    "word": tf.train.Feature(bytes_list=tf.train.BytesList(value=[word])),
                    "numbers": tf.train.Feature(int64_list=tf.train.Int64List(value=number)),
                }
                features = tf.train.Features(feature=feature)
                writer.write(tf.train.Example(features=features).SerializeToString())
        spec = {
            "raw": tf.io.FixedLenFeature([], tf.string),
            "word": tf.io.FixedLenFeature([], tf.string),
            "numbers": tf.io.FixedLenFeature([5], tf.int64),
        }

        def parse(serialized):
            parsed = tf.io.parse_single_example(serialized, spec)
            whole = tf.cast(parsed["numbers"], tf.int32)
            return parsed["raw"], tf.cast(whole, tf.float32), whole, parsed["word"]

        return tfprefetch.from_files(path, shuffle=False), parse
    if kind == "fixed":
        with open(path, "wb") as file:
            file.write(b"".join(raw))

        def decode(key, record):
            whole = tf.cast(decoded(record, tf.uint8), tf.int32)[:5]
            word = tf.strings.regex_replace(key, ".*:", "at ")
            return record, tf.cast(whole, tf.float32), whole, word

        return tfprefetch.from_files(path, "fixed", record_bytes=48, with_keys=True), decode

    def split(element):
        whole = tf.cast(element["numbers"], tf.int32)
        return element["raw"], tf.cast(whole, tf.float32), whole, element["word"]

    columns = {"raw": raw, "numbers": numbers, "word": words}
    dataset = tf.data.Dataset.from_tensor_slices(columns)
    if kind == "generator":
        elements = list(dataset.as_numpy_iterator())
        dataset = tf.data.Dataset.from_generator(
            lambda: iter(elements), output_signature=dataset.element_spec
        )
    return dataset, split


def failing(values, word):
    """The values, but an error for the element with this word."""
    bad = tf.reduce_any(tf.equal(values[3], word))
    with tf.control_dependencies([tf.debugging.Assert(tf.logical_not(bad), ["bad element"])]):
        return [*values[:3], tf.identity(values[3]), *values[4:]]


def batches_and_error(dataset):
    found = []
    try:
        for batch in dataset.as_numpy_iterator():
            found.append(batch)
    except tf.errors.InvalidArgumentError as error:
        return found, error
    return found, None


def elements_of(batches):
    flat_batches = [tf.nest.flatten(batch) for batch in batches]
    elements = [element for parts in flat_batches for element in zip(*parts, strict=True)]
    return sorted(elements, key=lambda element: element[-1])


def assert_equal(found, expected):
    tf.nest.assert_same_structure(found, expected)
    for one, other in zip(tf.nest.flatten(found), tf.nest.flatten(expected), strict=True):
        one, other = np.asarray(one), np.asarray(other)
        assert (one.shape, one.dtype) == (other.shape, other.dtype)
        if one.dtype == np.float32:
            np.testing.assert_allclose(one, other, 1e-5, 1e-4)
        else:
            assert (one == other).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_random_pipeline(seed, tmp_path):
    draw = random.Random(seed)
    dataset, first = source(draw, tmp_path)
    program = random_program(draw, ["bytes", "number", "whole", "text"])
    kept = draw.sample(range(4, 4 + len(program)), draw.randint(0, min(3, len(program) - 1)))
    bad_word = b"Word %d" % draw.randrange(ELEMENTS) if draw.random() < 0.2 else b"none"

    @tf.autograph.experimental.do_not_convert
    def map_func(*element):
        values = first(*element)
        if bad_word != b"none":
            values = failing(values, bad_word)
        values = run(program, values)
        return {f"value_{index}": values[index] for index in kept}, values[-1], values[3]

    batch_size = draw.choice([1, 3, 7, 32, 100, 200])
    drop_remainder = draw.random() < 0.3
    expected, expected_error = batches_and_error(
        dataset.map(map_func).batch(batch_size, drop_remainder)
    )
    options = {
        "num_parallel_calls": draw.choice([None, 2, tf.data.AUTOTUNE]),
        "vectorize": draw.choice(["auto", "auto", False]),
    }
    shuffled = draw.random() < 0.3 and not (drop_remainder or expected_error)
    if shuffled:
        options |= {"shuffle_buffer_size": draw.choice([5, 100]), "seed": 3}
    ours = dataset.apply(
        tfprefetch.map_and_batch(map_func, batch_size, drop_remainder=drop_remainder, **options)
    )
    found, error = batches_and_error(ours)
    assert (error is None) == (expected_error is None)
    if error is not None:
        assert "map_func failed on element" in error.message and "bad element" in error.message
        expected = expected[: len(found)]
    if shuffled:
        assert [len(batch[1]) for batch in found] == [len(batch[1]) for batch in expected]
        found, expected = elements_of(found), elements_of(expected)
    assert_equal(found, expected)
