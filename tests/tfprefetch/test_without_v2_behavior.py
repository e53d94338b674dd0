"""After `disable_v2_behavior()`, in a process of its own: it cannot be undone."""

from __future__ import annotations

import sys

PROGRAM = """
import tensorflow.compat.v1 as tf
tf.disable_v2_behavior()
import tfprefetch

with tf.python_io.TFRecordWriter("r.rec") as writer:
    for number in range(300):
        writer.write(b"%d" % number if number != 290 else b"many")

weight = tf.get_variable("weight", initializer=10)
counter = tf.Variable(100)  # a reference variable

def decode(key, record):
    if tf.equal(tf.strings.length(record), 1):  # needs autograph
        record = tf.strings.join(["0", record])
    return tf.string_to_number(record, tf.int32) * weight + tf.identity(factor)

factor = tf.placeholder(tf.int32, [])
dataset = tfprefetch.from_files("*.rec", with_keys=True)
dataset = dataset.apply(tfprefetch.map_and_batch(decode, 100))
iterator = tf.data.make_initializable_iterator(dataset)
step = iterator.get_next()
with tf.Session() as session:
    session.run(tf.global_variables_initializer())
    session.run(iterator.initializer, {factor: 7})
    numbers = [*session.run(step), *session.run(step)]
    assert numbers == [number * 10 + 7 for number in range(200)], numbers
    try:
        session.run(step)
    except tf.errors.InvalidArgumentError as error:
        print(error.message)

with tf.Graph().as_default(), tf.Session() as session:
    dataset = tfprefetch.from_files(["r.rec", "gone.rec"]).apply(
        tfprefetch.map_and_batch(lambda r: tf.string_to_number(r), 4)
    )
    step = tf.data.make_one_shot_iterator(tf.data.Dataset.range(2)).get_next()
    iterator = tf.data.make_initializable_iterator(dataset)
    step = iterator.get_next()
    session.run(iterator.initializer)
    try:
        while True:
            session.run(step)
    except tf.errors.InvalidArgumentError as error:
        print(error.message)
"""


def test_both_functions_in_a_session(tmp_path, forked_python):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    done = forked_python([sys.executable, str(program)], cwd=tmp_path, env={}, text=True)
    assert done.returncode == 0, done.stderr
    position = 16 * 290 + 10 + 2 * 90 + 3 * 190
    assert f"map_func failed on element 290 (r.rec:{position}, many): " in done.stdout
    assert "map_func failed on element 290 (many): StringToNumberOp could not" in done.stdout
