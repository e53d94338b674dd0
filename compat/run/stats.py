"""`--stats FILE`: what each pipeline did, however the script ends."""

from __future__ import annotations

import atexit
import json
import os
import signal
import threading
import types
from typing import Any

from compat.report import Report


def write_at_exit(report: Report, path: str) -> None:
    """Sees to it that `report` is in the file `path`, as JSON, when this process ends.

    That is after the script and its threads, however they end; also on SIGTERM, unless the script
    handles that itself (and as soon as Python gets to run: not while TensorFlow is waiting).

    Raises:
      OSError: `path` cannot be written to.
    """
    with open(path, "a"):  # fails now rather than after hours of training
        pass
    process = os.getpid()

    def write() -> None:
        if os.getpid() == process:  # not in a child that was forked off
            with open(path, "w") as file:
                json.dump(report.as_dict(), file, indent=2)
                file.write("\n")

    def terminate(number: int, frame: types.FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        write()
        os.kill(os.getpid(), signal.SIGTERM)

    atexit.register(write)
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, terminate)
        # A signal that reaches a child as it is being forked would never reach a Python handler,
        # and the child would live on. So children get the default, as they do without us.
        if hasattr(os, "register_at_fork"):  # not on Windows
            os.register_at_fork(
                before=lambda: _replace_handler(terminate, signal.SIG_DFL),
                after_in_parent=lambda: _replace_handler(signal.SIG_DFL, terminate),
            )


def _replace_handler(old: object, new: Any) -> None:
    in_main_thread = threading.current_thread() is threading.main_thread()
    if in_main_thread and signal.getsignal(signal.SIGTERM) is old:
        signal.signal(signal.SIGTERM, new)
