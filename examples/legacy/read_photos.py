# coding:utf-8
"""Three photos, five epochs: every image that comes out of the queue is written to read/test_N.jpg."""
from __future__ import print_function

import os

import tensorflow as tf

flags = tf.app.flags
FLAGS = flags.FLAGS
flags.DEFINE_string('data_dir', 'data', 'Directory with a folder "photos".')
flags.DEFINE_string('read_dir', 'read', 'Directory the images are written to.')
flags.DEFINE_integer('num_epochs', 5, 'How often every photo is read.')
flags.DEFINE_boolean('shuffle', False, 'Shuffle the photos within each epoch.')


def main(_):
    if not os.path.exists(FLAGS.read_dir):
        os.makedirs(FLAGS.read_dir)

    with tf.Session() as sess:
        photos = os.path.join(FLAGS.data_dir, 'photos')
        filename = [os.path.join(photos, name) for name in ('china.jpg', 'flower.jpg', 'grace_hopper.jpg')]
        # string_input_producer makes a queue of file names
        filename_queue = tf.train.string_input_producer(
            filename, shuffle=FLAGS.shuffle, num_epochs=FLAGS.num_epochs)
        # the reader takes its files from that queue
        reader = tf.WholeFileReader()
        key, value = reader.read(filename_queue)
        # the producer counts epochs in a local variable, which has to be initialized
        tf.local_variables_initializer().run()
        # only now is the queue filled
        threads = tf.train.start_queue_runners(sess=sess)
        i = 0
        try:
            while True:
                i += 1
                name, image_data = sess.run([key, value])
                with open(os.path.join(FLAGS.read_dir, 'test_%d.jpg' % i), 'wb') as f:
                    f.write(image_data)
                print('test_%d.jpg' % i, os.path.basename(name.decode()), len(image_data))
        except tf.errors.OutOfRangeError:
            print('done after', i - 1, 'images')


if __name__ == '__main__':
    tf.app.run()
