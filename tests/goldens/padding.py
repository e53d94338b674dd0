"""Scenarios of dynamic_pad, of fed batch sizes, and of what is left in a queue at the end."""

from __future__ import annotations

from harness import as_multiset, drain, fetch, initialize, join, raised, scenario, session, static


def numbers(tf, count=10, num_epochs=1):
    """0, 1, … as int32 scalars."""
    return tf.train.range_input_producer(count, num_epochs=num_epochs, shuffle=False).dequeue()


@scenario
def dynamic_pad_of_strings(tf, files):
    i = numbers(tf, 4)
    words = tf.as_string(tf.range(i))
    batched = tf.train.batch([words, i], 2, dynamic_pad=True)
    return {"static": static(batched), **drain(tf, batched)}


@scenario
def dynamic_pad_of_several_unknown_dimensions(tf, files):
    i = numbers(tf, 4)
    matrix = tf.fill(tf.stack([i, 4 - i, 2]), i + 1)
    matrix.set_shape([None, None, 2])
    batched = tf.train.batch([matrix], 2, dynamic_pad=True)
    return {"static": static(batched), **drain(tf, batched)}


@scenario
def dynamic_pad_of_dtypes(tf, files):
    i = numbers(tf, 2)
    ones = tf.ones([i + 1], tf.int32)
    dtypes = (tf.bool, tf.uint8, tf.int64, tf.float32, tf.float64)
    batched = tf.train.batch([tf.cast(ones, dtype) for dtype in dtypes], 2, dynamic_pad=True)
    return {"static": static(batched), **drain(tf, batched)}


@scenario
def dynamic_pad_beside_known_shapes(tf, files):
    i = numbers(tf, 6)
    tensors = {"i": i, "pair": tf.stack([i, i]), "many": tf.range(i)}
    batched = tf.train.batch(tensors, 3, dynamic_pad=True)
    return {"static": static(batched), **drain(tf, batched)}


@scenario
def dynamic_pad_where_nothing_is_unknown(tf, files):
    batched = tf.train.batch([numbers(tf, 4)], 2, dynamic_pad=True)
    return {"static": static(batched), **drain(tf, batched)}


@scenario
def dynamic_pad_with_shapes(tf, files):
    i = numbers(tf, 4)
    unknown = tf.placeholder_with_default(tf.range(i), None)
    batched = tf.train.batch([unknown], 2, dynamic_pad=True, shapes=[[None]])
    return {"static": static(batched), **drain(tf, batched)}


@scenario
def dynamic_pad_smaller_final_batch(tf, files):
    batched = tf.train.batch(
        [tf.range(numbers(tf, 5))], 3, dynamic_pad=True, allow_smaller_final_batch=True
    )
    return {"static": static(batched), **drain(tf, batched)}


@scenario
def dynamic_pad_enqueue_many(tf, files):
    # rows of one matrix are of one width; rows of different matrices are padded
    i = numbers(tf, 4)
    matrix = tf.fill(tf.stack([2, i + 1]), i + 1)
    matrix.set_shape([2, None])
    batched = tf.train.batch([matrix], 4, enqueue_many=True, dynamic_pad=True)
    return {"static": static(batched), **drain(tf, batched)}


@scenario
def dynamic_pad_enqueue_many_of_ragged_batches(tf, files):
    inner = tf.train.batch([tf.range(numbers(tf, 6))], 2, dynamic_pad=True)
    batched = tf.train.batch([inner], 3, enqueue_many=True, dynamic_pad=True)
    return {"static": static(batched), **drain(tf, batched)}


@scenario
def dynamic_pad_of_a_fed_size(tf, files):
    size = tf.placeholder_with_default(2, [])
    batched = tf.train.batch([tf.range(numbers(tf, 4))], size, dynamic_pad=True)
    return {"static": static(batched), **drain(tf, batched)}


@scenario
def dynamic_pad_then_a_reduction(tf, files):
    # the padding is zero, so sums are sums
    lengths = tf.range(numbers(tf, 6)) + 1
    sums = tf.reduce_sum(tf.train.batch([lengths], 3, dynamic_pad=True), axis=1)
    return {"static": static(sums), **drain(tf, sums)}


@scenario
def wrong_dynamic_pad_of_an_unknown_rank(tf, files):
    unknown = tf.placeholder(tf.int32)
    return raised(
        lambda: tf.train.batch([unknown], 2, dynamic_pad=True), "cannot infer tensor's rank"
    )


@scenario
def wrong_batch_of_an_unknown_dimension_says_what_is_missing(tf, files):
    unknown = tf.range(numbers(tf))
    return raised(lambda: tf.train.batch([unknown], 2), "fully defined")


@scenario
def wrong_shuffle_batch_dynamic_pad(tf, files):
    one = tf.constant(1)
    return raised(lambda: tf.train.shuffle_batch([one], 2, 5, 2, dynamic_pad=True))


# ---------------------------------------------------------------- batch_size as a tensor


def sizes(tf, size, batched, feeds):
    """Runs `batched` with one size after the other, then with the last one to the end."""
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        values = [sess.run(batched, {size: feed}) for feed in feeds]
        outcome = fetch(lambda: sess.run(batched, {size: feeds[-1]}), 50)
        return {"first": values, **outcome, "joined": join(coord, threads)}


@scenario
def batch_size_that_changes_from_run_to_run(tf, files):
    size = tf.placeholder(tf.int32, [])
    batched = tf.train.batch([numbers(tf, 20)], size)
    return {"static": static(batched), **sizes(tf, size, batched, [1, 5, 0, 3, 2])}


@scenario
def batch_size_that_changes_and_a_smaller_final_batch(tf, files):
    size = tf.placeholder(tf.int32, [])
    batched = tf.train.batch([numbers(tf, 10)], size, allow_smaller_final_batch=True)
    return {"static": static(batched), **sizes(tf, size, batched, [1, 4])}


@scenario
def batch_size_that_changes_in_a_dict_with_enqueue_many(tf, files):
    size = tf.placeholder(tf.int32, [])
    i = numbers(tf, 6)
    tensors = {"i": tf.stack([i, i + 10]), "s": tf.as_string(tf.stack([i, i + 10]))}
    batched = tf.train.batch(tensors, size, enqueue_many=True)
    return {"static": static(batched), **sizes(tf, size, batched, [3, 1, 4])}


@scenario
def batch_size_larger_than_what_is_left(tf, files):
    # the failing run leaves the elements where they are
    size = tf.placeholder(tf.int32, [])
    batched = tf.train.batch([numbers(tf, 7)], size)
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        first = sess.run(batched, {size: 4})
        too_many = raised(lambda: sess.run(batched, {size: 4}))["raises"]
        rest = fetch(lambda: sess.run(batched, {size: 1}), 10)
        return {"first": first, "too many": too_many, **rest, "joined": join(coord, threads)}


@scenario
def batch_size_from_a_variable(tf, files):
    size = tf.Variable(2, trainable=False)
    grow = tf.assign_add(size, 1)
    batched = tf.train.batch([numbers(tf, 12)], size)
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        values = []
        for _ in range(3):
            values.append(sess.run(batched))
            sess.run(grow)
        return {"static": static(batched), "values": values, "joined": join(coord, threads)}


@scenario
def batch_size_from_a_computation(tf, files):
    batched = tf.train.batch([numbers(tf, 9)], tf.constant(2) + 1)
    return {"static": static(batched), **drain(tf, batched)}


@scenario
def batch_size_from_numpy(tf, files):
    size = static(tf.train.batch([numbers(tf, 9)], tf.int32.as_numpy_dtype(3)))
    return {"static": size}


@scenario
def batch_size_larger_than_the_capacity_when_fed(tf, files):
    size = tf.placeholder(tf.int32, [])
    batched = tf.train.batch([numbers(tf, 12)], size, capacity=3)
    return sizes(tf, size, batched, [6, 2])


@scenario
def shuffle_batch_size_that_changes_from_run_to_run(tf, files):
    size = tf.placeholder(tf.int32, [])
    batched = tf.train.shuffle_batch([numbers(tf, 20)], size, 30, 4)
    outcome = sizes(tf, size, batched, [1, 5, 3, 2])
    values = sorted(int(v) for batch in outcome["first"] + outcome["values"] for v in batch)
    lengths = [len(batch) for batch in outcome["first"] + outcome["values"]]
    return {
        "static": static(batched),
        "lengths": lengths,
        "each once": len(set(values)) == len(values),
        "ended": outcome["ended"],
    }


@scenario
def shuffle_batch_size_that_changes_and_a_smaller_final_batch(tf, files):
    size = tf.placeholder(tf.int32, [])
    batched = tf.train.shuffle_batch([numbers(tf, 11)], size, 30, 4, allow_smaller_final_batch=True)
    outcome = sizes(tf, size, batched, [2, 4])
    values = sorted(int(v) for batch in outcome["first"] + outcome["values"] for v in batch)
    return {"static": static(batched), "values": values, "ended": outcome["ended"]}


# ---------------------------------------------------------------- little data


@scenario
def batch_of_less_than_a_batch(tf, files):
    return drain(tf, tf.train.batch([numbers(tf, 2)], 4))


@scenario
def shuffle_batch_of_less_than_a_batch(tf, files):
    return drain(tf, tf.train.shuffle_batch([numbers(tf, 2)], 4, 10, 5))


@scenario
def shuffle_batch_of_less_than_min_after_dequeue(tf, files):
    batched = tf.train.shuffle_batch([numbers(tf, 4)], 2, 20, 10)
    return as_multiset(drain(tf, batched))


@scenario
def shuffle_batch_of_less_than_min_after_dequeue_smaller_final_batch(tf, files):
    batched = tf.train.shuffle_batch([numbers(tf, 5)], 2, 20, 10, allow_smaller_final_batch=True)
    return as_multiset(drain(tf, batched))


@scenario
def shuffle_batch_drains_below_min_after_dequeue_at_the_end(tf, files):
    batched = tf.train.shuffle_batch([numbers(tf, 12)], 4, 20, 8)
    outcome = drain(tf, batched)
    values = sorted(int(value) for batch in outcome["values"] for value in batch)
    return {"values": values, "ended": outcome["ended"]}


@scenario
def endless_data_smaller_than_a_batch(tf, files):
    return drain(tf, tf.train.batch([numbers(tf, 2, num_epochs=None)], 5), limit=3)


@scenario
def endless_data_smaller_than_min_after_dequeue(tf, files):
    batched = tf.train.shuffle_batch([numbers(tf, 3, num_epochs=None)], 4, 30, 20)
    outcome = drain(tf, batched, limit=5)
    values = {int(value) for batch in outcome["values"] for value in batch}
    return {"values": sorted(values), "ended": outcome["ended"], "joined": outcome["joined"]}


@scenario
def shuffle_batch_order_with_a_seed_is_repeatable(tf, files):
    # one element at a time out of a queue that is full: its threads have no say in the order
    orders = []
    for seed in (1, 1, 2):
        with tf.Graph().as_default():
            batched = tf.train.shuffle_batch([numbers(tf, 30)], 1, 10, 9, seed=seed)
            orders.append([int(v) for batch in drain(tf, batched)["values"] for v in batch])
    return {
        "repeats": orders[0] == orders[1],
        "another seed": orders[0] == orders[2],
        "all": sorted(orders[0]),
    }


@scenario
def shuffle_batch_never_gives_what_cannot_be_there_yet(tf, files):
    # with a capacity of 5, the first element is one of the first 5, and so on
    batched = tf.train.shuffle_batch([numbers(tf, 30)], 1, 5, 3)
    values = [int(v) for batch in drain(tf, batched)["values"] for v in batch]
    late = max(value - index for index, value in enumerate(values))
    return {"at most": late <= 5, "all": sorted(values)}
