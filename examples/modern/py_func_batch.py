"""See prefetching happen: "f" is printed when Python makes one, "r" when a batch is received."""

import itertools
import sys

import numpy as np
import tensorflow as tf

import tfprefetch

data_dir = sys.argv[1] if len(sys.argv) > 1 else "data"
num_steps = int(sys.argv[2]) if len(sys.argv) > 2 else 10

images = np.load(f"{data_dir}/digits.npy")


def f():
    for i in itertools.count():
        sys.stdout.write(f"f {i}\n")  # a line at once: this is another thread than the loop's
        yield i, images[i % len(images)]


signature = (tf.TensorSpec([], tf.int64), tf.TensorSpec([64], tf.float32))
examples = tfprefetch.from_generator(f, max_queue_size=2, output_signature=signature)

batches = examples.batch(2).take(num_steps)
for indices, values in batches.as_numpy_iterator():
    for index, value in zip(indices, values, strict=True):
        sys.stdout.write(f"r {index} sum {value.sum():.0f}\n")
print("done after", num_steps, "batches")
