"""Scenarios of batch_join and shuffle_batch_join: branches, structures, shapes, wrong use."""

from __future__ import annotations

from functools import partial

from harness import (
    add,
    as_multiset,
    drain,
    fetch,
    initialize,
    join,
    raised,
    scenario,
    session,
    static,
)


def numbers(tf, count=6, first=0, num_epochs=1):
    """`first`, `first + 1`, … as int32 scalars."""
    queue = tf.train.range_input_producer(count, num_epochs=num_epochs, shuffle=False)
    return queue.dequeue() + first


def make_join(tf, function_name, branches, **arguments):
    """batch_join, or shuffle_batch_join with a capacity that is enough."""
    if function_name == "shuffle_batch_join":
        arguments = {"capacity": 30, "min_after_dequeue": 5, **arguments}
    return getattr(tf.train, function_name)(branches, **arguments)


def branches_of_different_sources(function_name, count, tf, files):
    """Every element of every branch comes once; 6 from each, in batches of 3."""
    branches = [[numbers(tf, 6, 10 * index)] for index in range(count)]
    batched = make_join(tf, function_name, branches, batch_size=3)
    return {"static": static(batched), **as_multiset(drain(tf, batched))}


STRUCTURES = {
    "lists": lambda a, b: [[a, b], [b, a]],
    "tuples": lambda a, b: [(a, b), (b, a)],
    "a_tuple_of_tuples": lambda a, b: ((a, b), (b, a)),
    "tuples_of_one": lambda a, b: [(a,), (b,)],
    "lists_of_one": lambda a, b: [[a], [b]],
    "dicts": lambda a, b: [{"x": a, "y": b}, {"y": a, "x": b}],
    "dicts_of_one": lambda a, b: [{"x": a}, {"x": b}],
    "a_tuple_then_a_list": lambda a, b: [(a, b), [b, a]],
    "numbers_beside_tensors": lambda a, b: [[a, 5], [b, 7]],
}


def structure(function_name, make, tf, files):
    """Static structure of the result, and how many batches come out."""
    batched = make_join(tf, function_name, make(numbers(tf), numbers(tf)), batch_size=4)
    outcome = drain(tf, batched)
    return {
        "static": static(batched),
        "results": [type(value).__name__ for value in outcome["values"]],
        "ended": outcome["ended"],
        "joined": outcome["joined"],
    }


# All functions take branches and pack results in one place: not every case with each of them.
for _function, _counts, _names in (
    ("batch_join", (1, 2, 3), STRUCTURES),
    ("shuffle_batch_join", (3,), ("lists_of_one", "dicts")),
):
    for _count in _counts:
        _run = partial(branches_of_different_sources, _function, _count)
        add(f"{_function}_of_{_count}_branches", _run)
    for _name in _names:
        add(f"{_function}_of_{_name}", partial(structure, _function, STRUCTURES[_name]))


@scenario
def batch_join_of_one_branch_is_in_order(tf, files):
    return drain(tf, tf.train.batch_join([[numbers(tf, 10)]], 4, allow_smaller_final_batch=True))


@scenario
def batch_join_keeps_the_order_of_each_branch(tf, files):
    batched = tf.train.batch_join([[numbers(tf, 8)], [numbers(tf, 8, 100)]], 4)
    values = [int(value) for batch in drain(tf, batched)["values"] for value in batch]
    parts = [[v for v in values if v < 100], [v for v in values if v >= 100]]
    return {"in order": [part == sorted(part) for part in parts], "all": sorted(values)}


@scenario
def batch_join_goes_on_while_one_branch_lives(tf, files):
    branches = [[numbers(tf, 2)], [numbers(tf, 9, 100)], [numbers(tf, 1, 200)]]
    batched = tf.train.batch_join(branches, 4, allow_smaller_final_batch=True)
    return {"static": static(batched), **as_multiset(drain(tf, batched))}


@scenario
def batch_join_of_an_endless_branch(tf, files):
    # the finite branch ends in silence, the endless one goes on
    branches = [[numbers(tf, 2)], [numbers(tf, 3, 100, num_epochs=None)]]
    batched = tf.train.batch_join(branches, 4)
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        finite = set()
        for _ in range(300):
            finite.update(int(value) for value in sess.run(batched) if value < 100)
            if len(finite) == 2:
                break
        more = fetch(lambda: sess.run(batched), 5)["ended"]
        return {"finite": sorted(finite), "ended": more, "joined": join(coord, threads)}


@scenario
def batch_join_keeps_rows_together(tf, files):
    branches = []
    for first in (0, 100):
        i = numbers(tf, 6, first)
        branches.append((i, i * 3, tf.as_string(i)))
    values = drain(tf, tf.train.batch_join(branches, 3))["values"]
    rows = sorted([int(i), int(j), s] for batch in values for i, j, s in zip(*batch))
    return {"rows": rows}


@scenario
def batch_join_of_one_dequeue_op(tf, files):
    # the same op in both branches: each element goes into one of them
    i = numbers(tf, 12)
    batched = tf.train.batch_join([[i, tf.constant("a")], [i, tf.constant("b")]], 4)
    outcome = drain(tf, batched)
    values = sorted(int(i) for batch in outcome["values"] for i in batch[0])
    return {"values": values, "ended": outcome["ended"], "joined": outcome["joined"]}


@scenario
def batch_join_of_readers_on_one_filename_queue(tf, files):
    names = [str(files / name) for name in ("a.txt", "b.txt", "crlf.txt")]
    queue = tf.train.string_input_producer(names, num_epochs=2, shuffle=False)
    branches = [list(tf.TextLineReader().read(queue)) for _ in range(3)]
    keys, lines = tf.train.batch_join(branches, 4, allow_smaller_final_batch=True)
    outcome = drain(tf, [keys, lines])
    pairs = sorted([k, line] for batch in outcome["values"] for k, line in zip(*batch))
    return {"pairs": pairs, "ended": outcome["ended"], "joined": outcome["joined"]}


@scenario
def shuffle_batch_join_of_readers_on_one_filename_queue(tf, files):
    names = [str(files / name) for name in ("a.bin", "b.bin")]
    queue = tf.train.string_input_producer(names, num_epochs=2)
    branches = []
    for _ in range(2):
        reader = tf.FixedLengthRecordReader(2, header_bytes=2, footer_bytes=3)
        branches.append([reader.read(queue)[1]])
    batched = tf.train.shuffle_batch_join(branches, 4, 20, 4)
    return {"static": static(batched), **as_multiset(drain(tf, batched))}


@scenario
def batch_join_of_read_ops_of_one_reader(tf, files):
    names = [str(files / name) for name in ("a.txt", "b.txt")]
    queue = tf.train.string_input_producer(names, num_epochs=1, shuffle=False)
    reader = tf.TextLineReader()
    branches = [[reader.read(queue)[1]] for _ in range(2)]
    batched = tf.train.batch_join(branches, 2, allow_smaller_final_batch=True)
    return as_multiset(drain(tf, batched))


@scenario
def batch_join_enqueue_many(tf, files):
    branches = []
    for first in (0, 100):
        i = numbers(tf, 4, first)
        branches.append({"pair": tf.stack([i, i + 50]), "texts": tf.as_string([i, i + 50])})
    batched = tf.train.batch_join(branches, 5, enqueue_many=True, allow_smaller_final_batch=True)
    outcome = drain(tf, [batched["pair"], batched["texts"]])
    rows = sorted([int(i), s] for batch in outcome["values"] for i, s in zip(*batch))
    return {"static": static(batched), "rows": rows, "ended": outcome["ended"]}


@scenario
def batch_join_enqueue_many_of_different_lengths(tf, files):
    one = tf.range(numbers(tf, 4))
    two = tf.range(numbers(tf, 3)) + 100
    batched = tf.train.batch_join([[one], [two]], 3, enqueue_many=True)
    return {"static": static(batched), **as_multiset(drain(tf, batched))}


@scenario
def shuffle_batch_join_enqueue_many(tf, files):
    branches = [[tf.stack([numbers(tf, 6, first)] * 2)] for first in (0, 100)]
    batched = tf.train.shuffle_batch_join(
        branches, 5, 20, 4, enqueue_many=True, allow_smaller_final_batch=True
    )
    return {"static": static(batched), **as_multiset(drain(tf, batched))}


@scenario
def batch_join_shapes(tf, files):
    unknown = [tf.placeholder_with_default(numbers(tf, 4, first), None) for first in (0, 100)]
    batched = tf.train.batch_join([[i] for i in unknown], 4, shapes=[[]])
    return {"static": static(batched), **as_multiset(drain(tf, batched))}


@scenario
def batch_join_shapes_are_merged(tf, files):
    one = tf.placeholder_with_default(tf.fill([2, 3], numbers(tf, 2)), [2, None])
    two = tf.placeholder_with_default(tf.fill([2, 3], numbers(tf, 2)), [None, 3])
    return raised(lambda: tf.train.batch_join([[one], [two]], 2))


@scenario
def batch_join_dynamic_pad(tf, files):
    branches = [[tf.range(numbers(tf, 4, first))] for first in (1, 3)]
    batched = tf.train.batch_join(branches, 4, dynamic_pad=True)
    outcome = drain(tf, batched)
    rows = sorted([int(v) for v in row if v] for batch in outcome["values"] for row in batch)
    return {"static": static(batched), "rows": rows, "ended": outcome["ended"]}


@scenario
def batch_join_dynamic_pad_of_branches_with_different_static_shapes(tf, files):
    one = tf.stack([numbers(tf, 2)] * 2)
    two = tf.stack([numbers(tf, 2, 100)] * 3)
    return raised(lambda: tf.train.batch_join([[one], [two]], 4, dynamic_pad=True))


@scenario
def batch_join_of_a_fed_size(tf, files):
    size = tf.placeholder_with_default(3, [])
    batched = tf.train.batch_join([[numbers(tf)], [numbers(tf, 6, 100)]], size)
    return {"static": static(batched), **as_multiset(drain(tf, batched))}


@scenario
def shuffle_batch_join_of_a_fed_size(tf, files):
    size = tf.placeholder_with_default(3, [])
    branches = [[numbers(tf)], [numbers(tf, 6, 100)]]
    batched = tf.train.shuffle_batch_join(branches, size, 30, 3)
    return {"static": static(batched), **as_multiset(drain(tf, batched))}


@scenario
def batch_join_of_a_batch(tf, files):
    branches = [[tf.train.batch([numbers(tf, 6, first)], 3)] for first in (0, 100)]
    batched = tf.train.batch_join(branches, 4, enqueue_many=True)
    return {"static": static(batched), **as_multiset(drain(tf, batched))}


@scenario
def batch_join_of_constants(tf, files):
    branches = [[tf.constant([1, 2])], [tf.constant([3, 4])]]
    outcome = drain(tf, tf.train.batch_join(branches, 4), limit=20)
    rows = sorted({tuple(map(int, row)) for batch in outcome["values"] for row in batch})
    return {"among": all(row in ((1, 2), (3, 4)) for row in rows), "ended": outcome["ended"]}


@scenario
def batch_join_of_py_funcs(tf, files):
    def counter(first, count):
        state = iter(range(first, first + count))

        def produce():
            for value in state:
                return value
            raise StopIteration

        tensor = tf.py_func(produce, [], tf.int64)
        tensor.set_shape([])
        return tensor

    branches = [[counter(0, 7)], [counter(100, 3)]]
    batched = tf.train.batch_join(branches, 4, allow_smaller_final_batch=True)
    return as_multiset(drain(tf, batched))


@scenario
def batch_join_with_an_error_in_one_branch(tf, files):
    bad = tf.check_numerics(1.0 / tf.cast(numbers(tf, 3) - 1, tf.float32), "a division by zero")
    good = tf.cast(numbers(tf, 4), tf.float32)
    batched = tf.train.batch_join([[bad], [good]], 100)
    outcome = drain(tf, batched)
    return {"values": len(outcome["values"]), "it ended": outcome["ended"] != "limit"}


# ---------------------------------------------------------------- wrong use

WRONG = {
    "no_branches": (lambda tf, join: join([], batch_size=2), ("expected at least one",)),
    "an_empty_branch": (lambda tf, join: join([[]], batch_size=2), ()),
    "a_flat_list": (lambda tf, join: join([tf.constant(1)], batch_size=2), ()),
    "a_bare_tensor": (lambda tf, join: join(tf.constant([1, 2]), batch_size=2), ()),
    "different_keys": (
        lambda tf, join: join([{"a": tf.constant(1)}, {"b": tf.constant(1)}], batch_size=2),
        ("must have the same keys",),
    ),
    "a_dict_and_a_list": (
        lambda tf, join: join([{"a": tf.constant(1)}, [tf.constant(1)]], batch_size=2),
        (),
    ),
    "a_list_and_a_dict": (
        lambda tf, join: join([[tf.constant(1)], {"a": tf.constant(1)}], batch_size=2),
        (),
    ),
    "different_dtypes": (
        lambda tf, join: join([[tf.constant(1)], [tf.constant(1.0)]], batch_size=2),
        ("expected types to be consistent",),
    ),
    "different_lengths": (
        lambda tf, join: join([[tf.constant(1)], [tf.constant(1), tf.constant(2)]], batch_size=2),
        (),
    ),
    "a_shorter_second_branch": (
        lambda tf, join: join([[tf.constant(1), tf.constant(2)], [tf.constant(1)]], batch_size=2),
        (),
    ),
    "different_shapes": (
        lambda tf, join: join([[tf.constant([1])], [tf.constant([1, 2])]], batch_size=2),
        ("are not compatible",),
    ),
    "different_ranks": (
        lambda tf, join: join([[tf.constant(1)], [tf.constant([1])]], batch_size=2),
        ("are not compatible",),
    ),
    "an_unknown_shape": (
        lambda tf, join: join([[tf.constant(1)], [tf.placeholder(tf.int32)]], batch_size=2),
        ("cannot infer tensor's rank",),
    ),
    "an_unknown_dimension": (
        lambda tf, join: join([[tf.placeholder(tf.int32, [None])]], batch_size=2),
        ("fully defined",),
    ),
    "too_many_shapes": (
        lambda tf, join: join([[tf.constant(1)]], batch_size=2, shapes=[[], []]),
        (),
    ),
    "contradicting_shapes": (
        lambda tf, join: join([[tf.constant([1, 2])]], batch_size=2, shapes=[[3]]),
        (),
    ),
    "enqueue_many_of_scalars": (
        lambda tf, join: join([[tf.constant(1)]], batch_size=2, enqueue_many=True),
        ("rank at least",),
    ),
    "batch_size_negative": (lambda tf, join: join([[tf.constant(1)]], batch_size=-1), ()),
    "batch_size_string": (lambda tf, join: join([[tf.constant(1)]], batch_size="2"), ()),
    "capacity_zero": (lambda tf, join: join([[tf.constant(1)]], batch_size=2, capacity=0), ()),
    "num_threads": (lambda tf, join: join([[tf.constant(1)]], batch_size=2, num_threads=2), ()),
}


# Where compat is more helpful on purpose, and why.
FRIENDLIER = {
    "a_flat_list": ("a single tensor is taken as a list of one", {"raises": None}),
    "different_lengths": (
        "branches of different lengths are refused, where TensorFlow 1 left tensors out",
        {"raises": "ValueError", "says": {}},
    ),
}


def wrong(function_name, call, words, tf, files):
    """What a wrong call raises."""
    return raised(lambda: call(tf, partial(make_join, tf, function_name)), *words)


for _function in ("batch_join", "shuffle_batch_join"):
    for _name, (_call, _words) in WRONG.items():
        _reason, _instead = FRIENDLIER.get(_name, ("", {}))
        _run = partial(wrong, _function, _call, _words)
        add(f"wrong_{_function}_{_name}", _run, _reason, **_instead)


@scenario
def wrong_shuffle_batch_join_dynamic_pad(tf, files):
    one = tf.constant(1)
    return raised(lambda: tf.train.shuffle_batch_join([[one]], 2, 5, 2, dynamic_pad=True))


@scenario
def wrong_shuffle_batch_join_min_after_dequeue_above_capacity(tf, files):
    one = tf.constant(1)
    return raised(lambda: tf.train.shuffle_batch_join([[one]], 2, 5, 5))
