"""TF1 input functions that have no dataset yet: TensorFlow's own, with the usual report.

They work as they always did. What they read from recorded pipelines comes out of the running
iterators, so only their own queue is a queue.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from compat.record.fallback import call_queue_function


def unmapped(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, which warns that it makes a queue."""
    signature = inspect.signature(function)

    @functools.wraps(function)
    def reported(*args: Any, **kwargs: Any) -> Any:
        arguments = signature.bind(*args, **kwargs).arguments
        reason = f"{function.__name__} is not mapped onto datasets yet"
        return call_queue_function(function.__name__, function, arguments, reason)

    return reported


input_producer = unmapped(tf.compat.v1.train.input_producer)
slice_input_producer = unmapped(tf.compat.v1.train.slice_input_producer)
batch_join = unmapped(tf.compat.v1.train.batch_join)
shuffle_batch_join = unmapped(tf.compat.v1.train.shuffle_batch_join)
maybe_batch = unmapped(tf.compat.v1.train.maybe_batch)
maybe_batch_join = unmapped(tf.compat.v1.train.maybe_batch_join)
maybe_shuffle_batch = unmapped(tf.compat.v1.train.maybe_shuffle_batch)
maybe_shuffle_batch_join = unmapped(tf.compat.v1.train.maybe_shuffle_batch_join)
