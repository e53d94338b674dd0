"""A program's own queues: TensorFlow's classes, and datasets where these do the same.

What a queue runs on is decided when the program first takes elements from it: by then it has told
what fills it. A queue that stays one is reported then, with the line that made it.
"""

from __future__ import annotations

import inspect
from typing import Any

import tensorflow as tf

from compat.plan.capture import Unplannable
from compat.record.fallback import delivered, keep_queue, take
from compat.record.location import user_line
from compat.record.own_queue import Enqueue, OwnQueue
from compat.record.source import Source, counting_operations
from compat.record.taking import dequeue_batch
from compat.report import PipelineReport
from compat.settings import settings


class _ProgramsQueue(tf.queue.QueueBase):
    """Common to all queues; comes before TensorFlow's own class among the bases."""

    _can_be_dataset = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Takes TensorFlow's arguments."""
        self.report: PipelineReport | None = None
        self._line = user_line()
        self._enqueues: list[Enqueue] = []
        self._source: Source | None = None
        self._is_decided = False
        super().__init__(*args, **kwargs)
        signature = inspect.signature(super().__init__)
        self._arguments = signature.bind(*args, **kwargs).arguments

    def enqueue(self, vals: Any, name: str | None = None) -> tf.Operation:
        """As TensorFlow's; an element of a recorded pipeline is taken from its running iterator.

        Raises:
          RuntimeError: the queue is a dataset already.
        """
        self._check_not_dataset("enqueue")
        taken = take(vals)
        operation = super().enqueue(vals, name)
        return self._note(Enqueue(operation, list(operation.inputs)[1:], False, taken))

    def enqueue_many(self, vals: Any, name: str | None = None) -> tf.Operation:
        """As TensorFlow's; elements of a recorded pipeline come from its running iterator.

        Raises:
          RuntimeError: the queue is a dataset already.
        """
        self._check_not_dataset("enqueue_many")
        taken = take(vals)
        operation = super().enqueue_many(vals, name)
        return self._note(Enqueue(operation, list(operation.inputs)[1:], True, taken))

    def dequeue(self, name: str | None = None) -> Any:
        """As TensorFlow's."""
        if not self._is_dataset():
            return delivered(super().dequeue(name), self.report, is_batched=False)
        with counting_operations(expected=1):
            return _packed(self._source.tap(name or self._operation_name("Dequeue")))

    def dequeue_many(self, n: Any, name: str | None = None) -> Any:
        """As TensorFlow's."""
        if not self._is_dataset():
            return delivered(super().dequeue_many(n, name), self.report, is_batched=True)
        name = name or self._operation_name("DequeueMany")
        return dequeue_batch(self, self._source, self._runner, n, name, drop_remainder=True)

    def dequeue_up_to(self, n: Any, name: str | None = None) -> Any:
        """As TensorFlow's."""
        if not self._is_dataset():
            return delivered(super().dequeue_up_to(n, name), self.report, is_batched=True)
        name = name or self._operation_name("DequeueUpTo")
        return dequeue_batch(self, self._source, self._runner, n, name, drop_remainder=False)

    def close(self, cancel_pending_enqueues: bool = False, name: str | None = None) -> tf.Operation:
        """As TensorFlow's."""
        if not self._can_be_dataset:
            return super().close(cancel_pending_enqueues, name)
        with counting_operations(expected=1):
            closed = super().close(cancel_pending_enqueues, f"{self.name}/close")
            with tf.control_dependencies([closed, self._own.closed.up()]):
                return tf.no_op(name or self._operation_name("Close"))

    def size(self, name: str | None = None) -> tf.Tensor:
        """As TensorFlow's; a queue that is a dataset is full, from the start of the runners on."""
        if not self._can_be_dataset:
            return super().size(name)
        with counting_operations(expected=1):
            held = tf.cast(self._own.held.value(), tf.int32)
            return tf.add(
                super().size(f"{self.name}/size"), held, name or self._operation_name("Size")
            )

    @property
    def _own(self) -> OwnQueue:
        """What is known of the queue by now."""
        arguments = self._arguments
        return OwnQueue(
            self,
            arguments["capacity"],
            arguments.get("min_after_dequeue"),
            arguments.get("seed"),
            tuple(self._enqueues),
        )

    def _is_dataset(self) -> bool:
        """Decides, at the first call."""
        if not self._is_decided:
            self._is_decided = True
            try:
                self._check_plannable()
                # The dequeue op alone is one of TF1's, and what it waits for is no matter of the
                # ops that fill the queue.
                with counting_operations(0), tf.control_dependencies(None):
                    self._source, self._runner = self._own.record()
            except Unplannable as reason:
                self.report = keep_queue(
                    type(self).__name__,
                    f"the program makes this queue itself: {reason}",
                    self._line,
                )
        return self._source is not None

    def _check_plannable(self) -> None:
        if settings.engine == "queues":
            raise Unplannable("--engine=queues")
        numbers = [self._arguments["capacity"], self._arguments.get("min_after_dequeue", 0)]
        if not self._can_be_dataset or self.names or not self._enqueues:
            raise Unplannable("the program fills it itself")
        if not all(isinstance(number, int) and number >= 0 for number in numbers):
            raise Unplannable("its capacity is not a number")

    def _check_not_dataset(self, method: str) -> None:
        if self._source is not None:
            raise RuntimeError(
                f"{method}() of the {type(self).__name__} of {self._line} comes after the first "
                "dequeue, when the queue had become a dataset; call it before, or use "
                "`run --engine=queues`"
            )

    def _note(self, enqueue: Enqueue) -> tf.Operation:
        self._enqueues.append(enqueue)
        return enqueue.operation

    def _operation_name(self, method: str) -> str:
        return f"{self.name.split('/')[-1]}_{method}"


def _packed(components: list[tf.Tensor]) -> Any:
    return components[0] if len(components) == 1 else components


class FIFOQueue(_ProgramsQueue, tf.queue.FIFOQueue):
    """First in, first out."""

    _can_be_dataset = True


class RandomShuffleQueue(_ProgramsQueue, tf.queue.RandomShuffleQueue):
    """Delivers in random order."""

    _can_be_dataset = True


class PaddingFIFOQueue(_ProgramsQueue, tf.queue.PaddingFIFOQueue):
    """First in, first out, padding components of varying shape."""


class PriorityQueue(_ProgramsQueue, tf.queue.PriorityQueue):
    """Delivers by priority."""
