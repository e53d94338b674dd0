"""Scenarios of every argument of the readers' constructors and methods.

As in `arguments`, each is one call with one argument changed, against the same call without.
"""

from __future__ import annotations

import zlib
from functools import partial

from harness import add, drain, fetch, initialize, join, session, static

FILES = {
    "WholeFileReader": ("b.txt", "empty.txt"),
    "TextLineReader": ("header.csv", "b.txt"),
    "FixedLengthRecordReader": ("a.bin", "b.bin"),
    "TFRecordReader": ("a.tfrecords", "b.tfrecords"),
    "IdentityReader": ("one", "two"),
}
NEEDS = {"FixedLengthRecordReader": {"record_bytes": 2}}


def reader_of(tf, class_name, **arguments):
    return getattr(tf, class_name)(**{**NEEDS.get(class_name, {}), **arguments})


def names_of(tf, files, class_name, more=()):
    """A queue of this reader's files."""
    names = [str(files / name) for name in (*FILES[class_name], *more)]
    return tf.train.string_input_producer(names, num_epochs=1, shuffle=False)


def plain(class_name, arguments, tf, files):
    """All keys and values that a reader gives, and its name."""
    reader = reader_of(tf, class_name, **arguments)
    names = names_of(tf, files, class_name)
    pair = reader.read(names)
    outcome = drain(tf, list(pair))
    return {
        "name": reader.reader_ref.op.name,
        "read": type(pair).__name__,
        "fields": list(getattr(pair, "_fields", [])),
        "static": static(list(pair)),
        "supports_serialize": reader.supports_serialize,
        **outcome,
    }


CONSTRUCTORS = {
    "WholeFileReader": {"name": {"name": "mine"}},
    "TextLineReader": {"name": {"name": "mine"}, "skip_header_lines": {"skip_header_lines": 1}},
    "FixedLengthRecordReader": {
        "name": {"name": "mine"},
        "record_bytes": {"record_bytes": 3},
        "header_bytes": {"header_bytes": 2},
        "footer_bytes": {"footer_bytes": 3},
        "hop_bytes": {"hop_bytes": 3},
    },
    "TFRecordReader": {"name": {"name": "mine"}},
    "IdentityReader": {"name": {"name": "mine"}},
}

for _class, _arguments in CONSTRUCTORS.items():
    add(f"{_class}_plain", partial(plain, _class, {}))
    for _argument, _given in _arguments.items():
        add(
            f"{_class}_argument_{_argument}",
            partial(plain, _class, _given),
            covers=(f"{_class}.{_argument}",),
            against=f"{_class}_plain",
        )


def encoded(encoding, tf, files):
    """A compressed file of fixed-length records."""
    (files / "fixed.zlib").write_bytes(zlib.compress(b"aabbcc"))
    arguments = {"encoding": encoding} if encoding else {}
    reader = tf.FixedLengthRecordReader(2, **arguments)
    name = str(files / "fixed.zlib")
    queue = tf.train.string_input_producer([name], num_epochs=1, shuffle=False)
    outcome = drain(tf, reader.read(queue)[1])
    return {"values": outcome["values"][:3], "ended": outcome["ended"]}


add("FixedLengthRecordReader_encoded", partial(encoded, ""))
add(
    "FixedLengthRecordReader_argument_encoding",
    partial(encoded, "ZLIB"),
    covers=("FixedLengthRecordReader.encoding",),
    against="FixedLengthRecordReader_encoded",
)


def compressed_records(compression, tf, files):
    """A compressed file of records; without `options` it is no such file."""
    arguments = {}
    if compression:
        kind = getattr(tf.python_io.TFRecordCompressionType, compression)
        arguments["options"] = tf.python_io.TFRecordOptions(kind)
    name = str(files / "gzip.tfrecords")
    queue = tf.train.string_input_producer([name], num_epochs=1, shuffle=False)
    outcome = drain(tf, tf.TFRecordReader(**arguments).read(queue)[1])
    return {"values": outcome["values"], "readable": outcome["ended"] == "OutOfRangeError"}


add("TFRecordReader_compressed", partial(compressed_records, None))
add(
    "TFRecordReader_argument_options",
    partial(compressed_records, "GZIP"),
    covers=("TFRecordReader.options",),
    against="TFRecordReader_compressed",
)


# ---------------------------------------------------------------- methods, which all readers share


def read(arguments, tf, files):
    """`read` of a queue of files."""
    arguments = dict(arguments)
    other = arguments.pop("queue", False)
    names = names_of(tf, files, "WholeFileReader" if other else "TextLineReader")
    _, value = tf.TextLineReader().read(names, **arguments)
    return {"name": value.op.name, **drain(tf, value)}


def read_up_to(arguments, tf, files):
    """`read_up_to` of a queue of files: keys and values of a number that varies."""
    arguments = dict(arguments)
    other = arguments.pop("queue", False)
    names = names_of(tf, files, "WholeFileReader" if other else "TextLineReader")
    keys, values = tf.TextLineReader().read_up_to(names, **{"num_records": 2, **arguments})
    return {"name": values.op.name, "static": static([keys, values]), **drain(tf, [keys, values])}


def progress(method, arguments, tf, files):
    """How far a reader has come, after each read."""
    reader = tf.TextLineReader()
    value = reader.read(names_of(tf, files, "TextLineReader"))[1]
    count = getattr(reader, method)(**arguments)
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        counts = [sess.run(count)]
        for _ in range(6):
            sess.run(value)
            counts.append(sess.run(count))
        ended = fetch(lambda: sess.run(value), 2)["ended"]
        return {
            "name": count.op.name,
            "static": static(count),
            "counts": [*counts, sess.run(count)],
            "ended": ended,
            "joined": join(coord, threads),
        }


def reset(arguments, tf, files):
    """After `reset` a reader goes on with the next file, and counts from 0."""
    reader = tf.TextLineReader()
    value = reader.read(names_of(tf, files, "TextLineReader"))[1]
    operation, count = reader.reset(**arguments), reader.num_records_produced()
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        first = [sess.run(value), sess.run(value)]
        sess.run(operation)
        counted = sess.run(count)
        rest = fetch(lambda: sess.run(value), 10)
        joined = join(coord, threads)
        return {
            "name": operation.name,
            "first": first,
            "count": counted,
            **rest,
            "joined": joined,
        }


def serialized(arguments, tf, files):
    """An IdentityReader is the one that can write down its state."""
    reader = tf.IdentityReader()
    value = reader.read(names_of(tf, files, "IdentityReader"))[1]
    state = reader.serialize_state(**arguments)
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        states = [sess.run(state)]
        item = sess.run(value)
        states.append(sess.run(state))
        # It ends with the work item, a path whose length is that of this machine's directory.
        ends = [len(states[0]), states[1].endswith(item)]
        return {"name": state.op.name, "states": ends, "joined": join(coord, threads)}


def restored(steps, arguments, tf, files):
    """A state from after `steps` elements, put back when two have been read."""
    reader = tf.IdentityReader()
    value = reader.read(names_of(tf, files, "IdentityReader", ("three",)))[1]
    state, count = reader.serialize_state(), reader.num_records_produced()
    kept = tf.placeholder(tf.string, [])
    restore = reader.restore_state(kept, **arguments)
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        states = [sess.run(state)]
        for _ in range(2):
            sess.run(value)
            states.append(sess.run(state))
        sess.run(restore, {kept: states[steps]})
        counted = sess.run(count)
        rest = fetch(lambda: sess.run(value), 10)
        joined = join(coord, threads)
        return {"name": restore.name, "count": counted, **rest, "joined": joined}


METHODS = {
    "read": (read, {"queue": {"queue": True}, "name": {"name": "mine"}}),
    "read_up_to": (
        read_up_to,
        {"queue": {"queue": True}, "num_records": {"num_records": 3}, "name": {"name": "mine"}},
    ),
    "num_records_produced": (
        partial(progress, "num_records_produced"),
        {"name": {"name": "mine"}},
    ),
    "num_work_units_completed": (
        partial(progress, "num_work_units_completed"),
        {"name": {"name": "mine"}},
    ),
    "reset": (reset, {"name": {"name": "mine"}}),
    "serialize_state": (serialized, {"name": {"name": "mine"}}),
    "restore_state": (partial(restored, 1), {"name": {"name": "mine"}}),
}

for _method, (_observe, _arguments) in METHODS.items():
    add(f"reader_{_method}_plain", partial(_observe, {}))
    for _argument, _given in _arguments.items():
        add(
            f"reader_{_method}_argument_{_argument}",
            partial(_observe, _given),
            covers=(f"reader.{_method}.{_argument}",),
            against=f"reader_{_method}_plain",
        )
add(
    "reader_restore_state_argument_state",
    partial(restored, 0, {}),
    covers=("reader.restore_state.state",),
    against="reader_restore_state_plain",
)
