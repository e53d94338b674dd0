"""Scenarios of input_producer, and of what names and shared names do for all producers."""

from __future__ import annotations

from functools import partial

import numpy as np
from harness import add, drain, fetch, raised, scenario, static
from producer_state import sizes
from producers import names


@scenario
def input_producer_input_tensor(tf, files):
    rows = np.arange(12, dtype=np.int16).reshape(3, 2, 2)
    queue = tf.train.input_producer(rows, num_epochs=1, shuffle=False)
    return {"name": queue.name, "one": static(queue.dequeue()), **drain(tf, queue.dequeue())}


@scenario
def input_producer_of_booleans(tf, files):
    queue = tf.train.input_producer([True, False, True], num_epochs=1, shuffle=False)
    return drain(tf, queue.dequeue_many(3))


@scenario
def input_producer_element_shape(tf, files):
    rows = tf.py_func(lambda: np.ones([2, 3], np.float32), [], tf.float32)
    without = raised(lambda: tf.train.input_producer(rows), "fully defined shape", "element_shape")
    queue = tf.train.input_producer(rows, element_shape=[3], num_epochs=1)
    wrong = raised(lambda: tf.train.input_producer(tf.zeros([2, 3]), element_shape=[4]))
    return {
        "without": without,
        "wrong": wrong,
        "one": static(queue.dequeue()),
        **drain(tf, queue.dequeue()),
    }


@scenario
def input_producer_num_epochs(tf, files):
    epochs = {}
    for number in (1, 3):
        queue = tf.train.input_producer([1, 2], num_epochs=number, shuffle=False)
        epochs[str(number)] = drain(tf, queue.dequeue())
    return {**epochs, "none": raised(lambda: tf.train.input_producer([1], num_epochs=0), "> 0")}


@scenario
def input_producer_shuffle_and_seed(tf, files):
    orders = {}
    for seed in (3, 4):
        queue = tf.train.input_producer(np.arange(9) * 10, num_epochs=2, shuffle=True, seed=seed)
        orders[str(seed)] = drain(tf, queue.dequeue())["values"]
    queue = tf.train.input_producer(np.arange(9) * 10, num_epochs=2, shuffle=False, seed=3)
    return {"orders": orders, "without": drain(tf, queue.dequeue())["values"]}


@scenario
def input_producer_with_the_graphs_seed(tf, files):
    tf.set_random_seed(9)
    rows = tf.constant(np.arange(7))
    return drain(tf, tf.train.input_producer(rows, num_epochs=2).dequeue())


@scenario
def input_producer_capacity(tf, files):
    return {
        str(capacity): sizes(
            tf, tf.train.input_producer([5, 6, 7], num_epochs=2, capacity=capacity), 7
        )
        for capacity in (1, 2, 4, 32)
    }


@scenario
def input_producer_summary_name(tf, files):
    tf.train.input_producer([1.0], name="mine", summary_name="how_full")
    tf.train.input_producer([1.0], name="other")
    return [summary.op.name for summary in tf.get_collection(tf.GraphKeys.SUMMARIES)]


@scenario
def input_producer_name(tf, files):
    with tf.name_scope("outer"):
        queue = tf.train.input_producer([1.0], num_epochs=1, name="mine")
        dequeue, many = queue.dequeue(), queue.dequeue_many(2)
    return {
        "queue": queue.name,
        "ops": [dequeue.op.name, many.op.name],
        "local variables": [variable.op.name for variable in tf.local_variables()],
    }


@scenario
def input_producer_cancel_op(tf, files):
    cancelled = []
    cancel = tf.py_func(lambda: cancelled.append(1) or 0, [], tf.int64).op
    queue = tf.train.input_producer([1, 2], shuffle=False, cancel_op=cancel)
    outcome = drain(tf, queue.dequeue(), limit=3)
    return {"values": outcome["values"], "cancelled": len(cancelled)}


@scenario
def input_producer_wrong_input(tf, files):
    return {
        "a number": raised(lambda: tf.train.input_producer(5), "rank"),
        "unknown shape": raised(
            lambda: tf.train.input_producer(tf.placeholder(tf.int32)), "fully defined shape"
        ),
        "epochs": raised(lambda: tf.train.input_producer([1], num_epochs=-1), "must be > 0"),
    }


@scenario
def string_input_producer_name(tf, files):
    queue = tf.train.string_input_producer(names(2), num_epochs=1, name="mine")
    return {
        "ops": [queue.name, queue.dequeue().op.name],
        "local variables": [variable.op.name for variable in tf.local_variables()],
        "summaries": [op.op.name for op in tf.get_collection(tf.GraphKeys.SUMMARIES)],
    }


@scenario
def range_input_producer_name(tf, files):
    queue = tf.train.range_input_producer(2, num_epochs=1, name="mine", capacity=7)
    return {
        "ops": [queue.name, queue.dequeue().op.name],
        "local variables": [variable.op.name for variable in tf.local_variables()],
        "summaries": [op.op.name for op in tf.get_collection(tf.GraphKeys.SUMMARIES)],
    }


def shared(function_name, tf, files):
    """Two graphs with one server: the second takes what the runners of the first put in."""
    server = tf.train.Server.create_local_server()
    taken = {}
    for shared_name in ("both", None):
        sessions = []
        for name in ("first", "second"):
            with tf.Graph().as_default() as graph:
                function = getattr(tf.train, function_name)
                rows = {"range_input_producer": 4, "slice_input_producer": [list(range(4))]}
                rows = rows.get(function_name, names(4))
                unique = f"{name}_{shared_name}"
                made = function(
                    rows, num_epochs=2, shuffle=False, shared_name=shared_name, name=unique
                )
                element = made[0] if isinstance(made, list) else made.dequeue()
                initializer = tf.local_variables_initializer()
            config = tf.ConfigProto(operation_timeout_in_ms=2000)
            sessions.append((graph, tf.Session(server.target, graph, config), element))
            sessions[-1][1].run(initializer)
        graph, sess, element = sessions[0]
        coord = tf.train.Coordinator()
        with graph.as_default():
            tf.train.start_queue_runners(sess, coord)
        values = [sess.run(element) for sess, element in [part[1:] for part in sessions][:1] * 2]
        sess, element = sessions[1][1:]
        other = fetch(lambda: sess.run(element), 3)  # noqa: B023
        taken[str(shared_name)] = {"first": values, "second": other["values"]}
        coord.request_stop()
    return taken


for _name in (
    "input_producer",
    "string_input_producer",
    "range_input_producer",
    "slice_input_producer",
):
    add(f"{_name}_shared_name", partial(shared, _name))
