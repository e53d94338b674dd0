"""`tf.contrib.lookup`: TensorFlow's own lookup tables, under the names and arguments of contrib.

table = index_table_from_tensor(["apple", "pear"], num_oov_buckets=1)
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

# Not public in TensorFlow 2, whose vocabulary tables count from other defaults.
from tensorflow.python.ops import lookup_ops


def index_table_from_tensor(
    mapping: Any,
    num_oov_buckets: int = 0,
    default_value: int = -1,
    hasher_spec: Any = lookup_ops.FastHashSpec,
    dtype: tf.DType = tf.string,
    name: str | None = None,
) -> Any:
    """A table from each value of the 1-D `mapping` to its index, int64.

    Args:
      mapping: the values, strings or integers.
      num_oov_buckets: how many further indices there are for other values, by their hash.
      default_value: the index of other values where there are no such buckets.
      hasher_spec: what hashes.
      dtype: of the values.
      name: name of the ops.

    Raises:
      ValueError: `mapping` is None, or a number of buckets is negative.
    """
    return lookup_ops.index_table_from_tensor(
        mapping, num_oov_buckets, default_value, hasher_spec, dtype, name
    )


def index_to_string_table_from_tensor(
    mapping: Any, default_value: str = "UNK", name: str | None = None
) -> Any:
    """A table from each index (int64) to its string in the 1-D `mapping`.

    Args:
      mapping: the strings.
      default_value: the string of other indices.
      name: name of the ops.

    Raises:
      ValueError: `mapping` is None.
    """
    return lookup_ops.index_to_string_table_from_tensor(mapping, default_value, name)


class HashTable(tf.compat.v1.lookup.StaticHashTable):
    """A table that is filled once, by `initializer` or `tf.tables_initializer`."""

    def __init__(
        self,
        initializer: Any,
        default_value: Any,
        shared_name: str | None = None,
        name: str | None = None,
    ) -> None:
        """Takes TF1's arguments; tables of one graph are shared without a `shared_name`."""
        del shared_name
        super().__init__(initializer, default_value, name)

    @property
    def init(self) -> tf.Operation:
        """What fills the table; TF1's old name of `initializer`."""
        return self.initializer
