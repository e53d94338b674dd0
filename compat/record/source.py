"""A recorded pipeline: its plan, its iterator, and who reads from it.

Each of TF1's input functions makes one `Source`. `Source.tap` gives the graph tensors that the
function returns; `Link` remembers who takes from them. A source with one consumer is built into
that consumer's dataset; one with several is shared through its running iterator, so that every
element is delivered once. Consumers come and go while the graph is built, so a dataset is built
again when that changes, and the runner starts the one that was built last.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import tensorflow as tf

from compat.plan.flag import Flag
from compat.plan.plan import Plan, empty
from compat.plan.sources import Live
from compat.record.counting import counted
from compat.record.location import user_line
from compat.report import PipelineReport
from compat.settings import settings

# How long a read waits for runners that another thread may be about to start.
_START_TIMEOUT_SECONDS = 4.0
# TensorFlow serialises the collections whose keys are strings; this one is not for export.
_COLLECTION = ("compat", "pipelines")


@dataclasses.dataclass
class GraphState:
    """The recorded pipelines of one graph, kept in that graph.

    Attributes:
      links: the op that delivers elements of a pipeline → the link to that pipeline.
      sources: all pipelines, each after those that it reads from.
      surplus_operations: how many ops more than TF1 the recorded calls have added. TF1 took a
        graph's number of ops for the seed of an op that has none of its own.
      queue_reports: the op that delivers from a real queue → what is counted of it.
    """

    links: dict[tf.Operation, Link] = dataclasses.field(default_factory=dict)
    sources: list[Source] = dataclasses.field(default_factory=list)
    surplus_operations: int = 0
    queue_reports: dict[tf.Operation, PipelineReport] = dataclasses.field(default_factory=dict)


def graph_state() -> GraphState:
    """The state of the current graph; made at the first call.

    Raises:
      RuntimeError: under eager execution, where there is no graph to build a pipeline in.
    """
    if tf.executing_eagerly():
        raise RuntimeError(
            "TF1's input functions build a graph, and eager execution is enabled; call "
            "tf.disable_v2_behavior() once, before the first of them"
        )
    collection = tf.compat.v1.get_default_graph().get_collection_ref(_COLLECTION)
    if not collection:
        collection.append(GraphState())
    return collection[0]


@contextlib.contextmanager
def counting_operations(expected: int) -> Iterator[None]:
    """Keeps the number of ops known that the graph would have in TF1.

    Args:
      expected: how many ops TF1 added for what is done inside.
    """
    state = graph_state()
    graph = tf.compat.v1.get_default_graph()
    before = len(graph.get_operations())
    yield
    state.surplus_operations += len(graph.get_operations()) - before - expected


@contextlib.contextmanager
def on_host() -> Iterator[None]:
    """Ops that belong to no branch or device of the user's model."""
    with tf.control_dependencies(None), tf.compat.v1.device(None), tf.compat.v1.device("/cpu:0"):
        yield


@dataclasses.dataclass(eq=False)
class Link:
    """One way to take elements from `source`.

    Attributes:
      source: the pipeline.
      outputs: the graph tensors that deliver an element; empty where a consumer was given the
        pipeline itself (a reader on a producer).
      waits_for: ops that the program wants to have run before each element is taken.
      consumers: the pipelines and queues that take from here; none means the user's own
        `session.run`.
    """

    source: Source
    outputs: tuple[tf.Tensor, ...] = ()
    waits_for: tuple[tf.Operation, ...] = ()
    consumers: list[object] = dataclasses.field(default_factory=list)

    def consume(self, consumer: object) -> None:
        """Enters `consumer` as one that takes elements from here."""
        if self.source.report is not None:
            self.source.report.part_of_another = True
        with self.source.watching():
            self.consumers.append(consumer)

    def plan(self) -> Plan:
        """The source's own plan, or its running iterator where it is shared."""
        if self.source.is_shared:
            return Plan((Live(self.source.next_element, self.source.name),))
        return self.source.plan()


class Source:
    """One recorded pipeline."""

    def __init__(
        self,
        function_name: str,
        scope: str,
        specs: Sequence[tf.TensorSpec],
        parents: Sequence[Link],
        compose: Callable[[list[Plan]], Plan],
        *,
        is_batched: bool = False,
        reads_ahead: bool = False,
        shared_name: str | None = None,
        names_iterator: bool = False,
    ) -> None:
        """Makes the iterator and the first dataset.

        Args:
          function_name: TF1's name of what the user called.
          scope: name scope of the ops, ending in a slash; its last part is the pipeline's name.
          specs: shape and dtype of an element's components.
          parents: where the elements come from.
          compose: the parents' plans → this pipeline's plan.
          is_batched: whether an element is a batch.
          reads_ahead: whether work goes on in the background, from the start of the runners.
          shared_name: name under which several sessions of one server share the iterator.
          names_iterator: whether the pipeline's name is that of the iterator, as the queue of a
            producer had it, and not of the op that delivers the elements, as of a batch.
        """
        self.function_name = function_name
        self.name = scope.rstrip("/")
        self.line = user_line()
        self.specs = list(specs)
        self.parents = list(parents)
        self.links: list[Link] = []
        self._compose = compose
        self._is_batched = is_batched
        self._reads_ahead = reads_ahead
        self._scope = scope
        self._state = graph_state()
        self.report: PipelineReport | None = None
        if settings.report is not None:
            self.report = settings.report.add(
                PipelineReport(function_name, self.line, engine="datasets")
            )
        for parent in self.parents:
            parent.consume(self)
        with on_host(), tf.compat.v1.name_scope(scope):
            self.handle = tf.raw_ops.IteratorV2(
                shared_name=shared_name or "",
                container="",
                name=scope if names_iterator else "iterator",
                **self._output_types_and_shapes,
            )
            self._started = Flag(f"{self.name}/started")
            self.gate = self._wait_for_start()
            self.start_empty = self._starter(empty(tuple(self.specs)), reads_ahead=False)
        self.build()
        self._state.sources.append(self)

    @property
    def _output_types_and_shapes(self) -> dict[str, list[Any]]:
        return {
            "output_types": [spec.dtype for spec in self.specs],
            "output_shapes": [spec.shape for spec in self.specs],
        }

    @property
    def is_shared(self) -> bool:
        """Whether more than one consumer takes elements from here."""
        return sum(max(1, len(link.consumers)) for link in self.links) > 1

    def plan(self) -> Plan:
        """What this pipeline does, as things stand now."""
        return self._compose([parent.plan() for parent in self.parents])

    def build(self) -> None:
        """Builds the dataset; the runner starts the one that was built last."""
        plan = self.plan()
        if self.report is not None:
            self.report.stages = plan.lines()
        with on_host(), tf.compat.v1.name_scope(self._scope):
            self.start = self._starter(plan.build(), self._reads_ahead and not plan.is_exact)

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Builds the pipelines behind this one again if what is done inside made it shared."""
        was_shared = self.is_shared
        yield
        if self.is_shared != was_shared:
            self._build_readers()

    def rebuild(self) -> None:
        """Builds this pipeline, whose plan has changed, and those behind it again."""
        self.build()
        self._build_readers()

    def _build_readers(self) -> None:
        for source in self._state.sources:
            if source.reads_from(self):
                source.build()

    def reads_from(self, other: Source) -> bool:
        """Whether `other` is among the pipelines that this one's elements come through."""
        return any(
            parent.source is other or parent.source.reads_from(other) for parent in self.parents
        )

    def link(self) -> Link:
        """A way to take elements for a consumer that is given the pipeline itself."""
        link = Link(self)
        with self.watching():
            self.links.append(link)
        return link

    def tap(self, name: str | None = None) -> list[tf.Tensor]:
        """Graph tensors that deliver the next element at every `session.run`."""
        # Without a device of its own the op goes where the iterator is.
        with tf.control_dependencies([self.gate]), tf.compat.v1.device(None):
            outputs = self.next_element(name)
        waits_for = [op for op in outputs[0].op.control_inputs if op is not self.gate]
        if self.report is not None:
            outputs = counted(outputs, self.report, is_batched=self._is_batched)
        link = Link(self, tuple(outputs), tuple(waits_for))
        with self.watching():
            self.links.append(link)
        for output in outputs:
            self._state.links[output.op] = link
        return outputs

    def next_element(self, name: str | None = None) -> list[tf.Tensor]:
        """The next element of the running iterator, taken in the default graph or function."""
        return tf.raw_ops.IteratorGetNext(
            iterator=self.handle, name=name, **self._output_types_and_shapes
        )

    def _starter(self, dataset: tf.data.Dataset, reads_ahead: bool) -> tf.Operation:
        """An op that puts `dataset` behind the iterator and then lets readers pass."""
        options = tf.data.Options()
        options.experimental_warm_start = self._reads_ahead
        # Without being asked, tf.data would read further ahead than the plan says, which shows
        # where the program's functions have effects and where others share the elements.
        options.autotune.enabled = reads_ahead
        options.experimental_optimization.apply_default_optimizations = reads_ahead
        options.experimental_optimization.inject_prefetch = False
        variant = tf.data.experimental.to_variant(dataset.with_options(options))
        initializer = tf.raw_ops.MakeIterator(dataset=variant, iterator=self.handle)
        with tf.control_dependencies([initializer]):
            return self._started.up()

    def _wait_for_start(self) -> tf.Operation:
        """Passes once the pipeline runs; fails, naming the missing call, if that does not happen.

        TF1 waited for ever. The wait is made of ops, not of Python, so that it also works in a
        graph that was exported and imported elsewhere.
        """
        message = (
            f"{self.function_name} of {self.line} has not been started in this session: call "
            "tf.train.start_queue_runners(sess=sess) after creating the session and before "
            "reading"
        )

        def must_wait(deadline: tf.Tensor) -> tf.Tensor:
            return tf.logical_and(tf.logical_not(self._started.is_up()), tf.timestamp() < deadline)

        def wait() -> tf.Operation:
            # One op, not the many of tf.while_loop: skipping it costs nothing at every read.
            waited = tf.raw_ops.While(
                input=[tf.timestamp() + _START_TIMEOUT_SECONDS],
                cond=_function(must_wait),
                body=_function(tf.identity),
            )
            with tf.control_dependencies(waited):
                return tf.compat.v1.Assert(self._started.is_up(), [message])

        return tf.compat.v1.cond(self._started.is_up(), tf.no_op, wait, name="wait_for_start").op


def _function(python_function: Callable[[tf.Tensor], tf.Tensor]) -> Any:
    """A function of a point in time, in seconds."""
    return tf.function(python_function, autograph=False).get_concrete_function(
        tf.TensorSpec([], tf.float64)
    )
