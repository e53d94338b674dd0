"""Scenarios of batch and shuffle_batch: structures, arguments, static shapes, wrong use."""

from __future__ import annotations

from functools import partial

from harness import (
    add,
    as_multiset,
    differs,
    drain,
    fetch,
    initialize,
    join,
    raised,
    scenario,
    session,
    static,
)


def numbers(tf, count=10, num_epochs=1):
    """0, 1, … as int32 scalars."""
    return tf.train.range_input_producer(count, num_epochs=num_epochs, shuffle=False).dequeue()


def make_batch(tf, function_name, tensors, **arguments):
    """batch, or shuffle_batch with a capacity that is enough."""
    if function_name == "shuffle_batch":
        arguments = {"capacity": 20, "min_after_dequeue": 5, **arguments}
    return getattr(tf.train, function_name)(tensors, **arguments)


STRUCTURES = {
    "list_of_one": lambda i, j: [i],
    "list": lambda i, j: [i, j],
    "tuple": lambda i, j: (i, j),
    "tuple_of_one": lambda i, j: (i,),
    "dict": lambda i, j: {"j": j, "i": i},
    "dict_of_one": lambda i, j: {"i": i},
    "python_numbers_beside_a_tensor": lambda i, j: [i, 5, [1.0, 2.0]],
}


def structure(function_name, make, tf, files):
    """Static structure of the result, and what comes out."""
    i = numbers(tf)
    batched = make_batch(tf, function_name, make(i, tf.stack([i, i * 2])), batch_size=4)
    outcome = drain(tf, batched)
    sizes = [len(value) for value in outcome["values"]]
    if function_name == "batch":
        return {"static": static(batched), **outcome}
    return {"static": static(batched), "results": sizes, "ended": outcome["ended"]}


STATIC = {
    "smaller_final_batch": {"allow_smaller_final_batch": True},
    "enqueue_many": {"enqueue_many": True},
    "enqueue_many_smaller": {"enqueue_many": True, "allow_smaller_final_batch": True},
    "threads": {"num_threads": 3},
}


def arguments_and_values(function_name, arguments, tf, files):
    """All elements, whatever their order, and the static shapes."""
    i = numbers(tf)
    tensor = tf.stack([i * 10, i * 10 + 1, i * 10 + 2])
    batched = make_batch(tf, function_name, [tensor], batch_size=4, **arguments)
    with_smaller = arguments.get("allow_smaller_final_batch")
    outcome = as_multiset(drain(tf, batched))
    if not with_smaller and function_name == "shuffle_batch":
        outcome["values"] = len(outcome["values"])  # which ones are left over is not defined
    elif not with_smaller and arguments.get("num_threads"):
        outcome["values"] = len(outcome["values"])
    return {"static": static(batched), **outcome}


# Both pack their results in one place: not every structure with each of them.
for _function, _names in (("batch", STRUCTURES), ("shuffle_batch", ("list_of_one", "dict"))):
    for _name in _names:
        add(f"{_function}_of_{_name}", partial(structure, _function, STRUCTURES[_name]))
    for _name, _arguments in STATIC.items():
        add(f"{_function}_with_{_name}", partial(arguments_and_values, _function, _arguments))


@differs("a single tensor is taken as a list of one", raises=None)
def batch_of_a_bare_tensor(tf, files):
    return {"raises": raised(lambda: tf.train.batch(numbers(tf), 4))["raises"]}


@differs("a single tensor is taken as a list of one", raises=None)
def shuffle_batch_of_a_bare_tensor(tf, files):
    return {"raises": raised(lambda: tf.train.shuffle_batch(numbers(tf), 4, 20, 5))["raises"]}


@scenario
def batch_drops_the_remainder(tf, files):
    return drain(tf, tf.train.batch([numbers(tf)], 4))


@scenario
def batch_keeps_the_remainder(tf, files):
    return drain(tf, tf.train.batch([numbers(tf)], 4, allow_smaller_final_batch=True))


@scenario
def batch_smaller_than_one_batch(tf, files):
    return drain(tf, tf.train.batch([numbers(tf, 3)], 4, allow_smaller_final_batch=True))


@scenario
def batch_across_epochs(tf, files):
    return drain(tf, tf.train.batch([numbers(tf, 5, num_epochs=3)], 4))


@scenario
def batch_capacity_below_batch_size(tf, files):
    return drain(tf, tf.train.batch([numbers(tf)], 4, capacity=2))


@scenario
def batch_of_a_fed_size(tf, files):
    size = tf.placeholder_with_default(3, [])
    batched = tf.train.batch([numbers(tf)], size)
    return {"static": static(batched), **drain(tf, batched)}


@scenario
def batch_shapes_argument(tf, files):
    i = tf.placeholder_with_default(numbers(tf), None)
    batched = tf.train.batch([i], 4, shapes=[[]])
    return {"static": static(batched), **drain(tf, batched)}


@scenario
def batch_shapes_enqueue_many(tf, files):
    i = numbers(tf)
    pair = tf.placeholder_with_default(tf.stack([i, i]), None)
    batched = tf.train.batch([pair], 4, enqueue_many=True, shapes=[[]])
    return {"static": static(batched), **drain(tf, batched)}


@scenario
def batch_shape_from_set_shape(tf, files):
    decoded = tf.decode_raw(tf.fill([3], "ab"), tf.uint8) + tf.cast(numbers(tf), tf.uint8)
    decoded.set_shape([3, 2])
    batched = tf.train.batch([decoded], 4)
    return {"static": static(batched), **drain(tf, batched)}


@scenario
def batch_dynamic_pad(tf, files):
    ranges = tf.range(numbers(tf, 8))
    batched = tf.train.batch([ranges], 4, dynamic_pad=True)
    return {"static": static(batched), **drain(tf, batched)}


@scenario
def batch_dtypes(tf, files):
    i = numbers(tf, 4)
    dtypes = (tf.bool, tf.uint8, tf.int16, tf.int64, tf.float16, tf.float64, tf.complex64)
    tensors = [tf.cast(i, dtype) for dtype in dtypes[:-1]] + [tf.as_string(i)]
    batched = tf.train.batch(tensors, 2)
    return {"static": static(batched), **drain(tf, batched)}


@scenario
def batch_of_sparse_tensors(tf, files):
    i = tf.cast(numbers(tf, 4), tf.int64)
    sparse = tf.SparseTensor(tf.reshape(i, [1, 1]), tf.reshape(i * 10, [1]), [5])
    batched = tf.train.batch([sparse, i], 2)
    return {"static": static(batched), **drain(tf, batched)}


@scenario
def batch_of_a_batch(tf, files):
    inner = tf.train.batch([numbers(tf, 12)], 3)
    return drain(tf, tf.train.batch([inner], 4, enqueue_many=True))


@scenario
def shuffle_batch_of_a_batch(tf, files):
    inner = tf.train.batch([numbers(tf, 12)], 3)
    batched = tf.train.shuffle_batch([inner], 4, 10, 5, enqueue_many=True)
    return as_multiset(drain(tf, batched))


@scenario
def batch_shared_with_the_tensor_before_it(tf, files):
    i = numbers(tf, 8)
    batched = tf.train.batch([i], 2)
    return {"result name": batched.name.split("/")[0].split(":")[0], **drain(tf, batched)}


@scenario
def batch_name(tf, files):
    batched = tf.train.batch([numbers(tf)], 2, name="mine", shared_name="theirs")
    return {"begins with": batched.name.split("/")[0].split(":")[0], **drain(tf, batched)}


@scenario
def shuffle_batch_name(tf, files):
    batched = tf.train.shuffle_batch([numbers(tf)], 2, 20, 5, name="mine", shared_name="theirs")
    return {"begins with": batched.name.split("/")[0].split(":")[0]}


@scenario
def batch_result_can_be_fed(tf, files):
    doubled = tf.train.batch([numbers(tf)], 2) * 2
    batched = doubled.op.inputs[0]
    with session(tf) as sess:
        return {"doubled": sess.run(doubled, {batched: [21, 4]})}


@scenario
def two_fetches_of_one_batch_agree(tf, files):
    i_batch, j_batch = tf.train.batch([numbers(tf), tf.constant(7)], 3)
    return drain(tf, [i_batch, i_batch + j_batch])


@scenario
def two_batches_on_one_producer(tf, files):
    i = numbers(tf, 12)
    first, second = tf.train.batch([i], 1), tf.train.batch([i + 100], 1)
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        values = []
        ends = []
        for batch, offset in ((first, 0), (second, 100)):
            outcome = fetch(lambda batch=batch: sess.run(batch), 50)
            values += [int(value[0]) - offset for value in outcome["values"]]
            ends.append(outcome["ended"])
        return {"values": sorted(values), "ended": ends, "joined": join(coord, threads)}


@scenario
def shuffle_batch_delivers_everything(tf, files):
    batched = tf.train.shuffle_batch(
        [numbers(tf, 50)], 8, capacity=30, min_after_dequeue=15, allow_smaller_final_batch=True
    )
    return as_multiset(drain(tf, batched))


@scenario
def shuffle_batch_shuffles(tf, files):
    batched = tf.train.shuffle_batch([numbers(tf, 60)], 20, 60, 30, seed=1)
    values = [int(value) for batch in drain(tf, batched)["values"] for value in batch]
    # 31 elements must be there before the first batch may go, and 60 at most can
    return {"in order": values == sorted(values), "all": sorted(values)}


@scenario
def shuffle_batch_min_after_dequeue_holds_back(tf, files):
    # the ninth element may come out only while eight others are left, or after the end
    batched = tf.train.shuffle_batch([numbers(tf, 10)], 2, 10, 8)
    return as_multiset(drain(tf, batched))


@scenario
def shuffle_batch_keeps_rows_together(tf, files):
    i = numbers(tf, 20)
    a, b = tf.train.shuffle_batch([i, i * 3], 5, 20, 10, num_threads=2)
    values = drain(tf, [a, b])["values"]
    return {"in step": all((a * 3 == b).all() for a, b in values), "batches": len(values)}


# ---------------------------------------------------------------- wrong use

WRONG = {
    "empty_list": (lambda tf, b: b(tf, [], batch_size=2), ()),
    "empty_dict": (lambda tf, b: b(tf, {}, batch_size=2), ()),
    "unknown_shape": (lambda tf, b: b(tf, [tf.placeholder(tf.int32)], batch_size=2), ()),
    "unknown_dimension": (
        lambda tf, b: b(tf, [tf.placeholder(tf.int32, [None])], batch_size=2),
        ("shapes",),
    ),
    "shapes_too_many": (
        lambda tf, b: b(tf, [tf.constant(1)], batch_size=2, shapes=[[], []]),
        (),
    ),
    "shapes_that_contradict": (
        lambda tf, b: b(tf, [tf.constant([1, 2])], batch_size=2, shapes=[[3]]),
        (),
    ),
    "shapes_of_another_rank": (
        lambda tf, b: b(tf, [tf.constant(1)], batch_size=2, shapes=[[1]]),
        (),
    ),
    "enqueue_many_of_a_scalar": (
        lambda tf, b: b(tf, [tf.constant(1)], batch_size=2, enqueue_many=True),
        (),
    ),
    "enqueue_many_of_different_lengths": (
        lambda tf, b: b(
            tf, [tf.constant([1]), tf.constant([1, 2])], batch_size=2, enqueue_many=True
        ),
        (),
    ),
    "batch_size_zero": (lambda tf, b: b(tf, [tf.constant(1)], batch_size=0), ()),
    "batch_size_negative": (lambda tf, b: b(tf, [tf.constant(1)], batch_size=-1), ()),
    "batch_size_string": (lambda tf, b: b(tf, [tf.constant(1)], batch_size="2"), ()),
    "num_threads_zero": (lambda tf, b: b(tf, [tf.constant(1)], batch_size=2, num_threads=0), ()),
    "capacity_zero": (lambda tf, b: b(tf, [tf.constant(1)], batch_size=2, capacity=0), ()),
    "nested_list": (lambda tf, b: b(tf, [[tf.constant(1), tf.constant("a")]], batch_size=2), ()),
    "not_a_tensor": (lambda tf, b: b(tf, [object()], batch_size=2), ()),
}


def wrong(function_name, call, words, tf, files):
    """What a wrong call raises."""
    return raised(lambda: call(tf, partial(_swap, function_name)), *words)


def _swap(function_name, tf, tensors, **arguments):
    return make_batch(tf, function_name, tensors, **arguments)


for _function in ("batch", "shuffle_batch"):
    for _name, (_call, _words) in WRONG.items():
        add(f"wrong_{_function}_{_name}", partial(wrong, _function, _call, _words))


@scenario
def wrong_shuffle_batch_min_after_dequeue_above_capacity(tf, files):
    return raised(lambda: tf.train.shuffle_batch([tf.constant(1)], 2, 5, 10))


@scenario
def wrong_shuffle_batch_negative_min_after_dequeue(tf, files):
    return raised(lambda: tf.train.shuffle_batch([tf.constant(1)], 2, 5, -1))


@scenario
def wrong_batch_join_keys_that_differ(tf, files):
    one = tf.constant(1)
    return raised(lambda: tf.train.batch_join([{"a": one}, {"b": one}], 2))
