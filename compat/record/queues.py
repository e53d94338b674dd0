"""A program's own queues: TensorFlow's classes, which say that they are queues.

What hangs off them runs as it always did. Each is reported once, where it is made.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from compat.record.fallback import count_dequeues, keep_queue, take


class _ReportedQueue(tf.queue.QueueBase):
    """Common to all queues; comes before TensorFlow's own class among the bases."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Takes TensorFlow's arguments."""
        report = keep_queue(type(self).__name__, "the program makes this queue itself")
        super().__init__(*args, **kwargs)
        count_dequeues(self, report)

    def enqueue(self, vals: Any, name: str | None = None) -> tf.Operation:
        """As TensorFlow's; an element of a recorded pipeline is taken from its running iterator."""
        take(vals)
        return super().enqueue(vals, name)

    def enqueue_many(self, vals: Any, name: str | None = None) -> tf.Operation:
        """As TensorFlow's; elements of a recorded pipeline come from its running iterator."""
        take(vals)
        return super().enqueue_many(vals, name)


class FIFOQueue(_ReportedQueue, tf.queue.FIFOQueue):
    """First in, first out."""


class RandomShuffleQueue(_ReportedQueue, tf.queue.RandomShuffleQueue):
    """Delivers in random order."""


class PaddingFIFOQueue(_ReportedQueue, tf.queue.PaddingFIFOQueue):
    """First in, first out, padding components of varying shape."""


class PriorityQueue(_ReportedQueue, tf.queue.PriorityQueue):
    """Delivers by priority."""
