"""Scenarios of tf.contrib: bucket and bucket_by_sequence_length."""

from __future__ import annotations

from functools import partial

import numpy as np
from harness import (
    add,
    drain,
    initialize,
    plain,
    raised,
    scenario,
    session,
    static,
)


def numbers(tf, count=12, num_epochs=1):
    """0, 1, … as int32 scalars."""
    return tf.train.range_input_producer(count, num_epochs=num_epochs, shuffle=False).dequeue()


def bucket(tf, tensors, which_bucket, batch_size=2, num_buckets=2, **arguments):
    """`tf.contrib.training.bucket`, and what it returns as one structure."""
    return tf.contrib.training.bucket(tensors, which_bucket, batch_size, num_buckets, **arguments)


def by_length(tf, length, tensors, batch_size=2, boundaries=(2, 4), **arguments):
    """`tf.contrib.training.bucket_by_sequence_length`."""
    return tf.contrib.training.bucket_by_sequence_length(
        length, tensors, batch_size, boundaries, **arguments
    )


# In TF1 a thread per bucket moves batches on, so that the order among buckets is not defined; the
# order within one is.


def by_bucket(outcome):
    """The batches of each bucket, in order."""
    batches = plain(outcome.pop("values"))
    buckets = {}
    for which, batch in batches:
        buckets.setdefault(str(which), []).append(batch)
    return {"buckets": buckets, **outcome}


def as_batches(outcome):
    """The outcome where only the sets of batches are defined."""
    return {
        "batches": sorted(str(value) for value in plain(outcome["values"])),
        "ended": outcome["ended"],
    }


STRUCTURES = {
    "list_of_one": lambda i: [i],
    "list": lambda i: [i, tf_pair(i)],
    "tuple": lambda i: (i, tf_pair(i)),
    "dict": lambda i: {"j": tf_pair(i), "i": i},
    "dict_of_one": lambda i: {"i": i},
    "python_numbers_beside_a_tensor": lambda i: [i, 5],
}


def tf_pair(i):
    """Two numbers of `i`."""
    return i * [1, 2]


def structure(make, tf, files):
    """Static structure of the results, and what comes out."""
    outcomes = {}
    for function in (bucket, by_length):
        with tf.Graph().as_default():
            i = numbers(tf)
            elements = make(i)
            if function is bucket:
                results = bucket(tf, elements, i % 2)
            elif isinstance(elements, tuple):
                continue  # TF1 took none here
            else:
                results = by_length(tf, i % 5, elements)
            outcomes[function.__name__] = {
                "static": static(results),
                **as_batches(drain(tf, results)),
            }
    return outcomes


for _name, _make in STRUCTURES.items():
    add(f"bucket_{_name}", partial(structure, _make))


@scenario
def bucket_in_order(tf, files):
    i = numbers(tf)
    return by_bucket(drain(tf, bucket(tf, [i * 10], i % 3, num_buckets=3)))


@scenario
def bucket_that_is_none(tf, files):
    i = numbers(tf)
    return by_bucket(drain(tf, bucket(tf, [i], i - 3, num_buckets=2, batch_size=1)))


@scenario
def bucket_of_different_sizes(tf, files):
    i = numbers(tf)
    results = bucket(tf, [i], i % 2, batch_size=[2, 3])
    return {"static": static(results), **by_bucket(drain(tf, results))}


@scenario
def bucket_smaller_final_batch(tf, files):
    i = numbers(tf, 11)
    results = bucket(tf, [i], i % 2, batch_size=4, allow_smaller_final_batch=True)
    return {"static": static(results), **by_bucket(drain(tf, results))}


@scenario
def bucket_keep_input(tf, files):
    i = numbers(tf)
    return by_bucket(drain(tf, bucket(tf, [i], i % 2, keep_input=i % 3 > 0)))


@scenario
def bucket_dynamic_pad(tf, files):
    i = numbers(tf)
    results = bucket(tf, [tf.range(i), i], i % 2, dynamic_pad=True)
    return {"static": static(results), **by_bucket(drain(tf, results))}


@scenario
def bucket_shapes(tf, files):
    i = numbers(tf)
    row = tf.py_func(lambda j: np.array([j, j], np.int32), [i], tf.int32)
    results = bucket(tf, [row], i % 2, shapes=[[2]])
    return {"static": static(results), **by_bucket(drain(tf, results))}


@scenario
def bucket_threads(tf, files):
    i = numbers(tf, 40)
    results = bucket(tf, [i], i % 2, batch_size=4, num_threads=3)
    outcome = drain(tf, results)
    values = sorted(j for _, batch in plain(outcome["values"]) for j in batch)
    pure = all(j % 2 == which for which, batch in plain(outcome["values"]) for j in batch)
    return {"values": values, "pure": pure, "ended": outcome["ended"]}


@scenario
def bucket_capacities(tf, files):
    i = numbers(tf)
    results = bucket(tf, [i], i % 2, capacity=4, bucket_capacities=[2, 8])
    tags = [summary.op.name for summary in tf.get_collection("summaries")]
    return {"summaries": tags, **by_bucket(drain(tf, results))}


@scenario
def bucket_name(tf, files):
    i = numbers(tf)
    which, batch = bucket(tf, [i], i % 2, name="mine", shared_name="theirs")
    return {
        "begin with": [tensor.name.split("/")[0] for tensor in (which, batch)],
        **by_bucket(drain(tf, [which, batch])),
    }


@scenario
def bucket_sparse(tf, files):
    i = numbers(tf)
    sparse = tf.SparseTensor(tf.reshape(tf.cast(i % 3, tf.int64), [1, 1]), tf.reshape(i, [1]), [4])
    which, batch = bucket(tf, {"sparse": sparse, "i": i}, i % 2)
    return {"static": static(batch), **as_batches(drain(tf, [which, batch]))}


@scenario
def bucket_from_a_queue_of_the_program(tf, files):
    count = tf.Variable(0, trainable=False).count_up_to(8)
    queue = tf.FIFOQueue(4, [tf.int32], shapes=[[]])
    tf.train.add_queue_runner(tf.train.QueueRunner(queue, [queue.enqueue(count)]))
    i = queue.dequeue()
    results = bucket(tf, [i, tf.range(i)], i % 2, dynamic_pad=True, allow_smaller_final_batch=True)
    return {"static": static(results), **by_bucket(drain(tf, results))}


@scenario
def bucket_size_that_is_a_tensor(tf, files):
    size = tf.Variable(3, trainable=False)
    i = numbers(tf)
    results = bucket(tf, [i], i % 2, batch_size=tf.identity(size))
    return {"static": static(results), **by_bucket(drain(tf, results))}


@scenario
def bucket_seeds_behind_it(tf, files):
    # Where only the graph has a seed, TF1 made the op's of the number of ops in the graph.
    tf.set_random_seed(7)
    shuffled = []
    for arguments in ({}, {"keep_input": tf.constant(True)}, {"dynamic_pad": True}):
        bucket(tf, [tf.constant(1), tf.constant(2)], tf.constant(1), 2, 3, **arguments)
        by_length(tf, tf.constant(1), [tf.constant(1)])
        shuffled.append(tf.train.range_input_producer(30, num_epochs=1).dequeue_many(30))
    with session(tf) as sess:
        initialize(tf, sess)
        tf.train.start_queue_runners(sess=sess)
        return {"orders": sess.run(shuffled)}


@scenario
def bucket_merged_summaries_run(tf, files):
    i = numbers(tf)
    bucket(tf, [i], i % 2)
    merged = tf.summary.merge_all()
    with session(tf) as sess:
        initialize(tf, sess)
        tf.train.start_queue_runners(sess=sess)
        return {"bytes": len(sess.run(merged)) > 0}


@scenario
def by_length_dynamic_pad(tf, files):
    i = numbers(tf, 20)
    length = i % 7
    results = by_length(tf, length, [tf.range(length), i], boundaries=[2, 5], dynamic_pad=True)
    return {"static": static(results), **as_batches(drain(tf, results))}


ARGUMENTS = {
    "batch_size": {"batch_size": [1, 2, 3]},
    "threads": {"num_threads": 1},
    "capacity": {"capacity": 3},
    "bucket_capacities": {"bucket_capacities": [3, 4, 5]},
    "shapes": {"shapes": [[]]},
    "smaller": {"allow_smaller_final_batch": True},
    "keep": {"keep_input": lambda i: i % 2 > 0},
    "shared_name": {"shared_name": "theirs"},
    "name": {"name": "mine"},
}


def by_length_with(arguments, tf, files):
    """What one argument changes."""
    i = numbers(tf, 15)
    arguments = {key: make(i) if callable(make) else make for key, make in arguments.items()}
    lengths, outputs = by_length(tf, i % 6, [i], **arguments)
    return {
        "static": static([lengths, outputs]),
        "begins with": lengths.name.split("/")[0],
        "summaries": [summary.op.name for summary in tf.get_collection("summaries")],
        **as_batches(drain(tf, [lengths, outputs])),
    }


for _name, _arguments in ARGUMENTS.items():
    add(f"by_length_{_name}", partial(by_length_with, _arguments))

# ---------------------------------------------------------------- wrong use

ONE = [1]
WRONG = {
    "empty_list": (lambda tf: bucket(tf, [], 0), ("at least one tensor",)),
    "empty_dict": (lambda tf: bucket(tf, {}, 0), ("at least one tensor",)),
    "sizes": (lambda tf: bucket(tf, ONE, 0, batch_size=[2]), ("num_buckets elements",)),
    "capacities": (lambda tf: bucket(tf, ONE, 0, bucket_capacities=[1]), ("bucket_capacities",)),
    "keep_vector": (lambda tf: bucket(tf, ONE, 0, keep_input=[True]), ("cannot be a vector",)),
    "keep_none": (lambda tf: bucket(tf, ONE, 0, keep_input=None), ()),
    "no_threads": (lambda tf: bucket(tf, ONE, 0, num_threads=0), ()),
    "no_capacity": (lambda tf: bucket(tf, ONE, 0, capacity=0), ()),
    "negative_size": (lambda tf: bucket(tf, ONE, 0, batch_size=-1), ()),
    "size_string": (lambda tf: bucket(tf, ONE, 0, batch_size="x"), ()),
    "which_vector": (lambda tf: bucket(tf, ONE, [0, 1]), ()),
    "which_int64": (lambda tf: bucket(tf, ONE, tf.constant(0, tf.int64)), ("int64",)),
    "which_float": (lambda tf: bucket(tf, ONE, 1.5), ()),
    "unknown_dimension": (
        lambda tf: bucket(tf, [tf.placeholder(tf.int32, [None])], 0),
        ("fully defined",),
    ),
    "unknown_rank": (
        lambda tf: bucket(tf, [tf.placeholder(tf.int32)], 0, dynamic_pad=True),
        ("rank",),
    ),
    "shapes_too_many": (lambda tf: bucket(tf, ONE, 0, shapes=[[], []]), ()),
    "no_boundaries": (lambda tf: by_length(tf, 1, ONE, boundaries=[]), ("must not be empty",)),
    "boundaries_that_fall": (
        lambda tf: by_length(tf, 1, ONE, boundaries=[5, 3]),
        ("sequential increasing", "5 before 3"),
    ),
    "boundaries_of_floats": (
        lambda tf: by_length(tf, 1, ONE, boundaries=[5, 5.5]),
        ("must be integers",),
    ),
    "boundaries_that_are_a_number": (
        lambda tf: by_length(tf, 1, ONE, boundaries=7),
        ("list or tuple",),
    ),
    "length_of_floats": (lambda tf: by_length(tf, tf.constant(1.0), ONE), ("int32",)),
}


def wrong(call, words, tf, files):
    """What a wrong call raises."""
    return raised(lambda: call(tf), *words)


for _name, (_call, _words) in WRONG.items():
    add(f"wrong_bucket_{_name}", partial(wrong, _call, _words))
