"""Batches cut out of an array, the way the PTB language model's reader did it."""
from __future__ import print_function

import argparse
import os

import numpy as np
import tensorflow as tf

parser = argparse.ArgumentParser()
parser.add_argument('--data_dir', default='data')
parser.add_argument('--batch_size', type=int, default=6)
parser.add_argument('--num_batches', type=int, default=10)
parser.add_argument('--rows', type=int, default=65, help='rows of the array that are used')
parser.add_argument('--num_epochs', type=int, default=1, help='0 goes round for ever')
parser.add_argument('--steps', type=int, default=25, help='where to stop when it goes round for ever')


def produce(array, batch_size, num_batches, num_epochs):
    with tf.name_scope('produce'):
        data = tf.convert_to_tensor(array, name='data')
        i = tf.train.range_input_producer(num_batches, num_epochs=num_epochs, shuffle=False).dequeue()
        x = tf.slice(data, [i * batch_size, 0], [batch_size, array.shape[1]])
        x.set_shape([batch_size, array.shape[1]])
        return i, x


def main():
    args = parser.parse_args()
    array = np.load(os.path.join(args.data_dir, 'digits.npy'))[:args.rows]
    i, x = produce(array, args.batch_size, args.num_batches, args.num_epochs or None)
    total = tf.reduce_sum(x, axis=1)

    with tf.Session() as sess:
        sess.run(tf.group(tf.global_variables_initializer(), tf.local_variables_initializer()))
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coord)
        step = 0
        try:
            while not coord.should_stop():
                if not args.num_epochs and step == args.steps:
                    break
                index, sums = sess.run([i, total])
                print('batch', index, 'sums', *[int(s) for s in sums])
                step += 1
        except tf.errors.OutOfRangeError:
            print('epoch limit reached')
        except tf.errors.InvalidArgumentError as e:
            print('InvalidArgumentError:', e.message[e.message.find('Expected'):].splitlines()[0])
        finally:
            coord.request_stop()
        coord.join(threads)
        print('done after', step, 'batches')


if __name__ == '__main__':
    main()
