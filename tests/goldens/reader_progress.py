"""Scenarios of what a reader knows of itself: progress, reset, state, the file under way."""

from __future__ import annotations

from harness import fetch, initialize, join, plain, scenario, session
from reader_methods import TEXT, on_files, take_turns

PREPARED = [b"\x08\x02\x10\x02\x18\x02", b"not a state"]


@scenario
def progress_of_a_text_line_reader(tf, files):
    reader = tf.TextLineReader()
    operations = {"read": reader.read(on_files(tf, files, TEXT))[1]}
    return take_turns(tf, reader, operations, "read " * 7)


@scenario
def progress_asked_for_before_the_first_read(tf, files):
    reader = tf.TFRecordReader()
    number = reader.num_records_produced()
    key, _ = reader.read(on_files(tf, files, ["a.tfrecords", "b.tfrecords"]))
    return take_turns(tf, reader, {"read": key, "number": number}, "number read number read read")


@scenario
def progress_of_a_whole_file_reader(tf, files):
    reader = tf.WholeFileReader()
    operations = {"read": reader.read(on_files(tf, files, TEXT))[1], "reset": reader.reset()}
    return take_turns(tf, reader, operations, "read read reset read read")


@scenario
def progress_of_an_identity_reader(tf, files):
    reader = tf.IdentityReader()
    operations = {"read": reader.read(on_files(tf, files, TEXT))[1], "reset": reader.reset()}
    return take_turns(tf, reader, operations, "read read reset read read")


@scenario
def progress_of_a_fixed_length_reader(tf, files):
    reader, queue = tf.FixedLengthRecordReader(5), on_files(tf, files, ["plain.bin", "a.bin"])
    operations = {"read": reader.read(queue)[1], "two": reader.read_up_to(queue, 2)[1]}
    return take_turns(tf, reader, operations, "two read two read")


@scenario
def progress_of_read_up_to(tf, files):
    reader = tf.TextLineReader()
    operations = {"three": reader.read_up_to(on_files(tf, files, TEXT), 3)[1]}
    return take_turns(tf, reader, operations, "three three three")


@scenario
def progress_of_several_reads(tf, files):
    reader, queue = tf.TextLineReader(), on_files(tf, files, ["a.txt", "b.txt", "a.txt"])
    operations = {"read": reader.read(queue)[1], "other": reader.read(queue)[1]}
    operations["two"] = reader.read_up_to(queue, 2)[1]
    return take_turns(tf, reader, operations, "read other two two read two read other")


@scenario
def progress_behind_a_batch(tf, files):
    reader = tf.TextLineReader()
    lines = tf.train.batch([reader.read(on_files(tf, files, TEXT))[1]], 5)
    number, files_done = reader.num_records_produced(), reader.num_work_units_completed()
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        lines, ended = sess.run(lines), fetch(lambda: sess.run(lines), 1)
        progress = sess.run([number, files_done])
        return plain({"lines": lines, **ended, "progress": progress, "join": join(coord, threads)})


@scenario
def progress_of_a_reader_on_a_users_queue(tf, files):
    reader, queue = tf.TextLineReader(), tf.FIFOQueue(10, [tf.string], shapes=[[]])
    number, units = reader.num_records_produced(), reader.num_work_units_completed()
    _, value = reader.read(queue)
    with session(tf) as sess:
        sess.run(queue.enqueue_many([[str(files / "a.txt"), str(files / "b.txt")]]))
        return plain([[sess.run(value), sess.run([number, units])] for _ in range(5)])


@scenario
def reset_leaves_the_file(tf, files):
    reader, queue = tf.TextLineReader(), on_files(tf, files, TEXT, num_epochs=3)
    operations = {"read": reader.read(queue)[1], "two": reader.read_up_to(queue, 2)[1]}
    operations["reset"] = reader.reset()
    order = "reset read reset read reset two reset two two reset read reset read"
    return take_turns(tf, reader, operations, order)


@scenario
def one_reader_of_two_queues_takes_its_file_along(tf, files):
    reader = tf.TextLineReader()
    operations = {"first": list(reader.read(on_files(tf, files, ["a.txt", "b.txt"])))}
    operations["second"] = list(reader.read(on_files(tf, files, ["crlf.txt"])))
    return take_turns(tf, reader, operations, "first second second second first second first")


@scenario
def state_of_a_whole_file_reader(tf, files):
    return _state(tf, files, tf.WholeFileReader())


@scenario
def state_of_an_identity_reader(tf, files):
    return _state(tf, files, tf.IdentityReader())


@scenario
def state_of_a_text_line_reader(tf, files):
    return _state(tf, files, tf.TextLineReader())


@scenario
def state_asked_for_before_the_first_read(tf, files):
    reader = tf.IdentityReader()
    # Not the path of the work item, nor the byte with its length.
    state = tf.substr(reader.serialize_state(), 0, 6)
    operations = {"read": list(reader.read(on_files(tf, files, TEXT))), "state": state}
    return take_turns(tf, reader, operations, "state read state read")


def _state(tf, files, reader):
    operations = {"read": list(reader.read(on_files(tf, files, TEXT)))}
    operations["other"] = reader.restore_state(PREPARED[0])
    operations["broken"] = reader.restore_state(PREPARED[1])
    operations["state"] = tf.strings.length(reader.serialize_state())
    operations["reset"] = reader.reset()
    return take_turns(
        tf, reader, operations, "state other state broken reset state read other read"
    )
