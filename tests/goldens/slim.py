"""Scenarios of tf.contrib.slim's input functions; compat needs tf_slim for them."""

from __future__ import annotations

from harness import as_multiset, drain, fetch, initialize, plain, scenario, session, static


def numbers(tf, count=12, num_epochs=1):
    """0, 1, … as int32 scalars."""
    return tf.train.range_input_producer(count, num_epochs=num_epochs, shuffle=False).dequeue()


def prefetched(tf, tensors, **arguments):
    """slim's `prefetch_queue`."""
    return tf.contrib.slim.prefetch_queue.prefetch_queue(tensors, **arguments)


def names_and_positions(outcome):
    """Which record of which file each key names."""
    keys = [key.rpartition("/")[2] for key, _ in plain(outcome["values"])]
    return {**outcome, "values": sorted(keys)}


@scenario
def slim_prefetch_queue_of_a_batch(tf, files):
    i = numbers(tf)
    batch = tf.train.batch([i, i * 2], 3)
    queue = prefetched(tf, [batch[0], tf.one_hot(batch[1] % 3, 3)], capacity=4, num_threads=2)
    dequeued = queue.dequeue()
    outcome = drain(tf, dequeued)
    return {
        "static": static(dequeued),
        "name": queue.name,
        "names": queue.names,
        "dtypes": [dtype.name for dtype in queue.dtypes],
        "summaries": [summary.op.name for summary in tf.get_collection("summaries")],
        "values": sorted(str(value) for value in plain(outcome["values"])),
        "ended": outcome["ended"],
    }


@scenario
def slim_prefetch_queue_in_order(tf, files):
    return drain(tf, prefetched(tf, [tf.train.batch([numbers(tf)], 4)]).dequeue())


@scenario
def slim_prefetch_queue_of_a_dict(tf, files):
    i = numbers(tf)
    queue = prefetched(tf, {"j": i * 2, "i": i}, name="mine", shared_name="theirs")
    dequeued = queue.dequeue()
    return {
        "static": static(dequeued),
        "name": queue.name,
        "names": queue.names,
        **drain(tf, dequeued),
    }


@scenario
def slim_prefetch_queue_dequeue_many(tf, files):
    i = numbers(tf)
    dequeued = prefetched(tf, [i, tf.stack([i, i])]).dequeue_many(5)
    return {"static": static(dequeued), **drain(tf, dequeued)}


@scenario
def slim_prefetch_queue_dynamic_pad(tf, files):
    i = numbers(tf, 7)
    dequeued = prefetched(tf, [tf.range(i)], dynamic_pad=True).dequeue_up_to(3)
    return {"static": static(dequeued), **drain(tf, dequeued)}


@scenario
def slim_prefetch_queue_shared_by_two_clones(tf, files):
    queue = prefetched(tf, [tf.train.batch([numbers(tf)], 2)])
    outcome = drain(tf, [queue.dequeue(), queue.dequeue()])
    values = [batch for run in plain(outcome["values"]) for batch in run]
    return {**outcome, "values": sorted(values)}


@scenario
def slim_prefetch_queue_of_what_the_program_makes(tf, files):
    count = tf.Variable(0, trainable=False).count_up_to(6)
    return drain(tf, prefetched(tf, [count * 2]).dequeue())


@scenario
def slim_prefetch_queue_behind_a_queue_of_the_program(tf, files):
    count = tf.Variable(0, trainable=False).count_up_to(6)
    queue = tf.FIFOQueue(4, [tf.int32], shapes=[[]])
    tf.train.add_queue_runner(tf.train.QueueRunner(queue, [queue.enqueue(count)]))
    return drain(tf, prefetched(tf, [queue.dequeue()]).dequeue())


@scenario
def slim_parallel_read(tf, files):
    records = tf.contrib.slim.parallel_reader.parallel_read(
        [str(files / "a.tf*"), str(files / "b.tfrecords")],
        tf.TFRecordReader,
        num_epochs=2,
        num_readers=2,
        capacity=10,
        min_after_dequeue=2,
        seed=1,
        scope="mine",
    )
    outcome = names_and_positions(drain(tf, records))
    return {"begins with": [tensor.name.split("/")[0] for tensor in records], **outcome}


@scenario
def slim_parallel_read_in_order(tf, files):
    records = tf.contrib.slim.parallel_reader.parallel_read(
        [str(files / "a.txt"), str(files / "header.csv")],
        tf.TextLineReader,
        num_epochs=1,
        num_readers=1,
        shuffle=False,
        reader_kwargs={"skip_header_lines": 1},
    )
    return drain(tf, records[1])


@scenario
def slim_parallel_read_of_a_reader_of_the_program(tf, files):
    class Reader(tf.TextLineReader):
        def read(self, queue, name=None):
            key, value = super().read(queue, name)
            return key, tf.string_join([value, "!"])

    records = tf.contrib.slim.parallel_reader.parallel_read(
        [str(files / "a.txt")], Reader, num_epochs=1, num_readers=1, shuffle=False
    )
    return drain(tf, records[1])


@scenario
def slim_parallel_reader_on_a_queue_of_the_program(tf, files):
    common = tf.FIFOQueue(10, [tf.string, tf.string], shapes=[[], []])
    reader = tf.contrib.slim.parallel_reader.ParallelReader(
        tf.TextLineReader, common, num_readers=2
    )
    names = tf.train.string_input_producer(
        [str(files / "a.txt"), str(files / "b.txt")], num_epochs=1, shuffle=False
    )
    return names_and_positions(drain(tf, reader.read(names)))


@scenario
def slim_single_pass_read(tf, files):
    records = tf.contrib.slim.parallel_reader.single_pass_read(
        [str(files / "a.txt"), str(files / "header.csv")],
        tf.TextLineReader,
        reader_kwargs={"skip_header_lines": 1},
    )
    return drain(tf, records)


@scenario
def slim_dataset_data_provider(tf, files):
    slim = tf.contrib.slim
    with tf.python_io.TFRecordWriter(str(files / "examples.tfrecord")) as writer:
        for number in range(6):
            numbers = tf.train.Int64List(value=[number])
            features = tf.train.Features(feature={"x": tf.train.Feature(int64_list=numbers)})
            writer.write(tf.train.Example(features=features).SerializeToString())
    decoder = slim.tfexample_decoder.TFExampleDecoder(
        {"x": tf.FixedLenFeature([], tf.int64)}, {"x": slim.tfexample_decoder.Tensor("x")}
    )
    dataset = slim.dataset.Dataset(
        data_sources=str(files / "examples.tfrecord"),
        reader=tf.TFRecordReader,
        decoder=decoder,
        num_samples=6,
        items_to_descriptions={},
    )
    provider = slim.dataset_data_provider.DatasetDataProvider(
        dataset, num_readers=2, num_epochs=2, common_queue_capacity=10, common_queue_min=2
    )
    [x] = provider.get(["x"])
    outcome = as_multiset(drain(tf, tf.train.batch([x * 3], 4)))
    return {"items": sorted(provider.list_items()), "samples": provider.num_samples(), **outcome}


@scenario
def slim_queue_runners_context(tf, files):
    batch = tf.train.batch([numbers(tf)], 4)
    with session(tf) as sess:
        initialize(tf, sess)
        with tf.contrib.slim.queues.QueueRunners(sess):
            return fetch(lambda: sess.run(batch), 10)


@scenario
def slim_learning_train(tf, files):
    slim = tf.contrib.slim
    x = tf.cast(tf.train.batch([numbers(tf, 10, None)], 5), tf.float32)
    weight = slim.model_variable("weight", [], initializer=tf.ones_initializer())
    loss = tf.reduce_mean(tf.square(x * weight - 2.0 * x))
    tf.losses.add_loss(loss)
    optimizer = tf.train.GradientDescentOptimizer(0.01)
    train_op = slim.learning.create_train_op(tf.losses.get_total_loss(), optimizer)
    final = slim.learning.train(
        train_op, None, number_of_steps=40, log_every_n_steps=1000, save_summaries_secs=0
    )
    return {"loss": round(float(final), 5)}
