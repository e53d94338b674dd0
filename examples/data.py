"""The real data of the examples: hand-written digits and three photos, from installed packages.

    python examples/data.py [DIRECTORY]

Nothing is downloaded: the digits (1797 of them, 8 x 8 pixels, values 0 to 16) and two photos come
with scikit-learn, the third photo comes with matplotlib. What is written:

    photos/*.jpg                three photos as they are
    digits.npy                  float32[1797, 64]
    digits-*.tfrecords          one tf.train.Example per digit: image_raw, label, index
    features.bin, labels.bin    float32, 128 at a time: two digits, and the label of each pixel
"""

from __future__ import annotations

import shutil
import sys
from importlib import resources
from pathlib import Path

import numpy as np
import tensorflow as tf

DIRECTORY = Path(__file__).parent / "data"
NUM_SHARDS = 3

try:
    import matplotlib
    import sklearn.datasets
except ImportError as error:
    raise SystemExit(f"{error}: the examples need more, run pip install -e '.[demo]'") from error


def _photos(directory: Path) -> None:
    directory.mkdir(exist_ok=True)
    sklearn_images = resources.files("sklearn.datasets") / "images"
    for name in ("china.jpg", "flower.jpg"):
        (directory / name).write_bytes((sklearn_images / name).read_bytes())
    samples = Path(matplotlib.get_data_path()) / "sample_data"
    shutil.copyfile(samples / "grace_hopper.jpg", directory / "grace_hopper.jpg")


def _example(image: np.ndarray, label: int, index: int) -> bytes:
    def integer(value: int) -> tf.train.Feature:
        return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))

    pixels = tf.train.BytesList(value=[image.astype(np.uint8).tobytes()])
    feature = {
        "image_raw": tf.train.Feature(bytes_list=pixels),
        "label": integer(label),
        "index": integer(index),
    }
    message = tf.train.Example(features=tf.train.Features(feature=feature))
    return message.SerializeToString(deterministic=True)


def make(directory: Path = DIRECTORY) -> Path:
    """Writes the data into `directory`, once: where it is complete nothing happens."""
    complete = directory / ".complete"
    if complete.exists():
        return directory
    directory.mkdir(parents=True, exist_ok=True)
    _photos(directory / "photos")
    images, labels = sklearn.datasets.load_digits(return_X_y=True)
    np.save(directory / "digits.npy", images.astype(np.float32))
    for shard in range(NUM_SHARDS):
        path = directory / f"digits-{shard:05d}-of-{NUM_SHARDS:05d}.tfrecords"
        with tf.io.TFRecordWriter(str(path)) as writer:
            for index in range(shard, len(images), NUM_SHARDS):
                writer.write(_example(images[index], int(labels[index]), index))
    even = len(images) // 2 * 2  # two digits of 64 pixels fill a frame of 128 floats
    images[:even].astype(np.float32).tofile(directory / "features.bin")
    np.repeat(labels[:even], 64).astype(np.float32).tofile(directory / "labels.bin")
    complete.touch()
    return directory


if __name__ == "__main__":
    print(make(Path(sys.argv[1]) if len(sys.argv) > 1 else DIRECTORY))
