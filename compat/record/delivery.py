"""Batches on the device that computes, ahead of time: the last step to the program's own ops.

    delivery = Delivery(iterator, "/device:GPU:0")
    start = delivery.starter(reads_ahead=True, warm_start=True)  # after that of the iterator
    components = delivery.next()

The pipeline itself stays on the host, in an iterator of its own, and so do those who share it.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from compat.plan.plan import Plan
from compat.plan.sources import Live
from compat.record.graph_iterator import GraphIterator
from compat.settings import settings
from tfprefetch.device import find_device, first_gpu, prefetch_to_device

# As many as `prefetch_to_device` holds by default: one that is used next, one on its way.
_BUFFER_SIZE = 2
_HOST_ONLY = {tf.string, tf.variant, tf.resource}


def device_for(specs: Sequence[tf.TensorSpec]) -> str | None:
    """Where batches of these components are delivered; None for the host.

    Strings alone stay where they are, and variants (of sparse tensors) cannot leave the host.
    """
    dtypes = {spec.dtype for spec in specs}
    if settings.device == "cpu" or tf.variant in dtypes or dtypes <= _HOST_ONLY:
        return None
    return first_gpu() if settings.device == "auto" else find_device(settings.device)


class Delivery:
    """Elements of a running iterator, on another device."""

    def __init__(self, iterator: GraphIterator, device: str) -> None:
        """Makes an iterator on the device, in the default graph.

        Args:
          iterator: on the host.
          device: as in `device_for`.
        """
        self._live = Live(iterator.next, "iterator")
        self._device = device
        with tf.compat.v1.device(device):
            self._on_device = GraphIterator(iterator.specs, "iterator_on_device")

    def __str__(self) -> str:
        return f"to device ({self._device.removeprefix('/device:')})"

    def starter(self, *, reads_ahead: bool, warm_start: bool) -> tf.Operation:
        """An op that starts the delivery, for an iterator that has been started.

        Args:
          reads_ahead: whether elements go to the device before they are asked for: not where others
            take elements of the same iterator, who would miss them.
          warm_start: whether that begins at once.
        """
        options = tf.data.Options()
        options.autotune.enabled = False
        options.experimental_optimization.apply_default_optimizations = False
        elements = Plan((self._live,)).build().with_options(options)
        if reads_ahead:
            copied = prefetch_to_device(self._device, _BUFFER_SIZE)(elements)
        else:
            copied = tf.data.experimental.copy_to_device(self._device)(elements)
        with tf.compat.v1.device(self._device):
            return self._on_device.starter(copied, warm_start=reads_ahead and warm_start)

    def next(self, name: str | None = None) -> list[tf.Tensor]:
        """The next element, on the device."""
        return self._on_device.next(name)
