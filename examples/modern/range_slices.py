"""Batches of consecutive rows of an array, read from its file."""

import argparse

import tensorflow as tf

import tfprefetch

parser = argparse.ArgumentParser()
parser.add_argument("--data_dir", default="data")
parser.add_argument("--batch_size", type=int, default=6)
parser.add_argument("--num_batches", type=int, default=10)
parser.add_argument("--rows", type=int, default=65, help="rows of the array that may be used")
parser.add_argument("--num_epochs", type=int, default=1, help="0 goes round for ever")
parser.add_argument("--steps", type=int, default=25, help="where to stop when it does")
args = parser.parse_args()
if args.num_batches * args.batch_size > args.rows:
    parser.error(f"{args.num_batches} batches of {args.batch_size} do not fit in {args.rows} rows")

batches = tfprefetch.from_raw(f"{args.data_dir}/digits.npy", None, None, args.batch_size)
batches = batches.take(args.num_batches).enumerate()
batches = batches.repeat(args.num_epochs) if args.num_epochs else batches.repeat().take(args.steps)

step = 0
for i, x in batches:
    print("batch", int(i), "sums", *tf.reduce_sum(x, axis=1).numpy().astype(int))
    step += 1
if args.num_epochs:
    print("epoch limit reached")
print("done after", step, "batches")
