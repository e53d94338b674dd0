"""Scenarios of what programs put between reading and batching."""

from __future__ import annotations

import numpy as np
from harness import (
    drain,
    fetch,
    initialize,
    join,
    scenario,
    session,
    static,
)


def numbers(tf, count=8, first=0, num_epochs=1):
    """`first`, `first + 1`, … as int32 scalars."""
    queue = tf.train.range_input_producer(count, num_epochs=num_epochs, shuffle=False)
    return queue.dequeue() + first


@scenario
def device_and_name_scope(tf, files):
    with tf.device("/cpu:0"), tf.name_scope("input"):
        i = numbers(tf, 6)
        with tf.name_scope("augment"):
            doubled = tf.multiply(i, 2, name="doubled")
        batched = tf.train.batch([doubled], 3, name="examples")
    return {"name": batched.op.name, **drain(tf, batched)}


@scenario
def variable_scope_with_a_variable(tf, files):
    with tf.variable_scope("input"):
        factor = tf.get_variable("factor", initializer=3, trainable=False)
        batched = tf.train.batch([numbers(tf, 6) * factor], 3)
    return {"variables": [v.op.name for v in tf.global_variables()], **drain(tf, batched)}


@scenario
def control_dependencies_between_read_and_batch(tf, files):
    seen = tf.Variable(0, trainable=False, name="seen")
    i = numbers(tf, 6)
    with tf.control_dependencies([i]):
        count = tf.assign_add(seen, 1)
    with tf.control_dependencies([count]):
        i = tf.identity(i)
    batched = tf.train.batch([i], 3)
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        outcome = fetch(lambda: sess.run(batched), 10)
        joined = join(coord, threads)
        return {**outcome, "joined": joined, "counted": int(sess.run(seen))}


@scenario
def assert_between_read_and_batch(tf, files):
    i = numbers(tf, 6)
    with tf.control_dependencies([tf.Assert(tf.less(i, 100), [i])]):
        i = tf.identity(i)
    return drain(tf, tf.train.batch([tf.identity(i)], 3))


@scenario
def assert_functions_between_read_and_batch(tf, files):
    i = numbers(tf, 6)
    with tf.control_dependencies([tf.assert_less(i, 100), tf.assert_rank(i, 0)]):
        i = tf.identity(i)
    return drain(tf, tf.train.batch([i], 3))


@scenario
def print_between_read_and_batch(tf, files):
    i = numbers(tf, 6)
    return drain(tf, tf.train.batch([tf.Print(i, [i], "element: ")], 3))


@scenario
def summaries_between_read_and_batch(tf, files):
    i = numbers(tf, 6)
    image = tf.fill([2, 2, 3], tf.cast(i, tf.float32))
    tf.summary.scalar("element", i)
    images = tf.train.batch([image], 3)
    tf.summary.image("images", images)
    tf.summary.histogram("values", images)
    keys = sorted(tensor.op.name for tensor in tf.get_collection(tf.GraphKeys.SUMMARIES))
    return {"summaries": keys, "static": static(images)}


@scenario
def merged_summaries_run_beside_the_batch(tf, files):
    batched = tf.train.shuffle_batch([numbers(tf, 12)], 4, 20, 3)
    tf.summary.scalar("largest", tf.reduce_max(batched))
    merged = tf.summary.merge_all()
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        values, text = sess.run([batched, merged])
        summary = tf.Summary.FromString(text)
        tags = sorted(value.tag for value in summary.value)
        largest = [value.simple_value for value in summary.value if value.tag == "largest"]
        outcome = fetch(lambda: sess.run([batched, merged])[0], 10)
        return {
            "tags": tags,
            "agrees": largest == [max(values)],
            "runs": len(outcome["values"]),
            "ended": outcome["ended"],
            "joined": join(coord, threads),
        }


@scenario
def collections_hold_what_programs_look_up(tf, files):
    names = tf.train.string_input_producer(["a", "b"], num_epochs=2, name="names")
    tf.train.batch([names.dequeue()], 2)
    keys = tf.GraphKeys
    return {
        "runners": len(tf.get_collection(keys.QUEUE_RUNNERS)),
        "locals": [v.op.name for v in tf.get_collection(keys.LOCAL_VARIABLES)],
        "globals": [v.op.name for v in tf.global_variables()],
        "trainable": [v.op.name for v in tf.trainable_variables()],
        "summaries": [t.op.name for t in tf.get_collection(keys.SUMMARIES)],
        "shapes": [v.shape.as_list() for v in tf.local_variables()],
        "dtypes": [v.dtype.base_dtype.name for v in tf.local_variables()],
    }


@scenario
def the_epoch_counter_can_be_read(tf, files):
    dequeued = tf.train.range_input_producer(3, num_epochs=2, shuffle=False).dequeue()
    counter = tf.local_variables()[0]
    with session(tf) as sess:
        initialize(tf, sess)
        before = sess.run(counter)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        outcome = fetch(lambda: sess.run(dequeued), 10)
        joined = join(coord, threads)
        return {"before": before, "after": sess.run(counter), **outcome, "joined": joined}


@scenario
def random_ops_between_read_and_batch(tf, files):
    image = tf.fill([4, 4, 3], tf.cast(numbers(tf, 24), tf.float32) / 24)
    image = tf.random_crop(image, [2, 2, 3])
    image = tf.image.random_flip_left_right(image)
    image = tf.image.random_brightness(image, 0.3)
    image = tf.image.random_contrast(image, 0.5, 1.5)
    images = tf.train.batch([image], 4)
    outcome = drain(tf, images)
    flat = np.concatenate(outcome["values"]).reshape(24, -1)
    changed = [i for i in range(24) if abs(flat[i].mean() - i / 24) > 1e-6]
    return {
        "static": static(images),
        "ended": outcome["ended"],
        "changed": len(changed) > 20,
        "differently": len({round(float(row.mean() - i / 24), 5) for i, row in enumerate(flat)})
        > 5,
    }


@scenario
def image_and_mask_flip_alike(tf, files):
    # the classic: two random ops with one seed
    i = numbers(tf, 40)
    row = tf.reshape(tf.range(4) + 10 * i, [1, 4, 1])
    image = tf.image.random_flip_left_right(row, seed=5)
    mask = tf.image.random_flip_left_right(row, seed=5)
    images, masks = tf.train.batch([image, mask], 8)
    outcome = drain(tf, [images, masks])
    alike = [bool((a == b).all()) for a, b in outcome["values"]]
    flipped = [int(a[0, 0, 0] > a[0, 3, 0]) for batch, _ in outcome["values"] for a in batch]
    return {"alike": alike, "some": 0 < sum(flipped) < 40, "ended": outcome["ended"]}


@scenario
def image_and_mask_concatenated_then_flipped(tf, files):
    i = numbers(tf, 24)
    row = tf.reshape(tf.range(4) + 10 * i, [1, 4, 1])
    both = tf.image.random_flip_left_right(tf.concat([row, row], axis=2))
    batched = tf.train.batch([both], 8, num_threads=4)
    outcome = drain(tf, batched)
    return {
        "alike": [bool((value[..., 0] == value[..., 1]).all()) for value in outcome["values"]],
        "static": static(batched),
        "ended": outcome["ended"],
    }


@scenario
def seeded_random_ops_of_one_thread(tf, files):
    tf.set_random_seed(3)
    noisy = tf.random_uniform([], seed=4) + tf.cast(numbers(tf, 6), tf.float32)
    values = drain(tf, tf.train.batch([noisy], 3))["values"]
    return {"values": [round(float(value), 5) for value in np.concatenate(values)]}


@scenario
def while_loop_between_read_and_batch(tf, files):
    def power(i):
        return tf.while_loop(lambda k, x: k < 3, lambda k, x: (k + 1, x * i), [0, 1])[1]

    return drain(tf, tf.train.batch([power(numbers(tf, 6))], 3))


@scenario
def map_fn_between_read_and_batch(tf, files):
    i = numbers(tf, 6)
    squares = tf.map_fn(lambda x: x * x, tf.stack([i, i + 1]))
    squares.set_shape([2])
    return drain(tf, tf.train.batch([squares], 3))


@scenario
def cond_with_its_own_reads_between_read_and_batch(tf, files):
    i = numbers(tf, 6)
    word = tf.cond(tf.equal(i % 2, 0), lambda: tf.constant("even"), lambda: tf.as_string(i))
    word.set_shape([])
    return drain(tf, tf.train.batch([word, i], 3))


@scenario
def case_between_read_and_batch(tf, files):
    i = numbers(tf, 6)
    cases = [(tf.equal(i, 0), lambda: tf.constant(10)), (i < 3, lambda: i * 20)]
    chosen = tf.case(cases, default=lambda: -i)
    chosen.set_shape([])
    return drain(tf, tf.train.batch([chosen], 3))


@scenario
def lookup_table_between_read_and_batch(tf, files):
    pairs = tf.lookup.KeyValueTensorInitializer(["a", "b"], tf.constant([0, 1], tf.int64))
    words = tf.gather(tf.constant(["b", "a", "c", "a"]), numbers(tf, 4))
    ids = tf.lookup.StaticHashTable(pairs, -1).lookup(words)
    batched = tf.train.batch([ids, words], 2)
    with session(tf) as sess:
        initialize(tf, sess)
        sess.run(tf.tables_initializer())
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        return {**fetch(lambda: sess.run(batched), 10), "joined": join(coord, threads)}


@scenario
def mean_image_in_a_variable(tf, files):
    mean = tf.Variable(tf.zeros([2]), trainable=False, name="mean")
    fill = tf.assign(mean, [1.0, 2.0])
    image = tf.cast(tf.stack([numbers(tf, 4), 5]), tf.float32) - mean
    batched = tf.train.batch([image], 2)
    with session(tf) as sess:
        initialize(tf, sess)
        sess.run(fill)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        return {**fetch(lambda: sess.run(batched), 10), "joined": join(coord, threads)}


@scenario
def slices_of_variables_assigned_late(tf, files):
    # the usual way to feed what does not fit into a GraphDef
    images_in = tf.placeholder(tf.float32, [6, 2])
    labels_in = tf.placeholder(tf.int32, [6])
    images = tf.Variable(images_in, trainable=False, collections=[])
    labels = tf.Variable(labels_in, trainable=False, collections=[])
    image, label = tf.train.slice_input_producer([images, labels], num_epochs=1, shuffle=False)
    batched = tf.train.batch([image, label], 3)
    with session(tf) as sess:
        initialize(tf, sess)
        data = np.arange(12, dtype=np.float32).reshape(6, 2)
        sess.run(images.initializer, {images_in: data})
        sess.run(labels.initializer, {labels_in: np.arange(6)})
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        outcome = fetch(lambda: sess.run(batched), 10)
        return {"static": static(batched), **outcome, "joined": join(coord, threads)}


@scenario
def slices_of_paths_and_labels_read_by_hand(tf, files):
    paths = tf.convert_to_tensor([str(files / name) for name in ("a.txt", "b.txt", "empty.txt")])
    labels = tf.convert_to_tensor([7, 8, 9])
    path, label = tf.train.slice_input_producer([paths, labels], num_epochs=2, seed=3)
    batched = tf.train.batch([tf.read_file(path), label], 2, num_threads=2)
    outcome = drain(tf, batched)
    pairs = sorted([text, int(n)] for batch in outcome["values"] for text, n in zip(*batch))
    return {"pairs": pairs, "ended": outcome["ended"], "joined": outcome["joined"]}


@scenario
def one_shuffled_index_gathers_from_a_table_in_memory(tf, files):
    data = tf.constant(np.arange(20).reshape(10, 2))
    index = tf.train.range_input_producer(10, num_epochs=1, seed=2).dequeue_many(4)
    return drain(tf, tf.gather(data, index))


@scenario
def ptb_strided_slices_of_a_range_producer(tf, files):
    raw = tf.reshape(tf.range(24), [2, 12])
    i = tf.train.range_input_producer(3, shuffle=False).dequeue()
    x = tf.strided_slice(raw, [0, i * 4], [2, (i + 1) * 4])
    x.set_shape([2, 4])
    return {"static": static(x), **drain(tf, x, limit=4)}


@scenario
def where_between_read_and_enqueue_many_filters(tf, files):
    i = numbers(tf, 9)
    row = tf.boolean_mask(tf.stack([i, i + 100]), tf.stack([i < 3, tf.equal(i % 4, 0)]))
    batched = tf.train.batch([row], 2, enqueue_many=True, allow_smaller_final_batch=True)
    return {"static": static(batched), **drain(tf, batched)}


@scenario
def gradients_and_training_on_a_batch(tf, files):
    x, y = tf.train.batch([tf.cast(numbers(tf, 8), tf.float32), tf.constant(1.0)], 4)
    w = tf.Variable(0.5)
    loss = tf.reduce_mean(tf.square(x * w - y))
    train = tf.train.GradientDescentOptimizer(0.01).minimize(loss)
    with session(tf) as sess:
        initialize(tf, sess)
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        losses = fetch(lambda: round(float(sess.run([loss, train])[0]), 4), 10)
        return {**losses, "joined": join(coord, threads)}
