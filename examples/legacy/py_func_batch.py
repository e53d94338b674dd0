"""See prefetching happen: "f" is printed when the function runs, "r" when a batch is received."""
from __future__ import print_function

import os
import sys

import numpy as np
import tensorflow as tf

data_dir = sys.argv[1] if len(sys.argv) > 1 else 'data'
num_steps = int(sys.argv[2]) if len(sys.argv) > 2 else 10

images = np.load(os.path.join(data_dir, 'digits.npy'))
count = 0


def f():
    global count
    i = count
    count += 1
    sys.stdout.write('f %d\n' % i)
    return np.int64(i), images[i % len(images)]


i, image = tf.py_func(f, [], [tf.int64, tf.float32])
i.set_shape([])
image.set_shape([64])
i_batch, image_batch = tf.train.batch([i, image], batch_size=2, capacity=2)

sess = tf.Session()
coord = tf.train.Coordinator()
threads = tf.train.start_queue_runners(sess=sess, coord=coord)

for step in range(num_steps):
    indices, values = sess.run([i_batch, image_batch])
    for index, value in zip(indices, values):
        sys.stdout.write('r %d sum %d\n' % (index, value.sum()))

coord.request_stop()
coord.join(threads)
sess.close()
print('done after', num_steps, 'batches')
