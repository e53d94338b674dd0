"""TF1's conditionals, Switch and Merge, in an imported graph: in a process of their own."""

from __future__ import annotations

import sys

PROGRAM = """
import numpy as np
import tensorflow.compat.v1 as tf
tf.disable_v2_behavior()
import tfprefetch
from tfprefetch.notes import note_of

numbers = np.random.RandomState(0)
X = numbers.randint(-9, 9, [17, 3, 4]).astype(np.float32)
Y = numbers.randint(0, 9, [17, 4]).astype(np.float32)

def checked(value, condition):
    with tf.control_dependencies([tf.Assert(condition, [value])]):
        return tf.identity(value)

def choices(x, y):
    x = x[0]
    one, two, cond = y[0] > 4, y[1] > 4, tf.cond
    return [
        cond(one, lambda: x + 1, lambda: x * y),
        cond(one, lambda: cond(two, lambda: x, lambda: y), lambda: cond(two, lambda: y, lambda: x)),
        cond(one, lambda: cond(one, lambda: x, lambda: -x), lambda: 3 * x),
        cond(one, lambda: cond(y[2] > 4, lambda: x, lambda: -x), lambda: checked(x, y[0] <= 4)),
        cond(one, lambda: cond(two, lambda: checked(x, y[1] > 4), lambda: x), lambda: 3 * x),
        cond(one, lambda: cond(two, lambda: 1, lambda: 2), lambda: tf.constant(3)),
        cond(one, lambda: checked(tf.constant(1), y[0] > 4), lambda: tf.constant(3)),
        cond(one, lambda: tf.strings.join([tf.as_string(y[1]), "!"]), lambda: tf.constant("-")),
        cond(cond(one, lambda: two, lambda: y[2] > 6), lambda: x, lambda: -x),
        cond(y[0] > 0, lambda: 12 // tf.to_int32(y[0]), lambda: -1),
        tf.case([(y[0] > 6, lambda: x), (y[0] < 2, lambda: -x)], lambda: 3 * x, exclusive=True),
    ]

def with_decoding(x, y):
    png = tf.image.encode_png(tf.cast(tf.abs(x), tf.uint8)[:, :, None])
    black = tf.zeros([3, 4, 1], tf.uint8)
    decoded = tf.cond(y[0] > 4, lambda: tf.image.decode_png(png, 1), lambda: black)
    brightest = tf.reduce_max(tf.reshape(decoded, [12]))
    return [tf.to_float(brightest) / 2 + tf.cond(y[1] > 4, lambda: 1.0, lambda: 2.0)]

def failing(x, y):
    return [tf.cond(y[0] > 4, lambda: checked(x, y[0] < 8), lambda: -x)]

def imported(function):
    with tf.Graph().as_default() as graph:
        arguments = tf.placeholder(tf.float32, [3, 4], "x"), tf.placeholder(tf.float32, [4], "y")
        names = [tf.identity(result).name for result in function(*arguments)]
    graph_def = graph.as_graph_def()
    assert any(node.op == "Merge" for node in graph_def.node)

    def body(x, y):
        return tuple(tf.import_graph_def(graph_def, {"x:0": x, "y:0": y}, names))

    def map_func(x, y):
        specs = [tf.TensorSpec(x.shape, x.dtype), tf.TensorSpec(y.shape, y.dtype)]
        return tuple(tf.wrap_function(body, specs)(x, y))

    return map_func

def batches(function, batch):
    with tf.Graph().as_default(), tf.Session() as session:
        dataset = batch(tf.data.Dataset.from_tensor_slices((X, Y)), function)
        iterator = tf.data.make_initializable_iterator(dataset)
        step = iterator.get_next()
        session.run(iterator.initializer)
        found = []
        try:
            while True:
                found.append(session.run(step))
        except tf.errors.OutOfRangeError:
            return found, str(note_of(dataset))

def plain(dataset, function):
    return dataset.map(function).batch(2)

def ours(dataset, function):
    return tfprefetch.map_and_batch(function, 2)(dataset)

for function, decoder in (choices, ""), (with_decoding, "DecodePng"):
    function = imported(function)
    expected, _ = batches(function, plain)
    found, said = batches(function, ours)
    assert len(found) == len(expected) == 9
    for one, other in zip(found, expected):
        for left, right in zip(one, other):
            np.testing.assert_array_equal(left, right, strict=True)
    assert "on whole batches" in said and ("example by example" in said) == bool(decoder), said
    assert decoder in said, said

try:
    batches(imported(failing), ours)
except tf.errors.InvalidArgumentError as error:
    print(int(np.argmax(Y[:, 0] == 8)), error.message)
"""


def test_conditionals_of_tf1(tmp_path, forked_python):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    done = forked_python([sys.executable, str(program)], cwd=tmp_path, env={}, text=True)
    assert done.returncode == 0, done.stderr
    first_bad = done.stdout.split()[0]
    assert f"map_func failed on element {first_bad}: " in done.stdout
