"""Softmax regression on hand-written digits in TFRecord files, read by TensorFlow's input queues."""
from __future__ import absolute_import
from __future__ import division
from __future__ import print_function

import argparse
import glob
import os

import tensorflow as tf

FLAGS = None


def read_and_decode(filename_queue):
    reader = tf.TFRecordReader()
    _, serialized_example = reader.read(filename_queue)
    features = tf.parse_single_example(
        serialized_example,
        features={
            'image_raw': tf.FixedLenFeature([], tf.string),
            'label': tf.FixedLenFeature([], tf.int64),
            'index': tf.FixedLenFeature([], tf.int64),
        })
    image = tf.decode_raw(features['image_raw'], tf.uint8)
    image.set_shape([64])
    # from [0, 16] to [-0.5, 0.5]
    image = tf.cast(image, tf.float32) * (1. / 16) - 0.5
    label = tf.cast(features['label'], tf.int32)
    return image, label, features['index']


def inputs(data_dir, batch_size, num_epochs):
    filenames = sorted(glob.glob(os.path.join(data_dir, 'digits-*.tfrecords')))
    with tf.name_scope('input'):
        filename_queue = tf.train.string_input_producer(filenames, num_epochs=num_epochs)
        image, label, index = read_and_decode(filename_queue)
        return tf.train.shuffle_batch(
            [image, label, index], batch_size=batch_size, num_threads=2,
            capacity=1000 + 3 * batch_size, min_after_dequeue=1000, allow_smaller_final_batch=True)


def main(_):
    with tf.Graph().as_default():
        images, labels, indices = inputs(FLAGS.data_dir, FLAGS.batch_size, FLAGS.num_epochs)

        weights = tf.Variable(tf.zeros([64, 10]), name='weights')
        biases = tf.Variable(tf.zeros([10]), name='biases')
        logits = tf.matmul(images, weights) + biases
        loss = tf.reduce_mean(
            tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))
        global_step = tf.train.get_or_create_global_step()
        train_op = tf.train.GradientDescentOptimizer(FLAGS.learning_rate).minimize(
            loss, global_step=global_step)

        losses, seen = [], []
        with tf.train.MonitoredTrainingSession() as sess:
            while not sess.should_stop():
                _, loss_value, index_values = sess.run([train_op, loss, indices])
                losses.append(loss_value)
                seen.extend(index_values)
        # the loop above ends when the input raises OutOfRangeError

        print('first batch: loss %.3f' % losses[0])
        print('last batches: loss %.3f' % (sum(losses[-10:]) / 10))
        for index in seen:
            print('digit', index)
        print('done after', len(losses), 'steps,', len(seen), 'digits')


if __name__ == '__main__':
    parser = argparse.ArgumentParser()
    parser.add_argument('--data_dir', type=str, default='data')
    parser.add_argument('--batch_size', type=int, default=32)
    parser.add_argument('--num_epochs', type=int, default=2)
    parser.add_argument('--learning_rate', type=float, default=0.5)
    FLAGS, unparsed = parser.parse_known_args()
    tf.app.run(main=main)
