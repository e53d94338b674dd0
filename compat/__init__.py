"""TensorFlow 1's input API, mapped onto tf.data.

    import compat.v1 as tf                       # in place of TF1's `import tensorflow as tf`
    from compat import string_input_producer     # or one by one

Importing has no side effects; `tf.disable_v2_behavior()` is needed once, before the graph is
built, as in TensorFlow's own migration guide.
"""

import tensorflow as _tf

from compat.record.batching import batch, maybe_batch, maybe_shuffle_batch, shuffle_batch
from compat.record.fallback import QueueFallbackError, QueueFallbackWarning
from compat.record.joining import (
    batch_join,
    maybe_batch_join,
    maybe_shuffle_batch_join,
    shuffle_batch_join,
)
from compat.record.producers import (
    input_producer,
    range_input_producer,
    slice_input_producer,
    string_input_producer,
)
from compat.record.queues import FIFOQueue, PaddingFIFOQueue, PriorityQueue, RandomShuffleQueue
from compat.record.readers import (
    FixedLengthRecordReader,
    IdentityReader,
    LMDBReader,
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
    "IdentityReader",
    "LMDBReader",
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
    "batch_join",
    "input_producer",
    "maybe_batch",
    "maybe_batch_join",
    "maybe_shuffle_batch",
    "maybe_shuffle_batch_join",
    "range_input_producer",
    "shuffle_batch",
    "shuffle_batch_join",
    "slice_input_producer",
    "start_queue_runners",
    "string_input_producer",
]
