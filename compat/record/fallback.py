"""Pipelines that stay on TensorFlow's own queues: by wish, or because a dataset cannot do it.

A fallback is never silent: one warning per pipeline names the line and the reason, `--strict`
makes it an error, and `--stats` lists it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from typing import Any

import tensorflow as tf

from compat.record.counting import counted
from compat.record.location import user_line
from compat.record.source import Link, graph_state
from compat.report import PipelineReport
from compat.settings import settings


class QueueFallbackWarning(UserWarning):
    """A pipeline runs on one of TensorFlow's own queues."""


class QueueFallbackError(RuntimeError):
    """The same, where the user asked for datasets only (`--strict`)."""


def keep_queue(function_name: str, reason: str, line: str | None = None) -> PipelineReport | None:
    """Reports that the pipeline which the call at `line` makes, the user's current one, is a queue.

    Raises:
      QueueFallbackError: with `--strict`.
    """
    line = line or user_line()
    if settings.engine != "queues":
        message = f"{function_name} of {line} runs on TensorFlow's own queue: {reason}"
        if settings.strict:
            raise QueueFallbackError(message)
        filename, _, number = line.rpartition(":")
        warnings.warn_explicit(message, QueueFallbackWarning, filename, int(number))
    if settings.report is None:
        return None
    return settings.report.add(PipelineReport(function_name, line, engine="queue", reason=reason))


def call_queue_function(
    function_name: str,
    function: Callable[..., Any],
    arguments: dict[str, Any],
    reason: str = "--engine=queues",
) -> Any:
    """Lets TensorFlow's own `function` make the pipeline."""
    report = keep_queue(function_name, reason)
    take(arguments)
    result = function(**arguments)
    if isinstance(result, tf.queue.QueueBase):
        return count_dequeues(result, report)
    return delivered(result, report, is_batched=True)


def take(values: Any) -> list[tuple[Link, tf.Operation]]:
    """Enters a real queue as a consumer of every recorded pipeline that `values` come from.

    It takes its elements from the running iterators, so nobody else may build these pipelines
    into a dataset of its own.

    Returns:
      Who was entered where.
    """
    taken = []
    state = graph_state()
    flat = tf.nest.flatten(values, expand_composites=True)  # SparseTensors are made of tensors
    tensors = [value for value in flat if isinstance(value, tf.Tensor)]
    for operation in _ancestors(tensor.op for tensor in tensors):
        link = state.links.get(operation)
        if link is not None:
            link.consume(operation)
            taken.append((link, operation))
            _forget(link.source.report)
        _forget(state.queue_reports.get(operation))
    return taken


def delivered(tensors: Any, report: PipelineReport | None, *, is_batched: bool) -> Any:
    """`tensors` of a real queue, counted where somebody counts."""
    if report is None:
        return tensors
    tensors = counted(tensors, report, is_batched=is_batched)
    state = graph_state()
    for tensor in tf.nest.flatten(tensors, expand_composites=True):
        state.queue_reports[tensor.op] = report
    return tensors


def count_dequeues(queue: tf.queue.QueueBase, report: PipelineReport | None) -> tf.queue.QueueBase:
    """Counts what is taken from `queue` through its own methods."""
    if report is None:
        return queue

    def counting(method: Callable[..., Any], is_batched: bool) -> Callable[..., Any]:
        return lambda *args, **kwargs: delivered(
            method(*args, **kwargs), report, is_batched=is_batched
        )

    queue.report = report
    queue.dequeue = counting(queue.dequeue, is_batched=False)
    queue.dequeue_many = counting(queue.dequeue_many, is_batched=True)
    queue.dequeue_up_to = counting(queue.dequeue_up_to, is_batched=True)
    return queue


def forget_queue(queue: object) -> None:
    """`queue` is read by another pipeline, which is the one to be listed."""
    _forget(getattr(queue, "report", None))


def _forget(report: PipelineReport | None) -> None:
    if report is not None and settings.report is not None and report in settings.report.pipelines:
        settings.report.pipelines.remove(report)


def _ancestors(operations: Iterable[tf.Operation]) -> Iterable[tf.Operation]:
    pending = list(operations)
    seen: set[tf.Operation] = set()
    while pending:
        operation = pending.pop()
        if operation in seen:
            continue
        seen.add(operation)
        yield operation
        pending.extend(tensor.op for tensor in operation.inputs)
        pending.extend(operation.control_inputs)
