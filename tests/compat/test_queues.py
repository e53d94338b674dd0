import inspect
import threading
import warnings

import pytest
import tensorflow as tf

import compat
from compat.record.source import graph_state
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
    queue = compat.FIFOQueue(3, [tf.int32], [[]])
    line = inspect.currentframe().f_lineno - 1
    with pytest.warns(compat.QueueFallbackWarning) as caught:
        queue.dequeue()
        queue.dequeue_many(2)
    assert len(caught) == 1
    assert caught[0].lineno == line
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
    assert isinstance(make(), tf.queue.QueueBase)


def test_a_queue_runner_on_a_programs_own_queue(session):
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
    queue = compat.FIFOQueue(3, [tf.int32], [[]])
    compat.add_queue_runner(compat.QueueRunner(queue, [queue.enqueue([number])]))
    queue.enqueue([-1])  # this one no runner runs
    with pytest.warns(compat.QueueFallbackWarning, match="fills it itself"):
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
        compat.FIFOQueue(3, [tf.int32], [[]]).dequeue()


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
    queue = compat.FIFOQueue(6, [tf.int32], [[]])
    # The queue takes the numbers through the components of a SparseTensor.
    compat.add_queue_runner(compat.QueueRunner(queue, [queue.enqueue([sparse.values[0]])]))
    queue.enqueue([-1])  # this one no runner runs
    with pytest.warns(compat.QueueFallbackWarning, match="fills it itself"):
        both = [compat.batch([number], 1), queue.dequeue()]
    compat.start_queue_runners(session)
    delivered = []
    with pytest.raises(tf.errors.OutOfRangeError):
        while True:
            batched, single = session.run(both)
            delivered += [*batched, single]
    assert len(set(delivered)) == len(delivered)


def numbers(count=12):
    return compat.range_input_producer(count, num_epochs=1, shuffle=False).dequeue()


@pytest.mark.parametrize("kind", ["fifo", "shuffle"])
def test_a_queue_that_only_recorded_pipelines_fill_is_a_dataset(session, strict, report, kind):
    if kind == "fifo":
        queue = compat.FIFOQueue(5, [tf.int32])  # TF1's programs often gave no shapes
    else:
        queue = compat.RandomShuffleQueue(9, 4, [tf.int32], [[]], seed=1)
    compat.add_queue_runner(compat.QueueRunner(queue, [queue.enqueue([numbers() + 1])] * 2))
    element = queue.dequeue()
    element.set_shape([])
    result = compat.batch([element * 10], 4)
    coordinator = compat.Coordinator()
    threads = compat.start_queue_runners(session, coordinator)
    delivered = [session.run(result).tolist() for _ in range(3)]
    with pytest.raises(tf.errors.OutOfRangeError):
        session.run(result)
    coordinator.request_stop()
    coordinator.join(threads)
    values = [value for batch in delivered for value in batch]
    assert sorted(values) == [10 * number for number in range(1, 13)]
    assert (values == sorted(values)) == (kind == "fifo")
    assert [row["engine"] for row in report.as_dict()["pipelines"]] == ["datasets"]


def test_a_queue_that_is_a_dataset_has_a_queues_methods(session, strict):
    queue = compat.FIFOQueue(5, [tf.int32, tf.string], [[], [2]])
    pairs = [numbers(), tf.constant(["a", "b"])]
    compat.add_queue_runner(compat.QueueRunner(queue, [queue.enqueue(pairs)]))
    size, close = queue.size(), queue.close()
    number = v1.placeholder(tf.int32, [])
    one, two, some = queue.dequeue(), queue.dequeue_many(2), queue.dequeue_up_to(number)
    assert session.run(size) == 0
    compat.start_queue_runners(session)
    assert session.run(size) == 5
    assert session.run(one)[0] == 0
    assert [part.tolist() for part in session.run(two)] == [[1, 2], [[b"a", b"b"]] * 2]
    assert session.run(some, {number: 3})[0].tolist() == [3, 4, 5]
    session.run(close)
    with pytest.raises(tf.errors.OutOfRangeError):
        for _ in range(12):
            session.run(one)
    with pytest.raises(RuntimeError, match="comes after the first dequeue"):
        queue.enqueue(pairs)


def test_a_runner_of_such_a_queue_may_be_started_by_hand(session, strict):
    queue = compat.FIFOQueue(5, [tf.int32], [[]])
    runner = compat.QueueRunner(queue, [queue.enqueue([numbers(3)])])
    compat.add_queue_runner(runner)
    element = queue.dequeue()
    v1.train.start_queue_runners(session)
    runner.create_threads(session, start=True)  # a second start does nothing, as in TF1
    assert [session.run(element) for _ in range(3)] == [0, 1, 2]


def test_many_enqueued_at_a_time_are_elements(run_to_end, strict):
    queue = compat.FIFOQueue(5, [tf.int32], [[]])
    enqueues = [queue.enqueue_many([tf.stack([numbers(2) + start] * 2)]) for start in (0, 10)]
    compat.add_queue_runner(compat.QueueRunner(queue, enqueues))
    assert sorted(run_to_end(queue.dequeue())) == [0, 0, 1, 1, 10, 10, 11, 11]


@pytest.mark.parametrize(
    ("fill", "reason"),
    [
        (lambda queue: None, "fills it itself"),
        (lambda queue: [queue.enqueue([0])], "fills it itself"),
        (lambda queue: [queue.enqueue([v1.placeholder(tf.int32, [])])], "is a placeholder"),
        (
            lambda queue: [queue.enqueue([numbers()]), queue.enqueue_many([[numbers()]])],
            "one by one and by many",
        ),
        (lambda queue: [waiting(queue)], "waits for others"),
    ],
)
def test_any_other_queue_stays_one_and_says_why(fill, reason):
    queue = compat.FIFOQueue(5, [tf.int32], [[]])
    enqueues = fill(queue)
    if enqueues:
        compat.add_queue_runner(compat.QueueRunner(queue, enqueues))
    with pytest.warns(compat.QueueFallbackWarning, match=reason):
        queue.dequeue()


def waiting(queue):
    number = numbers()
    with tf.control_dependencies([tf.no_op()]):
        return queue.enqueue([number])


@pytest.mark.parametrize("engine", ["datasets", "queues"])
def test_what_comes_after_a_queue_has_the_same_order(session, monkeypatch, engine):
    # With a seed of the graph alone an op's own one is the number of ops before it.
    monkeypatch.setattr(settings, "engine", engine)
    v1.set_random_seed(1)
    queue = compat.FIFOQueue(5, [tf.int32], [[]])
    number = numbers()
    before = operations_of_tf1()
    compat.add_queue_runner(compat.QueueRunner(queue, [queue.enqueue([number])]))
    with tf.control_dependencies([tf.constant(0)]):
        queue.dequeue()
    # enqueue, two closes, a constant, dequeue
    assert operations_of_tf1() - before == 5


def operations_of_tf1():
    operations = v1.get_default_graph().get_operations()
    return len(operations) - graph_state().surplus_operations
