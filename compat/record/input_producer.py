"""The queue-like object that a producer returns.

queue = InputProducer("range_input_producer", rows, spec, …)
number, four = queue.dequeue(), queue.dequeue_many(4)
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from compat.plan.capture import capture
from compat.plan.flag import Flag
from compat.plan.plan import Plan
from compat.plan.sources import Elements
from compat.plan.stages import Batch
from compat.record.fallback import keep_queue
from compat.record.runner import InputRunner
from compat.record.source import Source, counting_operations, on_host


class InputProducer(tf.queue.QueueBase):
    """What TF1 returned as the producer's queue, with elements that come out of a dataset.

    It is a queue for `isinstance`, but has no queue's state: nobody enqueues, nothing is held.
    """

    def __init__(
        self,
        function_name: str,
        rows: tf.Tensor,
        spec: tf.TensorSpec,
        num_epochs: int | None,
        capacity: int,
        shared_name: str | None,
        scope: str,
        cancel_op: tf.Operation | None = None,
    ) -> None:
        """Delivers the rows of `rows`, each as described by `spec`."""
        # Not QueueBase.__init__, which needs the handle of a real queue.
        self._spec = spec
        self._capacity = capacity
        self._closed: Flag | None = None
        self._queue: tf.queue.FIFOQueue | None = None
        with tf.control_dependencies(None):
            epoch = capture([rows], sources={})

        def compose(_: list[Plan]) -> Plan:
            return Plan((Elements(epoch, num_epochs, _described(rows), self._closed),))

        self.source = Source(
            function_name,
            scope,
            [spec],
            [],
            compose,
            shared_name=shared_name,
            names_iterator=True,
        )
        self.runner = InputRunner(self.source, self, cancel_op)
        tf.compat.v1.train.add_queue_runner(self.runner)

    @property
    def name(self) -> str:
        """Name of the producer in the graph."""
        return self.source.name

    @property
    def dtypes(self) -> list[tf.DType]:
        """Dtypes of an element's components: one."""
        return [self._spec.dtype]

    @property
    def shapes(self) -> list[tf.TensorShape]:
        """Shapes of an element's components: one."""
        return [self._spec.shape]

    @property
    def names(self) -> None:
        """A producer's components have no names."""
        return None

    @property
    def queue_ref(self) -> tf.Tensor:
        """A real queue that delivers the producer's elements, for ops that need a queue's handle.

        It is made at the first access and from then on takes elements like any other consumer.
        """
        if self._queue is None:
            keep_queue(self.source.function_name, "its queue_ref was asked for")
            with on_host(), tf.compat.v1.name_scope(f"{self.name}/queue_ref/"):
                self._queue = tf.queue.FIFOQueue(self._capacity, self.dtypes, self.shapes)
                self.source.link().consume(self._queue)
                enqueue = self._queue.enqueue(self.source.next_element())
            runner = tf.compat.v1.train.QueueRunner(self._queue, [enqueue])
            tf.compat.v1.train.add_queue_runner(runner)
        return self._queue.queue_ref

    def dequeue(self, name: str | None = None) -> tf.Tensor:
        """The next element; all dequeue ops of one producer share its elements.

        Raises (in `session.run`):
          tf.errors.OutOfRangeError: after `num_epochs` epochs.
        """
        with counting_operations(expected=1):
            return self.source.tap(name or self._operation_name("Dequeue"))[0]

    def dequeue_many(self, n: int, name: str | None = None) -> tf.Tensor:
        """The next `n` elements, shape `[n, …]`.

        Raises (in `session.run`):
          tf.errors.OutOfRangeError: fewer than `n` are left.
        """
        # TF1 made a constant of a number.
        with counting_operations(expected=1 if tf.is_tensor(n) else 2):
            return self._dequeue_batch(
                n, name or self._operation_name("DequeueMany"), drop_remainder=True
            )

    def dequeue_up_to(self, n: int, name: str | None = None) -> tf.Tensor:
        """The next `n` elements, shape `[None, …]`; fewer at the end.

        Raises (in `session.run`):
          tf.errors.OutOfRangeError: none is left.
        """
        with counting_operations(expected=1 if tf.is_tensor(n) else 2):
            return self._dequeue_batch(
                n, name or self._operation_name("DequeueUpTo"), drop_remainder=False
            )

    def close(self, cancel_pending_enqueues: bool = False, name: str | None = None) -> tf.Operation:
        """An op after which no further epoch begins; the one under way is delivered."""
        del cancel_pending_enqueues  # an epoch is never pending
        with counting_operations(expected=1):
            if self._closed is None:
                self._closed = Flag(f"{self.name}/closed")
                self.source.rebuild()
            return self._closed.up(name or self._operation_name("Close"))

    def enqueue(self, vals: Any, name: str | None = None) -> tf.Operation:
        """Raises: the elements are the producer's own.

        Raises:
          NotImplementedError: always.
        """
        raise NotImplementedError(self._needs_a_queue("enqueue"))

    def enqueue_many(self, vals: Any, name: str | None = None) -> tf.Operation:
        """Raises: the elements are the producer's own.

        Raises:
          NotImplementedError: always.
        """
        raise NotImplementedError(self._needs_a_queue("enqueue_many"))

    def size(self, name: str | None = None) -> tf.Tensor:
        """Raises: nothing is held.

        Raises:
          NotImplementedError: always.
        """
        raise NotImplementedError(self._needs_a_queue("size"))

    def is_closed(self, name: str | None = None) -> tf.Tensor:
        """Raises: it is known only to who reads.

        Raises:
          NotImplementedError: always.
        """
        raise NotImplementedError(self._needs_a_queue("is_closed"))

    def _needs_a_queue(self, method: str) -> str:
        return (
            f"{method}() of the {self.source.function_name} of {self.source.line} needs a real "
            "queue, and this is a dataset; `run --engine=queues` has one"
        )

    def _operation_name(self, method: str) -> str:
        return f"{self.name.split('/')[-1]}_{method}"

    def _dequeue_batch(self, n: Any, name: str, drop_remainder: bool) -> tf.Tensor:
        size = tf.get_static_value(n)
        if size is None:
            return self._dequeue_each(tf.convert_to_tensor(n), name)
        if size == 0:
            return tf.zeros([0, *self._spec.shape.as_list()], self._spec.dtype, name)
        spec = tf.TensorSpec(
            [int(size) if drop_remainder else None, *self._spec.shape.as_list()], self._spec.dtype
        )
        with tf.compat.v1.name_scope(name) as scope:
            source = Source(
                f"{self.source.function_name}.dequeue_many",
                scope,
                [spec],
                [self.source.link()],
                lambda plans: plans[0].then(Batch(int(size), drop_remainder)),
                is_batched=True,
            )
        self.runner.add(source)
        return source.tap(scope)[0]

    def _dequeue_each(self, n: tf.Tensor, name: str) -> tf.Tensor:
        """A number that is known only when it runs: one element after another."""
        self.source.link()
        with tf.compat.v1.name_scope(name), tf.control_dependencies([self.source.gate]):
            rows = tf.TensorArray(self._spec.dtype, size=n, element_shape=self._spec.shape)
            rows = tf.compat.v1.while_loop(
                lambda index, _: index < n,
                lambda index, rows: (index + 1, rows.write(index, self.source.next_element()[0])),
                [tf.constant(0, n.dtype), rows],
                parallel_iterations=1,
            )[1]
            return rows.stack()


def _described(rows: tf.Tensor) -> str:
    size = tf.compat.v1.dimension_value(rows.shape[0])
    return f"{'?' if size is None else size} × {rows.dtype.name}"
