"""Scenarios of the four readers: keys, values, ends, options."""

from __future__ import annotations

from harness import as_multiset, drain, fetch, initialize, join, scenario, session, static


def read(tf, files, reader, names, num_epochs=1):
    """`[key, value]` of a reader on these files, in order."""
    paths = [str(files / name) for name in names]
    queue = tf.train.string_input_producer(paths, num_epochs=num_epochs, shuffle=False)
    return list(reader.read(queue))


@scenario
def whole_file_reader(tf, files):
    return drain(tf, read(tf, files, tf.WholeFileReader(), ["a.txt", "empty.txt", "b.txt"]))


@scenario
def text_line_reader(tf, files):
    return drain(tf, read(tf, files, tf.TextLineReader(), ["a.txt", "empty.txt", "b.txt"]))


@scenario
def text_line_reader_crlf_and_blank_lines(tf, files):
    return drain(tf, read(tf, files, tf.TextLineReader(), ["crlf.txt"]))


@scenario
def text_line_reader_skips_header_lines(tf, files):
    reader = tf.TextLineReader(skip_header_lines=1)
    return drain(tf, read(tf, files, reader, ["header.csv", "header2.csv"]))


@scenario
def text_line_reader_skips_more_lines_than_there_are(tf, files):
    reader = tf.TextLineReader(skip_header_lines=3)
    return drain(tf, read(tf, files, reader, ["header2.csv", "header.csv"]))


@scenario
def text_line_reader_two_epochs(tf, files):
    return drain(tf, read(tf, files, tf.TextLineReader(), ["a.txt", "b.txt"], num_epochs=2))


@scenario
def fixed_length_reader(tf, files):
    reader = tf.FixedLengthRecordReader(record_bytes=3)
    return drain(tf, read(tf, files, reader, ["plain.bin"], num_epochs=2))


@scenario
def fixed_length_reader_header_and_footer(tf, files):
    reader = tf.FixedLengthRecordReader(record_bytes=2, header_bytes=2, footer_bytes=3)
    return drain(tf, read(tf, files, reader, ["a.bin", "b.bin"]))


@scenario
def fixed_length_reader_ragged_tail(tf, files):
    reader = tf.FixedLengthRecordReader(record_bytes=2)
    return drain(tf, read(tf, files, reader, ["ragged.bin", "empty.txt", "plain.bin"]))


@scenario
def fixed_length_reader_hop_bytes(tf, files):
    reader = tf.FixedLengthRecordReader(record_bytes=4, hop_bytes=2)
    return drain(tf, read(tf, files, reader, ["plain.bin"]))


@scenario
def fixed_length_reader_hop_over_records(tf, files):
    reader = tf.FixedLengthRecordReader(record_bytes=2, hop_bytes=5)
    return drain(tf, read(tf, files, reader, ["plain.bin"]))


@scenario
def tfrecord_reader(tf, files):
    return drain(tf, read(tf, files, tf.TFRecordReader(), ["a.tfrecords", "b.tfrecords"]))


@scenario
def tfrecord_reader_two_epochs(tf, files):
    return drain(tf, read(tf, files, tf.TFRecordReader(), ["a.tfrecords"], num_epochs=2))


@scenario
def tfrecord_reader_gzip(tf, files):
    options = tf.python_io.TFRecordOptions(tf.python_io.TFRecordCompressionType.GZIP)
    return drain(tf, read(tf, files, tf.TFRecordReader(options=options), ["gzip.tfrecords"]))


@scenario
def tfrecord_reader_zlib(tf, files):
    options = tf.python_io.TFRecordOptions(tf.python_io.TFRecordCompressionType.ZLIB)
    return drain(tf, read(tf, files, tf.TFRecordReader(options=options), ["zlib.tfrecords"]))


@scenario
def key_and_value_are_static_strings(tf, files):
    return static(read(tf, files, tf.TextLineReader(), ["a.txt"]))


@scenario
def the_value_alone_moves_the_reader_too(tf, files):
    key, value = read(tf, files, tf.TextLineReader(), ["a.txt", "b.txt"])
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        values = [sess.run(value), sess.run(key), sess.run(value), sess.run(key)]
        outcome = fetch(lambda: sess.run([key, value]), 5)
        return {"alternate": values, **outcome, "joined": join(coord, threads)}


@scenario
def two_reads_of_one_reader(tf, files):
    paths = [str(files / name) for name in ("a.txt", "b.txt")]
    queue = tf.train.string_input_producer(paths, num_epochs=1, shuffle=False)
    reader = tf.TextLineReader()
    first, second = reader.read(queue), reader.read(queue)
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        values = [sess.run(op) for op in (first, second, second, first, first)]
        ended = fetch(lambda: sess.run(second), 1)["ended"]
        return {"values": values, "ended": ended, "joined": join(coord, threads)}


@scenario
def two_readers_share_the_files_between_them(tf, files):
    paths = [str(files / name) for name in ("a.txt", "b.txt", "crlf.txt")]
    queue = tf.train.string_input_producer(paths, num_epochs=1)
    first, second = tf.TextLineReader().read(queue)[1], tf.TextLineReader().read(queue)[1]
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        ends, values = [], []
        for op in (first, second):
            outcome = fetch(lambda op=op: sess.run(op), 1)
            values += outcome["values"]
        for op in (first, second):
            outcome = fetch(lambda op=op: sess.run(op), 50)
            values += outcome["values"]
            ends.append(outcome["ended"])
        return as_multiset({"values": values, "ended": ends, "joined": join(coord, threads)}, False)


@scenario
def reader_on_a_users_queue(tf, files):
    queue = tf.FIFOQueue(10, [tf.string], shapes=[[]])
    fill = queue.enqueue_many([[str(files / "a.txt"), str(files / "b.txt")]])
    key, value = tf.TextLineReader().read(queue)
    with session(tf) as sess:
        sess.run(fill)
        sess.run(queue.close())
        return {"static": static([key, value]), **fetch(lambda: sess.run([key, value]), 20)}


@scenario
def keys_through_a_batch(tf, files):
    key, value = read(tf, files, tf.TFRecordReader(), ["a.tfrecords", "b.tfrecords"], 2)
    return drain(tf, tf.train.batch([key, value], 3, allow_smaller_final_batch=True))


@scenario
def csv_lines_decoded_and_batched(tf, files):
    reader = tf.TextLineReader(skip_header_lines=1)
    _, line = read(tf, files, reader, ["header.csv", "header2.csv"])
    x, y = tf.decode_csv(line, [[0], [0]])
    return drain(tf, tf.train.batch([x, y], 2))
