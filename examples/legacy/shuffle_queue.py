"""The template of TensorFlow's guide to threads and queues, filled in."""
from __future__ import print_function

import os

import numpy as np
import tensorflow as tf

tf.app.flags.DEFINE_string('data_dir', 'data', 'Directory with digits.npy.')
tf.app.flags.DEFINE_integer('num_examples', 600, 'Examples that are enqueued before the end.')
tf.app.flags.DEFINE_integer('batch_size', 20, 'Examples in a batch.')
FLAGS = tf.app.flags.FLAGS


def main(_):
    images = np.load(os.path.join(FLAGS.data_dir, 'digits.npy'))

    # One example: the next digit. CountUpTo ends with OutOfRangeError at its limit.
    counter = tf.Variable(0, name='counter', trainable=False)
    index = counter.count_up_to(FLAGS.num_examples)
    example = tf.gather(tf.constant(images), index % len(images))

    # Create a queue, and an op that enqueues examples one at a time in the queue.
    queue = tf.RandomShuffleQueue(capacity=200, min_after_dequeue=100,
                                  dtypes=[tf.int32, tf.float32], shapes=[[], [64]])
    enqueue_op = queue.enqueue([index, example])
    # Create a training graph that starts by dequeuing a batch of examples.
    indices, inputs = queue.dequeue_many(FLAGS.batch_size)
    train_op = tf.reduce_sum(inputs, axis=1)

    # Create a queue runner that will run 4 threads in parallel to enqueue examples.
    qr = tf.train.QueueRunner(queue, [enqueue_op] * 4)

    sess = tf.Session()
    sess.run(tf.global_variables_initializer())
    # Create a coordinator, launch the queue runner threads.
    coord = tf.train.Coordinator()
    enqueue_threads = qr.create_threads(sess, coord=coord, start=True)
    step = 0
    try:
        for step in range(1000000):
            if coord.should_stop():
                break
            numbers, sums = sess.run([indices, train_op])
            for number, total in zip(numbers, sums):
                print('example', number, 'sum', int(total))
    except tf.errors.OutOfRangeError:
        print('done after', step, 'batches')
    except Exception as e:
        # Report exceptions to the coordinator.
        coord.request_stop(e)
    finally:
        # Terminate as usual. It is safe to call `coord.request_stop()` twice.
        coord.request_stop()
        coord.join(enqueue_threads)
        sess.close()


if __name__ == '__main__':
    tf.app.run()
