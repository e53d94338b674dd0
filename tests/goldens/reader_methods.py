"""Scenarios of further methods and arguments of readers: `read_up_to`, names, compression."""

from __future__ import annotations

from harness import (
    differs,
    drain,
    fetch,
    initialize,
    join,
    plain,
    raised,
    scenario,
    session,
    static,
)

NAMED = "the error names the file, and is not that of the end, which TensorFlow's is"


def on_files(tf, files, names, num_epochs=1):
    """A producer of these files, in order."""
    paths = [str(files / name) for name in names]
    return tf.train.string_input_producer(paths, num_epochs=num_epochs, shuffle=False)


def take_turns(tf, reader, operations, order, progress=True):
    """Runs the named operations in this order; after each one, how far the reader is."""
    counts = [reader.num_records_produced(), reader.num_work_units_completed()] if progress else []
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        turns = [sess.run(counts)]
        for name in order.split():
            outcome = fetch(lambda name=name: sess.run(operations[name]), 1)
            turns.append([name, outcome["values"] or outcome["ended"], sess.run(counts)])
        return {"turns": plain(turns), "joined": join(coord, threads)}


TEXT = ["a.txt", "empty.txt", "b.txt"]


@scenario
def read_up_to_stays_within_a_file(tf, files):
    reader = tf.TextLineReader()
    return drain(tf, list(reader.read_up_to(on_files(tf, files, TEXT, 2), 2)))


@scenario
def read_up_to_more_than_a_file_has(tf, files):
    reader = tf.TextLineReader(skip_header_lines=1)
    return drain(tf, list(reader.read_up_to(on_files(tf, files, TEXT), 100)))


@scenario
def read_up_to_of_records(tf, files):
    queue = on_files(tf, files, ["a.tfrecords", "b.tfrecords"])
    return drain(tf, list(tf.TFRecordReader().read_up_to(queue, 2)))


@scenario
def read_up_to_of_fixed_length_records(tf, files):
    reader = tf.FixedLengthRecordReader(record_bytes=4, hop_bytes=2)
    return drain(tf, list(reader.read_up_to(on_files(tf, files, ["plain.bin", "a.bin"]), 3)))


@scenario
def read_up_to_of_whole_files(tf, files):
    return drain(tf, list(tf.WholeFileReader().read_up_to(on_files(tf, files, TEXT), 2)))


@scenario
def read_up_to_of_work_items(tf, files):
    queue = tf.train.string_input_producer(["x", "y"], num_epochs=1, shuffle=False)
    return drain(tf, list(tf.IdentityReader().read_up_to(queue, 2)))


@scenario
def read_up_to_a_tensor(tf, files):
    number = tf.constant(1, tf.int64) + 1
    return drain(tf, list(tf.TextLineReader().read_up_to(on_files(tf, files, TEXT), number)))


@scenario
def read_up_to_a_number_that_is_fed(tf, files):
    number = tf.placeholder(tf.int64, [])
    values = tf.TextLineReader().read_up_to(on_files(tf, files, TEXT), number)[1]
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        fed = [sess.run(values, {number: many}) for many in (1, 5, 1)]
        ended = fetch(lambda: sess.run(values, {number: 9}), 5)
        return {"fed": plain(fed), **ended, "joined": join(coord, threads)}


@scenario
def read_up_to_is_static(tf, files):
    records = tf.TextLineReader().read_up_to(on_files(tf, files, TEXT), 2)
    return [static(list(records)), type(records).__name__, list(records._fields)]


@scenario
def read_is_a_named_tuple(tf, files):
    record = tf.TextLineReader().read(on_files(tf, files, TEXT))
    return [type(record).__name__, list(record._fields)]


@scenario
def read_up_to_what_is_no_number(tf, files):
    reader, queue = tf.TextLineReader(), on_files(tf, files, TEXT)
    numbers = (2.5, "2", None, [2], tf.constant(2))
    return [raised(lambda n=number: reader.read_up_to(queue, n)) for number in numbers]


@scenario
def read_up_to_none(tf, files):
    records = tf.TextLineReader().read_up_to(on_files(tf, files, TEXT), 0)
    return drain(tf, list(records), limit=3)


@scenario
def read_up_to_through_a_batch(tf, files):
    _, lines = tf.TextLineReader().read_up_to(on_files(tf, files, TEXT), 2)
    batch = tf.train.batch([lines], 3, enqueue_many=True, allow_smaller_final_batch=True)
    return drain(tf, batch)


@scenario
def read_and_read_up_to_take_from_one_file(tf, files):
    reader, queue = tf.TextLineReader(), on_files(tf, files, ["a.txt", "b.txt", "a.txt"])
    operations = {"read": list(reader.read(queue)), "two": list(reader.read_up_to(queue, 2))}
    operations["three"] = list(reader.read_up_to(queue, 3))
    return take_turns(tf, reader, operations, "read three two read two two", progress=False)


@scenario
def operations_of_a_reader_have_tensorflows_names(tf, files):
    reader, queue = tf.TextLineReader(), on_files(tf, files, TEXT)
    made = [reader.reader_ref, *reader.read(queue), *reader.read_up_to(queue, 2)]
    made += [reader.num_records_produced(), reader.num_work_units_completed()]
    return [element.name for element in made] + [reader.reset().name]


@scenario
def operations_of_a_reader_take_names(tf, files):
    reader, queue = tf.TextLineReader(name="lines"), on_files(tf, files, TEXT)
    made = [reader.reader_ref, reader.read(queue, name="r")[0]]
    made += [reader.read_up_to(queue, 2, name="u")[1], reader.num_records_produced(name="n")]
    made += [reader.num_work_units_completed(name="w"), reader.serialize_state(name="s")]
    return [tensor.name for tensor in made] + [
        reader.reset(name="again").name,
        reader.restore_state("state", name="back").name,
    ]


@scenario
def names_of_readers(tf, files):
    readers = [
        tf.WholeFileReader(name="whole"),
        tf.TFRecordReader(name="records"),
        tf.FixedLengthRecordReader(3, name="fixed"),
        tf.IdentityReader(name="items"),
        tf.LMDBReader(name="database"),
    ]
    return [[reader.reader_ref.name, reader.supports_serialize] for reader in readers]


@scenario
def names_of_readers_by_default(tf, files):
    kinds = (tf.WholeFileReader, tf.TextLineReader, tf.TFRecordReader, tf.IdentityReader)
    readers = [kind() for kind in (*kinds, tf.LMDBReader)] + [tf.FixedLengthRecordReader(3)]
    return [[reader.reader_ref.name, reader.supports_serialize] for reader in readers]


@scenario
def ops_of_a_reader_count_for_seeds(tf, files):
    tf.set_random_seed(5)
    reader, queue = tf.TextLineReader(), on_files(tf, files, TEXT)
    reader.num_records_produced()
    reader.read_up_to(queue, 2)
    reader.reset()
    names = [str(number) for number in range(6)]
    return drain(tf, tf.train.string_input_producer(names, num_epochs=1).dequeue())


@scenario
def identity_reader(tf, files):
    queue = tf.train.string_input_producer(["x", "y"], num_epochs=2, shuffle=False)
    return drain(tf, list(tf.IdentityReader().read(queue)))


def _compressed(tf, files, **arguments):
    reader = tf.FixedLengthRecordReader(record_bytes=4, **arguments)
    return drain(tf, list(reader.read(on_files(tf, files, ["plain.gz", "plain.gz"]))))


@scenario
def fixed_length_reader_gzip(tf, files):
    return _compressed(tf, files, encoding="GZIP")


@scenario
def fixed_length_reader_gzip_hop_bytes(tf, files):
    return _compressed(tf, files, header_bytes=1, footer_bytes=1, hop_bytes=3, encoding="GZIP")


@scenario
def fixed_length_reader_unknown_encoding(tf, files):
    reader = tf.FixedLengthRecordReader(record_bytes=5, encoding="LZ4")
    return drain(tf, list(reader.read(on_files(tf, files, ["plain.bin"]))))


@scenario
def fixed_length_reader_zlib(tf, files):
    reader = tf.FixedLengthRecordReader(record_bytes=3, encoding="ZLIB")
    return drain(tf, list(reader.read(on_files(tf, files, ["plain.zlib"]))))


@scenario
def fixed_length_reader_bad_lengths(tf, files):
    outcomes = []
    for arguments in ({"record_bytes": -1}, {"record_bytes": 2, "hop_bytes": -1}):
        reader = tf.FixedLengthRecordReader(**arguments)
        outcomes.append(drain(tf, list(reader.read(on_files(tf, files, ["plain.bin"])))))
    return outcomes


@differs(NAMED, ended="InvalidArgumentError")
def fixed_length_reader_shorter_than_its_header(tf, files):
    reader = tf.FixedLengthRecordReader(record_bytes=3, header_bytes=20)
    return drain(tf, list(reader.read(on_files(tf, files, ["plain.bin"]))))


@scenario
def readers_of_a_missing_file(tf, files):
    outcomes = []
    for reader in (
        tf.TextLineReader(),
        tf.TFRecordReader(),
        tf.WholeFileReader(),
        tf.FixedLengthRecordReader(3, hop_bytes=1),
    ):
        queue = on_files(tf, files, ["missing"])
        records = reader.read(queue) if len(outcomes) % 2 else reader.read_up_to(queue, 2)
        outcomes.append(drain(tf, list(records)))
    return outcomes


@scenario
def readers_of_a_directory(tf, files):
    readers = (tf.TextLineReader(), tf.TFRecordReader(), tf.FixedLengthRecordReader(3, hop_bytes=1))
    return [drain(tf, list(reader.read(on_files(tf, files, ["."])))) for reader in readers]


@scenario
def readers_of_what_is_no_name(tf, files):
    numbers = tf.train.range_input_producer(3, num_epochs=1)
    vectors = tf.train.input_producer([["x"], ["y"]], num_epochs=1, shuffle=False)
    return [
        drain(tf, list(tf.IdentityReader().read(queue)), limit=2) for queue in (numbers, vectors)
    ]


@scenario
def fixed_length_reader_header_alone(tf, files):
    reader = tf.FixedLengthRecordReader(record_bytes=3, header_bytes=4)
    return drain(tf, list(reader.read(on_files(tf, files, ["plain.bin"] * 2))))


@scenario
def fixed_length_reader_footer_alone(tf, files):
    reader = tf.FixedLengthRecordReader(record_bytes=3, footer_bytes=4)
    return drain(tf, list(reader.read(on_files(tf, files, ["plain.bin"] * 2))))


@scenario
def text_line_reader_keeps_header_lines(tf, files):
    return drain(
        tf, list(tf.TextLineReader().read(on_files(tf, files, ["header.csv", "header2.csv"])))
    )
