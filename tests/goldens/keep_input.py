"""Scenarios of maybe_batch and its kin: what `keep_input` leaves out, and wrong use."""

from __future__ import annotations

from functools import partial

from harness import add, as_multiset, drain, raised, scenario, static

FUNCTIONS = (
    "maybe_batch",
    "maybe_batch_join",
    "maybe_shuffle_batch",
    "maybe_shuffle_batch_join",
)


def numbers(tf, count=12, first=0, num_epochs=1):
    """`first`, `first + 1`, … as int32 scalars."""
    queue = tf.train.range_input_producer(count, num_epochs=num_epochs, shuffle=False)
    return queue.dequeue() + first


def maybe(tf, function_name, tensors, **arguments):
    """Calls one of the four; for a join with `tensors` as its only branch."""
    if "shuffle" in function_name:
        arguments = {"capacity": 30, "min_after_dequeue": 3, **arguments}
    if "join" in function_name:
        tensors = [tensors]
    return getattr(tf.train, function_name)(tensors, **arguments)


def outcome_of(tf, batched, function_name):
    """In order where the order is defined."""
    outcome = drain(tf, batched)
    return outcome if "shuffle" not in function_name else as_multiset(outcome)


def scalar(function_name, tf, files):
    """Every third element is kept; a smaller last batch."""
    i = numbers(tf)
    batched = maybe(
        tf,
        function_name,
        [i],
        keep_input=tf.equal(i % 3, 0),
        batch_size=3,
        allow_smaller_final_batch=True,
    )
    tensor = batched[0] if isinstance(batched, list) else batched
    return {"static": static(batched), **outcome_of(tf, tensor, function_name)}


def python_true(function_name, tf, files):
    """A Python `True` keeps everything."""
    batched = maybe(tf, function_name, {"i": numbers(tf)}, keep_input=True, batch_size=4)
    return {"static": static(batched), **outcome_of(tf, batched["i"], function_name)}


def vector(function_name, tf, files):
    """Of each row of four, those that `keep_input` says."""
    i = numbers(tf, 5)
    row = i * 10 + tf.range(4)
    batched = maybe(
        tf,
        function_name,
        (row, tf.as_string(row)),
        keep_input=tf.equal((row + i) % 2, 0),
        batch_size=3,
        enqueue_many=True,
        allow_smaller_final_batch=True,
    )
    outcome = drain(tf, batched)
    pairs = [[int(a), b] for batch in outcome["values"] for a, b in zip(*batch)]
    pairs = sorted(pairs) if "shuffle" in function_name else pairs
    return {"static": static(batched), "pairs": pairs, "ended": outcome["ended"]}


def scalar_with_enqueue_many(function_name, tf, files):
    """Whole rows are kept or not."""
    i = numbers(tf, 6)
    batched = maybe(
        tf,
        function_name,
        [tf.stack([i, i + 100])],
        keep_input=i < 3,
        batch_size=2,
        enqueue_many=True,
    )
    tensor = batched[0] if isinstance(batched, list) else batched
    return {"static": static(batched), **outcome_of(tf, tensor, function_name)}


def nothing_kept(function_name, tf, files):
    """The end comes although no element did."""
    i = numbers(tf, 5)
    batched = maybe(tf, function_name, [i], keep_input=i > 100, batch_size=2)
    tensor = batched[0] if isinstance(batched, list) else batched
    return drain(tf, tensor)


def sparse_scalar(function_name, tf, files):
    """SparseTensors that are kept or not."""
    i = tf.cast(numbers(tf, 6), tf.int64)
    sparse = tf.SparseTensor(tf.reshape(i, [1, 1]), tf.reshape(i * 10, [1]), [8])
    batched = maybe(tf, function_name, [sparse, i], keep_input=tf.equal(i % 2, 1), batch_size=3)
    outcome = drain(tf, batched)
    seen = sorted([int(v), int(r)] for s, row in outcome["values"] for v, r in zip(s.values, row))
    shapes = [list(map(int, s.dense_shape)) for s, _ in outcome["values"]]
    return {"static": static(batched), "seen": seen, "shapes": shapes, "ended": outcome["ended"]}


def sparse_vector(function_name, tf, files):
    """Rows of SparseTensors that are kept or not."""
    i = tf.cast(numbers(tf, 4), tf.int64)
    sparse = tf.SparseTensor([[0, 0], [1, 1], [2, 0]], tf.stack([i, i + 10, i + 20]), [3, 2])
    batched = maybe(
        tf,
        function_name,
        {"sparse": sparse, "row": tf.stack([i, i + 10, i + 20])},
        keep_input=tf.stack([True, tf.equal(i % 2, 0), False]),
        batch_size=2,
        enqueue_many=True,
    )
    outcome = drain(tf, batched)
    seen = sorted(
        [int(v), int(r)]
        for batch in outcome["values"]
        for v, r in zip(batch["sparse"].values, batch["row"])
    )
    return {"static": static(batched), "seen": seen, "ended": outcome["ended"]}


def changing(function_name, tf, files):
    """A predicate with a state of its own decides, once for each element."""
    i = numbers(tf, 9)
    calls = []

    def every_second():
        calls.append(None)
        return len(calls) % 2 == 0

    keep = tf.py_func(every_second, [], tf.bool)
    keep.set_shape([])
    batched = maybe(tf, function_name, [i], keep_input=keep, batch_size=4)
    tensor = batched[0] if isinstance(batched, list) else batched
    outcome = drain(tf, tensor)
    return {"results": len(outcome["values"]), "ended": outcome["ended"]}


CASES = {
    "scalar": scalar,
    "python_true": python_true,
    "vector": vector,
    "scalar_with_enqueue_many": scalar_with_enqueue_many,
    "nothing": nothing_kept,
    "sparse_scalar": sparse_scalar,
    "sparse_vector": sparse_vector,
    "a_changing_predicate": changing,
}

# All functions filter in one place: not every case with each of them.
for _function, _names in (
    ("maybe_batch", CASES),
    ("maybe_batch_join", ("scalar", "vector")),
    ("maybe_shuffle_batch", ("scalar_with_enqueue_many", "sparse_vector")),
    ("maybe_shuffle_batch_join", ("scalar", "vector", "sparse_scalar")),
):
    for _name in _names:
        add(f"{_function}_keeps_{_name}", partial(CASES[_name], _function))


@scenario
def maybe_batch_with_a_predicate_of_another_tensor_pulls_both(tf, files):
    # i and j advance together, whether kept or not
    i, j = numbers(tf, 8), numbers(tf, 8, 100)
    batched = tf.train.maybe_batch([i], tf.equal(j % 4, 1), 2)
    return drain(tf, batched)


@scenario
def maybe_batch_with_a_placeholder(tf, files):
    keep = tf.placeholder_with_default(True, [])
    return drain(tf, tf.train.maybe_batch([numbers(tf, 4)], keep, 2))


@scenario
def maybe_batch_dynamic_pad(tf, files):
    i = numbers(tf, 8)
    batched = tf.train.maybe_batch([tf.range(i)], tf.equal(i % 2, 0), 2, dynamic_pad=True)
    return {"static": static(batched), **drain(tf, batched)}


@scenario
def maybe_batch_keeps_one_random_draw(tf, files):
    # drawn once per element: what is kept is what was drawn
    numbers_ = tf.random_uniform([], seed=3) + tf.cast(numbers(tf, 40) * 0, tf.float32)
    batched = tf.train.maybe_batch([numbers_], numbers_ > 0.5, 4, allow_smaller_final_batch=True)
    values = [float(v) for batch in drain(tf, batched)["values"] for v in batch]
    return {"above": all(value > 0.5 for value in values), "some": 0 < len(values) < 40}


@scenario
def maybe_batch_with_threads(tf, files):
    i = numbers(tf, 20)
    batched = tf.train.maybe_batch([i], tf.equal(i % 2, 0), 5, num_threads=3)
    return as_multiset(drain(tf, batched))


@scenario
def maybe_batch_join_of_two_branches_and_one_predicate(tf, files):
    i, j = numbers(tf, 8), numbers(tf, 8, 100)
    keep = tf.placeholder_with_default(True, [])
    batched = tf.train.maybe_batch_join([[i], [j]], keep, 4)
    return {"static": static(batched), **as_multiset(drain(tf, batched))}


@scenario
def maybe_batch_join_vector_of_two_branches(tf, files):
    i, j = numbers(tf, 4), numbers(tf, 4, 100)
    batched = tf.train.maybe_batch_join(
        [[tf.stack([i, i + 50])], [tf.stack([j, j + 50])]],
        [False, True],
        4,
        enqueue_many=True,
    )
    return {"static": static(batched), **as_multiset(drain(tf, batched))}


@scenario
def maybe_shuffle_batch_of_dicts(tf, files):
    i = numbers(tf, 12)
    batched = tf.train.maybe_shuffle_batch({"i": i, "s": tf.as_string(i)}, 3, 20, 2, i < 6)
    outcome = drain(tf, batched)
    rows = sorted(
        [int(i), s] for batch in outcome["values"] for i, s in zip(batch["i"], batch["s"])
    )
    return {"static": static(batched), "rows": rows, "ended": outcome["ended"]}


# ---------------------------------------------------------------- wrong use

WRONG = {
    "a_vector": (
        lambda tf, m: m([tf.constant(1)], keep_input=tf.constant([True]), batch_size=2),
        ("`keep_input` cannot be a vector", "enqueue_many=false"),
    ),
    "a_matrix": (
        lambda tf, m: m([tf.constant([1])], keep_input=[[True]], batch_size=2, enqueue_many=True),
        ("`keep_input` must be 0 or 1 dimensions",),
    ),
    "an_unknown_rank": (
        lambda tf, m: m([tf.constant(1)], keep_input=tf.placeholder(tf.bool), batch_size=2),
        ("`keep_input` dimensions must be known",),
    ),
    "a_number": (
        lambda tf, m: m([tf.constant(1)], keep_input=tf.constant(1), batch_size=2),
        (),
    ),
    "a_python_number": (
        lambda tf, m: m([tf.constant(1)], keep_input=1, batch_size=2),
        (),
    ),
    "a_text": (lambda tf, m: m([tf.constant(1)], keep_input="yes", batch_size=2), ()),
    "none": (lambda tf, m: m([tf.constant(1)], keep_input=None, batch_size=2), ()),
    "a_vector_of_another_length": (
        lambda tf, m: m(
            [tf.constant([1, 2])],
            keep_input=tf.constant([True, False, True]),
            batch_size=2,
            enqueue_many=True,
        ),
        (),
    ),
    "no_tensors": (lambda tf, m: m([], keep_input=True, batch_size=2), ()),
    "unknown_shape": (
        lambda tf, m: m([tf.placeholder(tf.int32)], keep_input=True, batch_size=2),
        ("cannot infer tensor's rank",),
    ),
}


def wrong(function_name, call, words, tf, files):
    """What a wrong call raises."""
    return raised(lambda: call(tf, partial(maybe, tf, function_name)), *words)


for _function in FUNCTIONS:
    for _name, (_call, _words) in WRONG.items():
        add(f"wrong_{_function}_keep_{_name}", partial(wrong, _function, _call, _words))


@scenario
def wrong_maybe_batch_without_keep_input(tf, files):
    return raised(lambda: tf.train.maybe_batch([tf.constant(1)], batch_size=2))
