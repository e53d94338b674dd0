"""Scenarios of Supervisor and MonitoredTrainingSession, of checkpoints and of meta graphs."""

from __future__ import annotations

import logging
import time
import warnings

from harness import (
    RUN_TIMEOUT_MS,
    drain,
    fetch,
    initialize,
    join,
    raised,
    scenario,
    session,
)


def numbers(tf, count=6, num_epochs=1, first=0):
    """`first`, `first + 1`, … as int32 scalars."""
    queue = tf.train.range_input_producer(count, num_epochs=num_epochs, shuffle=False)
    return queue.dequeue() + first


def config(tf):
    """As `harness.session`, for sessions that are made elsewhere."""
    return tf.ConfigProto(operation_timeout_in_ms=RUN_TIMEOUT_MS)


def training(tf, count=8, num_epochs=1):
    """A pipeline, a step that depends on it, and a summary of the input."""
    step = tf.train.get_or_create_global_step()
    batched = tf.train.batch([numbers(tf, count, num_epochs)], 2)
    total = tf.Variable(0, name="total")
    with tf.control_dependencies([tf.assign_add(total, tf.reduce_sum(batched))]):
        train = tf.assign_add(step, 1)
    tf.summary.scalar("largest", tf.reduce_max(batched))
    return batched, step, total, train


@scenario
def monitored_session_to_the_end_with_checkpoints_and_summaries(tf, files):
    batched, _, _, train = training(tf)
    directory = str(files / "monitored")
    values = []
    with tf.train.MonitoredTrainingSession(
        checkpoint_dir=directory,
        save_checkpoint_steps=2,
        save_summaries_steps=None,
        save_summaries_secs=None,
        log_step_count_steps=None,
        config=config(tf),
    ) as sess:
        while not sess.should_stop():
            values.append(sess.run([batched, train])[0])
    state = tf.train.get_checkpoint_state(directory)
    saved = tf.train.NewCheckpointReader(state.model_checkpoint_path)
    return {
        "values": values,
        "total": int(saved.get_tensor("total")),
        "steps": int(saved.get_tensor("global_step")),
    }


@scenario
def monitored_session_writes_summaries_of_the_input(tf, files):
    # each summary takes a batch along with its step, none of its own
    batched, _, _, train = training(tf)
    directory = files / "summarized"
    values = []
    with tf.train.MonitoredTrainingSession(
        checkpoint_dir=str(directory),
        save_summaries_steps=1,
        log_step_count_steps=None,
        config=config(tf),
    ) as sess:
        while not sess.should_stop():
            values.append(sess.run([batched, train])[0])
    written = []
    for path in sorted(directory.glob("events*")):
        for event in tf.train.summary_iterator(str(path)):
            written += [v.simple_value for v in event.summary.value if v.tag == "largest"]
    return {"values": values, "written": written}


@scenario
def monitored_session_goes_on_from_a_checkpoint(tf, files):
    directory = str(files / "resumed")
    steps = []
    for last_step in (3, 5):
        with tf.Graph().as_default():
            _, step, _, train = training(tf, num_epochs=None)
            hooks = [tf.train.StopAtStepHook(last_step=last_step)]
            with tf.train.MonitoredTrainingSession(
                checkpoint_dir=directory,
                hooks=hooks,
                save_summaries_steps=None,
                save_summaries_secs=None,
                log_step_count_steps=None,
                config=config(tf),
            ) as sess:
                while not sess.should_stop():
                    sess.run(train)
                    if not sess.should_stop():
                        steps.append(int(sess.run(step)))
    return {"steps": steps}


@scenario
def supervisor_with_summaries_of_the_input(tf, files):
    # the summary thread starts before the runners do, and depends on them
    batched, _, _, train = training(tf, num_epochs=None)
    manager = tf.train.Supervisor(
        logdir=str(files / "supervised"), save_summaries_secs=1, save_model_secs=0
    )
    values = 0
    with manager.managed_session(config=config(tf)) as sess:
        while not manager.should_stop() and values < 4:
            sess.run([batched, train])
            values += 1
    return {"values": values, "stopped": manager.should_stop()}


@scenario
def supervisor_to_the_end_of_the_data(tf, files):
    batched, _, _, train = training(tf)
    manager = tf.train.Supervisor(
        logdir=str(files / "supervised_to_the_end"), summary_op=None, save_model_secs=0
    )
    values = []
    with manager.managed_session(config=config(tf)) as sess:
        while not manager.should_stop():
            values.append(sess.run([batched, train])[0])
    return {"values": values}


@scenario
def supervisor_starts_what_it_is_told_to(tf, files):
    batched = tf.train.batch([numbers(tf, 4)], 2)
    manager = tf.train.Supervisor(logdir=None)
    sess = manager.prepare_or_wait_for_session(config=config(tf), start_standard_services=False)
    threads = manager.start_queue_runners(sess, tf.get_collection(tf.GraphKeys.QUEUE_RUNNERS))
    outcome = fetch(lambda: sess.run(batched), 10)
    manager.stop(threads, close_summary_writer=False)
    return outcome


@scenario
def monitored_session_with_an_error_in_the_program(tf, files):
    batched, _, _, train = training(tf)

    def run():
        with tf.train.MonitoredTrainingSession(config=config(tf)) as sess:
            sess.run([batched, train])
            raise KeyError("of the program")

    return raised(run, "of the program")


@scenario
def the_scaffold_starts_local_variables_and_tables(tf, files):
    batched = tf.train.batch([numbers(tf, 4)], 2)
    ready = []
    scaffold = tf.train.Scaffold(
        init_fn=lambda scaffold, sess: ready.append(True),
        local_init_op=tf.group(tf.local_variables_initializer(), tf.tables_initializer()),
    )
    values = []
    with tf.train.MonitoredTrainingSession(scaffold=scaffold, config=config(tf)) as sess:
        while not sess.should_stop():
            values.append(sess.run(batched))
    return {"values": values, "ready": ready}


# ---------------------------------------------------------------- saving


@scenario
def saver_saves_without_new_warnings(tf, files):
    _, _, total, train = training(tf)
    saver = tf.train.Saver()
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        sess.run(train)
        messages = []
        logger = logging.getLogger("tensorflow")
        handler = logging.Handler()
        handler.emit = lambda record: messages.append(record.getMessage()[:80])
        logger.addHandler(handler)
        tf.logging.set_verbosity(tf.logging.WARN)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            saver.save(sess, str(files / "saved" / "model"), global_step=3)
        tf.logging.set_verbosity(tf.logging.ERROR)
        logger.removeHandler(handler)
        saver.restore(sess, str(files / "saved" / "model-3"))
        return {
            "total": sess.run(total),
            "logged": [text for text in messages if "deprecated" not in text],
            "warned": [str(one.message)[:80] for one in caught],
            "joined": join(coord, threads),
        }


@scenario
def variables_that_a_saver_saves(tf, files):
    training(tf)
    saved = sorted(variable.op.name for variable in tf.global_variables())
    return {"saved": saved, "local": sorted(v.op.name for v in tf.local_variables())}


def graph_of_a_batch(tf, batch_name="examples"):
    """A pipeline whose batch can be found again by name."""
    batched = tf.train.batch([numbers(tf, 4)], 2)
    return tf.identity(batched, name=batch_name)


@scenario
def exported_meta_graph_runs_after_the_import(tf, files):
    path = str(files / "exported.meta")
    with tf.Graph().as_default():
        graph_of_a_batch(tf)
        tf.train.export_meta_graph(path)
    with tf.Graph().as_default() as graph:
        tf.train.import_meta_graph(path)
        return drain(tf, graph.get_tensor_by_name("examples:0"))


@scenario
def exported_meta_graph_of_a_users_queue(tf, files):
    path = str(files / "exported_queue.meta")
    with tf.Graph().as_default():
        number = tf.Variable(0, trainable=False).count_up_to(6)
        queue = tf.FIFOQueue(4, [tf.int32], shapes=[[]])
        tf.train.add_queue_runner(tf.train.QueueRunner(queue, [queue.enqueue(number)]))
        tf.identity(queue.dequeue_many(3), name="examples")
        tf.train.export_meta_graph(path)
    with tf.Graph().as_default() as graph:
        tf.train.import_meta_graph(path)
        return drain(tf, graph.get_tensor_by_name("examples:0"))


@scenario
def an_imported_meta_graph_is_fed_in_place_of_its_input(tf, files):
    # inference from a training graph: nothing of the pipeline runs
    path = str(files / "fed.meta")
    with tf.Graph().as_default():
        tf.add(graph_of_a_batch(tf), 1, name="plus_one")
        tf.train.export_meta_graph(path)
    with tf.Graph().as_default() as graph:
        tf.train.import_meta_graph(path)
        with session(tf) as sess:
            feed = {graph.get_tensor_by_name("examples:0"): [7, 8]}
            return {"fed": sess.run("plus_one:0", feed)}


@scenario
def the_graph_can_be_written_down(tf, files):
    graph_of_a_batch(tf)
    graph = tf.get_default_graph()
    graph.finalize()
    size = graph.as_graph_def().ByteSize()
    writer = tf.summary.FileWriter(str(files / "graph"), graph)
    writer.close()
    return {"some": size > 0, "files": len(list((files / "graph").iterdir()))}


@scenario
def start_in_a_finalized_graph(tf, files):
    batched = graph_of_a_batch(tf)
    initializer = tf.group(tf.global_variables_initializer(), tf.local_variables_initializer())
    tf.get_default_graph().finalize()
    with session(tf) as sess:
        sess.run(initializer)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        return {**fetch(lambda: sess.run(batched), 10), "joined": join(coord, threads)}


@scenario
def a_slow_program_finds_its_batches_ready(tf, files):
    batched = tf.train.batch([numbers(tf, 6)], 2)
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        values = []
        for _ in range(3):
            time.sleep(0.05)
            values.append(sess.run(batched))
        return {"values": values, "joined": join(coord, threads)}
