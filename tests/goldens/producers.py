"""Scenarios of string_input_producer and range_input_producer."""

from __future__ import annotations

import inspect
from functools import partial

from harness import add, differs, drain, fetch, initialize, join, raised, scenario, session, static

JOIN_S = 10
SIZES = (1, 2, 3, 7, 16, 40)
# (op seed, graph seed)
SEEDS = ((7, None), (0, None), (123456789, None), (7, 11), (0, 0), (-3, 5))


def names(count):
    """File names `f0`, `f1`, …"""
    return [f"f{index}" for index in range(count)]


def signature(function_name, tf, files):
    """Parameter names and defaults, in order."""
    function = getattr(tf.train, function_name)
    parameters = inspect.signature(function).parameters.values()
    return [
        [p.name, "required" if p.default is inspect.Parameter.empty else p.default]
        for p in parameters
    ]


for _name in (
    "input_producer",
    "slice_input_producer",
    "string_input_producer",
    "range_input_producer",
    "batch",
    "shuffle_batch",
):
    add(f"signature_{_name}", partial(signature, _name))
add("signature_start_queue_runners", partial(signature, "start_queue_runners"))


def seeded(kind, op_seed, graph_seed, tf, files):
    """Three epochs of several sizes, each in its own graph."""
    orders = {}
    for size in SIZES:
        with tf.Graph().as_default():
            if graph_seed is not None:
                tf.set_random_seed(graph_seed)
            if kind == "string":
                queue = tf.train.string_input_producer(names(size), num_epochs=3, seed=op_seed)
            else:
                queue = tf.train.range_input_producer(size, num_epochs=3, seed=op_seed)
            orders[str(size)] = drain(tf, queue.dequeue())["values"]
    return orders


for _op_seed, _graph_seed in SEEDS:
    # All producers shuffle in one place: one pair of seeds is enough for another of them.
    for _kind in ("range", "string") if (_op_seed, _graph_seed) == (7, 11) else ("range",):
        add(
            f"{_kind}_order_seed_{_op_seed}_graph_seed_{_graph_seed}",
            partial(seeded, _kind, _op_seed, _graph_seed),
        )


@scenario
def graph_seed_alone_gives_one_order(tf, files):
    # Which order depends on how many ops the graph has, and no two releases build the same number.
    orders = []
    for _ in range(2):
        with tf.Graph().as_default():
            tf.set_random_seed(5)
            queue = tf.train.range_input_producer(40, num_epochs=2)
            orders.append([int(value) for value in drain(tf, queue.dequeue())["values"]])
    epochs = [orders[0][:40], orders[0][40:]]
    return {
        "same in two graphs": orders[0] == orders[1],
        "epochs differ": epochs[0] != epochs[1],
        "epochs": [sorted(epoch) for epoch in epochs],
    }


@scenario
def two_producers_with_equal_seeds(tf, files):
    left = tf.train.string_input_producer(names(9), num_epochs=3, seed=4)
    right = tf.train.string_input_producer(names(9), num_epochs=3, seed=4)
    return drain(tf, [left.dequeue(), right.dequeue()])


@scenario
def string_and_range_with_equal_seeds(tf, files):
    left = tf.train.string_input_producer(names(9), num_epochs=3, seed=4)
    right = tf.train.range_input_producer(9, num_epochs=3, seed=4)
    return drain(tf, [left.dequeue(), right.dequeue()])


@scenario
def two_producers_with_one_graph_seed(tf, files):
    tf.set_random_seed(4)
    left = tf.train.range_input_producer(9, num_epochs=2)
    right = tf.train.range_input_producer(9, num_epochs=2)
    outcome = drain(tf, [left.dequeue(), right.dequeue()])
    orders = [[pair[side] for pair in outcome["values"]] for side in (0, 1)]
    return {"ended": outcome["ended"], "equal": orders[0] == orders[1]}


@scenario
def seeded_order_in_a_second_session(tf, files):
    dequeued = tf.train.range_input_producer(7, num_epochs=1, seed=3).dequeue()
    return {"first": drain(tf, dequeued), "second": drain(tf, dequeued)}


@scenario
def unseeded_epochs_are_permutations(tf, files):
    outcome = drain(tf, tf.train.range_input_producer(12, num_epochs=4).dequeue())
    values = [int(value) for value in outcome["values"]]
    epochs = [values[start : start + 12] for start in range(0, len(values), 12)]
    return {"ended": outcome["ended"], "epochs": [sorted(epoch) for epoch in epochs]}


@scenario
def string_in_order(tf, files):
    queue = tf.train.string_input_producer(names(4), num_epochs=2, shuffle=False)
    return drain(tf, queue.dequeue())


@scenario
def string_endless(tf, files):
    queue = tf.train.string_input_producer(names(3), shuffle=False)
    return drain(tf, queue.dequeue(), limit=20)


@scenario
def string_from_a_tensor(tf, files):
    queue = tf.train.string_input_producer(tf.constant(["x", "y"]), num_epochs=2, shuffle=False)
    return drain(tf, queue.dequeue())


@scenario
def string_tensor_is_evaluated_again_every_epoch(tf, files):
    epoch = tf.Variable(0, name="epoch")
    strings = tf.constant(["a", "b"]) + tf.as_string(tf.assign_add(epoch, 1))
    queue = tf.train.string_input_producer(strings, num_epochs=3, shuffle=False)
    return drain(tf, queue.dequeue())


@scenario
def string_capacity_one(tf, files):
    queue = tf.train.string_input_producer(names(5), num_epochs=2, shuffle=False, capacity=1)
    return drain(tf, queue.dequeue())


@scenario
def string_attributes(tf, files):
    queue = tf.train.string_input_producer(names(3), shuffle=False, name="mine", shared_name="s")
    return {
        "name": queue.name,
        "dtypes": [dtype.name for dtype in queue.dtypes],
        "shapes": [shape.as_list() for shape in queue.shapes],
        "has queue_ref": queue.queue_ref is not None,
        "dequeue": static(queue.dequeue()),
        "dequeue_many": static(queue.dequeue_many(4)),
        "dequeue_up_to": static(queue.dequeue_up_to(4)),
        "is a queue": isinstance(queue, tf.QueueBase),
    }


@scenario
def range_attributes(tf, files):
    queue = tf.train.range_input_producer(3)
    return {
        "name": queue.name,
        "dtypes": [dtype.name for dtype in queue.dtypes],
        "shapes": [shape.as_list() for shape in queue.shapes],
        "dequeue": static(queue.dequeue()),
        "dequeue_many": static(queue.dequeue_many(4)),
    }


@scenario
def range_in_order(tf, files):
    return drain(tf, tf.train.range_input_producer(4, num_epochs=2, shuffle=False).dequeue())


@scenario
def range_limit_from_a_tensor(tf, files):
    queue = tf.train.range_input_producer(tf.constant(3), num_epochs=2, shuffle=False)
    return {"dequeue": static(queue.dequeue()), **drain(tf, queue.dequeue())}


@scenario
def range_endless(tf, files):
    return drain(tf, tf.train.range_input_producer(3, shuffle=False).dequeue(), limit=10)


@scenario
def range_of_nothing(tf, files):
    return drain(tf, tf.train.range_input_producer(0, num_epochs=1, shuffle=False).dequeue())


@scenario
def dequeue_many_across_epochs(tf, files):
    queue = tf.train.range_input_producer(5, num_epochs=3, shuffle=False)
    return drain(tf, queue.dequeue_many(4))


@scenario
def dequeue_many_above_the_capacity(tf, files):
    queue = tf.train.range_input_producer(5, num_epochs=3, shuffle=False, capacity=2)
    return drain(tf, queue.dequeue_many(7))


@scenario
def dequeue_many_of_a_tensor(tf, files):
    count = tf.placeholder_with_default(3, [])
    queue = tf.train.range_input_producer(7, num_epochs=1, shuffle=False)
    many = queue.dequeue_many(count)
    return {"many": static(many), **drain(tf, many)}


@scenario
def dequeue_many_of_nothing(tf, files):
    queue = tf.train.range_input_producer(3, num_epochs=1, shuffle=False)
    return drain(tf, queue.dequeue_many(0), limit=2)


@scenario
def dequeue_up_to_gives_the_rest(tf, files):
    queue = tf.train.range_input_producer(5, num_epochs=2, shuffle=False)
    return drain(tf, queue.dequeue_up_to(4))


@scenario
def dequeue_after_a_dequeue_many_that_was_too_much(tf, files):
    queue = tf.train.range_input_producer(5, num_epochs=1, shuffle=False)
    many, one = queue.dequeue_many(3), queue.dequeue()
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        first = fetch(lambda: sess.run(many), 5)
        rest = fetch(lambda: sess.run(one), 5)
        return {"many": first, "then one by one": rest, "joined": join(coord, threads)}


@scenario
def dequeue_ops_share_elements(tf, files):
    queue = tf.train.range_input_producer(6, num_epochs=1, shuffle=False)
    first, second = queue.dequeue(), queue.dequeue()
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        alternate = [sess.run(op) for op in (first, second, second, first)]
        together = sorted(int(value) for value in sess.run([first, second]))
        end = fetch(lambda: sess.run(first), 1)["ended"]
        return {
            "alternate": alternate,
            "together": together,
            "ended": end,
            "joined": join(coord, threads),
        }


@scenario
def one_dequeue_op_fetched_twice(tf, files):
    op = tf.train.range_input_producer(4, num_epochs=1, shuffle=False).dequeue()
    return drain(tf, [op, op + 10])


@differs("closing a producer that has ended is no error", closed={"raises": None, "says": {}})
def close_then_dequeue(tf, files):
    queue = tf.train.range_input_producer(3, num_epochs=1, shuffle=False)
    dequeued, close = queue.dequeue(), queue.close()
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        for thread in threads[:1]:
            thread.join(JOIN_S)  # the epoch is in the queue
        values = [sess.run(dequeued)]
        closed = raised(lambda: sess.run(close))
        outcome = fetch(lambda: sess.run(dequeued), 5)
        return {"before": values, "closed": closed, **outcome, "joined": join(coord, threads)}


@differs("who reads where nothing was started is told so", ended="InvalidArgumentError")
def close_before_the_start(tf, files):
    queue = tf.train.range_input_producer(3, shuffle=False)
    dequeued, close = queue.dequeue(), queue.close()
    with session(tf) as sess:
        initialize(tf, sess)
        sess.run(close)
        return fetch(lambda: sess.run(dequeued), 5)


@differs("closing a producer is no error of its runner", joined=None)
def close_endless_producer(tf, files):
    queue = tf.train.range_input_producer(3, shuffle=False, capacity=4)
    dequeued, close = queue.dequeue(), queue.close(cancel_pending_enqueues=True)
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        before = [sess.run(dequeued) for _ in range(5)]
        sess.run(close)
        after = fetch(lambda: sess.run(dequeued), 100)
        for thread in threads[:1]:  # the coordinator hears of its error before it stops
            thread.join(5)
        return {"before": before, "ended": after["ended"], "joined": join(coord, threads)}


@differs("num_epochs needs no local_variables_initializer", values=[0, 1, 2], joined=None)
def num_epochs_without_initializer(tf, files):
    dequeued = tf.train.range_input_producer(3, num_epochs=1, shuffle=False).dequeue()
    with session(tf) as sess:
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        outcome = fetch(lambda: sess.run(dequeued), 5)
        return {**outcome, "joined": join(coord, threads)}


@scenario
def summaries_can_be_merged(tf, files):
    tf.train.string_input_producer(names(3))
    return {"merge_all gives a tensor": tf.summary.merge_all() is not None}


@scenario
def a_runner_is_in_the_collection(tf, files):
    tf.train.string_input_producer(names(3))
    tf.train.range_input_producer(3)
    runners = tf.get_collection(tf.GraphKeys.QUEUE_RUNNERS)
    return {"runners": len(runners), "have create_threads": all(r.create_threads for r in runners)}


@scenario
def cancel_op_runs_at_the_stop(tf, files):
    cancelled = []
    cancel = tf.py_func(lambda: cancelled.append(1) or 0, [], tf.int64).op
    queue = tf.train.string_input_producer(names(3), shuffle=False, cancel_op=cancel)
    outcome = drain(tf, queue.dequeue(), limit=4)
    return {"values": outcome["values"], "cancelled": len(cancelled)}
