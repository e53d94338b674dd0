"""The pipeline behind the tensors of `bucket` and `bucket_by_sequence_length`.

    buckets = Buckets.of(batch_size=[8, 4], num_buckets=2, capacity=32, bucket_capacities=None)
    which, outputs = record_buckets("bucket", arguments, buckets)

TF1 had a queue for each bucket and one for the batches. Here a dataset collects each bucket's
elements in a window, and a window that is full is a batch.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from compat.plan.buckets import BucketAndBatch
from compat.plan.capture import Unplannable
from compat.plan.plan import Plan
from compat.plan.preprocessing import preprocessed, zipped
from compat.plan.stages import Prefetch
from compat.record.branch import Branch, Component, record_branch
from compat.record.fallback import delivered, keep_queue, take
from compat.record.reference import reference
from compat.record.runner import InputRunner
from compat.record.source import Source, counting_operations, graph_state
from compat.settings import settings


@dataclasses.dataclass(frozen=True)
class Buckets:
    """The arguments that say what the buckets are.

    Attributes:
      batch_sizes: for each bucket.
      has_one_size: whether all of them are the same, by the program's word.
      capacity: how many batches TF1's last queue held.
      capacities: how many elements TF1's queue of each bucket held.
    """

    batch_sizes: tuple[Any, ...]
    has_one_size: bool
    capacity: int
    capacities: tuple[int, ...]

    @classmethod
    def of(
        cls,
        batch_size: Any,
        num_buckets: int,
        capacity: int,
        bucket_capacities: Sequence[int] | None,
    ) -> Buckets:
        """Checks what the program says.

        Raises:
          ValueError: there are no buckets, or a list has another length than their number.
        """
        if num_buckets < 1:
            raise ValueError(f"num_buckets must be positive, got {num_buckets}")
        has_one_size = not isinstance(batch_size, (list, tuple))
        sizes = [batch_size] * num_buckets if has_one_size else batch_size
        if len(sizes) != num_buckets:
            raise ValueError("If batch_size is a list it must have num_buckets elements")
        capacities = [capacity] * num_buckets if bucket_capacities is None else bucket_capacities
        if len(capacities) != num_buckets:
            raise ValueError(
                f"The list bucket_capacities ({capacities}) must have exactly num_buckets "
                f"({num_buckets}) elements."
            )
        return cls(tuple(sizes), has_one_size, capacity, tuple(capacities))

    def static_sizes(self) -> tuple[int, ...]:
        """The batch sizes as numbers.

        Raises:
          Unplannable: one of them is known only when it runs.
        """
        sizes = [tf.get_static_value(tf.convert_to_tensor(size)) for size in self.batch_sizes]
        if any(size is None for size in sizes):
            raise Unplannable("batch_size is a tensor whose value is known only when it runs")
        return tuple(int(size) for size in sizes)


def record_buckets(
    function_name: str, arguments: dict[str, Any], buckets: Buckets
) -> tuple[tf.Tensor, list[tf.Tensor | tf.SparseTensor]]:
    """Records a call.

    Args:
      function_name: TF1's name of what the program called.
      arguments: those of `bucket`, by name.
      buckets: what they say about the buckets.

    Returns:
      The bucket of a batch, and the batch's components in order.

    Raises:
      Whatever TensorFlow raises for these arguments.
    """
    graph_state()  # says so at once where there is no graph
    tensors = arguments["tensors"]
    values = [tensors[key] for key in sorted(tensors)] if isinstance(tensors, dict) else tensors
    values = [_tensor(value) for value in values]
    if not values:
        raise ValueError("Expected at least one tensor in bucket().")
    components = _components(values, arguments, buckets)
    operations = _operations(len(buckets.batch_sizes), len(values), arguments["keep_input"])
    with (
        counting_operations(operations),
        tf.compat.v1.name_scope(arguments["name"], "bucket", values) as scope,
    ):
        which = tf.convert_to_tensor(arguments["which_bucket"], tf.int32, name="which_bucket")
        which.shape.assert_has_rank(0)
        # What is not to be kept is in no bucket.
        which = tf.where(arguments["keep_input"], which, -1)
        _add_summaries(scope, buckets)
        call = _Call(function_name, arguments, scope, buckets, components)
        try:
            if settings.engine == "queues":
                raise Unplannable("--engine=queues")
            sizes = buckets.static_sizes()
            # Its bucket last, so that the first component tells how many elements a batch has.
            parts = [*components, Component(tf.zeros([1], tf.int32), None)]
            branch = record_branch([*values, which], None, parts, enqueue_many=False)
        except Unplannable as reason:
            *outputs, which = _from_queues(call, values, which, str(reason))
        else:
            *outputs, which = _from_dataset(call, sizes, branch)
        return which, [
            part.delivered(batch) for part, batch in zip(components, outputs, strict=True)
        ]


def _operations(num_buckets: int, num_components: int, keep_input: Any) -> int:
    """How many ops TF1 added: measured, with arguments that are tensors already."""
    operations = 14 + num_buckets * (24 + num_components)
    if not isinstance(keep_input, tf.Tensor):
        return operations
    if tf.get_static_value(keep_input) is not None:
        return operations - 1
    return operations + 8 + num_buckets + num_components


@dataclasses.dataclass(frozen=True)
class _Call:
    function_name: str
    arguments: dict[str, Any]
    scope: str
    buckets: Buckets
    components: list[Component]

    @property
    def element_shapes(self) -> list[tf.TensorShape]:
        return [component.element_spec.shape for component in self.components]

    @property
    def specs(self) -> list[tf.TensorSpec]:
        """What is delivered: a batch, and its bucket."""
        return [*(component.spec for component in self.components), tf.TensorSpec([], tf.int32)]


def _tensor(value: Any) -> tf.Tensor | tf.SparseTensor:
    return value if isinstance(value, tf.SparseTensor) else tf.convert_to_tensor(value)


def _components(
    values: list[tf.Tensor | tf.SparseTensor], arguments: dict[str, Any], buckets: Buckets
) -> list[Component]:
    """What is returned, as `maybe_batch` says, whose rules are those of `bucket`."""
    same = ("keep_input", "num_threads", "capacity", "shapes", "dynamic_pad")
    expected = reference(
        tf.compat.v1.train.maybe_batch,
        {
            "tensors": values,
            "batch_size": buckets.batch_sizes[-1],
            "allow_smaller_final_batch": arguments["allow_smaller_final_batch"]
            or not buckets.has_one_size,
            **{name: arguments[name] for name in same},
        },
    )
    results = expected.result if isinstance(expected.result, list) else [expected.result]
    return [
        Component(result, tf.string if isinstance(result, tf.SparseTensor) else None)
        for result in results
    ]


def _add_summaries(scope: str, buckets: Buckets) -> None:
    """TF1's, of how full its queues were: for programs that merge and run whatever there is."""
    names = [f"bucket_queue_{index}/size" for index in range(len(buckets.batch_sizes))]
    for name in (*names, f"top_queue/fraction_of_{buckets.capacity}_full"):
        tf.compat.v1.summary.scalar(f"bucket/{scope}{name}", tf.constant(float("nan")))


def _from_dataset(call: _Call, sizes: tuple[int, ...], branch: Branch) -> list[tf.Tensor]:
    arguments = call.arguments

    def compose(plans: list[Plan]) -> Plan:
        return preprocessed(zipped(plans), branch.preprocessing, arguments["num_threads"]).then(
            BucketAndBatch(
                sizes,
                drop_remainder=not arguments["allow_smaller_final_batch"],
                padded_shapes=tuple(call.element_shapes) if arguments["dynamic_pad"] else None,
            ),
            Prefetch(call.buckets.capacity),
        )

    source = Source(
        call.function_name,
        call.scope,
        call.specs,
        branch.links,
        compose,
        is_batched=True,
        capacity=call.buckets.capacity,
        shared_name=arguments["shared_name"],
    )
    tf.compat.v1.train.add_queue_runner(InputRunner(source))
    return source.tap("dequeue_top")


def _from_queues(call: _Call, values: list[Any], which: tf.Tensor, reason: str) -> list[tf.Tensor]:
    """The same on a queue for each bucket and one for the batches, as in TF1."""
    report = keep_queue(call.function_name, reason)
    take([values, which])
    arguments, buckets = call.arguments, call.buckets
    carried = [
        component.carried(value, as_rows=False)
        for component, value in zip(call.components, values, strict=True)
    ]
    batches = tf.queue.PaddingFIFOQueue(
        buckets.capacity,
        [spec.dtype for spec in call.specs],
        [spec.shape for spec in call.specs],
        shared_name=arguments["shared_name"],
        name="top_queue",
    )
    queues = [
        tf.queue.PaddingFIFOQueue(
            capacity,
            [value.dtype for value in carried],
            call.element_shapes,
            shared_name=arguments["shared_name"] and f"{arguments['shared_name']}_{index}",
            name=f"bucket_queue_{index}",
        )
        for index, capacity in enumerate(buckets.capacities)
    ]
    fill = tf.compat.v1.case(
        [
            (tf.equal(which, index), lambda queue=queue: _done(queue.enqueue(carried)))
            for index, queue in enumerate(queues)
        ],
        default=lambda: tf.constant(True),
    )
    empty = []
    for index, (queue, size) in enumerate(zip(queues, buckets.batch_sizes, strict=True)):
        smaller = arguments["allow_smaller_final_batch"]
        batch = (queue.dequeue_up_to if smaller else queue.dequeue_many)(size)
        parts = list(batch) if isinstance(batch, (list, tuple)) else [batch]
        empty.append(batches.enqueue([*parts, tf.constant(index)]))
    ended = (tf.errors.OutOfRangeError, tf.errors.CancelledError)
    add = tf.compat.v1.train.add_queue_runner
    runner = tf.compat.v1.train.QueueRunner
    add(
        runner(
            queues[0],
            empty,
            close_op=batches.close(),
            cancel_op=batches.close(cancel_pending_enqueues=True),
            queue_closed_exception_types=ended,
        )
    )
    add(
        runner(
            batches,
            [fill.op] * arguments["num_threads"],
            close_op=tf.group(*(queue.close() for queue in queues)),
            cancel_op=tf.group(*(queue.close(cancel_pending_enqueues=True) for queue in queues)),
            queue_closed_exception_types=ended,
        )
    )
    return delivered(batches.dequeue(name="dequeue_top"), report, is_batched=True)


def _done(operation: tf.Operation) -> tf.Tensor:
    with tf.control_dependencies([operation]):
        return tf.constant(True)
