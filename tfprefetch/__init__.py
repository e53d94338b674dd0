"""Fast, careful `tf.data` input pipelines.

    import tfprefetch

    dataset = tfprefetch.from_files("train-*.tfrecord", shuffle=True, num_epochs=None)
    dataset = dataset.apply(tfprefetch.map_and_batch(parse_example, batch_size=128))

Every function returns a plain `tf.data.Dataset`, or a function for `dataset.apply(...)`.
"""

from __future__ import annotations

from tfprefetch.batching import map_and_batch
from tfprefetch.describe import describe
from tfprefetch.files import from_files
from tfprefetch.raw import from_raw

__all__ = ["describe", "from_files", "from_raw", "map_and_batch"]
