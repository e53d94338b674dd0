"""Python code adds context to frames out of two binary files, ahead of the training loop."""

import argparse

import numpy as np
import tensorflow as tf

import tfprefetch

parser = argparse.ArgumentParser()
parser.add_argument("--data_dir", default="data", help="with features.bin and labels.bin")
parser.add_argument("--num_steps", type=int, default=400, help="batches of five to take")
args = parser.parse_args()

WIDTH = 128  # floats in one frame
CONTEXT = 2  # frames to the left and to the right that go with each frame

features = np.memmap(f"{args.data_dir}/features.bin", np.float32, "r").reshape(-1, WIDTH)
labels = np.memmap(f"{args.data_dir}/labels.bin", np.float32, "r").reshape(-1, WIDTH)


def load(first):
    window = np.arange(first, first + 2 * CONTEXT + 1) % len(features)  # behind the end: rewind
    return features[window], labels[window[CONTEXT]]


batches = tfprefetch.from_python(load, range(5 * args.num_steps), batch_size=5)
for feature_batch, label_batch in batches:
    brightness = tf.reduce_mean(feature_batch, axis=[1, 2])  # stands for the network
    label = tf.reduce_mean(label_batch, axis=1)
    for frame, target in zip(brightness.numpy(), label.numpy(), strict=True):
        print(f"frame {frame:.4f} label {target:.4f}")
print("done after", args.num_steps, "batches")
