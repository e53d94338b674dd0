"""A program's own queue as a dataset, where nothing but recorded pipelines fills it.

    key, value = reader.read(filename_queue)
    queue = tf.RandomShuffleQueue(1000, 500, [tf.string], [[]])
    tf.train.add_queue_runner(tf.train.QueueRunner(queue, [queue.enqueue([value])] * 4))
    value = queue.dequeue()

Such a queue is a buffer between two parts of the pipeline, like that of `batch`.
"""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from compat.plan.capture import Unplannable
from compat.plan.counter import Counter
from compat.plan.flag import Flag
from compat.plan.plan import Plan
from compat.plan.stages import Unbatch, Until
from compat.record.branch import Branch, Component, are_same, elements, record_branch
from compat.record.buffering import held_ahead
from compat.record.runner import InputRunner
from compat.record.source import Link, Source


@dataclasses.dataclass(frozen=True, eq=False)
class Enqueue:
    """One enqueue op of a queue.

    Attributes:
      operation: the op.
      values: components of an element, or of several.
      is_many: whether they are of several elements.
      taken: how the queue was entered as a consumer of what `values` come from.
    """

    operation: tf.Operation
    values: list[tf.Tensor]
    is_many: bool
    taken: list[tuple[Link, tf.Operation]]


@dataclasses.dataclass(frozen=True)
class OwnQueue:
    """What is known of a program's queue when the program first takes from it.

    Attributes:
      queue: TensorFlow's queue.
      capacity: how many elements it holds.
      min_after_dequeue: how many of them are left to pick from; None where it keeps the order.
      seed: of the order.
      enqueues: all its enqueue ops.
    """

    queue: tf.queue.QueueBase
    capacity: int
    min_after_dequeue: int | None
    seed: int | None
    enqueues: tuple[Enqueue, ...]

    @property
    def held(self) -> Counter:
        """What `size()` says beside the real queue's size: it is full from the start on."""
        return Counter(f"{self.queue.name}/held")

    @property
    def closed(self) -> Flag:
        """Whether the program has closed it."""
        return Flag(f"{self.queue.name}/closed")

    def record(self) -> tuple[Source, InputRunner]:
        """The pipeline that stands for the queue and, in the collection, for its runners.

        Raises:
          Unplannable: something else fills the queue as well.
        """
        runners = self._runners()
        branches = self._branches()
        for enqueue in self.enqueues:
            for link, operation in enqueue.taken:
                link.release(operation)
        # As often as the program gave an op to its runners, so many threads ran it.
        number_of_ops = sum(len(runner.enqueue_ops) for runner in runners)
        num_threads = max(1, number_of_ops // len(self.enqueues))

        def compose(plans: list[Plan]) -> Plan:
            plan = elements(plans, branches, num_threads, "a queue of the program's own")
            return self._buffered(plan)

        queue = self.queue
        source = Source(
            type(queue).__name__,
            f"{queue.name}/dataset/",
            self._specs,
            [link for branch in branches for link in branch.links],
            compose,
            capacity=self.capacity,
            same_branches=len(branches) if are_same(branches) else 1,
            checks=[self.held.set(self.capacity)],
        )
        runner = InputRunner(source, queue)
        collection = tf.compat.v1.get_collection_ref(tf.compat.v1.GraphKeys.QUEUE_RUNNERS)
        collection[collection.index(runners[0])] = runner
        for replaced in runners:
            if replaced in collection:
                collection.remove(replaced)
            # For a program that starts it by hand.
            replaced.create_threads = runner.create_threads
        return source, runner

    @property
    def _specs(self) -> list[tf.TensorSpec]:
        return [
            tf.TensorSpec(shape, dtype)
            for shape, dtype in zip(self.queue.shapes, self.queue.dtypes, strict=True)
        ]

    def _runners(self) -> list[tf.compat.v1.train.QueueRunner]:
        collection = tf.compat.v1.get_collection(tf.compat.v1.GraphKeys.QUEUE_RUNNERS)
        runners = [runner for runner in collection if runner.queue is self.queue]
        # One of a class of the program's own may do anything.
        if not runners or any(
            type(runner) is not tf.compat.v1.train.QueueRunner for runner in runners
        ):
            raise Unplannable("the program fills it itself")
        run = {operation for runner in runners for operation in runner.enqueue_ops}
        if run != {enqueue.operation for enqueue in self.enqueues}:
            raise Unplannable("the program fills it itself")
        return runners

    def _branches(self) -> list[Branch]:
        if len({enqueue.is_many for enqueue in self.enqueues}) > 1:
            raise Unplannable("it is filled one by one and by many at a time")
        if any(enqueue.operation.control_inputs for enqueue in self.enqueues):
            raise Unplannable("its enqueue op waits for others")
        shapes = [tf.TensorShape([None]).concatenate(spec.shape) for spec in self._specs]
        rows = [
            Component(tf.TensorSpec(shape, spec.dtype), None)
            for shape, spec in zip(shapes, self._specs, strict=True)
        ]
        branches = [
            record_branch(enqueue.values, None, rows, enqueue_many=enqueue.is_many)
            for enqueue in self.enqueues
        ]
        if not all(branch.links for branch in branches):
            raise Unplannable("the program fills it itself")
        return branches

    def _buffered(self, plan: Plan) -> Plan:
        if self.enqueues[0].is_many:
            plan = plan.then(Unbatch())
        plan = plan.then(Until(self.closed))
        return held_ahead(plan, self.capacity, self.min_after_dequeue, self.seed)
