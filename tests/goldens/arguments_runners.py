"""Scenarios of every argument of start_queue_runners, add_queue_runner and QueueRunner.

As in `arguments`, each is one call with one argument changed, against the same call without.
"""

from __future__ import annotations

from functools import partial

from harness import add, fetch, initialize, join, raised, session


def own_queue(tf, count=6):
    """A program's queue, its enqueue op, and a dequeue op."""
    number = tf.Variable(0, trainable=False).count_up_to(count)
    queue = tf.FIFOQueue(10, [tf.int32], shapes=[[]])
    return queue, queue.enqueue(number), queue.dequeue()


def started(changed, tf, files):
    """Threads that start_queue_runners makes, whether they run, and for whom."""
    queue, enqueue, element = own_queue(tf)
    tf.train.add_queue_runner(tf.train.QueueRunner(queue, [enqueue]))
    other = tf.FIFOQueue(10, [tf.int32], shapes=[[]])
    bad = other.enqueue(tf.cast(tf.check_numerics(tf.constant(float("nan")), "bad"), tf.int32))
    tf.train.add_queue_runner(tf.train.QueueRunner(other, [bad]), collection="others")
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord, **changed)
        alive = [thread.is_alive() for thread in threads]
        daemons = [thread.daemon for thread in threads]
        values = []
        if "collection" in changed:
            coord.wait_for_stop(10)  # the runner of the other collection fails
        elif all(alive):
            values = fetch(lambda: sess.run(element), 4)["values"]
        return {
            "threads": len(threads),
            "daemons": daemons,
            "values": values,
            "joined": join(coord, threads if all(alive) else []),
        }


def session_given(given, tf, files):
    """Without a default session one has to be named."""
    queue, enqueue, element = own_queue(tf)
    tf.train.add_queue_runner(tf.train.QueueRunner(queue, [enqueue]))
    sess = session(tf)
    initialize(tf, sess)
    arguments = {"sess": sess} if given else {}
    refused = raised(lambda: tf.train.start_queue_runners(**arguments), "session")
    return refused if refused["raises"] else {"first": sess.run(element)}


def coordinator_given(given, tf, files):
    """An error in a thread comes out of the coordinator that was given."""
    queue, _, _ = own_queue(tf)
    bad = queue.enqueue(tf.cast(tf.check_numerics(tf.constant(float("nan")), "bad"), tf.int32))
    tf.train.add_queue_runner(tf.train.QueueRunner(queue, [bad]))
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        arguments = {"coord": coord} if given else {}
        threads = tf.train.start_queue_runners(sess=sess, **arguments)
        for thread in threads[:1]:
            thread.join()
        return {"joined": join(coord, threads)}


def against(name, run, argument, base):
    add(name, run, covers=(argument,), against=base)


add("start_queue_runners_plain", partial(started, {}))
add("start_queue_runners_without_a_session", partial(session_given, False))
add("start_queue_runners_without_a_coordinator", partial(coordinator_given, False))
for _argument, _run, _base in (
    ("sess", partial(session_given, True), "start_queue_runners_without_a_session"),
    ("coord", partial(coordinator_given, True), "start_queue_runners_without_a_coordinator"),
    ("daemon", partial(started, {"daemon": False}), "start_queue_runners_plain"),
    ("start", partial(started, {"start": False}), "start_queue_runners_plain"),
    ("collection", partial(started, {"collection": "others"}), "start_queue_runners_plain"),
):
    _name = f"start_queue_runners_argument_{_argument}"
    against(_name, _run, f"start_queue_runners.{_argument}", _base)


def in_collections(runners, arguments, tf, files):
    """Which runner stands where."""
    made = []
    for name in ("one", "two"):
        queue = tf.FIFOQueue(10, [tf.int32], shapes=[[]], name=name)
        made.append(tf.train.QueueRunner(queue, [queue.enqueue(1)]))
    for index in runners:
        tf.train.add_queue_runner(made[index], **arguments)
    collections = (tf.GraphKeys.QUEUE_RUNNERS, "others")
    return {key: [runner.name for runner in tf.get_collection(key)] for key in collections}


add("add_queue_runner_plain", partial(in_collections, [0], {}))
for _argument, _run in {
    "qr": partial(in_collections, [1], {}),
    "collection": partial(in_collections, [0], {"collection": "others"}),
}.items():
    _name = f"add_queue_runner_argument_{_argument}"
    against(_name, _run, f"add_queue_runner.{_argument}", "add_queue_runner_plain")


def runner(change, tf, files):
    """What a QueueRunner says about itself, what it delivers, and how it ends."""
    number = tf.Variable(0, trainable=False).count_up_to(6)
    queue = tf.FIFOQueue(10, [tf.int32], shapes=[[]], name="first")
    second = tf.FIFOQueue(10, [tf.int32], shapes=[[]], name="second")
    flags = {name: tf.Variable(0, trainable=False, name=name) for name in ("closed", "cancelled")}
    arguments = {"queue": queue, "enqueue_ops": [queue.enqueue(number)]}
    if change == "queue":
        arguments["queue"] = second
    elif change == "enqueue_ops":
        arguments["enqueue_ops"] = [queue.enqueue(number + 10)] * 2
    elif change == "close_op":
        with tf.control_dependencies([tf.assign(flags["closed"], 1)]):
            arguments["close_op"] = queue.close()
    elif change == "cancel_op":
        arguments["cancel_op"] = tf.assign(flags["cancelled"], 1)
    elif change == "queue_closed_exception_types":
        arguments["queue_closed_exception_types"] = (
            tf.errors.OutOfRangeError,
            tf.errors.InvalidArgumentError,
        )
        checked = tf.cast(tf.check_numerics(tf.constant(float("nan")), "bad"), tf.int32)
        arguments["enqueue_ops"] = [queue.enqueue(checked)]
    made = tf.train.QueueRunner(**arguments)
    element = queue.dequeue()
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = made.create_threads(sess, coord=coord, daemon=True, start=True)
        # where another queue is closed at the end, a run to the end would wait for ever
        outcome = fetch(lambda: sess.run(element), 6 if change == "queue" else 20)
        for thread in threads[: len(made.enqueue_ops)]:  # behind them, one that waits for the stop
            thread.join()
        closed = sess.run(flags["closed"])
        joined = join(coord, threads)
        return {
            "name": made.name,
            "queue": made.queue.name,
            "ops": len(made.enqueue_ops),
            "close_op": made.close_op.name,
            "cancel_op": made.cancel_op.name,
            "types": [kind.__name__ for kind in made.queue_closed_exception_types],
            "raised": [type(error).__name__ for error in made.exceptions_raised],
            "values": sorted(outcome["values"]),
            "ended": outcome["ended"],
            "closed": closed,
            "cancelled": sess.run(flags["cancelled"]),
            "joined": joined,
        }


def bad_runner(tf, files):
    """As `queue_closed_exception_types` below, but with the error an error."""
    queue = tf.FIFOQueue(10, [tf.int32], shapes=[[]], name="first")
    checked = tf.cast(tf.check_numerics(tf.constant(float("nan")), "bad"), tf.int32)
    made = tf.train.QueueRunner(queue, [queue.enqueue(checked)])
    element = queue.dequeue()
    with session(tf) as sess:
        coord = tf.train.Coordinator()
        threads = made.create_threads(sess, coord=coord, daemon=True, start=True)
        ended = fetch(lambda: sess.run(element), 2)["ended"]
        return {"ended": ended, "joined": join(coord, threads)}


def from_definition(scope, tf, files):
    """A runner out of what another one was written down as."""
    queue = tf.FIFOQueue(10, [tf.int32], shapes=[[]], name="first")
    made = tf.train.QueueRunner(queue, [queue.enqueue(1)])
    definition = made.to_proto()
    if scope:
        graph = tf.get_default_graph().as_graph_def()
        tf.import_graph_def(graph, name=scope)
        again = tf.train.QueueRunner(queue_runner_def=definition, import_scope=scope)
    else:
        again = tf.train.QueueRunner(queue_runner_def=definition)
    return {"name": again.name, "ops": [operation.name for operation in again.enqueue_ops]}


def without_anything(tf, files):
    return raised(lambda: tf.train.QueueRunner())


add("QueueRunner_plain", partial(runner, "nothing"))
add("QueueRunner_without_anything", without_anything)
add("QueueRunner_with_an_error", bad_runner)
for _argument in ("queue", "enqueue_ops", "close_op", "cancel_op", "queue_closed_exception_types"):
    against(
        f"QueueRunner_argument_{_argument}",
        partial(runner, _argument),
        f"QueueRunner.{_argument}",
        "QueueRunner_plain",
    )
against(
    "QueueRunner_argument_queue_runner_def",
    partial(from_definition, None),
    "QueueRunner.queue_runner_def",
    "QueueRunner_without_anything",
)
against(
    "QueueRunner_argument_import_scope",
    partial(from_definition, "imported"),
    "QueueRunner.import_scope",
    "QueueRunner_argument_queue_runner_def",
)
