"""All scenarios: importing this module enters them into `harness.SCENARIOS`."""

from __future__ import annotations

import arguments
import arguments_readers
import arguments_runners
import arguments_sources
import bad_input
import batching
import contrib
import dequeue_numbers
import epochs_and_files
import habits
import input_producers
import joins
import keep_input
import monitored
import padding
import preprocessing
import producer_state
import producers
import reader_methods
import reader_progress
import readers
import runners
import sessions
import slices
import slim
import sources
import sparse
import user_queues

__all__ = [
    "arguments",
    "arguments_readers",
    "arguments_runners",
    "arguments_sources",
    "bad_input",
    "batching",
    "contrib",
    "dequeue_numbers",
    "epochs_and_files",
    "habits",
    "input_producers",
    "joins",
    "keep_input",
    "monitored",
    "padding",
    "preprocessing",
    "producer_state",
    "producers",
    "reader_methods",
    "reader_progress",
    "readers",
    "runners",
    "sessions",
    "slices",
    "slim",
    "sources",
    "sparse",
    "user_queues",
]
