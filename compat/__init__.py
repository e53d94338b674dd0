"""TensorFlow 1's input API, mapped onto tf.data.

    import compat.v1 as tf                       # in place of TF1's `import tensorflow as tf`
    from compat import string_input_producer     # or one by one

Importing has no side effects; `tf.disable_v2_behavior()` is needed once, before the graph is
built, as in TensorFlow's own migration guide.
"""

import tensorflow as _tf

from compat.record.batching import batch, shuffle_batch
from compat.record.fallback import QueueFallbackError, QueueFallbackWarning
from compat.record.producers import range_input_producer, string_input_producer
from compat.record.queues import FIFOQueue, PaddingFIFOQueue, PriorityQueue, RandomShuffleQueue
from compat.record.readers import (
    FixedLengthRecordReader,
    TextLineReader,
    TFRecordReader,
    WholeFileReader,
)

Coordinator = _tf.compat.v1.train.Coordinator
MonitoredTrainingSession = _tf.compat.v1.train.MonitoredTrainingSession
QueueRunner = _tf.compat.v1.train.QueueRunner
add_queue_runner = _tf.compat.v1.train.add_queue_runner
start_queue_runners = _tf.compat.v1.train.start_queue_runners

__all__ = [
    "Coordinator",
    "FIFOQueue",
    "FixedLengthRecordReader",
    "MonitoredTrainingSession",
    "PaddingFIFOQueue",
    "PriorityQueue",
    "QueueFallbackError",
    "QueueFallbackWarning",
    "QueueRunner",
    "RandomShuffleQueue",
    "TFRecordReader",
    "TextLineReader",
    "WholeFileReader",
    "add_queue_runner",
    "batch",
    "range_input_producer",
    "shuffle_batch",
    "start_queue_runners",
    "string_input_producer",
]
