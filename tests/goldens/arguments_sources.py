"""Scenarios of every argument of the producers, and of the methods of the queue they return.

As in `arguments`, each is one call with one argument changed, against the same call without.
"""

from __future__ import annotations

import threading
from functools import partial

import numpy as np
from harness import add, drain, fetch, initialize, join, raised, session, static

ROWS = {
    "input_producer": lambda tf: tf.constant([[0, 1], [2, 3], [4, 5], [6, 7]]),
    "string_input_producer": lambda tf: tf.constant(["a", "b", "c", "d"]),
    "range_input_producer": lambda tf: 4,
    "slice_input_producer": lambda tf: [tf.constant([5, 6, 7, 8]), tf.constant(list("abcd"))],
}
OTHER_ROWS = {
    "input_producer": lambda tf: tf.constant([1.0, 2.0, 3.0]),
    "string_input_producer": lambda tf: tf.as_string(tf.range(3)),
    "range_input_producer": lambda tf: tf.constant(3),
    "slice_input_producer": lambda tf: [tf.constant([[5], [6], [7]])],
}
FIRST = {
    "input_producer": "input_tensor",
    "string_input_producer": "string_tensor",
    "range_input_producer": "limit",
    "slice_input_producer": "tensor_list",
}


def produce(tf, function_name, rows=None, **arguments):
    """The producer's queue (or tensors), in order unless told otherwise."""
    rows = (rows or ROWS[function_name])(tf)
    return getattr(tf.train, function_name)(rows, **{"shuffle": False, **arguments})


def elements(result):
    """Tensors to fetch."""
    return result if isinstance(result, list) else result.dequeue()


def plain(function_name, arguments, tf, files):
    """What a program sees of a producer: names, shapes, and nine elements."""
    result = produce(tf, function_name, **arguments)
    tensors = elements(result)
    outcome = drain(tf, tensors, limit=9)
    summaries = [tensor.op.name for tensor in tf.get_collection(tf.GraphKeys.SUMMARIES)]
    seen = {
        "static": static(tensors),
        "summaries": summaries,
        "counters": sorted(variable.op.name for variable in tf.local_variables()),
        **outcome,
    }
    if not isinstance(result, list):
        seen["name"] = result.name
    return seen


def shared(function_name, arguments, tf, files):
    """Under which name sessions share the queue."""
    result = produce(tf, function_name, **arguments)
    if isinstance(result, list):  # the dequeue op is what gather takes its index from
        made_by = result[0].op.inputs[1].op.inputs[0].op
    else:
        made_by = result.queue_ref.op
    return {"shared_name": made_by.node_def.attr["shared_name"].s}


def named(function_name, arguments, tf, files):
    """Under which name scope its operations stand."""
    elements(produce(tf, function_name, num_epochs=1, **arguments))
    scopes = {operation.name.split("/")[0] for operation in tf.get_default_graph().get_operations()}
    return {"mine": "mine" in scopes, "input_producer": "input_producer" in scopes}


def shuffled(function_name, arguments, tf, files):
    """Two epochs in the order that a seed gives."""
    result = produce(tf, function_name, shuffle=True, num_epochs=2, **arguments)
    return drain(tf, elements(result))


def of_unknown_shape(function_name, arguments, tf, files):
    """A tensor of which nothing is known."""
    rows = tf.placeholder_with_default(ROWS[function_name](tf), None)

    def build():
        return produce(tf, function_name, lambda tf: rows, num_epochs=1, **arguments)

    refused = raised(build)
    return refused if refused["raises"] else drain(tf, elements(build()))


def cancelled(function_name, arguments, tf, files):
    """What `cancel_op` does when the coordinator stops."""
    flag = tf.Variable(0, trainable=False)
    if arguments:
        arguments = {"cancel_op": tf.assign(flag, 1)}
    tensors = elements(produce(tf, function_name, num_epochs=1, **arguments))
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        sess.run(tensors)
        joined = join(coord, threads)
        return {"cancelled": sess.run(flag), "joined": joined}


def ahead(function_name, arguments, tf, files):
    """Whether the rows of the fourth epoch are asked for before any element was."""
    fourth, epochs = threading.Event(), []

    def rows():
        epochs.append(None)
        if len(epochs) == 4:
            fourth.set()
        return np.array([b"a", b"b", b"c"])

    def make(tf):
        tensor = tf.py_func(rows, [], tf.string)
        tensor.set_shape([3])
        return tensor

    tensors = elements(produce(tf, function_name, make, **arguments))
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        read_ahead = fourth.wait(0.5 if arguments else 3)
        sess.run(tensors)
        return {"ahead": read_ahead, "joined": join(coord, threads)}


# Where compat differs on purpose: why, and how.
WANTED = {
    "input_producer_ahead": (
        "rows are computed when they are needed, not as far ahead as `capacity`",
        {"ahead": False},
    ),
    "producer_close_argument_cancel_pending_enqueues": (
        "the epoch under way is delivered in any case",
        {"everything": True, "joined": None},
    ),
}


def add_against(function_name, argument, observe, without, given):
    """Enters the call without and with `argument`."""
    base = f"{function_name}_{observe.__name__}"
    if base not in ADDED:
        ADDED.append(base)
        reason, instead = WANTED.get(base, ("", {}))
        add(base, partial(observe, function_name, without), reason, **instead)
    add(
        f"{function_name}_argument_{argument}",
        partial(observe, function_name, given),
        covers=(f"{function_name}.{argument}",),
        against=base,
    )


ADDED = []

for _function in ROWS:
    add_against(_function, FIRST[_function], plain, {}, {"rows": OTHER_ROWS[_function]})
    add_against(_function, "num_epochs", plain, {}, {"num_epochs": 2})
    add_against(_function, "shuffle", plain, {}, {"shuffle": True, "seed": 1})
    add_against(_function, "seed", shuffled, {"seed": 1}, {"seed": 2})
    add_against(_function, "shared_name", shared, {}, {"shared_name": "shared"})
    add_against(_function, "name", named, {}, {"name": "mine"})
    if _function != "input_producer":
        add_against(_function, "capacity", plain, {}, {"capacity": 7})
for _function in ("input_producer", "string_input_producer"):
    add_against(_function, "cancel_op", cancelled, {}, {"cancel_op": "a flag"})
add_against("input_producer", "summary_name", plain, {}, {"summary_name": "how_full"})
add_against("input_producer", "element_shape", of_unknown_shape, {}, {"element_shape": [2]})
add_against("input_producer", "capacity", ahead, {}, {"capacity": 3})


# ---------------------------------------------------------------- limit_epochs and file names


def limited(arguments, tf, files):
    """`limit_epochs` of a constant: what it delivers, under which name, with which counter."""
    tensor = tf.train.limit_epochs(tf.constant([1, 2]), **arguments)
    counters = sorted(variable.op.name for variable in tf.local_variables())
    outcome = drain(tf, tensor, limit=5)
    return {"static": static(tensor), "name": tensor.op.name, "counters": counters, **outcome}


add("limit_epochs_plain", partial(limited, {}))
add("limit_epochs_twice", partial(limited, {"num_epochs": 2}))


def limited_tensor(tf, files):
    tensor = tf.train.limit_epochs(tf.constant("text"), num_epochs=2)
    return {"static": static(tensor), "name": tensor.op.name, **drain(tf, tensor, limit=5)}


def limited_argument(argument, run, against):
    add(
        f"limit_epochs_argument_{argument}",
        run,
        covers=(f"limit_epochs.{argument}",),
        against=against,
    )


limited_argument("tensor", limited_tensor, "limit_epochs_twice")
limited_argument("num_epochs", partial(limited, {"num_epochs": 3}), "limit_epochs_twice")
limited_argument("name", partial(limited, {"num_epochs": 2, "name": "mine"}), "limit_epochs_twice")


def matched(pattern, arguments, tf, files):
    """`match_filenames_once`: a local variable with the names of files."""
    names = tf.train.match_filenames_once(str(files / pattern), **arguments)
    locals_ = sorted(variable.op.name for variable in tf.local_variables())
    with session(tf) as sess:
        initialize(tf, sess)
        return {"locals": locals_, "values": sorted(sess.run(names)), "name": names.name}


add("match_filenames_once_plain", partial(matched, "*.txt", {}))
for _argument, _run in {
    "pattern": partial(matched, "*.bin", {}),
    "name": partial(matched, "*.txt", {"name": "mine"}),
}.items():
    add(
        f"match_filenames_once_argument_{_argument}",
        _run,
        covers=(f"match_filenames_once.{_argument}",),
        against="match_filenames_once_plain",
    )


# ---------------------------------------------------------------- methods of a producer's queue


def of_a_queue(use, tf, files):
    """What `use` makes of a producer of eight numbers, run to the end."""
    queue = tf.train.range_input_producer(8, num_epochs=1, shuffle=False)
    result = use(tf, queue)
    if not hasattr(result, "dtype"):
        return result
    return {"name": result.op.name, "static": static(result), **drain(tf, result)}


def closed_with(arguments, tf, files):
    """Closes a queue that its runner still fills: what is on its way comes out, or does not.

    The runner waits for room, in an epoch of eight with a capacity of two.
    """
    queue = tf.train.range_input_producer(8, num_epochs=1, shuffle=False, capacity=2)
    close, element = queue.close(**arguments), queue.dequeue()
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        first = sess.run(element)
        closing = threading.Thread(target=lambda: sess.run(close))  # it waits for the enqueue
        closing.start()
        closing.join(0.2)
        rest = fetch(lambda: sess.run(element), 20)
        closing.join()
        for thread in threads[:1]:  # the coordinator hears of its error before it stops
            thread.join(5)
        everything = len(rest["values"]) == 7
        joined = join(coord, threads)
        return {"name": close.name, "first": first, "everything": everything, "joined": joined}


def sizes(arguments, tf, files):
    """`size()`: a scalar of the elements that wait."""
    size = tf.train.range_input_producer(8, num_epochs=1, shuffle=False).size(**arguments)
    return {"name": size.op.name, "static": static(size)}


def is_closed(arguments, tf, files):
    """`is_closed()` before the start."""
    closed = tf.train.range_input_producer(8, num_epochs=1, shuffle=False).is_closed(**arguments)
    with session(tf) as sess:
        initialize(tf, sess)
        return {"name": closed.op.name, "static": static(closed), "value": sess.run(closed)}


def enqueued(method, arguments, tf, files):
    """A program puts elements of its own into a producer's queue, before the runners start."""
    queue = tf.train.range_input_producer(3, num_epochs=1, shuffle=False)
    enqueue = getattr(queue, method)(**arguments)
    element = queue.dequeue()
    with session(tf) as sess:
        initialize(tf, sess)
        sess.run(enqueue)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        outcome = fetch(lambda: sess.run(element), 20)
        return {"name": enqueue.name, **outcome, "joined": join(coord, threads)}


METHODS = {
    "dequeue": (of_a_queue, lambda tf, q: q.dequeue(), {"name": lambda tf, q: q.dequeue("mine")}),
    "dequeue_many": (
        of_a_queue,
        lambda tf, q: q.dequeue_many(3),
        {"n": lambda tf, q: q.dequeue_many(5), "name": lambda tf, q: q.dequeue_many(3, "mine")},
    ),
    "dequeue_up_to": (
        of_a_queue,
        lambda tf, q: q.dequeue_up_to(3),
        {"n": lambda tf, q: q.dequeue_up_to(5), "name": lambda tf, q: q.dequeue_up_to(3, "mine")},
    ),
    "close": (
        closed_with,
        {},
        {"cancel_pending_enqueues": {"cancel_pending_enqueues": True}, "name": {"name": "mine"}},
    ),
    "size": (sizes, {}, {"name": {"name": "mine"}}),
    "is_closed": (is_closed, {}, {"name": {"name": "mine"}}),
    "enqueue": (
        partial(enqueued, "enqueue"),
        {"vals": 7},
        {"vals": {"vals": 8}, "name": {"vals": 7, "name": "mine"}},
    ),
    "enqueue_many": (
        partial(enqueued, "enqueue_many"),
        {"vals": [[7, 8]]},
        {"vals": {"vals": [[9]]}, "name": {"vals": [[7, 8]], "name": "mine"}},
    ),
}

for _method, (_observe, _without, _given) in METHODS.items():
    add(f"producer_{_method}_plain", partial(_observe, _without))
    for _argument, _arguments in _given.items():
        _name = f"producer_{_method}_argument_{_argument}"
        _reason, _instead = WANTED.get(_name, ("", {}))
        add(
            _name,
            partial(_observe, _arguments),
            _reason,
            **_instead,
            covers=(f"queue.{_method}.{_argument}",),
            against=f"producer_{_method}_plain",
        )
