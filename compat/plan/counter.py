"""A number in a session that ops can raise and read: records read, elements delivered.

It is a resource variable outside all collections, which needs no initializer: before anything was
counted it is 0. Only pipelines whose program asks for the number have one.
"""

from __future__ import annotations

import dataclasses

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Counter:
    """0 at first in every session.

    Attributes:
      name: unique in its graph.
    """

    name: str

    def _handle(self) -> tf.Tensor:
        # By name, so that it is the same one inside and outside of a dataset's functions.
        return tf.raw_ops.VarHandleOp(dtype=tf.int64, shape=[], shared_name=self.name)

    def set(self, number: int | tf.Tensor, name: str | None = None) -> tf.Operation:
        """An op that sets the number."""
        value = tf.cast(number, tf.int64)
        return tf.raw_ops.AssignVariableOp(resource=self._handle(), value=value, name=name)

    def initialize(self) -> tf.Operation:
        """An op that sets the number to 0 where the session has none yet."""
        is_set = tf.raw_ops.VarIsInitializedOp(resource=self._handle())
        zero = tf.constant(0, tf.int64)
        # Through a value, because the branches of a `cond` have to be alike.
        return tf.group(tf.cond(is_set, lambda: zero, lambda: self._assigned(zero)))

    def _assigned(self, value: tf.Tensor) -> tf.Tensor:
        with tf.control_dependencies([self.set(value)]):
            return tf.identity(value)

    def add(self, number: int | tf.Tensor = 1) -> tf.Operation:
        """An op that raises the number, once a `set` has run in the session."""
        value = tf.cast(number, tf.int64)
        return tf.raw_ops.AssignAddVariableOp(resource=self._handle(), value=value)

    def value(self, name: str | None = None) -> tf.Tensor:
        """The number, an int64 scalar."""
        handle = self._handle()
        number = tf.cond(
            tf.raw_ops.VarIsInitializedOp(resource=handle),
            lambda: tf.raw_ops.ReadVariableOp(resource=handle, dtype=tf.int64),
            lambda: tf.constant(0, tf.int64),
        )
        return tf.identity(number, name)
