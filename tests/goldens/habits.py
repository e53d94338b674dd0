"""Scenarios of habits: what programs put between reading and batching, and around it."""

from __future__ import annotations

import threading

import numpy as np
from harness import (
    as_multiset,
    drain,
    fetch,
    initialize,
    join,
    scenario,
    session,
    static,
)


def numbers(tf, count=8, first=0, num_epochs=1):
    """`first`, `first + 1`, … as int32 scalars."""
    queue = tf.train.range_input_producer(count, num_epochs=num_epochs, shuffle=False)
    return queue.dequeue() + first


def line_reader(tf, files, names=("a.txt", "b.txt"), num_epochs=1):
    """The key and the value of the lines of these files."""
    paths = [str(files / name) for name in names]
    queue = tf.train.string_input_producer(paths, num_epochs=num_epochs, shuffle=False)
    return tf.TextLineReader().read(queue)


# ---------------------------------------------------------------- no batch at all


@scenario
def unbatched_fetches_of_one_run_are_of_one_element(tf, files):
    key, value = line_reader(tf, files)
    words = tf.string_split([value]).values
    return drain(tf, [key, value, words[0], tf.size(words)])


@scenario
def unbatched_tensors_by_eval_take_one_element_each(tf, files):
    key, value = line_reader(tf, files)
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(coord=coord)
        values = [value.eval(), key.eval(), value.eval()]
        return {"values": values, "joined": join(coord, threads)}


@scenario
def unbatched_expand_dims_by_hand(tf, files):
    row = tf.expand_dims(tf.cast(numbers(tf, 3), tf.float32), 0)
    weights = tf.Variable([[2.0]])
    product = tf.matmul(tf.reshape(row, [1, 1]), weights)
    return {"static": static(product), **drain(tf, product)}


@scenario
def unbatched_csv_columns(tf, files):
    _, value = line_reader(tf, files, ["header2.csv"])
    columns = tf.decode_csv(value, record_defaults=[["x"], ["y"]])
    return {"static": static(columns), **drain(tf, columns)}


# ---------------------------------------------------------------- shared sources


@scenario
def one_filename_queue_in_separate_pipelines(tf, files):
    # three lines of a.txt, two of b.txt, three of crlf.txt: whoever asks gets the next file
    paths = [str(files / name) for name in ("a.txt", "b.txt", "crlf.txt")]
    queue = tf.train.string_input_producer(paths, num_epochs=1, shuffle=False)
    lines = [tf.TextLineReader().read(queue)[1] for _ in range(2)]
    batches = [tf.train.batch([line], 1) for line in lines]
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        values = []
        for batch in batches:
            outcome = fetch(lambda batch=batch: sess.run(batch)[0], 50)
            values += outcome["values"]
        return {"values": sorted(values), "joined": join(coord, threads)}


@scenario
def one_filename_queue_and_one_pipeline_that_is_never_run(tf, files):
    # what the other one has taken stays there, yet nothing hangs
    paths = [str(files / name) for name in ("a.txt", "b.txt", "crlf.txt")]
    queue = tf.train.string_input_producer(paths, num_epochs=None, shuffle=False)
    first, _ = (tf.train.batch([tf.TextLineReader().read(queue)[1]], 2) for _ in range(2))
    outcome = drain(tf, first, limit=8)
    return {"batches": len(outcome["values"]), "ended": outcome["ended"]}


@scenario
def one_example_in_two_batches(tf, files):
    # a batch of images and one of labels, from one dequeue op: each element goes into one of them
    i = numbers(tf, 8)
    images = tf.train.batch([tf.stack([i, i])], 1)
    labels = tf.train.batch([i], 1)
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        taken = []
        for batch in (images, labels):
            outcome = fetch(lambda batch=batch: sess.run(batch), 50)
            taken += [int(np.ravel(value)[0]) for value in outcome["values"]]
        return {"taken": sorted(taken), "joined": join(coord, threads)}


@scenario
def two_pipelines_in_one_graph(tf, files):
    train = tf.train.shuffle_batch([numbers(tf, 8)], 4, 20, 3)
    test = tf.train.batch([numbers(tf, 4, first=100)], 2)
    outcome = drain(tf, [train, test])
    return {
        "train": sorted(int(v) for batch, _ in outcome["values"] for v in batch),
        "test": [batch for _, batch in outcome["values"]],
        "ended": outcome["ended"],
        "joined": outcome["joined"],
    }


@scenario
def one_pipeline_through_a_function_called_twice(tf, files):
    def inputs(first):
        with tf.name_scope("inputs"):
            return tf.train.batch([numbers(tf, 4, first)], 2, name="batch_of_inputs")

    one, two = inputs(0), inputs(100)
    names = [tensor.op.name for tensor in (one, two)]
    return {"names": names, **drain(tf, [one, two])}


@scenario
def cond_over_two_pipelines(tf, files):
    # both were made outside the branches: each run takes from both
    is_training = tf.placeholder(tf.bool, [])
    train = tf.train.batch([numbers(tf, 12)], 2)
    test = tf.train.batch([numbers(tf, 12, first=100)], 2)
    chosen = tf.cond(is_training, lambda: train, lambda: test)
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        values = []
        for flag in (True, True, False, True, False, False):
            values.append(sess.run(chosen, {is_training: flag}))
        ended = fetch(lambda: sess.run(chosen, {is_training: True}), 3)["ended"]
        return {
            "static": static(chosen),
            "values": values,
            "ended": ended,
            "joined": join(coord, threads),
        }


@scenario
def cond_over_two_dequeues_inside_the_branches(tf, files):
    # made inside the branches: a run takes from one
    is_training = tf.placeholder(tf.bool, [])
    train = tf.train.range_input_producer(6, num_epochs=1, shuffle=False)
    test = tf.train.range_input_producer(3, num_epochs=1, shuffle=False)
    chosen = tf.cond(is_training, lambda: train.dequeue(), lambda: test.dequeue() + 100)
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        flags = (True, False, True, True, False)
        values = [sess.run(chosen, {is_training: flag}) for flag in flags]
        return {"values": values, "joined": join(coord, threads)}


@scenario
def queue_from_list_picks_a_producer(tf, files):
    which = tf.placeholder(tf.int32, [])
    queues = [
        tf.train.input_producer(tf.constant([first, first + 1]), shuffle=False)
        for first in (0, 100)
    ]
    element = tf.QueueBase.from_list(which, queues).dequeue()
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        values = [sess.run(element, {which: index}) for index in (0, 1, 1, 0)]
        return {"values": values, "joined": join(coord, threads)}


# ---------------------------------------------------------------- objects handed around


@scenario
def readers_and_queues_handed_around(tf, files):
    class Input:
        """As CIFAR-10's reader: an object with everything in it."""

        def __init__(self, queue, reader):
            self.queue, self.reader = queue, reader
            self.key, self.value = reader.read(queue)

    def make(reader, names):
        return Input(tf.train.string_input_producer(names, num_epochs=1, shuffle=False), reader)

    result = make(tf.TextLineReader(), [str(files / "a.txt")])
    again = result.reader.read(result.queue)
    batched = tf.train.batch([result.value], 3)
    return {
        "name": result.queue.name,
        "dtypes": [dtype.name for dtype in result.queue.dtypes],
        "fields": [type(again).__name__, *again._fields],
        **drain(tf, batched),
    }


@scenario
def reading_from_the_queue_ref(tf, files):
    names = tf.train.string_input_producer([str(files / "a.txt")], num_epochs=1, shuffle=False)
    return drain(tf, tf.TextLineReader().read(names.queue_ref).value)


@scenario
def data_flow_ops_queue(tf, files):
    from tensorflow.python.ops import data_flow_ops

    queue = data_flow_ops.FIFOQueue(4, [tf.int32], shapes=[[]], name="deep")
    tf.train.add_queue_runner(tf.train.QueueRunner(queue, [queue.enqueue(numbers(tf, 6))]))
    return {"name": queue.name, **drain(tf, queue.dequeue_many(3))}


@scenario
def queue_runner_module(tf, files):
    queue = tf.FIFOQueue(4, [tf.int32], shapes=[[]])
    runner = tf.train.queue_runner.QueueRunner(queue, [queue.enqueue(numbers(tf, 6))])
    tf.train.queue_runner.add_queue_runner(runner)
    element = queue.dequeue()
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = tf.train.queue_runner.start_queue_runners(sess=sess, coord=coord)
        return {**fetch(lambda: sess.run(element), 10), "joined": join(coord, threads)}


@scenario
def queue_runner_subclass_with_private_attributes(tf, files):
    class Feeding(tf.train.QueueRunner):
        """Feeds placeholders in threads of its own, as programs of 2016 did."""

        def __init__(self, queue, operation, placeholder, count):
            super().__init__(queue, [operation])
            self._placeholder, self._count = placeholder, count

        def _run(self, sess, operation, coord=None):
            if coord:
                coord.register_thread(threading.current_thread())
            try:
                for value in range(self._count):
                    if coord and coord.should_stop():
                        break
                    sess.run(operation, {self._placeholder: value})
                sess.run(self._close_op)
            except Exception as error:
                coord.request_stop(error)
            finally:
                with self._lock:
                    self._runs_per_session[sess] -= 1

    value = tf.placeholder(tf.int32, [])
    queue = tf.FIFOQueue(3, [tf.int32], shapes=[[]])
    runner = Feeding(queue, queue.enqueue(value * 2), value, 7)
    tf.train.add_queue_runner(runner)
    outcome = drain(tf, queue.dequeue())
    return {"ops": len(runner._enqueue_ops), "name": runner.name, **outcome}


@scenario
def a_runner_of_a_batch_has_what_programs_look_at(tf, files):
    tf.train.batch([numbers(tf, 6)], 3)
    runners = tf.get_collection(tf.GraphKeys.QUEUE_RUNNERS)
    return {
        "names": [isinstance(runner.name, str) for runner in runners],
        "raised": [runner.exceptions_raised for runner in runners],
    }


@scenario
def a_thread_of_the_program_feeds_a_queue_that_is_batched(tf, files):
    value = tf.placeholder(tf.int32, [])
    queue = tf.FIFOQueue(10, [tf.int32], shapes=[[]])
    enqueue, close = queue.enqueue(value), queue.close()
    batched = tf.train.batch([queue.dequeue()], 3, allow_smaller_final_batch=True)
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()

        def feed():
            for number in range(8):
                sess.run(enqueue, {value: number})
            sess.run(close)

        thread = threading.Thread(target=feed, daemon=True)
        thread.start()
        threads = [*tf.train.start_queue_runners(sess=sess, coord=coord), thread]
        return {**fetch(lambda: sess.run(batched), 10), "joined": join(coord, threads)}


@scenario
def shuffle_batch_of_two_epochs_mixes_them(tf, files):
    # every element twice, in whatever order
    lines = line_reader(tf, files, num_epochs=2)[1]
    batched = tf.train.shuffle_batch([lines], 2, 20, 6, num_threads=2)
    return as_multiset(drain(tf, batched))
