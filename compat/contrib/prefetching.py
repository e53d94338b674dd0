"""slim's `prefetch_queue`: batches that are prepared ahead, from a dataset.

images, labels = tf.train.batch([image, label], 32)
images, labels = prefetch_queue([images, labels], capacity=4).dequeue()
"""

from __future__ import annotations

from typing import Any, NoReturn

import tensorflow as tf

from compat.plan.capture import Unplannable
from compat.plan.preprocessing import preprocessed, zipped
from compat.plan.stages import Prefetch
from compat.record.branch import Branch, Component, record_branch
from compat.record.fallback import call_queue_function
from compat.record.reference import reference
from compat.record.runner import InputRunner
from compat.record.source import Source, counting_operations, graph_state
from compat.record.taking import dequeue_batch
from compat.settings import settings


def prefetch_queue(
    tensors: Any,
    capacity: int = 8,
    num_threads: int = 1,
    dynamic_pad: bool = False,
    shared_name: str | None = None,
    name: str | None = None,
) -> tf.queue.QueueBase:
    """Prepares elements, usually batches, ahead of those who take them.

    Args:
      tensors: list, tuple or dict of tensors: an element.
      capacity: how many elements are prepared ahead.
      num_threads: how many calls of a Python function (`py_func`) may run at a time.
      dynamic_pad: whether components may vary in shape.
      shared_name: name under which sessions of one server share the pipeline.
      name: name of the ops.

    Returns:
      What TF1 returned as a queue: `dequeue()` delivers the structure of `tensors` (one tensor for
      a list of one), and every op that it makes gets elements of its own.

    Raises:
      ValueError: no tensors, or a shape that is not known.

    >>> from compat import batch
    >>> with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    ...     pairs = batch([tf.constant(7)], batch_size=2)
    ...     element = prefetch_queue({"sevens": pairs}).dequeue()
    ...     threads = tf.compat.v1.train.start_queue_runners(session)
    ...     session.run(element)["sevens"].tolist()
    [7, 7]
    """
    arguments = dict(locals())
    graph_state()  # says so at once where there is no graph
    expected = reference(_real_queue, arguments)
    queue: tf.queue.QueueBase = expected.result
    if settings.engine == "queues":
        return call_queue_function("prefetch_queue", _real_queue, arguments)
    values = [tensors[key] for key in queue.names] if queue.names else list(tensors)
    specs = [
        tf.TensorSpec(shape, dtype) for shape, dtype in zip(queue.shapes, queue.dtypes, strict=True)
    ]
    batched = [Component(tf.TensorSpec([None, *spec.shape], spec.dtype), None) for spec in specs]
    try:
        branch = record_branch(values, None, batched, enqueue_many=False)
    except Unplannable as reason:
        return call_queue_function("prefetch_queue", _real_queue, arguments, str(reason))
    with (
        counting_operations(expected.operations),
        tf.compat.v1.name_scope(name, "prefetch_queue"),
    ):
        expected.add_summaries()
        with tf.compat.v1.name_scope(queue.name.split("/")[-1]) as scope:
            return PrefetchQueue(branch, specs, queue.names, arguments, scope)


class PrefetchQueue(tf.queue.QueueBase):
    """What stands for TF1's queue: a queue for `isinstance`, and for those who take from it."""

    def __init__(
        self,
        branch: Branch,
        specs: list[tf.TensorSpec],
        names: list[str] | None,
        arguments: dict[str, Any],
        scope: str,
    ) -> None:
        """Delivers what `branch` makes; `arguments` are those of `prefetch_queue`."""
        # Not QueueBase.__init__, which needs the handle of a real queue.
        self._specs = specs
        self._element_names = names
        self._source = Source(
            "prefetch_queue",
            scope,
            specs,
            branch.links,
            lambda plans: preprocessed(
                zipped(plans), branch.preprocessing, arguments["num_threads"]
            ).then(Prefetch(arguments["capacity"])),
            capacity=arguments["capacity"],
            shared_name=arguments["shared_name"],
            names_iterator=True,
        )
        self._runner = InputRunner(self._source, self)
        tf.compat.v1.train.add_queue_runner(self._runner)

    @property
    def name(self) -> str:
        """Name of the pipeline in the graph."""
        return self._source.name

    @property
    def dtypes(self) -> list[tf.DType]:
        """Dtypes of an element's components."""
        return [spec.dtype for spec in self._specs]

    @property
    def shapes(self) -> list[tf.TensorShape]:
        """Shapes of an element's components."""
        return [spec.shape for spec in self._specs]

    @property
    def names(self) -> list[str] | None:
        """Names of an element's components, where it is a dict."""
        return self._element_names

    def dequeue(self, name: str | None = None) -> Any:
        """The next element.

        Raises (in `session.run`):
          tf.errors.OutOfRangeError: after the last one.
        """
        with counting_operations(expected=1):
            return self._packed(self._source.tap(name or self._operation_name("Dequeue")))

    def dequeue_many(self, n: int, name: str | None = None) -> Any:
        """The next `n` elements, stacked; with `dynamic_pad` padded to the largest.

        Raises (in `session.run`):
          tf.errors.OutOfRangeError: fewer than `n` are left.
        """
        name = name or self._operation_name("DequeueMany")
        return dequeue_batch(self, self._source, self._runner, n, name, drop_remainder=True)

    def dequeue_up_to(self, n: int, name: str | None = None) -> Any:
        """The next `n` elements, or fewer at the end.

        Raises (in `session.run`):
          tf.errors.OutOfRangeError: none is left.
        """
        name = name or self._operation_name("DequeueUpTo")
        return dequeue_batch(self, self._source, self._runner, n, name, drop_remainder=False)

    def _packed(self, tensors: list[tf.Tensor]) -> Any:
        if self._element_names:
            return dict(zip(self._element_names, tensors, strict=True))
        return tensors[0] if len(tensors) == 1 else tensors

    def _operation_name(self, method: str) -> str:
        return f"{self.name.split('/')[-1]}_{method}"

    @property
    def queue_ref(self) -> NoReturn:
        """Raises NotImplementedError: there is no queue."""
        self._raise("queue_ref")

    def enqueue(self, vals: Any, name: str | None = None) -> NoReturn:
        """Raises NotImplementedError: the elements are those it was made for."""
        self._raise("enqueue()")

    def enqueue_many(self, vals: Any, name: str | None = None) -> NoReturn:
        """Raises NotImplementedError: the elements are those it was made for."""
        self._raise("enqueue_many()")

    def close(self, cancel_pending_enqueues: bool = False, name: str | None = None) -> NoReturn:
        """Raises NotImplementedError: it ends with its elements."""
        self._raise("close()")

    def is_closed(self, name: str | None = None) -> NoReturn:
        """Raises NotImplementedError: it is known only to who reads."""
        self._raise("is_closed()")

    def size(self, name: str | None = None) -> NoReturn:
        """Raises NotImplementedError: a dataset does not tell what it holds."""
        self._raise("size()")

    def _raise(self, what: str) -> NoReturn:
        raise NotImplementedError(
            f"{what} of the prefetch_queue of {self._source.line} needs a real queue, and this is "
            "a dataset; `run --engine=queues` has one"
        )


def _real_queue(
    tensors: Any,
    capacity: int,
    num_threads: int,
    dynamic_pad: bool,
    shared_name: str | None,
    name: str | None,
) -> tf.queue.QueueBase:
    """The same on TensorFlow's own queue."""
    names = sorted(tensors) if isinstance(tensors, dict) else None
    values = [tensors[key] for key in names] if names else tensors
    make = tf.queue.PaddingFIFOQueue if dynamic_pad else tf.queue.FIFOQueue
    with tf.compat.v1.name_scope(name, "prefetch_queue", values):
        queue = make(
            capacity,
            [value.dtype for value in values],
            [value.shape for value in values],
            names=names,
            shared_name=shared_name,
        )
        runner = tf.compat.v1.train.QueueRunner(queue, [queue.enqueue(tensors)] * num_threads)
        tf.compat.v1.train.add_queue_runner(runner)
        fraction = tf.cast(queue.size(), tf.float32) * (1.0 / capacity)
        tf.compat.v1.summary.scalar(f"fraction_of_{capacity}_full", fraction)
        return queue
