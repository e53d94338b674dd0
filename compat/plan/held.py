"""How many elements TF1's queue of a producer would hold, and whether it would be closed.

TF1 filled the queue in the background; at rest it held what was left of the elements, up to its
capacity. A dataset holds nothing, so what is left is counted, where a program asks for it.
"""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from compat.plan.counter import Counter


@dataclasses.dataclass(frozen=True)
class Held:
    """Counts what a producer has left.

    Attributes:
      name: unique in its graph.
      num_epochs: how often all elements are delivered; None means for ever.
      capacity: of TF1's queue.
    """

    name: str
    num_epochs: int | None
    capacity: int

    @property
    def _in_epoch(self) -> Counter:
        return Counter(f"{self.name}/left_in_epoch")

    @property
    def _in_later_epochs(self) -> Counter:
        # One more than it says: 0 means that no epoch has begun.
        return Counter(f"{self.name}/left_in_later_epochs")

    def begin_epoch(self, epoch: tf.Tensor, rows: tf.Tensor) -> list[tf.Operation]:
        """Ops that count an epoch of so many elements; `epoch` counts from 0."""
        later = self._all_of(rows, epoch + 1)
        return [self._in_epoch.set(rows), self._in_later_epochs.set(later + 1)]

    def take(self) -> tf.Operation:
        """An op that counts one element as delivered."""
        return self._in_epoch.add(-1)

    def size(self, left: tf.Tensor) -> tf.Tensor:
        """The queue's size when so many elements are left, an int32 scalar."""
        return tf.cast(tf.minimum(left, self.capacity), tf.int32)

    def left(self, rows: tf.Tensor, closed: tf.Tensor) -> tf.Tensor:
        """Elements yet to be delivered, an int64 scalar.

        Args:
          rows: elements of an epoch, for as long as none has begun.
          closed: whether no further epoch begins.
        """
        later = self._in_later_epochs.value()
        before = self._all_of(tf.cast(rows, tf.int64), tf.constant(0, tf.int64))
        later = tf.where(later > 0, later - 1, before)
        return self._in_epoch.value() + tf.where(closed, tf.zeros_like(later), later)

    def _all_of(self, rows: tf.Tensor, first_epoch: tf.Tensor) -> tf.Tensor:
        """Elements of this epoch and those after it; of endless ones as many as the queue holds."""
        if self.num_epochs is None:
            return tf.where(rows > 0, tf.constant(self.capacity, tf.int64), rows)
        return rows * (self.num_epochs - first_epoch)
