"""A fact about a session that ops can raise and read: "started", "closed".

A resource variable would do, but programs that look for the variables which a result depends on
(freezing a graph, counting parameters) would find it. A staging area is not a variable.
"""

from __future__ import annotations

import dataclasses

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Flag:
    """Down at first in every session.

    Attributes:
      name: unique in its graph.
    """

    name: str

    def up(self, name: str | None = None) -> tf.Operation:
        """An op that raises the flag, for good."""
        return tf.raw_ops.Stage(values=[tf.constant(True)], shared_name=self.name, name=name)

    def is_up(self) -> tf.Tensor:
        """Whether it has been raised, a bool scalar."""
        return tf.raw_ops.StageSize(dtypes=[tf.bool], shared_name=self.name) > 0
