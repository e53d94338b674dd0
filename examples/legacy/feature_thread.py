"""A Python thread fills a FIFOQueue from two binary files, the training loop empties it."""
from __future__ import print_function

import os
import threading

import numpy as np
import tensorflow as tf

tf.app.flags.DEFINE_string('data_dir', 'data', 'Directory with features.bin and labels.bin.')
tf.app.flags.DEFINE_integer('num_steps', 400, 'Batches of five to take.')
FLAGS = tf.app.flags.FLAGS

WIDTH = 128    # floats in one frame
CONTEXT = 2    # frames to the left and to the right that go with each frame

feature_input = tf.placeholder(tf.float32, shape=[2 * CONTEXT + 1, WIDTH])
label_input = tf.placeholder(tf.float32, shape=[WIDTH])

q = tf.FIFOQueue(200, [tf.float32, tf.float32], shapes=[[2 * CONTEXT + 1, WIDTH], [WIDTH]])
enqueue_op = q.enqueue([feature_input, label_input])
feature_batch, label_batch = q.dequeue_many(5)

# stands for the network
brightness = tf.reduce_mean(feature_batch, axis=[1, 2])
label = tf.reduce_mean(label_batch, axis=1)


def load_and_enqueue(sess, coord):
    with open(os.path.join(FLAGS.data_dir, 'features.bin'), 'rb') as feature_file, \
            open(os.path.join(FLAGS.data_dir, 'labels.bin'), 'rb') as label_file:
        window, labels = [], []
        while not coord.should_stop():
            feature_array = np.fromfile(feature_file, np.float32, WIDTH)
            if feature_array.shape[0] == 0:
                # end of file: rewind
                feature_file.seek(0, 0)
                label_file.seek(0, 0)
                continue
            window.append(feature_array)
            labels.append(np.fromfile(label_file, np.float32, WIDTH))
            if len(window) < 2 * CONTEXT + 1:
                continue
            try:
                sess.run(enqueue_op, feed_dict={feature_input: np.stack(window),
                                                label_input: labels[CONTEXT]})
            except tf.errors.CancelledError:
                # the queue was closed while this thread waited for room in it
                break
            del window[0], labels[0]


def main(_):
    with tf.Session() as sess:
        coord = tf.train.Coordinator()
        t = threading.Thread(target=load_and_enqueue, args=(sess, coord))
        t.daemon = True
        t.start()

        for step in range(FLAGS.num_steps):
            brightness_value, label_value = sess.run([brightness, label])
            for b, l in zip(brightness_value, label_value):
                print('frame %.4f label %.4f' % (b, l))

        coord.request_stop()
        sess.run(q.close(cancel_pending_enqueues=True))
        coord.join([t])
        print('done after', FLAGS.num_steps, 'batches')


if __name__ == '__main__':
    tf.app.run()
