"""Checks of what `from_python`, `prefetch_python` and `from_generator` are called with."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Iterable, Mapping, Sequence, Set
from multiprocessing.reduction import ForkingPickler
from typing import Any

import numpy as np
import tensorflow as tf

from tfprefetch.python_values import flatten, map_leaves
from tfprefetch.specs import spec_text


def check_integer(option: str, value: Any, least: int) -> None:
    """Raises TypeError or ValueError, unless `value` is an integer of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{option} must be an integer, got {value!r}")
    if value < least:
        raise ValueError(f"{option} must be at least {least}, got {value}")


def check_seed(seed: Any) -> None:
    """Raises TypeError unless `seed` is None or an integer."""
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int | np.integer)):
        raise TypeError(f"seed must be an integer or None, got {seed!r}")


def as_sequence(items: Iterable[Any]) -> Sequence[Any]:
    """`items` as something with a length, whose elements have numbers."""
    if isinstance(items, tf.data.Dataset):
        raise TypeError(
            "items must be Python objects, got a dataset: use dataset.map for TensorFlow code, or "
            "list(dataset.as_numpy_iterator())"
        )
    if isinstance(items, str | bytes | Mapping):
        raise TypeError(
            f"items must be a sequence of what load is called with, got a {type(items).__name__}; "
            "a single item goes into a list"
        )
    if isinstance(items, Set):
        raise TypeError(
            "items must have an order, or a seed would not fix it, and nothing could be resumed; "
            f"got a {type(items).__name__}: pass sorted(items)"
        )
    if isinstance(items, np.ndarray) and not items.ndim:
        raise TypeError(f"items must be a sequence, got an array without dimensions: {items!r}")
    if isinstance(items, list):
        return list(items)  # the program's own may change
    if isinstance(items, Sequence | np.ndarray):
        return items
    try:
        return list(items)
    except TypeError:
        raise TypeError(f"items must be a sequence, got {items!r}") from None


def check_picklable(option: str, function: Any) -> None:
    """Raises TypeError unless worker processes can be given `function`."""
    name = getattr(function, "__qualname__", repr(function))
    remedy = (
        "Worker processes import functions by name: define it at the top level of a module (for "
        "what it needs besides, functools.partial or an object with __call__), or leave "
        "use_multiprocessing out to use threads"
    )
    try:
        pickled = ForkingPickler.dumps(function)
    except RuntimeError:
        return  # locks and shared values can be pickled only while a process starts
    except (AttributeError, TypeError, pickle.PicklingError) as error:
        raise TypeError(
            f"{option} cannot be sent to worker processes: {error}. {remedy}"
        ) from error
    if b"__main__" in bytes(pickled) and not hasattr(sys.modules["__main__"], "__file__"):
        raise TypeError(
            f"{option}={name} is defined in a notebook or an interactive session, where worker "
            f"processes cannot find it. {remedy}. In a notebook, %%writefile makes a module"
        )


def checked_signature(output_signature: Any) -> Any:
    """`output_signature`, in which dicts and tuples hold TensorSpecs.

    Raises:
        TypeError: it holds something else.
    """
    if output_signature is None:
        return None

    def check(path: str, spec: Any) -> tf.TensorSpec:
        if not isinstance(spec, tf.TensorSpec) or spec.dtype in (tf.variant, tf.resource):
            raise TypeError(
                f"output_signature{path} must be a tf.TensorSpec, or a dict or tuple of those; got "
                f"{spec!r}"
            )
        return spec

    return map_leaves(check, output_signature)


def signature_of(value: Any) -> Any:
    """The specs of a structure of arrays.

    Raises:
        TypeError: there is no array in it, or one of a type that TensorFlow does not have.
    """
    if not flatten(value):
        raise TypeError(f"{value!r} holds no array: load must return at least one")
    return map_leaves(
        lambda path, array: tf.TensorSpec(
            array.shape, tf.string if array.dtype == object else tf.as_dtype(array.dtype)
        ),
        value,
    )


def numpy_dtype(dtype: tf.DType) -> np.dtype:
    """What arrays of `dtype` are in NumPy; strings are objects."""
    return np.dtype(object) if dtype == tf.string else np.dtype(dtype.as_numpy_dtype)


def check_shapes(value: Any, signature: Any) -> None:
    """Raises ValueError if an array does not have the shape that `signature` says."""

    def check(path: str, spec: tf.TensorSpec, array: np.ndarray) -> None:
        if not spec.shape.is_compatible_with(array.shape):
            shown = spec_text(tf.TensorSpec(array.shape, spec.dtype))
            raise ValueError(
                f"{shown}{path and f' at {path}'} where {spec_text(spec)} is expected: pass "
                "output_signature with None for sizes that vary, as in "
                "tf.TensorSpec([None, 3], tf.float32)"
            )

    map_leaves(check, signature, value)
