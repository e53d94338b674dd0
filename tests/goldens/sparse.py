"""Scenarios of SparseTensors in batches: where they stand, what comes out, wrong use."""

from __future__ import annotations

from functools import partial

from harness import add, drain, raised, scenario, static


def numbers(tf, count=6, first=0):
    """`first`, `first + 1`, … as int64 scalars."""
    queue = tf.train.range_input_producer(count, num_epochs=1, shuffle=False)
    return tf.cast(queue.dequeue() + first, tf.int64)


def one_value(tf, i, length=8):
    """A vector with `10 i` at position i and nothing else."""
    return tf.SparseTensor(tf.reshape(i, [1, 1]), tf.reshape(i * 10, [1]), [length])


def rows(batches):
    """The rows of sparse batches as lists of `[positions…, value]`, whatever their order."""
    found = []
    for batch in batches:
        by_row = {row: [] for row in range(int(batch.dense_shape[0]))}
        for index, value in zip(batch.indices, batch.values):
            by_row[int(index[0])].append([*map(int, index[1:]), value])
        found += by_row.values()
    return sorted(found)


def make(tf, function_name, tensors, batch_size, **arguments):
    """One of the four functions; a join gets `tensors` as its only branch."""
    if "shuffle" in function_name:
        arguments = {"capacity": 30, "min_after_dequeue": 3, **arguments}
    if "join" in function_name:
        tensors = [tensors]
    return getattr(tf.train, function_name)(tensors, batch_size, **arguments)


def alone(function_name, tf, files):
    """A SparseTensor that is the only tensor."""
    batched = make(tf, function_name, [one_value(tf, numbers(tf))], 3)
    sparse = batched[0] if isinstance(batched, list) else batched
    outcome = drain(tf, sparse)
    shapes = [list(map(int, value.dense_shape)) for value in outcome["values"]]
    return {
        "static": static(batched),
        "rows": rows(outcome["values"]),
        "shapes": shapes,
        "ended": outcome["ended"],
    }


def in_a_dict(function_name, tf, files):
    """Beside dense tensors, in a dict, and in step with them."""
    i = numbers(tf)
    batched = make(tf, function_name, {"sparse": one_value(tf, i), "i": i, "s": tf.as_string(i)}, 3)
    outcome = drain(tf, batched)
    seen = sorted(
        [int(v), int(i), s]
        for batch in outcome["values"]
        for v, i, s in zip(batch["sparse"].values, batch["i"], batch["s"])
    )
    return {"static": static(batched), "seen": seen, "ended": outcome["ended"]}


def enqueue_many(function_name, tf, files):
    """The rows of a sparse matrix become elements."""
    i = numbers(tf, 4)
    sparse = tf.SparseTensor([[0, 0], [0, 2], [2, 1]], tf.stack([i, i + 10, i + 20]), [3, 4])
    batched = make(
        tf,
        function_name,
        [sparse, tf.stack([i, i, i])],
        4,
        enqueue_many=True,
        allow_smaller_final_batch=True,
    )
    outcome = drain(tf, batched)
    return {
        "static": static(batched),
        "rows": rows([value[0] for value in outcome["values"]]),
        "dense": sorted(int(v) for value in outcome["values"] for v in value[1]),
        "ended": outcome["ended"],
    }


def of_strings(function_name, tf, files):
    """Words of lines, as tf.string_split gives them: a different number in each."""
    lines = tf.gather(tf.constant(["a b c", "", "d", "e f"]), numbers(tf, 4))
    words = tf.string_split([lines])
    batched = make(tf, function_name, [words, lines], 2)
    outcome = drain(tf, batched)
    found = sorted(b" ".join(batch[0].values) for batch in outcome["values"])
    found = sorted(b" ".join(found).split())
    return {"static": static(batched), "words": found, "ended": outcome["ended"]}


CASES = {
    "a_sparse_tensor": alone,
    "a_sparse_tensor_in_a_dict": in_a_dict,
    "sparse_rows": enqueue_many,
    "sparse_strings": of_strings,
}

# All functions serialize them in one place: not every case with each of them.
for _function, _names in (
    ("batch", CASES),
    ("batch_join", ("a_sparse_tensor",)),
    ("shuffle_batch", ("a_sparse_tensor_in_a_dict",)),
    ("shuffle_batch_join", ("sparse_rows", "sparse_strings")),
):
    for _name in _names:
        add(f"{_function}_of_{_name}", partial(CASES[_name], _function))


@scenario
def batch_of_sparse_in_order(tf, files):
    i = numbers(tf, 7)
    batched = tf.train.batch([one_value(tf, i), i], 3, allow_smaller_final_batch=True)
    return {"static": static(batched), **drain(tf, batched)}


@scenario
def batch_of_sparse_with_different_dense_shapes(tf, files):
    # the batch is as wide as its widest row
    i = numbers(tf, 6)
    sparse = tf.SparseTensor(tf.reshape(i, [1, 1]), tf.reshape(i, [1]), tf.reshape(i + 1, [1]))
    batched = tf.train.batch([sparse], 3)
    return {"static": static(batched), **drain(tf, batched)}


@scenario
def batch_of_sparse_with_nothing_in_it(tf, files):
    i = numbers(tf, 4)
    count = tf.cast(i % 2, tf.int32)
    indices = tf.zeros(tf.stack([count, 1]), tf.int64)
    sparse = tf.SparseTensor(indices, tf.fill([count], i), [3])
    return drain(tf, tf.train.batch([sparse, i], 2))


@scenario
def batch_of_sparse_of_rank_two(tf, files):
    i = numbers(tf, 4)
    sparse = tf.SparseTensor(tf.stack([[i, 0], [i, 1]]), tf.stack([i, i + 5]), [5, 2])
    batched = tf.train.batch({"x": sparse}, 2)
    return {"static": static(batched), **drain(tf, batched)}


@scenario
def batch_of_sparse_of_unknown_rank(tf, files):
    sparse = tf.sparse_placeholder(tf.int64)
    return raised(lambda: static(tf.train.batch([sparse], 2)), "rank")


@scenario
def batch_of_sparse_of_unknown_rank_with_values(tf, files):
    i = numbers(tf, 4)
    shape = tf.placeholder_with_default(tf.constant([6], tf.int64), None)
    indices = tf.placeholder_with_default(tf.reshape(i, [1, 1]), None)
    values = tf.placeholder_with_default(tf.reshape(i, [1]), None)
    sparse = tf.SparseTensor(indices, values, shape)
    batched = tf.train.batch([sparse, i], 2)
    return {"static": static(batched), **drain(tf, batched)}


@scenario
def batch_of_sparse_placeholder_shape(tf, files):
    i = numbers(tf, 4)
    shape = tf.placeholder_with_default(tf.constant([6], tf.int64), [1])
    sparse = tf.SparseTensor(tf.reshape(i, [1, 1]), tf.reshape(i, [1]), shape)
    batched = tf.train.batch([sparse], 2)
    return {"static": static(batched), **drain(tf, batched)}


@scenario
def batch_of_two_sparse_tensors(tf, files):
    i = numbers(tf, 4)
    other = tf.SparseTensor(tf.reshape(i, [1, 1]), tf.as_string(tf.reshape(i, [1])), [4])
    batched = tf.train.batch((one_value(tf, i), other), 2)
    return {"static": static(batched), **drain(tf, batched)}


@scenario
def batch_of_one_sparse_tensor_twice(tf, files):
    sparse = one_value(tf, numbers(tf, 4))
    return drain(tf, tf.train.batch({"a": sparse, "b": sparse}, 2))


@scenario
def batch_of_sparse_and_dynamic_pad(tf, files):
    i = numbers(tf, 6)
    batched = tf.train.batch([one_value(tf, i), tf.range(i)], 3, dynamic_pad=True)
    return {"static": static(batched), **drain(tf, batched)}


@scenario
def batch_of_sparse_of_a_fed_size(tf, files):
    size = tf.placeholder_with_default(2, [])
    i = numbers(tf, 4)
    batched = tf.train.batch([one_value(tf, i), i], size)
    return {"static": static(batched), **drain(tf, batched)}


@scenario
def batch_of_parsed_examples_with_sparse_features(tf, files):
    example = tf.train.Example()
    serialized = []
    for count in (0, 2, 1, 3):
        example.Clear()
        example.features.feature["x"].int64_list.value.extend(range(count))
        example.features.feature["label"].int64_list.value.append(count)
        serialized.append(example.SerializeToString())
    record = tf.gather(tf.constant(serialized), numbers(tf, 4))
    features = {
        "x": tf.VarLenFeature(tf.int64),
        "label": tf.FixedLenFeature([], tf.int64),
    }
    batched = tf.train.batch(tf.parse_single_example(record, features), 2)
    return {"static": static(batched), **drain(tf, batched)}


@scenario
def batch_of_parsed_batches_with_sparse_features(tf, files):
    example = tf.train.Example()
    example.features.feature["x"].int64_list.value.extend([7, 8])
    record = tf.fill([3], example.SerializeToString())
    with tf.control_dependencies([numbers(tf, 4)]):
        record = tf.identity(record)
    parsed = tf.parse_example(record, {"x": tf.VarLenFeature(tf.int64)})
    batched = tf.train.batch(parsed, 4, enqueue_many=True)
    return {"static": static(batched), **drain(tf, batched)}


@scenario
def batch_join_of_sparse_branches(tf, files):
    branches = []
    for first in (0, 4):
        i = numbers(tf, 4, first)
        branches.append({"sparse": one_value(tf, i), "i": i})
    batched = tf.train.batch_join(branches, 4)
    outcome = drain(tf, batched)
    seen = sorted(
        [int(v), int(i)]
        for batch in outcome["values"]
        for v, i in zip(batch["sparse"].values, batch["i"])
    )
    return {"static": static(batched), "seen": seen, "ended": outcome["ended"]}


@scenario
def batch_join_of_sparse_branches_with_many(tf, files):
    branches = []
    for first in (0, 4):
        i = numbers(tf, 4, first)
        branches.append([tf.SparseTensor([[0, 1], [2, 0]], tf.stack([i, i + 50]), [3, 2])])
    batched = tf.train.batch_join(branches, 6, enqueue_many=True)
    outcome = drain(tf, batched)
    return {
        "static": static(batched),
        "rows": rows(outcome["values"]),
        "ended": outcome["ended"],
    }


@scenario
def sparse_batch_converted_to_dense(tf, files):
    i = numbers(tf, 4)
    dense = tf.sparse_tensor_to_dense(tf.train.batch([one_value(tf, i, 5)], 2))
    return {"static": static(dense), **drain(tf, dense)}


@scenario
def sparse_batch_fetched_in_parts(tf, files):
    # the parts of one SparseTensor belong to one batch, whichever are fetched
    i = numbers(tf, 6)
    sparse, dense = tf.train.batch([one_value(tf, i), i], 2)
    return drain(tf, [sparse.values, dense])


@scenario
def batch_of_a_batch_of_sparse_tensors(tf, files):
    inner = tf.train.batch([one_value(tf, numbers(tf, 6))], 3)
    return drain(tf, tf.train.batch([inner], 2, enqueue_many=True))


@scenario
def wrong_batch_join_sparse_beside_dense(tf, files):
    i = numbers(tf)
    branches = [[one_value(tf, i)], [tf.reshape(i, [1])]]
    return raised(lambda: tf.train.batch_join(branches, 2), "inconsistent sparsetensors")


@scenario
def wrong_batch_join_dense_beside_sparse(tf, files):
    i = numbers(tf)
    branches = [[tf.reshape(i, [1])], [one_value(tf, i)]]
    return raised(lambda: tf.train.batch_join(branches, 2), "inconsistent sparsetensors")


@scenario
def wrong_batch_join_sparse_of_different_ranks(tf, files):
    i = numbers(tf)
    two = tf.SparseTensor(tf.stack([[i, 0]]), tf.reshape(i, [1]), [8, 8])
    branches = [[one_value(tf, i)], [two]]
    return raised(lambda: tf.train.batch_join(branches, 2), "inconsistent sparsetensors")


@scenario
def wrong_batch_sparse_with_shapes(tf, files):
    sparse = one_value(tf, numbers(tf))
    return raised(lambda: tf.train.batch([sparse], 2, shapes=[[8]]))


@scenario
def wrong_batch_join_sparse_of_different_dtypes(tf, files):
    i = numbers(tf)
    other = tf.SparseTensor(tf.reshape(i, [1, 1]), tf.reshape(tf.as_string(i), [1]), [8])
    branches = [[one_value(tf, i)], [other]]
    return raised(lambda: tf.train.batch_join(branches, 2))
