"""All scenarios: importing this module enters them into `harness.SCENARIOS`."""

from __future__ import annotations

import bad_input
import batching
import producers
import readers
import runners
import sources
import user_queues

__all__ = [
    "bad_input",
    "batching",
    "producers",
    "readers",
    "runners",
    "sources",
    "user_queues",
]
