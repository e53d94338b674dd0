"""Scenarios of every argument of batch and its seven kin: what changes when it is given.

Each is one call with one argument changed, against the same call without.
"""

from __future__ import annotations

import threading
from functools import partial

from harness import add, drain, raised, static

JOINS = ("batch_join", "maybe_batch_join", "shuffle_batch_join", "maybe_shuffle_batch_join")
ALONE = ("batch", "maybe_batch", "shuffle_batch", "maybe_shuffle_batch")
COUNT = 11


def numbers(tf, count=COUNT, num_epochs=1):
    """0, 1, … as int32 scalars."""
    return tf.train.range_input_producer(count, num_epochs=num_epochs, shuffle=False).dequeue()


def call(tf, function_name, tensors, **arguments):
    """The function with what it needs; a join gets `tensors` as its only branch."""
    if "shuffle" in function_name:
        arguments = {"capacity": 30, "min_after_dequeue": 3, **arguments}
    if "maybe" in function_name:
        arguments = {"keep_input": True, **arguments}
    if function_name in JOINS and not isinstance(tensors, Branches):
        tensors = [tensors]
    return getattr(tf.train, function_name)(tensors, **{"batch_size": 4, **arguments})


class Branches(list):
    """The whole first argument of a join."""


def seen(tf, batched):
    """What a program sees of a batch: shapes, and every element."""
    tensors = batched if isinstance(batched, list) else [batched]
    if isinstance(batched, dict):
        tensors = [batched[key] for key in sorted(batched)]
    outcome = drain(tf, tensors)
    values = [element.tolist() for batch in outcome["values"] for element in batch[0]]
    values = values if len(values) % COUNT == 0 else len(values)  # no order decides what is left
    return {
        "static": static(batched),
        "values": sorted(values) if isinstance(values, list) else values,
        "sizes": [len(batch[0]) for batch in outcome["values"]],
        "ended": outcome["ended"],
        "joined": outcome["joined"],
    }


def pair(tf):
    """Rows `[i, i + 100]`."""
    i = numbers(tf)
    return tf.stack([i, i + 100])


def plain(function_name, arguments, tf, files):
    """What a program sees of a batch of tensors of a known shape."""
    arguments = {"tensors": lambda tf: [pair(tf)], **arguments}
    arguments = {name: make(tf) for name, make in arguments.items()}
    return seen(tf, call(tf, function_name, arguments.pop("tensors"), **arguments))


def static_shapes(function_name, arguments, tf, files):
    """Static shapes of the result."""
    arguments = {"tensors": lambda tf: [pair(tf)], **arguments}
    arguments = {name: make(tf) for name, make in arguments.items()}
    return static(call(tf, function_name, arguments.pop("tensors"), **arguments))


def labels(function_name, arguments, tf, files):
    """Under which names a program finds a batch, its queue, and the queue's summary."""
    batched = call(tf, function_name, [pair(tf)], **arguments)
    summaries = [tensor.op.name for tensor in tf.get_collection(tf.GraphKeys.SUMMARIES)]
    return {
        "name": batched.name,
        "shared_name": batched.op.inputs[0].op.node_def.attr["shared_name"].s,
        "summaries": sorted(name for name in summaries if not name.startswith("input_producer")),
    }


def of_an_unknown_length(function_name, arguments, tf, files):
    """A call with a tensor of which only the rank is known."""
    tensor = tf.placeholder_with_default(pair(tf), [None])

    def build():
        return call(tf, function_name, [tensor], **arguments)

    refused = raised(build)
    return refused if refused["raises"] else {"static": static(build())}


def of_some(function_name, arguments, tf, files):
    """A call that is told to keep the even numbers, or is not."""
    i = numbers(tf)
    if arguments:
        arguments = {"keep_input": tf.equal(i % 2, 0)}
    return seen(tf, call(tf, function_name, [i], allow_smaller_final_batch=True, **arguments))


def in_what_order(function_name, arguments, tf, files):
    """Whether the same program gives the same order twice.

    One element at a time out of a full queue, where the threads have no say.
    """
    orders = []
    for _ in range(2):
        with tf.Graph().as_default():
            batched = call(
                tf,
                function_name,
                [numbers(tf, 24)],
                **{"batch_size": 1, "capacity": 10, "min_after_dequeue": 9, **arguments},
            )
            orders.append([int(batch[0]) for batch in drain(tf, batched)["values"]])
    return {"repeats": orders[0] == orders[1], "all": sorted(orders[0])}


def how_many_at_once(function_name, arguments, tf, files):
    """Whether two calls of the preprocessing ever meet."""
    two_are_here, lock, here = threading.Event(), threading.Lock(), []

    def work(value):
        with lock:
            here.append(value)
            if len(here) > 1:
                two_are_here.set()
        if arguments.get("num_threads", 1) > 1:
            two_are_here.wait(10.0 if value < 2 else 0)  # which of the two begins is open
        else:
            two_are_here.wait(0 if value else 0.5)
        with lock:
            here.remove(value)
        return value

    tensor = tf.py_func(work, [numbers(tf)], tf.int32)
    tensor.set_shape([])
    drain(tf, call(tf, function_name, [tensor], **arguments))
    return {"two at once": two_are_here.is_set()}


def how_much_is_held_back(function_name, arguments, tf, files):
    """Whether a batch comes while the source waits for it after its seventh element."""
    delivered, came_first = threading.Event(), []

    def slow(value):
        if value == 7:
            came_first.append(delivered.wait(1.0))
        return value

    tensor = tf.py_func(slow, [numbers(tf)], tf.int32)
    tensor.set_shape([])
    batched = call(tf, function_name, [tensor], batch_size=2, **arguments)
    with tf.control_dependencies([batched]):
        note = tf.py_func(lambda: delivered.set() or 0, [], tf.int64)
    drain(tf, [batched, note])
    return {"a batch came first": came_first == [True]}


def add_against(function_name, argument, observe, without, given):
    """Enters the call without and with `argument`."""
    base = f"{function_name}_{observe.__name__}"
    if not any(base == name for name in ADDED):
        ADDED.append(base)
        add(base, partial(observe, function_name, without))
    add(
        f"{function_name}_argument_{argument}",
        partial(observe, function_name, given),
        covers=(f"{function_name}.{argument}",),
        against=base,
    )


ADDED = []

for _function in ALONE + JOINS:
    _shuffles = "shuffle" in _function
    for _argument, _make in {
        "enqueue_many": lambda tf: True,
        "allow_smaller_final_batch": lambda tf: True,
    }.items():
        add_against(_function, _argument, plain, {}, {_argument: _make})
    add_against(_function, "batch_size", static_shapes, {}, {"batch_size": lambda tf: 3})
    for _argument, _value in (("capacity", 17), ("shared_name", "shared"), ("name", "mine")):
        add_against(_function, _argument, labels, {}, {_argument: _value})
    add_against(_function, "shapes", of_an_unknown_length, {}, {"shapes": [[2]]})
    if _function in JOINS:
        _two = {"tensors": lambda tf: Branches([[pair(tf)], [pair(tf)]])}
        add_against(_function, "tensors_list", plain, {}, _two)
    else:
        _dict = {"tensors": lambda tf: {"pair": pair(tf)}}
        add_against(_function, "tensors", static_shapes, {}, _dict)
        add_against(_function, "num_threads", how_many_at_once, {}, {"num_threads": 3})
    if "maybe" in _function:
        add_against(_function, "keep_input", of_some, {}, {"keep_input": "the even ones"})
    if _shuffles:
        add_against(_function, "seed", in_what_order, {}, {"seed": 7})
        _more = {"min_after_dequeue": 8}
        add_against(_function, "min_after_dequeue", how_much_is_held_back, {}, _more)
    else:
        add_against(_function, "dynamic_pad", of_an_unknown_length, {}, {"dynamic_pad": True})
