"""The queue-like object that a producer returns.

queue = InputProducer("range_input_producer", rows, spec, …)
number, four = queue.dequeue(), queue.dequeue_many(4)
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

from compat.plan.capture import capture
from compat.plan.flag import Flag
from compat.plan.held import Held
from compat.plan.plan import Plan
from compat.plan.sources import Elements
from compat.plan.taking import AmongLeftovers, Leftovers, ThenLeftovers
from compat.record.fallback import keep_queue
from compat.record.reference import no_deprecation_warnings, reference
from compat.record.runner import InputRunner
from compat.record.source import Source, counting_operations, on_host
from compat.record.taking import dequeue_batch


class InputProducer(tf.queue.QueueBase):
    """What TF1 returned as the producer's queue, with elements that come out of a dataset.

    It is a queue for `isinstance`, but holds nothing: elements are made when they are asked for.
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
        self._rows = rows
        self._spec = spec
        self._num_epochs = num_epochs
        self._capacity = capacity
        self._shared_name = shared_name
        self._closed: Flag | None = None
        self._held: Held | None = None
        self._leftovers: Leftovers | None = None
        self._has_more = False
        self._queue: tf.queue.FIFOQueue | None = None
        with tf.control_dependencies(None):
            epoch = capture([rows], sources={})
            shape = tf.TensorShape([rows.shape[0] if rows.shape.rank else None, *spec.shape])
            self._epoch = dataclasses.replace(epoch, shapes=(shape,))
            self._begun = None if num_epochs is None else _epochs(rows, num_epochs, capacity)
        self.source: Source | None = None
        self.source = Source(
            function_name,
            scope,
            [spec],
            [],
            lambda _: self._plan(),
            shared_name=shared_name,
            names_iterator=True,
            # TF1's runner computed the rows first of all, and told the coordinator of an error.
            checks=[] if epoch.has_effects else [rows.op],
        )
        self.runner = InputRunner(self.source, self, cancel_op)
        tf.compat.v1.train.add_queue_runner(self.runner)

    def _plan(self) -> Plan:
        elements = Elements(
            self._epoch,
            self._num_epochs,
            _described(self._rows),
            self._begun,
            self._closed,
            self._held,
        )
        plan = Plan((elements,))
        if self._has_more:
            return plan.then(AmongLeftovers(self._leftovers), ThenLeftovers(self._leftovers))
        # A dequeue_many that ends puts elements back, for the others.
        puts_back = self._leftovers is not None and self.source.is_shared
        return plan.then(ThenLeftovers(self._leftovers)) if puts_back else plan

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
                self._queue = tf.queue.FIFOQueue(
                    self._capacity, self.dtypes, self.shapes, shared_name=self._shared_name
                )
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
        return self._dequeue_batch(n, name or self._operation_name("DequeueMany"), True)

    def dequeue_up_to(self, n: int, name: str | None = None) -> tf.Tensor:
        """The next `n` elements, shape `[None, …]`; fewer at the end.

        Raises (in `session.run`):
          tf.errors.OutOfRangeError: none is left.
        """
        return self._dequeue_batch(n, name or self._operation_name("DequeueUpTo"), False)

    def close(self, cancel_pending_enqueues: bool = False, name: str | None = None) -> tf.Operation:
        """An op after which no further epoch begins; the one under way is delivered."""
        del cancel_pending_enqueues  # an epoch is never pending
        with counting_operations(expected=1):
            if self._closed is None:
                self._closed = Flag(f"{self.name}/closed")
                self.source.rebuild()
            return self._closed.up(name or self._operation_name("Close"))

    def enqueue(self, vals: Any, name: str | None = None) -> tf.Operation:
        """An op that adds an element of the program's own; it is the next to be delivered."""
        return self._put(vals, name, "enqueue")

    def enqueue_many(self, vals: Any, name: str | None = None) -> tf.Operation:
        """An op that adds elements of the program's own, one for each row of `vals`."""
        return self._put(vals, name, "EnqueueMany")

    def _put(self, vals: Any, name: str | None, method: str) -> tf.Operation:
        """An op that puts elements among those of the producer.

        Raises:
          Whatever TensorFlow raises for these `vals`.
        """
        is_many = method == "EnqueueMany"

        def enqueue(vals: Any) -> Any:
            queue = tf.queue.FIFOQueue(1, self.dtypes, self.shapes)
            return (queue.enqueue_many if is_many else queue.enqueue)(vals).inputs[1]

        expected = reference(enqueue, {"vals": vals})
        with counting_operations(expected.operations - 1):  # without the queue itself
            if not self._has_more:
                self._has_more = True
                self._make_leftovers()
                self.source.rebuild()
            component = vals[0] if isinstance(vals, (list, tuple)) else vals  # there is only one
            rows = tf.convert_to_tensor(component, self._spec.dtype)
            with tf.compat.v1.name_scope(f"{self.name}/put/"):
                put = self._leftovers.put([rows if is_many else tf.expand_dims(rows, 0)])
            with tf.control_dependencies([put]):
                return tf.no_op(name or self._operation_name(method))

    def _make_leftovers(self) -> None:
        if self._leftovers is None:
            self._leftovers = Leftovers(f"{self.name}/leftovers", (self._spec,))
            self.source.plan_depends_on_sharing = True
            if self.source.is_shared:
                self.source.build()

    def size(self, name: str | None = None) -> tf.Tensor:
        """How many elements TF1's queue would hold at rest, an int32 scalar.

        0 before the start; then the number of elements that are left, at most `capacity`.
        """
        with counting_operations(expected=1):
            with self._counting_what_is_left() as held:
                size = tf.where(self.source.has_started(), held.size(self._left(held)), 0)
            return tf.identity(size, name or self._operation_name("Size"))

    def is_closed(self, name: str | None = None) -> tf.Tensor:
        """Whether TF1's queue would be closed: no further epoch begins. A bool scalar."""
        with counting_operations(expected=1):
            with self._counting_what_is_left() as held:
                closed = tf.constant(False) if self._closed is None else self._closed.is_up()
                if self._num_epochs is not None:
                    all_fit = self._left(held) <= held.capacity
                    closed |= tf.logical_and(self.source.has_started(), all_fit)
            return tf.identity(closed, name or self._operation_name("Is_Closed"))

    @contextlib.contextmanager
    def _counting_what_is_left(self) -> Iterator[Held]:
        if self._held is None:
            self._held = Held(self.name, self._num_epochs, self._capacity)
            self.source.rebuild()
        with on_host(), tf.compat.v1.name_scope(f"{self.name}/held/"):
            yield self._held

    def _left(self, held: Held) -> tf.Tensor:
        closed = tf.constant(False) if self._closed is None else self._closed.is_up()
        left = held.left(tf.shape(self._rows)[0], closed)
        if self._leftovers is None:
            return left
        return left + tf.cast(self._leftovers.size(), tf.int64)

    def _operation_name(self, method: str) -> str:
        return f"{self.name.split('/')[-1]}_{method}"

    def _dequeue_batch(self, n: Any, name: str, drop_remainder: bool) -> tf.Tensor:
        with counting_operations(expected=0):
            self._make_leftovers()
        return dequeue_batch(
            self, self.source, self.runner, n, name, drop_remainder, self._leftovers
        )


def _epochs(
    rows: tf.Tensor, num_epochs: int, capacity: int
) -> Callable[[tf.Tensor, tf.Tensor], tf.Operation]:
    """Makes TF1's counter of epochs, which programs look for among the local variables.

    Nothing depends on it, and it needs no initializer.

    Returns:
      What makes the op that counts an epoch, from its index and its number of rows.
    """
    with no_deprecation_warnings(), on_host():
        tf.compat.v1.train.limit_epochs(rows, num_epochs)
        variable = tf.compat.v1.local_variables()[-1]
        count = tf.compat.v1.placeholder(tf.int64, [])
        assigned = tf.identity(tf.compat.v1.assign(variable, count))
    assignment = capture([assigned], sources={count.op: ()})

    def begun(epoch: tf.Tensor, number: tf.Tensor) -> tf.Operation:
        # TF1 counted epochs as they went into the queue, which runs ahead by its capacity.
        ahead = tf.constant(capacity, tf.int64) // tf.maximum(number, 1)
        return assignment(tf.minimum(epoch + 1 + ahead, num_epochs))[0].op

    return begun


def _described(rows: tf.Tensor) -> str:
    size = tf.compat.v1.dimension_value(rows.shape[0])
    return f"{'?' if size is None else size} × {rows.dtype.name}"
