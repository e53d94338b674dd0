import inspect

import numpy as np
import pytest
import tensorflow as tf

import compat

v1 = tf.compat.v1


def numbers(limit=10, num_epochs=1, shuffle=False):
    return compat.range_input_producer(limit, num_epochs=num_epochs, shuffle=shuffle).dequeue()


@pytest.mark.parametrize("function", ["batch", "shuffle_batch"])
def test_signature_is_that_of_tf1(function):
    ours, theirs = getattr(compat, function), getattr(v1.train, function)
    names = [parameter.name for parameter in inspect.signature(theirs).parameters.values()]
    assert [parameter.name for parameter in inspect.signature(ours).parameters.values()] == names
    assert [p.default for p in inspect.signature(ours).parameters.values()] == [
        p.default for p in inspect.signature(theirs).parameters.values()
    ]


@pytest.mark.parametrize(
    ("make", "unpack"),
    [
        (lambda x, y: [x, y], lambda out: out),
        (lambda x, y: (x, y), lambda out: out),
        (lambda x, y: {"x": x, "y": y}, lambda out: [out["x"], out["y"]]),
        (lambda x, y: [x], lambda out: [out]),
        (lambda x, y: x, lambda out: [out]),
    ],
)
def test_returns_the_structure_it_was_given(run_to_end, make, unpack):
    number = numbers(6)
    result = compat.batch(make(number, tf.cast(number, tf.float32) / 2), 3)
    tensors = unpack(result)
    assert all(isinstance(tensor, tf.Tensor) for tensor in tensors)
    assert all(tensor.shape.as_list() == [3] for tensor in tensors)
    delivered = run_to_end(tensors)
    assert np.concatenate([values[0] for values in delivered]).tolist() == list(range(6))
    if len(tensors) == 2:
        assert delivered[1][1].tolist() == [1.5, 2.0, 2.5]


def test_the_result_is_an_iterators_next_element_with_tf1s_name():
    first, second = compat.batch([numbers(), tf.constant(1)], 2, name="training")
    assert (first.name, second.name) == ("training:0", "training:1")
    assert first.op.type == "IteratorGetNext"
    assert first.op.inputs[0].op.type == "IteratorV2"


def test_no_queue_is_made():
    compat.shuffle_batch([numbers()], 2, capacity=9, min_after_dequeue=3)
    types = {operation.type for operation in tf.compat.v1.get_default_graph().get_operations()}
    assert not [name for name in types if "Queue" in name]


@pytest.mark.parametrize(
    ("allow_smaller_final_batch", "sizes", "shape"),
    [(False, [4, 4], [4]), (True, [4, 4, 2], [None])],
)
def test_last_batch(run_to_end, allow_smaller_final_batch, sizes, shape):
    result = compat.batch([numbers(10)], 4, allow_smaller_final_batch=allow_smaller_final_batch)
    assert result.shape.as_list() == shape
    assert [len(values) for values in run_to_end(result)] == sizes


def test_enqueue_many_delivers_rows(run_to_end):
    row = tf.stack([numbers(4), tf.constant(-1)])
    result = compat.batch([row, row * 10], 3, enqueue_many=True, allow_smaller_final_batch=True)
    delivered = run_to_end(result)
    assert np.concatenate([values[0] for values in delivered]).tolist() == [
        0, -1, 1, -1, 2, -1, 3, -1,
    ]  # fmt: skip
    assert np.concatenate([values[1] for values in delivered])[2] == 10


def test_shapes_are_checked_against_the_elements(session):
    value = tf.py_function(lambda: np.zeros([3], np.float32), [], tf.float32)
    result = compat.batch([value], 2, shapes=[[2]])
    assert result.shape.as_list() == [2, 2]
    v1.train.start_queue_runners(session)
    with pytest.raises(tf.errors.OpError, match=r"\[3\].*\[2\]|\[2\].*\[3\]"):
        session.run(result)


def test_an_unknown_shape_is_tf1s_error():
    value = v1.py_func(lambda: np.float32(0), [], tf.float32)
    with pytest.raises(ValueError, match="Cannot infer Tensor's rank|must be fully defined"):
        compat.batch([value], 2)
    value.set_shape([])
    assert compat.batch([value], 2).shape.as_list() == [2]


def test_no_tensors_is_tf1s_error():
    with pytest.raises(ValueError, match="Expected at least one tensor"):
        compat.batch([], 2)


def test_capacity_must_leave_room():
    with pytest.raises(ValueError, match="capacity 5 must be bigger than min_after_dequeue 5"):
        compat.shuffle_batch([numbers()], 2, capacity=5, min_after_dequeue=5)


def test_shuffle_batch_delivers_every_element_once_per_epoch(run_to_end):
    result = compat.shuffle_batch(
        [numbers(50, num_epochs=2)], 10, capacity=40, min_after_dequeue=30, seed=1
    )
    delivered = np.concatenate(run_to_end(result))
    assert sorted(delivered.tolist()) == sorted(list(range(50)) * 2)
    assert delivered.tolist() != sorted(delivered.tolist())


def test_shuffle_batch_with_a_seed_is_repeatable():
    orders = []
    for _ in range(2):
        with tf.Graph().as_default(), v1.Session() as session:
            result = compat.shuffle_batch([numbers(50)], 50, 40, 30, seed=1)
            v1.train.start_queue_runners(session)
            orders.append(session.run(result).tolist())
    assert orders[0] == orders[1]


def test_fewer_elements_than_min_after_dequeue_are_delivered(run_to_end):
    result = compat.shuffle_batch([numbers(6)], 3, capacity=100, min_after_dequeue=50)
    assert sorted(np.concatenate(run_to_end(result)).tolist()) == list(range(6))


def test_two_producers_go_in_step(run_to_end):
    pair = compat.batch([numbers(5), numbers(3) * 10], 1)
    assert [(int(a[0]), int(b[0])) for a, b in run_to_end(pair)] == [(0, 0), (1, 10), (2, 20)]


def test_two_batches_share_the_elements(run_to_end):
    number = numbers(40)
    pair = [compat.batch([number], 2), compat.batch([number], 3)]
    delivered = [int(value) for batches in run_to_end(pair) for part in batches for value in part]
    assert len(set(delivered)) == len(delivered) >= 5


def test_one_of_two_batches_alone_gets_the_rest(session):
    number = numbers(200)
    one, _ = compat.batch([number], 2, capacity=4), compat.batch([number], 2, capacity=4)
    v1.train.start_queue_runners(session)
    delivered = []
    with pytest.raises(tf.errors.OutOfRangeError):
        while True:
            delivered.extend(session.run(one).tolist())
    # What the other has read ahead of its own use is all that may be missing.
    assert len(delivered) >= 200 - (4 + 2 + 1) - 1


def test_preprocessing_is_run_for_every_element(run_to_end):
    number = numbers(8)
    noise = tf.random.uniform([])
    with tf.control_dependencies([v1.Assert(number < 100, [number])]):
        value = v1.cond(tf.equal(number % 2, 0), lambda: number * 10, lambda: number)
    table = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(tf.range(8), tf.range(8) + 100), -1
    )
    v1.get_default_session().run(v1.tables_initializer())
    values, noises, looked_up = compat.batch([value, noise, table.lookup(number)], 8)
    delivered = run_to_end([values, noises, looked_up])
    assert delivered[0][0].tolist() == [0, 1, 20, 3, 40, 5, 60, 7]
    assert len(set(delivered[0][1].tolist())) == 8
    assert delivered[0][2].tolist() == list(range(100, 108))


@pytest.mark.parametrize("use_resource", [False, True])
def test_variables_are_read_live(session, use_resource):
    offset = v1.get_variable("offset", initializer=0, use_resource=use_resource)
    result = compat.batch([numbers(100, num_epochs=None) * 0 + offset.read_value()], 1, capacity=1)
    session.run(offset.initializer)
    v1.train.start_queue_runners(session)
    assert session.run(result).tolist() == [0]
    session.run(offset.assign(5))
    assert any(session.run(result).tolist() == [5] for _ in range(200))


def test_random_ops_with_one_seed_draw_alike(run_to_end):
    number = numbers(500)
    twins = [tf.random.uniform([], seed=4) for _ in range(2)]
    pairs = compat.batch([number, *twins], 50, num_threads=4)
    for _, one, other in run_to_end(pairs):
        assert one.tolist() == other.tolist()


def test_an_error_names_the_file(session, tmp_path):
    path = tmp_path / "not_an_image.jpg"
    path.write_text("no image")
    _, content = compat.WholeFileReader().read(compat.string_input_producer([str(path)]))
    image = tf.image.resize(tf.image.decode_jpeg(content, channels=3), [4, 4])
    result = compat.batch([image], 1)
    v1.train.start_queue_runners(session)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"not_an_image\.jpg") as caught:
        session.run(result)
    assert "Unknown image file format" in str(caught.value)


class Counter:
    """A Python function with a side effect that can be seen: how often it was called."""

    def __init__(self, limit=None):
        self.calls = 0
        self.limit = limit

    def __call__(self):
        if self.calls == self.limit:
            raise StopIteration
        self.calls += 1
        return np.int64(self.calls)

    def tensor(self):
        tensor = v1.py_func(self, [], tf.int64)
        tensor.set_shape([])
        return tensor


def test_a_python_function_ends_the_stream(run_to_end):
    result = compat.batch([Counter(limit=7).tensor()], 3, allow_smaller_final_batch=True)
    assert [values.tolist() for values in run_to_end(result)] == [[1, 2, 3], [4, 5, 6], [7]]


@pytest.mark.parametrize(
    ("capacity", "num_threads", "batch_size"), [(2, 1, 2), (1, 1, 5), (10, 3, 2), (32, 1, 8)]
)
@pytest.mark.parametrize("shuffled", [False, True])
def test_read_ahead_is_bounded(session, capacity, num_threads, batch_size, shuffled):
    counter = Counter()
    arguments = {"capacity": capacity, "num_threads": num_threads, "batch_size": batch_size}
    if shuffled:
        result = compat.shuffle_batch(
            [counter.tensor()], min_after_dequeue=capacity // 2, **arguments
        )
    else:
        result = compat.batch([counter.tensor()], **arguments)
    v1.train.start_queue_runners(session)
    for step in range(20):
        session.run(result)
        delivered = (step + 1) * batch_size
        assert counter.calls <= delivered + capacity + num_threads + batch_size


def test_a_python_function_runs_ahead_before_the_first_read(session):
    counter = Counter()
    compat.batch([counter.tensor()], 2, capacity=2)
    v1.train.start_queue_runners(session)
    # Not a matter of speed: without reading ahead the number would stay 0 for ever.
    for _ in range(1000):
        if counter.calls:
            break
        session.run(tf.constant(0))
    assert counter.calls


def test_control_dependencies_of_a_source_run_for_every_element(run_to_end):
    counter = v1.get_variable("counter", initializer=0, use_resource=False)
    queue = compat.range_input_producer(6, num_epochs=1, shuffle=False)
    with tf.control_dependencies([v1.assign_add(counter, 1)]):
        number = queue.dequeue()
    result = compat.batch([number], 3)
    session = v1.get_default_session()
    session.run(counter.initializer)
    assert [values.tolist() for values in run_to_end(result)] == [[0, 1, 2], [3, 4, 5]]
    assert session.run(counter) >= 6


def test_waiting_for_another_source_takes_its_elements_too(run_to_end):
    first, second = numbers(3), numbers(10)
    with tf.control_dependencies([first]):
        together = second * 10
    # It ends with the first source, of which nothing but the waiting is seen.
    assert [values.tolist() for values in run_to_end(compat.batch([together], 1))] == [
        [0],
        [10],
        [20],
    ]


def test_an_assertion_in_front_of_a_source_is_checked(session):
    queue = compat.range_input_producer(6, shuffle=False)
    ready = v1.placeholder_with_default(0, [])
    with tf.control_dependencies([v1.assert_equal(ready, 1, message="not ready")]):
        number = queue.dequeue()
    result = compat.batch([number], 3)
    v1.train.start_queue_runners(session)
    with pytest.raises(tf.errors.InvalidArgumentError, match="not ready"):
        session.run(result)


def test_summaries_have_tf1s_names_and_run(session):
    result = compat.shuffle_batch([numbers()], 4, 100, 10)
    names = [op.op.name for op in v1.get_collection(v1.GraphKeys.SUMMARIES)]
    assert names == [
        "input_producer/fraction_of_32_full",
        "shuffle_batch/fraction_over_10_of_90_full",
    ]
    v1.train.start_queue_runners(session)
    session.run([v1.summary.merge_all(), result])


def test_names_of_the_program_are_left_to_it():
    compat.batch([numbers()], 2)
    assert v1.placeholder(tf.int32, [], name="batch_size").name == "batch_size:0"


@pytest.mark.parametrize(("keep_input", "kept"), [(1, [[0, 1], [2, 3]]), (0, [])])
def test_a_known_number_keeps_all_or_nothing(run_to_end, keep_input, kept):
    number = compat.range_input_producer(4, num_epochs=1, shuffle=False).dequeue()
    batches = compat.maybe_batch([number], tf.constant(keep_input), batch_size=2)
    assert [batch.tolist() for batch in run_to_end(batches)] == kept
