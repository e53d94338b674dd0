"""Keeps this package's frames out of the tracebacks that users read."""

from __future__ import annotations

import itertools
import os
import types

from compat import facade

_OWN_FOLDER = os.path.dirname(os.path.abspath(__file__))
_OWN_FILES = (facade.__file__,)


def without_own_frames(traceback: types.TracebackType | None) -> types.TracebackType | None:
    """Takes the frames of the command line and of the facade out of `traceback`."""
    kept = []
    while traceback is not None:
        path = traceback.tb_frame.f_code.co_filename
        if path not in _OWN_FILES and os.path.dirname(path) != _OWN_FOLDER:
            kept.append(traceback)
        traceback = traceback.tb_next
    for entry, following in itertools.zip_longest(kept, kept[1:]):
        entry.tb_next = following
    return kept[0] if kept else None
