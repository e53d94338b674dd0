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
import functools
from collections.abc import Callable, Iterator, Sequence

import tensorflow as tf

from compat.plan.flag import Flag
from compat.plan.plan import Plan, empty
from compat.plan.sources import Live
from compat.plan.stages import InBlocks, Unbatch
from compat.record.counting import counted
from compat.record.delivery import Delivery, device_for
from compat.record.graph_iterator import GraphIterator, wait_for
from compat.record.location import user_line
from compat.report import PipelineReport
from compat.settings import settings

# Of a shared source's elements a consumer takes so many at a time, at most.
_BLOCK_ELEMENTS = 32
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
      consumers: what takes from here: pipelines, each with the position that this link has
        among their parents, and queues; none means the user's own `session.run`.
    """

    source: Source
    outputs: tuple[tf.Tensor, ...] = ()
    waits_for: tuple[tf.Operation, ...] = ()
    consumers: list[tuple[object, int]] = dataclasses.field(default_factory=list)

    def consume(self, consumer: object, position: int = 0) -> None:
        """Enters `consumer` as one that takes elements from here."""
        if self.source.report is not None:
            self.source.report.part_of_another = True
        with self.source.watching():
            self.consumers.append((consumer, position))

    def release(self, consumer: object) -> None:
        """Takes back one `consume`."""
        with self.source.watching():
            self.consumers.remove((consumer, 0))

    def takers(self) -> set[object]:
        """Who takes elements from here; what is done as one pipeline counts as one."""
        if not self.consumers:
            return {self}
        return {
            consumer.taker(position) if isinstance(consumer, Source) else consumer
            for consumer, position in self.consumers
        }

    def plan(self) -> Plan:
        """The source's own plan, or its running iterator where it is shared."""
        if self.source.is_shared:
            return self.source.live_plan()
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
        capacity: int = 0,
        shared_name: str | None = None,
        names_iterator: bool = False,
        same_branches: int = 1,
        checks: Sequence[tf.Operation] = (),
    ) -> None:
        """Makes the iterator and the first dataset.

        Args:
          function_name: TF1's name of what the user called.
          scope: name scope of the ops, ending in a slash; its last part is the pipeline's name.
          specs: shape and dtype of an element's components.
          parents: where the elements come from.
          compose: the parents' plans → this pipeline's plan.
          is_batched: whether an element is a batch.
          capacity: how many elements are prepared in the background, from the start of the
            runners on; 0 means that nothing is done before it is asked for.
          shared_name: name under which several sessions of one server share the iterator.
          names_iterator: whether the pipeline's name is that of the iterator, as the queue of a
            producer had it, and not of the op that delivers the elements, as of a batch.
          same_branches: into how many branches `parents` divide that all do the same to their
            elements. Where the branches' parents are interchangeable, `compose` is given those
            of the first branch only.
          checks: ops that fail where the pipeline cannot start.
        """
        self.function_name = function_name
        self.name = scope.rstrip("/")
        self.line = user_line()
        self.specs = list(specs)
        self.parents = list(parents)
        self.links: list[Link] = []
        # Equal for readers of the same kind, whose records may be read by any of them.
        self.twin_key: object | None = None
        self.plan_depends_on_sharing = False
        self._compose = compose
        self._same_branches = same_branches
        self._is_batched = is_batched
        self._capacity = capacity
        self._checks = list(checks)
        self._scope = scope
        self._state = graph_state()
        self.report: PipelineReport | None = None
        if settings.report is not None:
            self.report = settings.report.add(
                PipelineReport(function_name, self.line, engine="datasets")
            )
        for position, parent in enumerate(self.parents):
            parent.consume(self, position)
        with on_host(), tf.compat.v1.name_scope(scope):
            self.iterator = GraphIterator(
                self.specs, scope if names_iterator else "iterator", shared_name or ""
            )
            device = device_for(self.specs) if is_batched and not shared_name else None
            # What the program's own `session.run` takes from; other pipelines take from `iterator`.
            self._delivery = None if device is None else Delivery(self.iterator, device)
            self._started = Flag(f"{shared_name or self.name}/started")
            starting = Flag(f"{shared_name or self.name}/starting")
            self.starting = starting.up()
            self.gate = wait_for(
                self._started,
                starting,
                f"{function_name} of {self.line} has not been started in this session: call "
                "tf.train.start_queue_runners(sess=sess) after creating the session and before "
                "reading",
            )
            nothing = empty(tuple(self.specs))
            with tf.control_dependencies([self._delivered(self.iterator.starter(nothing))]):
                self.start_empty = self._started.up()
        self.build()
        self._state.sources.append(self)

    @property
    def is_shared(self) -> bool:
        """Whether more than one consumer takes elements from here."""
        return len(self._takers) > 1

    @property
    def _takers(self) -> set[object]:
        return set().union(*(link.takers() for link in self.links))

    @property
    def _is_part_of_another(self) -> bool:
        """Whether it is built into its only consumer's dataset."""
        return len(self._takers) == 1 and any(
            isinstance(consumer, Source) for link in self.links for consumer, _ in link.consumers
        )

    @property
    def _block_elements(self) -> int:
        """How many elements at a time the consumers take.

        More than one only where each of them is a pipeline that prepares many more than that in
        the background, as in TF1: then it does not show.
        """
        capacities = [
            taker[0]._capacity if isinstance(taker, tuple) else 0 for taker in self._takers
        ]
        has_one_shape = all(spec.shape.is_fully_defined() for spec in self.specs)
        if len(capacities) < 2 or not has_one_shape:
            return 1
        return max(1, min(_BLOCK_ELEMENTS, min(capacities) // 4))

    @property
    def _is_warm(self) -> bool:
        """Whether it reads ahead from the start on.

        What is built into another pipeline is read ahead as part of that.
        """
        return self._capacity > 0 and not self._is_part_of_another

    @property
    def _own_choices(self) -> tuple[int, bool, bool]:
        """What of its datasets depends on who takes elements from here."""
        return self._block_elements, self._is_warm, self._delivery is not None and self._is_last

    @property
    def _is_last(self) -> bool:
        """Whether nothing but what `tap` gave to the program takes elements from here."""
        return all(link.outputs and not link.consumers for link in self.links)

    @property
    def is_merged(self) -> bool:
        """Whether all branches are done as one, because it makes no difference."""
        step = len(self.parents) // self._same_branches
        return self._same_branches > 1 and all(
            parent.source.is_twin_of(self.parents[position % step].source, self)
            for position, parent in enumerate(self.parents)
        )

    def is_twin_of(self, other: Source, consumer: Source) -> bool:
        """Whether `consumer` may read from `other` what it would read from here."""
        if self is other:
            return True
        return (
            self.twin_key is not None
            and self.twin_key == other.twin_key
            and [parent.source for parent in self.parents]
            == [parent.source for parent in other.parents]
            and all(
                link.consumers and all(taker is consumer for taker, _ in link.consumers)
                for link in self.links
            )
        )

    def taker(self, position: int) -> tuple[Source, int]:
        """Stands for whoever takes elements from the parent at `position` together with this."""
        if self.is_merged:
            return self, position % (len(self.parents) // self._same_branches)
        consumers = {consumer for link in self.links for consumer, _ in link.consumers}
        if len(consumers) == 1:
            (consumer,) = consumers
            if isinstance(consumer, Source) and consumer.is_merged:
                index = self.links[0].consumers[0][1]
                first = consumer.taker(index)[1]
                return consumer.parents[first].source, position
        return self, position

    def plan(self) -> Plan:
        """What this pipeline does, as things stand now."""
        parents = self.parents
        if self.is_merged:
            parents = parents[: len(parents) // self._same_branches]
        return self._compose([parent.plan() for parent in parents])

    def live_plan(self) -> Plan:
        """Elements out of the running iterator, for one of several consumers."""
        if self._block_elements == 1:
            return Plan((Live(self.next_element, self.name),))
        return Plan((Live(self._blocks.next, self.name, self._block_elements), Unbatch()))

    def build(self) -> None:
        """Builds the dataset; the runner starts the one that was built last."""
        plan = described = self.plan()
        is_tuned = self._capacity > 0 and not plan.is_exact
        with (
            on_host(),
            tf.control_dependencies(self._all_checks),
            tf.compat.v1.name_scope(self._scope),
        ):
            first: list[tf.Operation] = []
            if self._block_elements > 1:
                blocks = plan.then(InBlocks(self._block_elements))
                first = [self._blocks.starter(blocks.build())]
                plan = self.live_plan()
            with tf.control_dependencies(first):
                starter = self.iterator.starter(
                    plan.build(),
                    is_tuned=is_tuned,
                    warm_start=self._is_warm,
                )
            with tf.control_dependencies([self._delivered(starter)]):
                self.start = self._started.up()
        if self.report is not None:
            self.report.stages = described.lines()  # what they did is known when they are built
            if self._delivery is not None:
                self.report.stages.append(str(self._delivery))

    def _delivered(self, starter: tf.Operation) -> tf.Operation:
        """An op that also starts the delivery to a device, if there is one, after `starter`."""
        if self._delivery is None:
            return starter
        with tf.control_dependencies([starter]):
            return self._delivery.starter(reads_ahead=self._is_last, warm_start=self._is_warm)

    @property
    def _all_checks(self) -> list[tf.Operation]:
        checks = [check for parent in self.parents for check in parent.source._all_checks]
        return list(dict.fromkeys([*checks, *self._checks]))

    @functools.cached_property
    def _blocks(self) -> GraphIterator:
        """Delivers several elements at a time."""
        specs = [tf.TensorSpec([None, *spec.shape], spec.dtype) for spec in self.specs]
        with on_host(), tf.compat.v1.name_scope(self._scope):
            return GraphIterator(specs, "blocks")

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Builds what depends on how this is shared again if what is done inside changes that."""
        was_shared, was_own = self.is_shared, self._own_choices
        yield
        is_shared, is_own = self.is_shared, self._own_choices
        if is_own != was_own or (self.plan_depends_on_sharing and is_shared != was_shared):
            self.build()
        if is_shared != was_shared or is_own[0] != was_own[0]:
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
        counts = self.report is not None and self.report.counts
        # Without a device of its own the op goes where the iterator is.
        with tf.control_dependencies([self.gate]), tf.compat.v1.device(None):
            outputs = (self._delivery or self.iterator).next(None if counts else name)
        waits_for = [op for op in outputs[0].op.control_inputs if op is not self.gate]
        if counts:
            outputs = counted(outputs, self.report, is_batched=self._is_batched, name=name)
        link = Link(self, tuple(outputs), tuple(waits_for))
        with self.watching():
            self.links.append(link)
        for output in outputs:
            self._state.links[output.op] = link
        return outputs

    def has_started(self) -> tf.Tensor:
        """Whether the pipeline runs in the session, a bool scalar."""
        return self._started.is_up()

    def next_element(self, name: str | None = None) -> list[tf.Tensor]:
        """The next element of the running iterator, taken in the default graph or function."""
        return self.iterator.next(name)
