"""For tests of what happens a little later."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable


def until(condition: Callable[[], bool]) -> bool:
    """Whether `condition` becomes true within half a minute."""
    deadline = time.monotonic() + 30
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
        gc.collect()  # an exception that a test looks at may hold on to its iterator
    return condition()
