"""What Python code returns, as structures of NumPy arrays. Knows nothing of TensorFlow.

    to_arrays({"x": [1, 2], "name": "a"})  # {"x": int32[2], "name": bytes[]}
    stack([(x0, y0), (x1, y1)])  # (x[2, ...], y[2, ...])

Dicts, tuples and named tuples are structures, as in tf.data; everything else is an array. Python's
numbers become what TensorFlow makes of them: int32, float32, bool; text becomes bytes in UTF-8.
This runs in worker processes, which start much faster if they need not import TensorFlow.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tfprefetch.aligned import aligned_bytes


def flatten(value: Any) -> list[Any]:
    """The leaves of a structure, dicts by sorted keys, as `tf.nest.flatten` has it.

    >>> flatten({"b": (1, 2), "a": [3, 4]})
    [[3, 4], 1, 2]
    """
    if isinstance(value, Mapping):
        return [leaf for key in sorted(value) for leaf in flatten(value[key])]
    if isinstance(value, tuple):
        return [leaf for part in value for leaf in flatten(part)]
    return [value]


def map_leaves(function: Callable[..., Any], value: Any, *more: Any, path: str = "") -> Any:
    """`function(path, leaf, ...)` of all leaves, in the structure of `value`; `path` as in `["x"]`.

    Raises:
        ValueError: the structures differ.
    """
    for other in more:
        if _kind(other) != _kind(value):
            raise ValueError(
                f"{_text(other)}{path and f' at {path}'} where the other has {_text(value)}"
            )
    if isinstance(value, Mapping):
        return {
            key: map_leaves(
                function, value[key], *(other[key] for other in more), path=f"{path}[{key!r}]"
            )
            for key in value
        }
    if isinstance(value, tuple):
        parts = [
            map_leaves(function, *parts, path=f"{path}[{position}]")
            for position, parts in enumerate(zip(value, *more, strict=True))
        ]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    return function(path, value, *more)


def to_arrays(value: Any, dtypes: Any = None) -> Any:
    """`value` with arrays as leaves.

    Args:
        value: a structure of arrays, numbers, text, bytes and lists of those.
        dtypes: a structure like `value`, of NumPy dtypes (object: bytes). An array of another type
            is converted within its kind, integers only if they fit. None: arrays stay as they are.

    Raises:
        TypeError: a leaf is no array, or of another kind than its dtype.
        ValueError: an integer does not fit, or the structures differ.

    >>> to_arrays((1, 0.5, "a"))
    (array(1, dtype=int32), array(0.5, dtype=float32), array(b'a', dtype=object))
    """
    if dtypes is None:
        return map_leaves(_to_array, value)
    try:
        return map_leaves(lambda path, dtype, leaf: _to_array(path, leaf, dtype), dtypes, value)
    except _Mismatch:
        raise
    except ValueError as error:
        raise ValueError(f"the structure is not that of output_signature: {error}") from None


class _Mismatch(ValueError):
    """About a leaf, not about the structure."""


def stack(values: Sequence[Any]) -> Any:
    """Structures of arrays of equal shapes, as one structure with one more dimension in front.

    Raises:
        ValueError: structures, dtypes or shapes differ; tells which of the values.
    """
    for position, value in enumerate(values):
        try:
            map_leaves(_check_alike, values[0], value)
        except ValueError as error:
            raise UnlikeError(position, str(error)) from None

    def stacked(path: str, *leaves: np.ndarray) -> np.ndarray:
        shape = (len(leaves), *leaves[0].shape)
        return _into(shape, leaves[0].dtype, lambda array, _: np.stack(leaves, out=array), None)

    return map_leaves(stacked, *values)


def copied(value: Any) -> Any:
    """The same arrays in memory of their own, which TensorFlow takes over without a copy."""
    return map_leaves(lambda path, array: _into(array.shape, array.dtype, np.copyto, array), value)


def _into(
    shape: tuple[int, ...], dtype: np.dtype, fill: Callable[..., Any], source: Any
) -> np.ndarray:
    """A new array that `fill(array, source)` has filled; aligned as TensorFlow's are."""
    if dtype.hasobject:
        array = np.empty(shape, dtype)
    else:
        size = math.prod(shape) * dtype.itemsize
        array = aligned_bytes(size).view(dtype).reshape(shape)
    fill(array, source)
    return array


class UnlikeError(ValueError):
    """Values of one batch differ.

    Attributes:
        position: which of the values is unlike the first one.
    """

    def __init__(self, position: int, message: str) -> None:
        super().__init__(position, message)
        self.position = position

    def __str__(self) -> str:
        return self.args[1]


def _check_alike(path: str, one: np.ndarray, other: np.ndarray) -> None:
    if one.shape != other.shape:
        raise ValueError(
            f"shape {list(other.shape)}{path and f' at {path}'} where the first of the batch has "
            f"{list(one.shape)}: return arrays of equal shapes (pad or crop them in load), or "
            "leave batch_size out and use Dataset.padded_batch or Dataset.ragged_batch"
        )
    if one.dtype != other.dtype:
        raise ValueError(
            f"dtype {other.dtype}{path and f' at {path}'} where the first of the batch has "
            f"{one.dtype}"
        )


def _to_array(path: str, leaf: Any, dtype: np.dtype | None = None) -> np.ndarray:
    where = f" at {path}" if path else ""
    if hasattr(leaf, "numpy"):  # a tensor of TensorFlow or PyTorch
        leaf = leaf.numpy()
    of_python = isinstance(leaf, bool | int | float | list) and not isinstance(leaf, np.generic)
    if leaf is None or isinstance(leaf, set | Callable):
        raise TypeError(f"{leaf!r}{where} is no array, number or text")
    if isinstance(leaf, np.ma.MaskedArray):
        raise TypeError(f"a masked array{where} would lose its mask: return array.filled(...), too")
    try:
        array = np.asarray(leaf)
    except ValueError as error:
        raise TypeError(
            f"a {type(leaf).__name__}{where} is no array, its parts have different shapes: {error}"
        ) from None
    if array.dtype.kind in "SUO":
        array = _to_bytes(array, where)
    elif array.dtype.kind not in "biufcV" or array.dtype.names:
        raise TypeError(f"dtype {array.dtype}{where} is none that TensorFlow has")
    wanted = dtype
    if wanted is None and of_python:
        wanted = {"b": np.bool_, "i": np.int32, "u": np.int32, "f": np.float32}.get(
            array.dtype.kind
        )
    if wanted is None or array.dtype == wanted:
        return array
    wanted = np.dtype(wanted)
    may_be = np.can_cast(array.dtype, wanted, "same_kind") or (
        of_python and array.dtype.kind in "biu" and wanted.kind in "iufcV"
    )
    if not may_be:
        raise TypeError(
            f"dtype {array.dtype}{where} where {wanted} is expected: return arrays of that dtype, "
            "or say in output_signature what is returned"
        )
    cast = array.astype(wanted)
    if wanted.kind in "iu" and not np.array_equal(cast, array):
        raise _Mismatch(
            f"{_shortened(array)}{where} does not fit {wanted}: return an array of a wider dtype, "
            "as with np.int64(...), and say so in output_signature"
        )
    return cast


def _to_bytes(array: np.ndarray, where: str) -> np.ndarray:
    """Text and bytes as an array of bytes objects."""
    result = np.empty(array.shape, object)
    for index, value in np.ndenumerate(array):
        if isinstance(value, str):
            value = value.encode("utf-8", "surrogateescape")
        if not isinstance(value, bytes):
            raise TypeError(f"{value!r}{where} is no array, number or text")
        result[index] = bytes(value)
    return result


def _shortened(array: np.ndarray) -> str:
    text = " ".join(str(array).split())
    return text if len(text) < 60 else text[:60] + "..."


def _kind(value: Any) -> Any:
    if isinstance(value, Mapping):
        return "dict", sorted(value, key=str)
    if isinstance(value, tuple):
        return "tuple", getattr(value, "_fields", len(value))
    return "leaf"


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"a dict with the keys {sorted(value, key=str)}"
    if isinstance(value, tuple):
        return f"a tuple of {len(value)}"
    return "one array"
