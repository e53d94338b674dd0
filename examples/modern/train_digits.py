"""Softmax regression on hand-written digits in TFRecord files."""

import argparse

import tensorflow as tf

import tfprefetch

parser = argparse.ArgumentParser()
parser.add_argument("--data_dir", default="data")
parser.add_argument("--batch_size", type=int, default=32)
parser.add_argument("--num_epochs", type=int, default=2)
parser.add_argument("--learning_rate", type=float, default=0.5)
args = parser.parse_args()

FEATURES = {
    "image_raw": tf.io.FixedLenFeature([], tf.string),
    "label": tf.io.FixedLenFeature([], tf.int64),
    "index": tf.io.FixedLenFeature([], tf.int64),
}


def parse(record):
    example = tf.io.parse_single_example(record, FEATURES)
    image = tf.reshape(tf.io.decode_raw(example["image_raw"], tf.uint8), [64])
    image = tf.cast(image, tf.float32) / 16 - 0.5  # from [0, 16] to [-0.5, 0.5]
    return image, example["label"], example["index"]


digits = tfprefetch.from_files(
    f"{args.data_dir}/digits-*.tfrecords", shuffle=True, num_epochs=args.num_epochs
).apply(tfprefetch.map_and_batch(parse, args.batch_size, shuffle_buffer_size=1000))

model = tf.keras.Sequential([tf.keras.layers.Dense(10, kernel_initializer="zeros")])
softmax_loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
optimizer = tf.keras.optimizers.SGD(args.learning_rate)


@tf.function
def train(images, labels):
    with tf.GradientTape() as tape:
        loss = softmax_loss(labels, model(images))
    variables = model.trainable_variables
    optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
    return loss


losses, seen = [], []
for images, labels, indices in digits:
    losses.append(float(train(images, labels)))
    seen.extend(indices.numpy())

print(f"first batch: loss {losses[0]:.3f}")
print(f"last batches: loss {sum(losses[-10:]) / 10:.3f}")
for index in seen:
    print("digit", index)
print("done after", len(losses), "steps,", len(seen), "digits")
