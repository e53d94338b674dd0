"""Digits in random order, out of a buffer that is filled in parallel."""

import argparse

import numpy as np
import tensorflow as tf

import tfprefetch

parser = argparse.ArgumentParser()
parser.add_argument("--data_dir", default="data", help="directory with digits.npy")
parser.add_argument("--num_examples", type=int, default=600, help="examples before the end")
parser.add_argument("--batch_size", type=int, default=20)
args = parser.parse_args()

images = np.load(f"{args.data_dir}/digits.npy")


def example(index):  # the next digit, round and round
    return index, tf.gather(images, index % len(images))


batches = tf.data.Dataset.range(args.num_examples).apply(
    tfprefetch.map_and_batch(example, args.batch_size, drop_remainder=True, shuffle_buffer_size=200)
)

step = 0
for numbers, inputs in batches:
    sums = tf.reduce_sum(inputs, axis=1)
    for number, total in zip(numbers.numpy(), sums.numpy(), strict=True):
        print("example", number, "sum", int(total))
    step += 1
print("done after", step, "batches")
