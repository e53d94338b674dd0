"""Where in the user's program a pipeline was made."""

from __future__ import annotations

import pathlib
import sys
from types import FrameType

import tensorflow as tf

from compat.contrib.packages import is_bound

_OURS = tuple(
    str(path)
    for path in (pathlib.Path(__file__).resolve().parents[1], pathlib.Path(tf.__file__).parent)
)


def user_line() -> str:
    """`file:line` of the innermost call that is neither ours nor TensorFlow's."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and (
        frame.f_code.co_filename.startswith(_OURS) or is_bound(frame.f_globals.get("__name__", ""))
    ):
        frame = frame.f_back
    if frame is None:
        return "<unknown>:0"
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
