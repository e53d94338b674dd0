"""`batch` and `shuffle_batch`: the pipeline behind their tensors becomes one dataset.

    images, labels = batch([image, label], batch_size=32)

What the tensors come from is walked back to the recorded sources; the ops in between are the
program's own preprocessing and become the dataset's map function.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from compat.plan.capture import SubGraph, Unplannable, capture
from compat.plan.plan import Plan
from compat.plan.sources import Endless, Zip
from compat.plan.stages import Batch, Map, MapAndBatch, Prefetch, Shuffle, Unbatch
from compat.record.fallback import call_queue_function
from compat.record.reference import Reference, reference
from compat.record.runner import InputRunner
from compat.record.source import Link, Source, counting_operations, graph_state
from compat.settings import settings


def batch(
    tensors: Any,
    batch_size: int,
    num_threads: int = 1,
    capacity: int = 32,
    enqueue_many: bool = False,
    shapes: Any = None,
    dynamic_pad: bool = False,
    allow_smaller_final_batch: bool = False,
    shared_name: str | None = None,
    name: str | None = None,
) -> Any:
    """Stacks elements into batches, in order.

    Args:
      tensors: list, tuple or dict of tensors, or one tensor: an element of the pipeline.
      batch_size: elements per batch.
      num_threads: how many calls of a Python function (`py_func`) may run at a time; ops of
        TensorFlow run in parallel anyway, in order.
      capacity: how many elements are prepared ahead.
      enqueue_many: whether `tensors` hold several elements, along their first dimension.
      shapes: shapes of an element's components, where they cannot be inferred.
      dynamic_pad: pad components of varying shape to the largest of a batch.
      allow_smaller_final_batch: deliver what is left at the end.
      shared_name: name under which sessions of one server share the pipeline.
      name: name of the ops; the first result is `name:0`.

    Returns:
      The same structure (a list of one becomes a tensor, as in TF1), with shapes
      `[batch_size, …]`, or `[None, …]` where the last batch may be smaller.

    Raises:
      ValueError: no tensors, or a shape that is not known and was not given.
      tf.errors.OutOfRangeError: in `session.run`, at the end.

    >>> with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    ...     pairs = batch([tf.constant(7)], batch_size=2)
    ...     threads = tf.compat.v1.train.start_queue_runners(session)
    ...     session.run(pairs).tolist()
    [7, 7]
    """
    return _batched("batch", tf.compat.v1.train.batch, dict(locals()))


def shuffle_batch(
    tensors: Any,
    batch_size: int,
    capacity: int,
    min_after_dequeue: int,
    num_threads: int = 1,
    seed: int | None = None,
    enqueue_many: bool = False,
    shapes: Any = None,
    allow_smaller_final_batch: bool = False,
    shared_name: str | None = None,
    name: str | None = None,
) -> Any:
    """Stacks elements into batches, in random order.

    Args:
      tensors: list, tuple or dict of tensors, or one tensor: an element of the pipeline.
      batch_size: elements per batch.
      capacity: how many elements are held, to pick from and prepared ahead.
      min_after_dequeue: how many of them are left to pick from, at least.
      num_threads: how many calls of a Python function (`py_func`) may run at a time.
      seed: makes the order repeatable; it is not TF1's, which depended on its threads.
      enqueue_many: whether `tensors` hold several elements, along their first dimension.
      shapes: shapes of an element's components, where they cannot be inferred.
      allow_smaller_final_batch: deliver what is left at the end.
      shared_name: name under which sessions of one server share the pipeline.
      name: name of the ops; the first result is `name:0`.

    Returns:
      The same structure (a list of one becomes a tensor, as in TF1), with shapes
      `[batch_size, …]`, or `[None, …]` where the last batch may be smaller.

    Raises:
      ValueError: no tensors, or a shape that is not known and was not given; `capacity` not
        greater than `min_after_dequeue`.
      tf.errors.OutOfRangeError: in `session.run`, at the end.
    """
    return _batched("shuffle_batch", tf.compat.v1.train.shuffle_batch, dict(locals()))


@dataclasses.dataclass(frozen=True)
class _Batching:
    """The arguments that decide what the dataset does with the elements."""

    batch_size: int
    num_threads: int
    capacity: int
    enqueue_many: bool
    drop_remainder: bool
    min_after_dequeue: int | None
    seed: int | None


def _batched(function_name: str, function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    graph_state()  # says so at once where there is no graph
    arguments["tensors"] = _converted(arguments["tensors"])
    expected = reference(function, arguments)
    if settings.engine == "queues":
        return call_queue_function(function_name, function, arguments)
    try:
        batching = _batching(arguments)
        inputs = _flat(arguments["tensors"])
        links, preprocessing = _walk_back(inputs, _element_shapes(expected, batching))
    except Unplannable as reason:
        return call_queue_function(function_name, function, arguments, str(reason))
    with counting_operations(expected.operations):
        tensors = _build(function_name, arguments, batching, links, preprocessing, expected)
    return expected.pack(tensors)


def _build(
    function_name: str,
    arguments: dict[str, Any],
    batching: _Batching,
    links: list[Link],
    preprocessing: SubGraph,
    expected: Reference,
) -> list[tf.Tensor]:
    def compose(plans: list[Plan]) -> Plan:
        return _composed(plans, preprocessing, batching)

    with tf.compat.v1.name_scope(arguments["name"], function_name, _flat(arguments["tensors"])) as (
        scope
    ):
        source = Source(
            function_name,
            scope,
            expected.specs,
            links,
            compose,
            is_batched=True,
            reads_ahead=True,
            shared_name=arguments["shared_name"],
        )
        tf.compat.v1.train.add_queue_runner(InputRunner(source))
        expected.add_summaries()
        return source.tap(scope)


def _converted(tensors: Any) -> Any:
    """The user's values as tensors; a single one is a list of one."""
    if isinstance(tensors, dict):
        return {key: _tensor(value) for key, value in tensors.items()}
    if isinstance(tensors, (list, tuple)):
        return [_tensor(value) for value in tensors]
    return [_tensor(tensors)]


def _tensor(value: Any) -> tf.Tensor | tf.SparseTensor:
    return value if isinstance(value, tf.SparseTensor) else tf.convert_to_tensor(value)


def _flat(tensors: Any) -> list[tf.Tensor]:
    return tf.nest.flatten(tensors, expand_composites=False)


def _batching(arguments: dict[str, Any]) -> _Batching:
    """The arguments as numbers.

    Raises:
      Unplannable: one of them is a tensor, or asks for what has no dataset yet.
    """
    numbers = {}
    for argument in ("batch_size", "num_threads", "capacity", "min_after_dequeue"):
        value = arguments.get(argument)
        static = tf.get_static_value(value) if isinstance(value, tf.Tensor) else value
        if static is None and value is not None:
            raise Unplannable(f"{argument} is a tensor whose value is known only when it runs")
        numbers[argument] = None if static is None else int(static)
    if arguments.get("dynamic_pad"):
        raise Unplannable("dynamic_pad=True")
    if any(isinstance(tensor, tf.SparseTensor) for tensor in _flat(arguments["tensors"])):
        raise Unplannable("a component is a SparseTensor")
    return _Batching(
        batch_size=numbers["batch_size"],
        num_threads=numbers["num_threads"],
        capacity=numbers["capacity"],
        enqueue_many=bool(arguments["enqueue_many"]),
        drop_remainder=not arguments["allow_smaller_final_batch"],
        min_after_dequeue=numbers["min_after_dequeue"],
        seed=arguments.get("seed"),
    )


def _element_shapes(expected: Reference, batching: _Batching) -> tuple[tf.TensorShape, ...]:
    """What one call of the preprocessing has to deliver for the batches that TF1 promises."""
    rows = [None] if batching.enqueue_many else []
    return tuple(tf.TensorShape([*rows, *spec.shape.as_list()[1:]]) for spec in expected.specs)


def _walk_back(
    tensors: list[tf.Tensor], shapes: tuple[tf.TensorShape, ...]
) -> tuple[list[Link], SubGraph]:
    """The links that deliver the elements, and the ops between them and `tensors`."""
    state = graph_state()
    sources = {operation: link.waits_for for operation, link in state.links.items()}
    preprocessing = capture(tensors, sources)
    links = list(dict.fromkeys(state.links[tensor.op] for tensor in preprocessing.inputs))
    components = tuple(output for link in links for output in link.outputs)
    return links, dataclasses.replace(preprocessing, inputs=components, shapes=shapes)


def _composed(plans: list[Plan], preprocessing: SubGraph, batching: _Batching) -> Plan:
    """The plan of a batch: preprocessing on many elements at a time wherever that is the same."""
    if not plans:
        plan = Plan((Endless(),))
    else:
        plan = plans[0] if len(plans) == 1 else Plan((Zip(tuple(plans)),))
    if not plans or plan.is_exact or preprocessing.has_effects or batching.enqueue_many:
        return _one_by_one(plan, preprocessing, batching)
    mapped = MapAndBatch(
        preprocessing,
        batching.batch_size,
        batching.drop_remainder,
        # Shuffling before decoding gives the same distribution for less memory.
        None if batching.min_after_dequeue is None else batching.capacity,
        batching.seed,
    )
    return plan.then(mapped, Prefetch(max(1, batching.capacity // batching.batch_size)))


def _one_by_one(plan: Plan, preprocessing: SubGraph, batching: _Batching) -> Plan:
    """Elements are read ahead by no more than `capacity`, as by TF1's queue.

    Where the preprocessing has side effects, or others share the source, this can be seen.
    """
    if isinstance(plan.stages[0], Endless):
        # Parallel calls would lose elements where the program's own function ends the stream.
        calls, reason = 1, "there is no recorded source"
    elif preprocessing.has_effects:
        calls, reason = batching.num_threads, "it has side effects"
    elif plan.is_exact:
        calls, reason = batching.num_threads, "others share the source"
    else:
        calls, reason = tf.data.AUTOTUNE, "enqueue_many"
    plan = plan.then(Map(preprocessing, calls, reason))
    if batching.enqueue_many:
        plan = plan.then(Unbatch())
    ahead = batching.capacity
    if batching.min_after_dequeue is not None:
        ahead = max(1, min(ahead - batching.min_after_dequeue - 1, batching.batch_size))
        plan = plan.then(Prefetch(ahead), Shuffle(max(1, batching.capacity - ahead), batching.seed))
        return plan.then(Batch(batching.batch_size, batching.drop_remainder))
    return plan.then(Prefetch(ahead), Batch(batching.batch_size, batching.drop_remainder))
