"""Memory that TensorFlow takes over as it is."""

from __future__ import annotations

import numpy as np

ALIGNMENT_BYTES = 64  # what TensorFlow aligns its own tensors to


def aligned_bytes(size: int) -> np.ndarray:
    """uint8[size] that TensorFlow takes over; an array that is not aligned like its own it copies.

    >>> aligned_bytes(100).ctypes.data % ALIGNMENT_BYTES
    0
    """
    buffer = np.empty(size + ALIGNMENT_BYTES, np.uint8)
    start = -buffer.ctypes.data % ALIGNMENT_BYTES
    return buffer[start : start + size]
