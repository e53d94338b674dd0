"""Scenarios of input that is broken: what raises, where, and after how many good elements."""

from __future__ import annotations

from harness import differs, drain, raised, scenario, session

SURFACES = "an error in the input surfaces in session.run, in place of OutOfRangeError there"
NAMED = "the error names the file and the position, which TensorFlow's DataLossError does not"


def lines(tf, files, names, **arguments):
    """`[key, value]` of the lines of these files."""
    paths = [str(files / name) for name in names]
    queue = tf.train.string_input_producer(paths, num_epochs=1, shuffle=False, **arguments)
    return tf.TextLineReader().read(queue)


def records(tf, files, names):
    """Values of the records of these files."""
    paths = [str(files / name) for name in names]
    queue = tf.train.string_input_producer(paths, num_epochs=1, shuffle=False)
    return tf.TFRecordReader().read(queue)[1]


@scenario
def producer_of_an_empty_list(tf, files):
    return raised(lambda: tf.train.string_input_producer([]), "string_input_producer")


@scenario
def producer_of_an_empty_list_unshuffled(tf, files):
    return raised(lambda: tf.train.string_input_producer([], shuffle=False, num_epochs=1))


@scenario
def producer_of_a_scalar(tf, files):
    return raised(lambda: tf.train.string_input_producer("one.txt"))


@scenario
def producer_of_a_matrix(tf, files):
    return raised(lambda: tf.train.string_input_producer([["a", "b"], ["c", "d"]]))


@scenario
def producer_of_numbers(tf, files):
    return raised(lambda: tf.train.string_input_producer([1, 2]))


@scenario
def producer_zero_epochs(tf, files):
    return raised(lambda: tf.train.string_input_producer(["a"], num_epochs=0), "num_epochs")


@scenario
def producer_negative_epochs(tf, files):
    return raised(lambda: tf.train.range_input_producer(3, num_epochs=-1), "num_epochs")


@scenario
def producer_capacity_zero(tf, files):
    return raised(lambda: tf.train.range_input_producer(3, capacity=0))


@scenario
def range_producer_of_a_string(tf, files):
    return raised(lambda: tf.train.range_input_producer("three"))


@scenario
def wildcard_that_matches_nothing(tf, files):
    names = tf.train.match_filenames_once(str(files / "*.nothing"))
    queue = tf.train.string_input_producer(names, num_epochs=1)
    return drain(tf, tf.WholeFileReader().read(queue))


@scenario
def wildcard_that_matches(tf, files):
    names = tf.train.match_filenames_once(str(files / "*.txt"))
    queue = tf.train.string_input_producer(names, num_epochs=1, shuffle=False)
    return drain(tf, queue.dequeue())


@scenario
def missing_file_read_directly(tf, files):
    return drain(tf, lines(tf, files, ["a.txt", "missing.txt", "b.txt"])[1])


@differs(SURFACES, ended="NotFoundError", joined=None)
def missing_file_under_a_batch(tf, files):
    return drain(tf, tf.train.batch([lines(tf, files, ["missing.txt", "a.txt"])[1]], 2))


@scenario
def missing_file_in_a_monitored_session(tf, files):
    batched = tf.train.batch([lines(tf, files, ["missing.txt"])[1]], 2)
    values = []

    def loop():
        with tf.train.MonitoredTrainingSession() as sess:
            while not sess.should_stop():
                values.append(sess.run(batched))

    return {**raised(loop), "values": values}


@differs(SURFACES, ended="NotFoundError", joined=None)
def missing_file_under_a_shuffle_batch(tf, files):
    line = lines(tf, files, ["missing.txt", "a.txt"])[1]
    return drain(tf, tf.train.shuffle_batch([line], 2, 10, 2))


@differs(SURFACES, ended="NotFoundError", joined=None)
def missing_file_after_good_lines(tf, files):
    return drain(tf, tf.train.batch([lines(tf, files, ["a.txt", "missing.txt"])[1]], 2))


@differs(NAMED, ended="InvalidArgumentError")
def truncated_record_read_directly(tf, files):
    return drain(tf, records(tf, files, ["a.tfrecords", "truncated.tfrecords"]))


@differs(NAMED, ended="InvalidArgumentError", joined=None)
def truncated_record_under_a_batch(tf, files):
    return drain(tf, tf.train.batch([records(tf, files, ["truncated.tfrecords"])], 1))


@differs(NAMED, ended="InvalidArgumentError", joined=None)
def file_that_is_no_record_file(tf, files):
    return drain(tf, tf.train.batch([records(tf, files, ["garbage.tfrecords"])], 1))


@differs(SURFACES, ended="InvalidArgumentError", joined=None)
def file_that_is_not_an_image(tf, files):
    queue = tf.train.string_input_producer([str(files / "not_an_image.jpg")], num_epochs=1)
    image = tf.image.decode_jpeg(tf.WholeFileReader().read(queue)[1])
    image.set_shape([2, 2, 3])
    return drain(tf, tf.train.batch([image], 1))


@differs(SURFACES, ended="InvalidArgumentError", joined=None)
def number_that_cannot_be_parsed_after_a_good_batch(tf, files):
    text = tf.gather(
        tf.constant(["1", "2", "3", "four", "5", "6"]),
        tf.train.range_input_producer(6, num_epochs=1, shuffle=False).dequeue(),
    )
    return drain(tf, tf.train.batch([tf.string_to_number(text)], 2))


@differs(SURFACES, ended="InvalidArgumentError", joined=None)
def shape_that_was_promised_wrongly(tf, files):
    decoded = tf.decode_raw(lines(tf, files, ["a.txt"])[1], tf.uint8)
    return drain(tf, tf.train.batch([decoded], 2, shapes=[[4]]))


@differs(SURFACES, ended="UnknownError", joined=None)
def python_function_that_raises(tf, files):
    def fail():
        raise RuntimeError("no more disks")

    tensor = tf.py_func(fail, [], tf.int64)
    tensor.set_shape([])
    return drain(tf, tf.train.batch([tensor], 2))


@differs(SURFACES, ended="InvalidArgumentError", joined=None)
def python_function_of_another_dtype(tf, files):
    tensor = tf.py_func(lambda: 1.5, [], tf.int64)
    tensor.set_shape([])
    return drain(tf, tf.train.batch([tensor], 2))


@scenario
def parse_a_record_that_is_no_example(tf, files):
    feature = {"x": tf.FixedLenFeature([], tf.int64)}
    example = tf.parse_single_example(records(tf, files, ["a.tfrecords"]), feature)
    return drain(tf, example["x"])


@scenario
def slice_that_asks_for_too_much(tf, files):
    index = tf.train.range_input_producer(3, num_epochs=1, shuffle=False).dequeue()
    part = tf.slice(tf.range(11), [index * 6], [6])
    with session(tf) as sess:
        sess.run(tf.local_variables_initializer())
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        first = sess.run(part)
        second = raised(lambda: sess.run(part), "expected size[0] in [0, 5], but got 6")
        coord.request_stop()
        coord.join(threads)
        return {"first": first, "second": second}
