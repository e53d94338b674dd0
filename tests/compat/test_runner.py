import threading

import pytest
import tensorflow as tf

import compat
from compat.record import graph_iterator

v1 = tf.compat.v1


def numbers(**kwargs):
    return compat.range_input_producer(10, shuffle=False, **kwargs).dequeue()


def start_with_compat(session):
    compat.start_queue_runners(session)


def start_with_tensorflow(session):
    v1.train.start_queue_runners(sess=session, coord=v1.train.Coordinator())


def start_without_arguments(session):
    with session.as_default():
        v1.train.start_queue_runners()


def start_by_walking_the_collection(session):
    coordinator = compat.Coordinator()
    threads = []
    for runner in v1.get_collection(v1.GraphKeys.QUEUE_RUNNERS):
        threads.extend(runner.create_threads(session, coord=coordinator, daemon=True, start=True))
    coordinator.request_stop()
    coordinator.join(threads)


def start_later(session):
    for runner in v1.get_collection(v1.GraphKeys.QUEUE_RUNNERS):
        for thread in runner.create_threads(session, daemon=True):
            thread.start()


@pytest.mark.parametrize(
    "start",
    [
        start_with_compat,
        start_with_tensorflow,
        start_without_arguments,
        start_by_walking_the_collection,
        start_later,
    ],
)
def test_every_way_of_starting(session, start):
    one, pair = numbers(), compat.batch([numbers()], 2)
    start(session)
    assert session.run(one) == 0
    assert session.run(pair).tolist() == [0, 1]


def test_a_second_start_is_ignored(session):
    number = numbers()
    for expected in range(3):
        v1.train.start_queue_runners(session)
        assert session.run(number) == expected


def test_an_interactive_session():
    session = v1.InteractiveSession()
    try:
        number = numbers()
        v1.train.start_queue_runners()
        assert number.eval() == 0
    finally:
        session.close()


def test_every_session_has_elements_of_its_own():
    number = numbers()
    for _ in range(2):
        with v1.Session() as session:
            v1.train.start_queue_runners(session)
            assert [session.run(number), session.run(number)] == [0, 1]


@pytest.mark.parametrize("init_first", [True, False])
def test_started_before_or_after_init(session, init_first):
    weight = v1.get_variable("weight", initializer=2, use_resource=False)
    number = compat.batch([numbers(num_epochs=1)], 5) * weight
    init = v1.group(v1.global_variables_initializer(), v1.local_variables_initializer())
    if init_first:
        session.run(init)
    v1.train.start_queue_runners(session)
    if not init_first:
        session.run(init)
    assert session.run(number).tolist() == [0, 2, 4, 6, 8]


def test_monitored_training_session_ends_with_the_data(tmp_path):
    v1.train.create_global_step()
    step = v1.assign_add(v1.train.get_global_step(), 1)
    result = compat.batch([numbers(num_epochs=1)], 2)
    v1.summary.scalar("mean", tf.reduce_mean(result))
    batches = []
    with v1.train.MonitoredTrainingSession(
        checkpoint_dir=str(tmp_path), save_summaries_steps=1, save_checkpoint_secs=1
    ) as session:
        while not session.should_stop():
            batches.append(session.run([result, step])[0].tolist())
    assert batches == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]


def test_reading_without_runners_fails_and_names_the_call_and_the_line(session):
    number = compat.range_input_producer(3).dequeue()
    line = test_reading_without_runners_fails_and_names_the_call_and_the_line.__code__
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        session.run(number)
    message = str(caught.value)
    assert "tf.train.start_queue_runners" in message
    assert f"test_runner.py:{line.co_firstlineno + 1}" in message


def test_a_read_waits_for_a_start_in_another_thread(session):
    result = compat.batch([numbers()], 2)
    reading = threading.Event()

    def start():
        reading.wait()
        with session.graph.as_default():
            v1.train.start_queue_runners(session)

    thread = threading.Thread(target=start)
    thread.start()
    reading.set()
    assert session.run(result).tolist() == [0, 1]
    thread.join()


def test_a_read_is_patient_while_a_slow_start_is_under_way(session, monkeypatch):
    monkeypatch.setattr(graph_iterator, "_START_TIMEOUT_SECONDS", 0.1)
    number = numbers()
    (runner,) = v1.get_collection(v1.GraphKeys.QUEUE_RUNNERS)
    under_way, go_on = threading.Event(), threading.Event()

    class SlowSession:
        graph = session.graph

        def run(self, fetches):
            if fetches == [source.start for source in runner._sources]:
                under_way.set()
                go_on.wait()
            return session.run(fetches)

    starting = threading.Thread(
        target=runner.create_threads, args=(SlowSession(),), kwargs={"start": True}
    )
    starting.start()
    under_way.wait()
    delivered = []
    reading = threading.Thread(target=lambda: delivered.append(session.run(number)))
    reading.start()
    reading.join(1.0)  # ten times as long as it would wait for a start that nobody is about to make
    go_on.set()
    reading.join()
    starting.join()
    assert delivered == [0]


def batch_that_cannot_start():
    """There is no string to deliver, which shows only when it runs."""
    names = compat.string_input_producer(tf.constant([], tf.string))
    return compat.batch([compat.WholeFileReader().read(names)[1]], 2)


def test_an_error_while_starting_reaches_the_coordinator(session):
    result = batch_that_cannot_start()
    coordinator = compat.Coordinator()
    v1.train.start_queue_runners(session, coordinator)
    with pytest.raises(tf.errors.OutOfRangeError):
        session.run(result)
    with pytest.raises(tf.errors.InvalidArgumentError, match="requires a non-null input tensor"):
        coordinator.join()


def test_an_error_while_starting_is_raised_where_there_is_no_coordinator(session):
    batch_that_cannot_start()
    with pytest.raises(tf.errors.InvalidArgumentError, match="requires a non-null input tensor"):
        v1.train.start_queue_runners(session)


def test_runners_are_queue_runners_for_everybody():
    compat.batch([numbers()], 2)
    runners = v1.get_collection(v1.GraphKeys.QUEUE_RUNNERS)
    assert len(runners) == 2
    assert all(isinstance(runner, compat.QueueRunner) for runner in runners)
    assert runners[0].queue.name == "input_producer"


def test_an_exported_graph_runs_elsewhere(tmp_path, monkeypatch):
    # TensorFlow's own runner cannot say that a start is under way, which may take a while.
    monkeypatch.setattr(graph_iterator, "_START_TIMEOUT_SECONDS", 100.0)
    path = str(tmp_path / "graph.meta")
    name = compat.batch([numbers(num_epochs=1) * 2], 5).name
    v1.train.export_meta_graph(path)
    with tf.Graph().as_default(), v1.Session() as session:
        v1.train.import_meta_graph(path)
        coordinator = compat.Coordinator()
        threads = v1.train.start_queue_runners(session, coordinator)
        assert session.run(name).tolist() == [0, 2, 4, 6, 8]
        assert session.run(name).tolist() == [10, 12, 14, 16, 18]
        with pytest.raises(tf.errors.OutOfRangeError):
            session.run(name)
        coordinator.request_stop()
        coordinator.join(threads)


def test_a_graph_that_depends_on_a_batch_can_be_frozen(session):
    weight = v1.get_variable("weight", initializer=[2], use_resource=False)
    result = tf.identity(compat.batch([numbers()], 2) * weight, name="result")
    session.run(v1.global_variables_initializer())
    graph_def = v1.graph_util.convert_variables_to_constants(
        session, session.graph_def, [result.op.name]
    )
    assert not [node.op for node in graph_def.node if node.op.startswith("Var")]


def test_saver_does_not_warn(session, tmp_path, caplog):
    v1.get_variable("weight", initializer=2)
    compat.batch([numbers()], 2)
    session.run(v1.global_variables_initializer())
    v1.train.Saver().save(session, str(tmp_path / "model"))
    assert not [record for record in caplog.records if "serializ" in record.getMessage()]


def test_supervisors_summaries_may_read_before_the_runners_start(tmp_path):
    v1.summary.scalar("number", numbers())
    number = numbers()
    supervisor = v1.train.Supervisor(logdir=str(tmp_path), save_summaries_secs=1)
    # An error in the summary thread would be raised at the end of this block.
    with supervisor.managed_session() as session:
        assert [session.run(number), session.run(number)] == [0, 1]
