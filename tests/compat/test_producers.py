import concurrent.futures
import itertools

import numpy as np
import pytest
import tensorflow as tf

import compat

v1 = tf.compat.v1


# Recorded under TensorFlow 1.15.5: three epochs of "abcdef", two producers in one graph.
@pytest.mark.parametrize(
    ("graph_seed", "seed", "first", "second"),
    [
        (None, 7, "dabecfceabfdeafbcd", "dabecfceabfdeafbcd"),
        (3, None, "cfbdaefcdeabfdeacb", "fdecabacdfbefdaebc"),
        (3, 7, "ecdbaffabecdfcabde", "ecdbaffabecdfcabde"),
    ],
)
def test_seeded_orders_are_those_of_tf1(session, graph_seed, seed, first, second):
    if graph_seed is not None:
        v1.set_random_seed(graph_seed)
    queues = [
        compat.string_input_producer(list("abcdef"), num_epochs=3, seed=seed) for _ in range(2)
    ]
    elements = [queue.dequeue() for queue in queues]
    v1.train.start_queue_runners(session)
    orders = [b"".join(session.run(element) for _ in range(18)).decode() for element in elements]
    assert orders == [first, second]


def test_graph_seed_counts_a_models_ops_as_tf1_did(session):
    # Recorded under TensorFlow 1.15.5, where the seed of an op was the graph's number of ops.
    v1.set_random_seed(11)
    first = compat.range_input_producer(8, num_epochs=1).dequeue()
    tf.constant(1.0) + tf.constant(2.0)
    second = compat.range_input_producer(8, num_epochs=1).dequeue()
    v1.train.start_queue_runners(session)
    orders = [[int(session.run(op)) for _ in range(8)] for op in (first, second)]
    assert orders == [[3, 0, 7, 2, 4, 5, 1, 6], [3, 6, 1, 0, 7, 5, 2, 4]]


def test_graph_seed_counts_readers_and_dequeues_as_tf1_did(session):
    # Recorded under TensorFlow 1.15.5; each of these calls adds more ops here than it did there.
    v1.set_random_seed(3)
    queue = compat.string_input_producer(list("abcdef"), num_epochs=2)
    queue.dequeue()
    queue.dequeue_many(2)
    queue.dequeue_up_to(2)
    queue.close()
    compat.WholeFileReader()
    compat.WholeFileReader().read(queue)
    queue.dequeue_many(tf.constant(2))
    element = compat.range_input_producer(6, num_epochs=1).dequeue()
    v1.train.start_queue_runners(session)
    assert [int(session.run(element)) for _ in range(6)] == [2, 0, 4, 1, 3, 5]


def test_shuffles_within_each_epoch(run_to_end):
    element = compat.string_input_producer(list("abcdefgh"), num_epochs=20).dequeue()
    delivered = run_to_end(element)
    epochs = [tuple(delivered[start : start + 8]) for start in range(0, 160, 8)]
    assert len(delivered) == 160
    assert all(sorted(epoch) == sorted(epochs[0]) for epoch in epochs)
    assert len(set(epochs)) > 1


def test_without_epochs_goes_round_for_ever(session):
    element = compat.range_input_producer(3, shuffle=False).dequeue()
    v1.train.start_queue_runners(session)
    assert [int(session.run(element)) for _ in range(10)] == [0, 1, 2, 0, 1, 2, 0, 1, 2, 0]


def test_all_dequeue_ops_share_the_elements(run_to_end):
    queue = compat.range_input_producer(7, num_epochs=1, shuffle=False)
    fetches = [queue.dequeue(), queue.dequeue(), queue.dequeue_many(2)]
    delivered = run_to_end(fetches)
    taken = [int(value) for one, two, many in delivered for value in (one, two, *many)]
    assert sorted(taken) == list(range(4))


def test_dequeue_many_beside_dequeue_reads_nothing_ahead(session):
    queue = compat.range_input_producer(9, num_epochs=1, shuffle=False)
    one, many = queue.dequeue(), queue.dequeue_many(2)
    v1.train.start_queue_runners(session)
    delivered = []
    for _ in range(3):
        delivered.append(int(session.run(one)))
        delivered.extend(int(value) for value in session.run(many))
    assert delivered == list(range(9))


def test_dequeue_many_above_the_capacity(run_to_end):
    many = compat.range_input_producer(100, num_epochs=1, shuffle=False, capacity=4).dequeue_many(
        50
    )
    assert many.shape.as_list() == [50]
    assert np.concatenate(run_to_end(many)).tolist() == list(range(100))


def test_dequeue_many_of_a_number_known_when_it_runs(session):
    number = v1.placeholder(tf.int32, [])
    many = compat.range_input_producer(5, shuffle=False).dequeue_many(number)
    v1.train.start_queue_runners(session)
    assert session.run(many, {number: 3}).tolist() == [0, 1, 2]
    assert session.run(many, {number: 4}).tolist() == [3, 4, 0, 1]


def test_dequeue_many_of_such_a_number_says_that_nothing_was_started(session):
    number = v1.placeholder(tf.int32, [])
    many = compat.range_input_producer(5, shuffle=False).dequeue_many(number)
    with pytest.raises(tf.errors.InvalidArgumentError, match="start_queue_runners"):
        session.run(many, {number: 3})


def test_dequeue_up_to_delivers_the_rest(run_to_end):
    some = compat.range_input_producer(5, num_epochs=1, shuffle=False).dequeue_up_to(3)
    assert some.shape.as_list() == [None]
    assert [values.tolist() for values in run_to_end(some)] == [[0, 1, 2], [3, 4]]


def test_close_ends_after_the_epoch_under_way(session):
    queue = compat.range_input_producer(4, shuffle=False)
    element, close = queue.dequeue(), queue.close()
    v1.train.start_queue_runners(session)
    delivered = [int(session.run(element))]
    session.run(close)
    with pytest.raises(tf.errors.OutOfRangeError):
        for _ in range(100):
            delivered.append(int(session.run(element)))
    assert delivered == [0, 1, 2, 3]


def test_has_the_attributes_of_a_queue():
    queue = compat.string_input_producer(["a"], name="names")
    assert queue.name == "names"
    assert queue.dtypes == [tf.string]
    assert [shape.as_list() for shape in queue.shapes] == [[]]


def test_queue_ref_is_a_real_queue(session):
    queue = compat.string_input_producer(["a", "b"], num_epochs=1, shuffle=False)
    with pytest.warns(compat.QueueFallbackWarning, match="queue_ref"):
        handle = queue.queue_ref
    element = tf.raw_ops.QueueDequeueV2(handle=handle, component_types=[tf.string])[0]
    coordinator = compat.Coordinator()
    v1.train.start_queue_runners(session, coordinator)
    assert [session.run(element), session.run(element)] == [b"a", b"b"]
    with pytest.raises(tf.errors.OutOfRangeError):
        session.run(element)
    coordinator.request_stop()
    coordinator.join()


def test_the_tensor_is_computed_anew_for_every_epoch(run_to_end):
    counter = v1.get_variable("counter", initializer=0, use_resource=False)
    with tf.control_dependencies([v1.assign_add(counter, 1)]):
        names = tf.strings.as_string(tf.stack([counter.read_value(), counter.read_value()]))
    element = compat.string_input_producer(names, num_epochs=3, shuffle=False).dequeue()
    session = v1.get_default_session()
    session.run(counter.initializer)
    assert run_to_end(element) == [b"1", b"1", b"2", b"2", b"3", b"3"]


@pytest.mark.parametrize("empty", [[], np.array([], dtype=str)])
def test_an_empty_list_is_an_error_at_once(empty):
    with pytest.raises(ValueError, match="string_input_producer requires a non-null input"):
        compat.string_input_producer(empty)


def test_an_empty_tensor_is_an_error_of_the_start(session):
    names = tf.constant([], tf.string)
    element = compat.string_input_producer(names).dequeue()
    coordinator = compat.Coordinator()
    v1.train.start_queue_runners(session, coordinator)
    with pytest.raises(tf.errors.OutOfRangeError):
        session.run(element)
    with pytest.raises(tf.errors.InvalidArgumentError, match="non-null input tensor"):
        coordinator.join()


@pytest.mark.parametrize("num_epochs", [0, -1])
def test_num_epochs_must_be_positive(num_epochs):
    with pytest.raises(ValueError, match=f"num_epochs must be > 0 not {num_epochs}"):
        compat.range_input_producer(3, num_epochs=num_epochs)


def test_needs_a_graph():
    def call():
        with pytest.raises(RuntimeError, match="disable_v2_behavior"):
            compat.string_input_producer(["a"])
        return True

    # A new thread has no default graph.
    with concurrent.futures.ThreadPoolExecutor() as executor:
        assert executor.submit(call).result()


def test_local_variables_initializer_after_the_start_does_no_harm(run_to_end, session):
    element = compat.range_input_producer(3, num_epochs=2, shuffle=False).dequeue()
    v1.train.start_queue_runners(session)
    assert session.run(element) == 0
    session.run(v1.local_variables_initializer())
    assert run_to_end(element) == [1, 2, 0, 1, 2]
    assert session.run(v1.local_variables()) == [2]


def test_a_batch_does_not_depend_on_the_counter_of_epochs():
    batch = compat.batch(compat.slice_input_producer([[1, 2, 3]], num_epochs=2), 2)
    graph_def = tf.compat.v1.graph_util.extract_sub_graph(
        tf.compat.v1.get_default_graph().as_graph_def(), [batch.op.name]
    )
    assert [variable.op.name for variable in v1.local_variables()] == [
        "input_producer/input_producer/limit_epochs/epochs"
    ]
    assert not [node.name for node in graph_def.node if "Var" in node.op]


@pytest.mark.parametrize("fed", [False, True])
def test_threads_that_dequeue_one_and_many_get_every_element_once(session, fed):
    queue = compat.range_input_producer(101, num_epochs=3)
    number = v1.placeholder_with_default(tf.constant(7), [])
    fetches = [queue.dequeue(), queue.dequeue_many(number if fed else 7)] * 2
    v1.train.start_queue_runners(session)

    def drain(fetch):
        taken = []
        with pytest.raises(tf.errors.OutOfRangeError):
            while True:
                taken.extend(np.atleast_1d(session.run(fetch)).tolist())
        return taken

    with concurrent.futures.ThreadPoolExecutor() as executor:
        taken = list(itertools.chain.from_iterable(executor.map(drain, fetches)))
    taken += drain(fetches[0])  # what the last dequeue_many put back when all others had ended
    assert sorted(taken) == sorted(list(range(101)) * 3)


def test_a_batch_of_what_a_fed_number_takes(run_to_end):
    number = v1.placeholder_with_default(tf.constant(3), [])
    taken = compat.range_input_producer(10, num_epochs=1, shuffle=False).dequeue_many(number)
    batch = compat.batch([taken * 2], 4, enqueue_many=True, allow_smaller_final_batch=True)
    assert [values.tolist() for values in run_to_end(batch)] == [
        [0, 2, 4, 6],
        [8, 10, 12, 14],
        [16],
    ]


def test_a_producer_over_a_placeholder_is_a_queue():
    with pytest.warns(compat.QueueFallbackWarning, match="placeholder"):
        compat.input_producer(v1.placeholder(tf.float32, [3, 2]))


def test_a_program_may_enqueue_elements_of_its_own(session):
    queue = compat.range_input_producer(3, num_epochs=1, shuffle=False)
    element = queue.dequeue()
    one, two = queue.enqueue(7), queue.enqueue_many([[8, 9]])
    compat.start_queue_runners(session)
    delivered = [session.run(element)]
    session.run(one)
    delivered += [session.run(element), session.run(element), session.run(element)]
    session.run(two)
    delivered += [session.run(element), session.run(element)]
    assert sorted(delivered) == [0, 1, 2, 7, 8, 9]
    with pytest.raises(tf.errors.OutOfRangeError):
        session.run(element)
    with pytest.raises(TypeError):
        queue.enqueue("seven")
