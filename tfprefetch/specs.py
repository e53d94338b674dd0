"""Element specs as text: `float32[?, 128]`, `{"image": uint8[?, ?, 3], "label": int64[]}`."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def spec_text(spec: Any) -> str:
    """The structure `spec` in one line; `?` for an unknown size, `...` for an unknown rank.

    >>> spec_text({"a": tf.TensorSpec([None, 128]), "b": (tf.TensorSpec([], tf.int64),)})
    '{"a": float32[?, 128], "b": (int64[],)}'
    """
    if isinstance(spec, dict):
        return "{" + ", ".join(f'"{key}": {spec_text(part)}' for key, part in spec.items()) + "}"
    if isinstance(spec, tuple):
        fields = getattr(spec, "_fields", None)
        if fields:
            parts = [f"{key}={spec_text(part)}" for key, part in zip(fields, spec, strict=True)]
            return f"{type(spec).__name__}({', '.join(parts)})"
        parts = [spec_text(part) for part in spec]
        return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"
    if isinstance(spec, tf.data.DatasetSpec):
        return f"dataset of {spec_text(spec.element_spec)}"
    kinds = (
        (tf.TensorSpec, ""),
        (tf.SparseTensorSpec, "sparse "),
        (tf.RaggedTensorSpec, "ragged "),
    )
    for kind, prefix in kinds:
        if isinstance(spec, kind):
            return f"{prefix}{spec.dtype.name}[{_shape_text(spec.shape)}]"
    return str(spec)


def _shape_text(shape: tf.TensorShape) -> str:
    if shape.rank is None:
        return "..."
    return ", ".join("?" if size is None else str(size) for size in shape.as_list())
