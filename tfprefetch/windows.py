"""Each frame with its neighbours: `context_windows`.

utterances = utterances.apply(tfprefetch.context_windows(5, 5))  # [time, dim] -> [time, 11, dim]
windows = tfprefetch.context_windows(5, 5)(frames)               # an array, or a tensor
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from tfprefetch.notes import Note, add_note

_EDGES = ("repeat", "zero", "drop")

# Autograph is for the user's functions; it takes a while, and ours need no conversion.
_plain = tf.autograph.experimental.do_not_convert


def context_windows(
    left: int,
    right: int,
    *,
    stride: int = 1,
    edge: str = "repeat",
    flatten: bool = False,
    components: Sequence[int | str] | None = None,
    name: str | None = None,
) -> Callable[[Any], Any]:
    """Each frame with its neighbours, per utterance, as a function for `Dataset.apply`.

    The function also takes a NumPy array (and computes with NumPy alone: for a Python loader, in
    whatever thread or process), or a tensor, for instance in a function for `Dataset.map`.

    In a dataset each element is one utterance, of any length: make windows before batching.

    Window number n belongs to the frame n * stride, its centre. An utterance of no frames has no
    windows. With a stride, or `edge="drop"`, there are fewer windows than frames: to select what
    else there is per frame (labels) alike, make windows of it too, whose centres are `[:, left]`:

        dataset = dataset.apply(context_windows(5, 5, edge="drop", components=[0, 1]))
        dataset = dataset.map(lambda windows, labels: (windows, labels[:, 5]))

    Args:
        left: how many frames before the centre belong to a window, at least 0.
        right: how many frames after it, at least 0.
        stride: from one centre to the next, at least 1.
        edge: what stands for neighbours that the utterance does not have. "repeat": its first or
            its last frame. "zero": zeros ("" for strings). "drop": nothing, there are only the
            windows without such neighbours, those with n * stride >= left and
            n * stride + right < time. (For windows that begin at 0, stride, 2 * stride, ... say
            `context_windows(0, left + right, stride=stride, edge="drop")`.)
        flatten: whether the frames of a window are joined to one long frame.
        components: which components of an element are windowed, where that is no single tensor:
            keys of a dict, or indices of a tuple. The others stay as they are.
        name: a name for the dataset's operation.

    Returns:
        A function from frames to windows. Frames: a dataset, an array or a tensor of any type
        [time, dim...], or a structure of arrays or tensors (see `components`). Windows: the same,
        [windows, left + 1 + right, dim...], with `flatten` [windows, (left + 1 + right) *
        prod(dim)], where windows is ceil(time / stride), or fewer with `edge="drop"`. Of a dataset
        order and cardinality stay; it can be saved where the given one can.

    Raises:
        TypeError, ValueError: at once, for an argument that cannot be; by the function, for frames
            without a time dimension, ragged or sparse ones, a structure and no `components`, or
            components that are not there.

    >>> context_windows(1, 1)(np.array([1, 2, 3])).tolist()
    [[1, 1, 2], [1, 2, 3], [2, 3, 3]]
    >>> context_windows(2, 0, stride=2, edge="zero")(np.array([1, 2, 3])).tolist()
    [[0, 0, 1], [1, 2, 3]]
    >>> utterances = tf.data.Dataset.from_tensors(tf.zeros([7, 40]))
    >>> utterances.apply(context_windows(5, 5, flatten=True)).element_spec.shape
    TensorShape([7, 440])
    """
    for option, value, least in (("left", left, 0), ("right", right, 0), ("stride", stride, 1)):
        if isinstance(value, bool) or not hasattr(value, "__index__") or tf.is_tensor(value):
            raise TypeError(f"{option} must be an integer, got {value!r}")
        if value < least:
            raise ValueError(f"{option} must be at least {least}, got {value}")
    if edge not in _EDGES:
        raise ValueError(f'edge must be "repeat", "zero" or "drop", got {edge!r}')
    if components is not None:
        if isinstance(components, str) or not isinstance(components, Sequence):
            raise TypeError(
                "components must be a list of keys or indices, such as [0] or "
                f'["features"], got {components!r}'
            )
        if not components:
            raise ValueError("components is empty: name at least one, or leave it out")
        components = tuple(components)
    left, right, stride = map(operator.index, (left, right, stride))
    return _ContextWindows(left, right, stride, edge, bool(flatten), components, name)


@dataclass(frozen=True)
class _ContextWindows:
    """The arguments of `context_windows`; a class, not a closure, so that it can be pickled."""

    left: int
    right: int
    stride: int
    edge: str
    flatten: bool
    components: tuple[int | str, ...] | None
    name: str | None

    def __str__(self) -> str:
        parts = [f"context_windows: left={self.left}, right={self.right}"]
        if self.stride != 1:
            parts.append(f"stride={self.stride}")
        if self.edge != "repeat":
            parts.append(f"edge={self.edge}")
        if self.flatten:
            parts.append("flatten=True")
        if self.components is not None:
            parts.append(f"components={list(self.components)}")
        return ", ".join(parts)

    @_plain
    def __call__(self, frames: Any) -> Any:
        """Frames to windows, see `context_windows`."""
        if not isinstance(frames, tf.data.Dataset):
            self._check(frames)
            return self._of(frames)
        spec = frames.element_spec
        self._check(spec)
        is_tuple = type(spec) is tuple  # whose parts `map` hands over one by one
        windows = frames.map(
            _plain(lambda *element: self._of(element if is_tuple else element[0])),
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=True,
            name=self.name,
        )
        return add_note(windows, Note(str(self), inputs=(frames,)))

    def _check(self, element: Any) -> None:
        """Raises an error for an element, or the spec of one, that has no windows."""
        is_structure = isinstance(element, tuple | Mapping)
        keys = _keys(element) if is_structure else []
        if self.components is None:
            if is_structure:
                raise ValueError(
                    f"frames have the components {keys}: name those that are to be windowed, "
                    f"for instance components={keys[:1]}"
                )
            _check_frames("frames", element)
            return
        if not is_structure:
            raise ValueError(
                f"components={list(self.components)}, but frames are no dict or tuple: leave it out"
            )
        for key in self.components:
            if key not in keys:
                raise ValueError(f"components must be some of {keys}, got {key!r}")
            _check_frames(f"frames[{key!r}]", element[key])

    def _of(self, element: Any) -> Any:
        """An element (which was checked) with windows in it."""
        if self.components is None:
            return self._windows(element)
        parts = {
            key: self._windows(element[key]) if key in self.components else element[key]
            for key in _keys(element)
        }
        if isinstance(element, Mapping):
            return parts
        # The fields of a named tuple are arguments, not a sequence.
        named = hasattr(element, "_fields")
        return type(element)(*parts.values()) if named else tuple(parts.values())

    def _windows(self, frames: Any) -> np.ndarray | tf.Tensor:
        if isinstance(frames, np.ndarray):
            return self._windows_of_array(frames)
        return self._windows_of_tensor(tf.convert_to_tensor(frames))

    def _windows_of_array(self, frames: np.ndarray) -> np.ndarray:
        begin, end = self._centres(len(frames))
        wanted = np.arange(begin, end, self.stride)[:, np.newaxis] + self._offsets()
        there = np.clip(wanted, 0, max(len(frames) - 1, 0))
        windows = np.take(frames, there, axis=0)
        if self.edge == "zero" and windows.size:
            # Strings that come from TensorFlow are objects, whose zero is not NumPy's.
            is_object = frames.dtype == object
            zero = type(frames.flat[0])() if is_object else np.zeros((), frames.dtype)
            windows[wanted != there] = zero
        if self.flatten:
            windows = windows.reshape(len(wanted), self._width * math.prod(frames.shape[1:]))
        return windows

    def _windows_of_tensor(self, frames: tf.Tensor) -> tf.Tensor:
        if frames.shape.rank is None:
            message = "frames must be [time, dim...], got one number"
            check = tf.debugging.Assert(tf.rank(frames) > 0, [message, frames])
            with tf.control_dependencies([check]):
                frames = tf.identity(frames)
        time = tf.shape(frames, tf.int64)[0]
        begin, end = self._centres(time)
        # In TensorFlow a range must not end before it begins.
        centres = tf.range(begin, tf.maximum(end, begin), self.stride)
        positions = centres[:, tf.newaxis] + self._offsets()
        padded = frames
        if self.edge == "repeat":
            positions = tf.clip_by_value(positions, 0, tf.maximum(time - 1, 0))
        elif self.edge == "zero":
            before, after = _zeros_like(frames, self.left), _zeros_like(frames, self.right)
            padded = tf.concat([before, frames, after], 0)
            positions += self.left
        windows = tf.gather(padded, positions)
        sizes = None if frames.shape.rank is None else frames.shape.as_list()
        windows.set_shape(self._shape(sizes, flatten=False))
        if not self.flatten:
            return windows
        flat = self._width * tf.reduce_prod(tf.shape(frames, tf.int64)[1:])
        windows = tf.reshape(windows, [tf.size(centres, tf.int64), flat])
        windows.set_shape(self._shape(sizes, flatten=True))
        return windows

    def _shape(self, sizes: list[int | None] | None, flatten: bool) -> list[int | None] | None:
        """The shape of the windows of frames of the shape `sizes`, as far as it is known."""
        if sizes is None:
            return [None, None] if flatten else None
        time, *dims = sizes
        count = None if time is None else len(range(*self._centres(time), self.stride))
        if not flatten:
            return [count, self._width, *dims]
        return [count, None if None in dims else self._width * math.prod(dims)]

    @property
    def _width(self) -> int:
        return self.left + 1 + self.right

    def _offsets(self) -> np.ndarray:
        return np.arange(-self.left, self.right + 1, dtype=np.int64)

    def _centres(self, time: Any) -> tuple[int, Any]:
        """The first centre, and the frame that no centre reaches."""
        if self.edge == "drop":
            return -(-self.left // self.stride) * self.stride, time - self.right
        return 0, time


def _keys(structure: Any) -> list[Any]:
    return list(structure) if isinstance(structure, Mapping) else list(range(len(structure)))


def _check_frames(what: str, frames: Any) -> None:
    """Raises an error for what is no array or tensor [time, dim...], or the spec of one."""
    if isinstance(frames, np.ndarray | np.generic):
        rank = frames.ndim
    elif isinstance(frames, tf.RaggedTensor | tf.RaggedTensorSpec):
        raise TypeError(
            f"{what} must be one utterance [time, dim...], got a RaggedTensor: make windows of "
            "utterances before they are batched, or use its to_tensor()"
        )
    elif isinstance(frames, tf.SparseTensor | tf.SparseTensorSpec):
        raise TypeError(
            f"{what} must be [time, dim...], got a SparseTensor: use tf.sparse.to_dense first"
        )
    elif isinstance(frames, tf.TensorSpec) or tf.is_tensor(frames):
        rank = frames.shape.rank
    elif isinstance(frames, tuple | Mapping):
        raise TypeError(
            f"{what} must be one tensor, got {_keys(frames)}: call context_windows(...) on the "
            "parts, in a function for Dataset.map"
        )
    else:
        raise TypeError(
            f"{what} must be a dataset, an array or a tensor, got {frames!r} "
            f"({type(frames).__name__}): use np.asarray first"
        )
    if rank == 0:
        raise ValueError(
            f"{what} must be [time, dim...], got {frames!r}, a single number: make windows of "
            "whole utterances"
        )


def _zeros_like(frames: tf.Tensor, count: int) -> tf.Tensor:
    """`count` frames of zeros."""
    return tf.zeros(tf.concat([[count], tf.shape(frames)[1:]], 0), frames.dtype)
