import threading
import warnings

import pytest
import tensorflow as tf

import compat
from compat.report import Report
from compat.settings import settings

v1 = tf.compat.v1


@pytest.fixture
def strict(monkeypatch):
    monkeypatch.setattr(settings, "strict", True)


@pytest.fixture
def report(monkeypatch):
    monkeypatch.setattr(settings, "report", Report())
    return settings.report


def test_a_programs_own_queue_warns_once_and_names_its_line():
    with pytest.warns(compat.QueueFallbackWarning) as caught:
        compat.FIFOQueue(3, [tf.int32], [[]])
    assert len(caught) == 1
    assert "test_queues.py:" in str(caught[0].message)
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    "make",
    [
        lambda: compat.FIFOQueue(10, [tf.int32], [[]]),
        lambda: compat.RandomShuffleQueue(10, 2, [tf.int32], [[]]),
        lambda: compat.PaddingFIFOQueue(10, [tf.int32], [[None]]),
        lambda: compat.PriorityQueue(10, [tf.int32], [[]]),
    ],
)
def test_queues_are_tensorflows(make):
    with pytest.warns(compat.QueueFallbackWarning):
        queue = make()
    assert isinstance(queue, tf.queue.QueueBase)


def test_a_queue_runner_on_a_programs_own_queue(session):
    with pytest.warns(compat.QueueFallbackWarning):
        queue = compat.RandomShuffleQueue(20, 2, [tf.int32], [[]])
    enqueue = queue.enqueue([compat.range_input_producer(12, num_epochs=1).dequeue()])
    compat.add_queue_runner(compat.QueueRunner(queue, [enqueue] * 4))
    element = queue.dequeue()
    coordinator = compat.Coordinator()
    threads = compat.start_queue_runners(session, coordinator)
    delivered = []
    with pytest.raises(tf.errors.OutOfRangeError):
        while True:
            delivered.append(int(session.run(element)))
    assert sorted(delivered) == list(range(12))
    coordinator.request_stop()
    coordinator.join(threads)


def test_a_programs_own_enqueueing_thread_and_a_batch(session):
    with pytest.warns(compat.QueueFallbackWarning) as caught:
        queue = compat.FIFOQueue(5, [tf.int32], [[]])
        placeholder = v1.placeholder(tf.int32, [])
        enqueue = queue.enqueue([placeholder])
        pair = compat.batch([queue.dequeue() + 1], 2)
    assert "takes from a queue of the program's own" in str(caught[1].message)
    close = queue.close()

    def feed():
        for number in range(4):
            session.run(enqueue, {placeholder: number})
        session.run(close)

    thread = threading.Thread(target=feed)
    thread.start()
    coordinator = compat.Coordinator()
    threads = compat.start_queue_runners(session, coordinator)
    assert [session.run(pair).tolist(), session.run(pair).tolist()] == [[1, 2], [3, 4]]
    with pytest.raises(tf.errors.OutOfRangeError):
        session.run(pair)
    thread.join()
    coordinator.request_stop()
    coordinator.join(threads)


def test_a_real_queue_and_a_batch_share_a_source(session):
    number = compat.range_input_producer(30, num_epochs=1, shuffle=False).dequeue()
    with pytest.warns(compat.QueueFallbackWarning):
        queue = compat.FIFOQueue(3, [tf.int32], [[]])
    compat.add_queue_runner(compat.QueueRunner(queue, [queue.enqueue([number])]))
    fetches = [queue.dequeue(), compat.batch([number], 1)[0]]
    compat.start_queue_runners(session)
    delivered = []
    with pytest.raises(tf.errors.OutOfRangeError):
        while True:
            delivered.extend(int(value) for value in session.run(fetches))
    assert len(set(delivered)) == len(delivered)


def test_a_placeholder_cannot_be_fed_to_a_dataset():
    with pytest.warns(compat.QueueFallbackWarning, match="placeholder"):
        compat.batch([v1.placeholder(tf.int32, [])], 2)


def test_strict_raises_at_the_users_line(strict):
    with pytest.raises(compat.QueueFallbackError, match=r"test_queues\.py:\d+ .* makes this queue"):
        compat.FIFOQueue(3, [tf.int32], [[]])


def test_strict_is_silent_on_datasets(strict):
    with warnings.catch_warnings():
        warnings.simplefilter("error", compat.QueueFallbackWarning)
        compat.batch([compat.range_input_producer(3).dequeue()], 2)


@pytest.mark.parametrize("engine", ["datasets", "queues"])
def test_the_report_lists_pipelines_and_counts_elements(session, report, monkeypatch, engine):
    monkeypatch.setattr(settings, "engine", engine)
    number = compat.range_input_producer(7, num_epochs=1, shuffle=False).dequeue()
    result = compat.batch([number * 2], 2, allow_smaller_final_batch=True)
    alone = compat.string_input_producer(["a", "b"], num_epochs=1).dequeue()
    session.run(v1.local_variables_initializer())
    compat.start_queue_runners(session)
    with pytest.raises(tf.errors.OutOfRangeError):
        while True:
            session.run(result)
    session.run([alone])
    listed = report.as_dict()["pipelines"]
    assert [row["name"] for row in listed] == ["batch", "string_input_producer"]
    assert [row["engine"] for row in listed] == [
        engine.rstrip("s") if engine == "queues" else engine
    ] * 2
    assert [row["elements"] for row in listed] == [7, 1]
    assert all("test_queues.py:" in row["line"] for row in listed)
    assert bool(listed[0]["stages"]) == (engine == "datasets")


def test_a_real_queue_takes_sparse_tensors_from_the_running_iterator(session):
    number = compat.range_input_producer(6, num_epochs=1, shuffle=False).dequeue()
    sparse = tf.SparseTensor([[0, 0]], tf.reshape(number, [1]), [1, 1])
    with pytest.warns(compat.QueueFallbackWarning):
        queue = compat.FIFOQueue(6, [tf.int32], [[]])
    # The queue takes the numbers through the components of a SparseTensor.
    compat.add_queue_runner(compat.QueueRunner(queue, [queue.enqueue([sparse.values[0]])]))
    both = [compat.batch([number], 1), queue.dequeue()]
    compat.start_queue_runners(session)
    delivered = []
    with pytest.raises(tf.errors.OutOfRangeError):
        while True:
            delivered.extend(int(value) for value in session.run(both))
    assert len(set(delivered)) == len(delivered)
