"""Operations that run on whole batches, against the same on single examples."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfprefetch.splitting import split_function

ELEMENTS = 17
numbers = np.random.RandomState(0)
MATRIX = numbers.randint(-9, 9, [ELEMENTS, 3, 4]).astype(np.float32)
VECTOR = numbers.randint(0, 9, [ELEMENTS, 4]).astype(np.float32)
WHOLE = numbers.randint(0, 3, [ELEMENTS, 4]).astype(np.int32)
BYTES = numbers.randint(0, 256, [ELEMENTS, 6, 5, 3]).astype(np.uint8)
TEXT = np.array([b" Word %d aB" % number for number in range(ELEMENTS)], object)
TABLE = tf.constant(numbers.randint(0, 99, [4, 4]).astype(np.float32))


def check_operations(columns, map_func, rounding=False):
    """The same for a function all of which runs on whole batches, of 3 elements and of 1.

    Without a pipeline: for this many operations that is several times as fast.
    """
    specs = [tf.TensorSpec(column.shape[1:], tf.as_dtype(column.dtype)) for column in columns]
    function = tf.function(map_func, autograph=False).get_concrete_function(*specs)
    split = split_function(function, True)
    assert (split.single, split.reasons) == (None, {})
    expected = [
        tf.nest.flatten(function(*map(tf.constant, row))) for row in zip(*columns, strict=True)
    ]
    batches = [tf.TensorSpec([None, *spec.shape], spec.dtype) for spec in specs]
    batched = tf.function(split.run_batched, batches, autograph=False)
    for first, last in ((0, 3), (ELEMENTS - 1, ELEMENTS)):
        found = batched(*(tf.constant(column[first:last]) for column in columns))
        rows = zip(*expected[first:last], strict=True)
        assert_equal(found, [np.stack(row) for row in rows], rounding)


def assert_equal(found, expected, rounding=False):
    tf.nest.assert_same_structure(found, expected)
    for one, other in zip(tf.nest.flatten(found), tf.nest.flatten(expected), strict=True):
        one, other = np.asarray(one), np.asarray(other)
        assert (one.shape, one.dtype) == (other.shape, other.dtype)
        if rounding and one.dtype.kind in "fc":
            np.testing.assert_allclose(one, other, 1e-5, 1e-5)
        else:
            np.testing.assert_array_equal(one, other)


# --- operations, all of them on whole batches ----------------------------------------------------


def test_shapes_and_slices():
    def shapes(x, y, i):
        return {
            "reshape": (tf.reshape(x, [2, -1]), tf.reshape(x, [-1]), x[None, :, None]),
            "slices": (x[0], x[-1], x[..., 1:], x[:, ::-1], x[1:, tf.newaxis], x[0, 0], x[:0]),
            "begin": (tf.slice(x, [1, 0], [-1, 2]), tf.slice(x, [0, i[0]], [-1, 2])),
            "gather": (tf.gather(y, i), tf.gather(x, i, axis=-1), tf.gather(TABLE, i, axis=1)),
            "gather_nd": (tf.gather_nd(x, [[0, 1]]), tf.gather(x, [[0], [1], [3]], batch_dims=1)),
            "transpose": (tf.transpose(x), tf.linalg.matrix_transpose(x[None])),
            "pad": (tf.pad(x, [[1, 0], [0, 2]]), tf.pad(x, [[1, 0], [0, 2]], constant_values=7)),
            "mirror": (tf.pad(x, [[1, 0], [0, 2]], "REFLECT"), tf.pad(y, [[2, 1]], "SYMMETRIC")),
            "roll": (tf.roll(x, 1, -1), tf.roll(x, [1, 2], [-2, 1]), tf.roll(y, i[0], -1)),
            "reverse": (tf.reverse(x, [-1]), tf.reverse(x, [0, 1]), x[::-1]),
            "squeeze": (tf.squeeze(x[None, :, None]), tf.squeeze(x[:1], 0), tf.squeeze(y[:1])),
            "concat": (tf.concat([x, tf.zeros([3, 1])], -1), tf.stack([x, x], -1), tf.stack([y])),
            "split": (tf.split(x, 2, -1), tf.split(x, [1, 3], 1), tf.unstack(x, axis=-1)),
            "tile": (tf.tile(x, [2, 1]), tf.repeat(x, [1, 2, 0], axis=0), tf.meshgrid(y, y)),
            "broadcast": (tf.broadcast_to(y, [2, 4]), tf.fill([2], y[0]), tf.zeros_like(x)),
            "static": (tf.shape(x), tf.size(y), tf.rank(x), tf.range(3), tf.eye(2), "text"),
            "dynamic": tf.tensor_scatter_nd_update(y, i[:1, None], [9.0]),
        }

    check_operations((MATRIX, VECTOR, WHOLE), shapes)


def test_arithmetic():
    def exact(x, y, i):
        return {
            "ranks": (x + y, y - x, x * y[0], x[:, :1] + y, x + y[:3, None], y[0] > x),
            "select": (tf.where(x > 0, x, 0.0), tf.where(y[0] > 4, x, -x), tf.where(x > y, x, y)),
            "select_v1": tf.compat.v1.where(y[:3] > 4, x, -x),
            "casts": [tf.cast(x, t) for t in (tf.float16, tf.int8, tf.bool, tf.complex64)],
            "double": (tf.cast(y, tf.float64) / 3, tf.cast(tf.complex(y, y), tf.complex128)),
            "reduce": (tf.reduce_max(x, -1, keepdims=True), tf.reduce_sum(x), tf.reduce_any(x > 1)),
            "whole": (tf.reduce_sum(i), tf.reduce_mean(i), i // 2, -i % 2, tf.bitwise.invert(i)),
            "arg": (tf.argmax(x, -1), tf.argmin(x, 0, tf.int32), tf.math.top_k(x, 2), tf.sort(y)),
            "one_hot": (tf.one_hot(i, 3), tf.one_hot(i, 3, 2.0, -1.0, 0), tf.one_hot(i[0] - 1, 2)),
            "cumsum": (tf.cumsum(x, -1, exclusive=True), tf.math.cumprod(y, reverse=True)),
            "clip": (tf.clip_by_value(x, 0.0, 3.0), tf.clip_by_value(y, [0.0] * 4, TABLE[0])),
            "sequence": (tf.sequence_mask(i[0], 4), tf.searchsorted([1.0, 3.0], y)),
        }

    def to_rounding(x, y, i):
        return {
            "matmul": (tf.matmul(x, TABLE), tf.linalg.matvec(x, y), tf.einsum("ij,kj->ki", x, x)),
            "means": (tf.reduce_mean(x, 0), tf.math.reduce_std(x), tf.norm(x), tf.nn.softmax(x)),
            "functions": (tf.exp(y), tf.math.log1p(y), tf.tanh(y), tf.sqrt(y), tf.sigmoid(x)),
            "signal": (tf.signal.rfft(y), tf.signal.frame(y, 2, 1), tf.signal.stft(y, 2, 1)),
        }

    check_operations((MATRIX, VECTOR, WHOLE), exact)
    check_operations((MATRIX, VECTOR, WHOLE), to_rounding, rounding=True)


def test_images():
    def exact(image, y):
        floats = tf.cast(image, tf.float32)
        return {
            "flips": (tf.image.flip_left_right(image), tf.image.rot90(image[:5, :5])),
            "crops": (
                tf.image.central_crop(image, 0.5),
                tf.image.resize_with_crop_or_pad(image, 4, 8),
            ),
            "moving": tf.image.crop_to_bounding_box(image, tf.cast(y[0] > 4, tf.int32), 1, 3, 2),
            "brightness": (tf.image.adjust_brightness(floats, y[0]), tf.image.adjust_gamma(floats)),
            "dtypes": tf.image.convert_image_dtype(image, tf.float32),
            "nearest": tf.image.resize(image, [4, 7], "nearest"),
        }

    def to_rounding(image, y):
        floats = tf.image.convert_image_dtype(image, tf.float32)
        methods = ("bilinear", "bicubic", "area", "lanczos3", "gaussian")
        return {
            "resize": [tf.image.resize(image, [4, 7], method) for method in methods],
            "smooth": tf.image.resize(image[None], [3, 3], antialias=True),
            "v1": tf.compat.v1.image.resize_images(image, [4, 7], align_corners=True),
            "contrast": (
                tf.image.adjust_contrast(floats, 2.0),
                tf.image.adjust_contrast(floats, y[0]),
            ),
            "colours": (tf.image.adjust_hue(floats, 0.2), tf.image.adjust_saturation(floats, 0.3)),
            "gray": (tf.image.rgb_to_grayscale(image), tf.image.rgb_to_hsv(floats)),
            "standard": tf.image.per_image_standardization(image),
            "padded": tf.image.resize_with_pad(image, 8, 8),
        }

    check_operations((BYTES, VECTOR), exact)
    check_operations((BYTES, VECTOR), to_rounding, rounding=True)


def test_bytes_and_strings():
    table = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(TEXT[:9], tf.range(9)), default_value=-1
    )

    def map_func(text, i):
        twice = tf.stack([text, text])
        raw = tf.strings.substr(text, 0, 8)
        return {
            "raw": [tf.io.decode_raw(raw, t) for t in (tf.uint8, tf.int16, tf.float64, tf.bool)],
            "big": (
                tf.io.decode_raw(raw, tf.int32, False),
                tf.io.decode_raw(twice, tf.int8, fixed_length=12),
            ),
            "padded": tf.io.decode_raw(text, tf.uint16, fixed_length=20),
            "case": (tf.strings.lower(text), tf.strings.upper(twice), tf.strings.strip(text)),
            "join": (tf.strings.join([text, "x", text], "-"), tf.strings.join([twice, "-"])),
            "regex": (tf.strings.regex_replace(text, "[a-o]", "<\\0>"), text == " Word 3 aB"),
            "substr": (tf.strings.substr(text, -3, 2), tf.strings.substr(text, i[0], 2)),
            "positions": tf.strings.substr(twice, [0, 1], [1, 2]),
            "length": (tf.strings.length(text), tf.strings.length(twice, "UTF8_CHAR")),
            "hash": (tf.strings.to_hash_bucket_fast(text, 99), tf.strings.to_hash_bucket(twice, 9)),
            "strong": tf.strings.to_hash_bucket_strong(text, 99, [1, 2]),
            "numbers": tf.strings.to_number(tf.strings.substr(text, 5, 3)),
            "as_string": (tf.as_string(i / 3, precision=2), tf.as_string(i, width=4, fill="0")),
            "table": (table.lookup(text), table.lookup(twice), table.size()),
            "choice": tf.where(i > 1, "many", text),
        }

    check_operations((TEXT, WHOLE), map_func)


def test_records():
    def serialized(number):
        features = {"x": tf.train.Feature(float_list=tf.train.FloatList(value=[number, 2]))}
        if number % 2:
            features["n"] = tf.train.Feature(int64_list=tf.train.Int64List(value=[number]))
        return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()

    spec = {
        "x": tf.io.FixedLenFeature([2], tf.float32),
        "n": tf.io.FixedLenFeature([], tf.int64, -1),
        "s": tf.io.FixedLenFeature([1], tf.string, "none"),
    }
    records = np.array([serialized(number) for number in range(ELEMENTS)], object)
    lines = np.array([b'%d,"a,b",NA,,%d.5' % (n, n) for n in range(ELEMENTS)], object)

    def map_func(record, line):
        defaults = [0, "text", "missing", 7, 1.5]
        parsed = tf.io.parse_single_example(record, spec)
        columns = tf.io.decode_csv(line, defaults, na_value="NA")
        return parsed, columns, tf.io.decode_csv(line, [0.0, ""], select_cols=[0, 2])

    check_operations((records, lines), map_func)


# --- conditionals, helpers, captures -------------------------------------------------------------


def checked(tensor, condition):
    with tf.control_dependencies([tf.debugging.Assert(condition, [tensor])]):
        return tf.identity(tensor)


@tf.function
def helper(x, y):
    if tf.reduce_sum(x) > 0:
        return x + y
    return x - tf.reduce_max(y)


@tf.function(input_signature=[tf.TensorSpec(None, tf.float32)])
def of_any_rank(x):
    return tf.roll(x, 1, -1) + tf.reduce_max(x)


def test_conditionals_helpers_and_captures():
    variable = tf.Variable(2.0)

    def map_func(x, y, text):
        many = y[0] > 4
        return {
            "values": tf.cond(many, lambda: (x + 1, True), lambda: (x * y, False)),
            "strings": tf.cond(
                many, lambda: tf.strings.join([text, "!"]), lambda: tf.constant("-")
            ),
            "nested": tf.cond(
                many,
                lambda: tf.cond(y[1] > 4, lambda: x, lambda: -x),
                lambda: tf.cond(y[1] > 4, lambda: x * 2, lambda: x * 3),
            ),
            "checked": tf.cond(many, lambda: checked(x, y[0] > 4), lambda: checked(-x, y[0] <= 4)),
            "same": tf.cond(tf.constant(True), lambda: x, lambda: -x),
            "constants": tf.cond(many, lambda: 1, lambda: 2),
            "case": tf.case([(y[0] > 6, lambda: x), (y[0] > 2, lambda: -x)], lambda: x * 3),
            "helpers": (helper(x, y), helper(-x, y), of_any_rank(x), of_any_rank(y)),
            "captured": (
                x * variable,
                tf.gather(TABLE, tf.cast(y[0], tf.int32) % 4),
                variable + 0.0,
            ),
            "arrays": (x * MATRIX[0], tf.constant("c"), np.float64(3), x[None]),
        }

    check_operations((MATRIX, VECTOR, TEXT), map_func)
