"""The pipelines through which one reader reads from a producer.

    sources = ReaderSources(reader, Read("text"))
    key, value = sources.records(queue).tap()
    keys, values = sources.records(queue, num_records=8).tap()

What shows that TF1's reader had one file under way comes late in a program: a second kind of
read, a question about its progress. The pipelines are then built again, in another way.
"""

from __future__ import annotations

import tensorflow as tf

from compat.plan.counter import Counter
from compat.plan.plan import Plan
from compat.plan.reading import (
    Deliver,
    Gather,
    Progress,
    ReadIdentity,
    ReadInTensorFlow,
    ReadMarked,
    ReadUpTo,
    in_sequence,
)
from compat.plan.stages import Prefetch, Read
from compat.record.fallback import keep_queue
from compat.record.input_producer import InputProducer
from compat.record.source import Source
from compat.settings import settings

_RECORD = [tf.TensorSpec([], tf.string)] * 2
_RECORDS = [tf.TensorSpec([None], tf.string)] * 2
_MARKED = [tf.TensorSpec([], tf.bool)] * 2 + _RECORD


class ReaderSources:
    """What one reader reads through datasets, and how.

    Attributes:
      queue: the producer that it reads from; None before the first read.
      progress: its counts; None while nobody asks for them.
    """

    def __init__(self, reader: tf.compat.v1.ReaderBase, read: Read | ReadIdentity) -> None:
        """Reads nothing yet."""
        self.queue: InputProducer | None = None
        self.progress: Progress | None = None
        self._reader = reader
        self._type_name = type(reader).__name__
        self._read = read
        self._sources: dict[int | None, Source] = {}
        self._marked: Source | None = None
        self._is_in_tensorflow = False

    def records(self, queue: InputProducer, num_records: int | None = None) -> Source:
        """The pipeline of all reads of one kind: `read`, or `read_up_to` for one number."""
        self.queue = queue
        if num_records not in self._sources:
            if self._sources:
                self._mark("read and read_up_to of one reader")
            method = "read" if num_records is None else "read_up_to"
            scope = self._scope(f"{queue.name}/{self._type_name}")
            parent = queue.source
            if self.progress is not None or self._marked is not None:
                parent = self._marked_source(queue)
            source = Source(
                f"{self._type_name}.{method}",
                scope,
                _RECORD if num_records is None else _RECORDS,
                [parent.link()],
                lambda plans: self._plan(plans, num_records),
                is_batched=num_records is not None,
            )
            if self._marked is None:
                source.twin_key = (self._read, num_records)
            self._sources[num_records] = source
            queue.runner.add(source)
        return self._sources[num_records]

    def count(self, method: str) -> Progress:
        """Counts from now on; `method` is what the program calls.

        Raises:
          RuntimeError: the pipelines run already, and did not count.
        """
        if self.progress is None:
            name = self._reader.reader_ref.op.name
            counters = (Counter(f"{name}/{what}") for what in ("records", "work_units", "resets"))
            self.progress = Progress(*counters)
            if self._marked is not None:
                self._check_not_started(method)
                self._marked.rebuild()
            elif self._sources:
                self._mark(method)
        return self.progress

    def read_in_tensorflow(self, method: str, reason: str) -> None:
        """Hands all pipelines over to TensorFlow's reader, because of a call of `method`.

        Raises:
          RuntimeError: the pipelines run already.
          QueueFallbackError: with `--strict`.
        """
        self._check_not_started(method)
        report = keep_queue(f"{self._type_name}.{method}", reason)
        if report is not None:
            settings.report.pipelines.remove(report)  # those that are handed over are listed
        self._is_in_tensorflow = True
        for source in self._sources.values():
            self._leave(source)
            if source.report is not None:
                source.report.engine, source.report.reason = "queue", reason
            source.rebuild()

    def _plan(self, plans: list[Plan], num_records: int | None) -> Plan:
        """Of one kind of reads, as things stand now."""
        if self._is_in_tensorflow:
            handles = (self._reader.reader_ref, self.queue.queue_ref)
            return Plan((ReadInTensorFlow(*handles, num_records),))
        if self._marked is not None:
            if num_records is None:
                return plans[0].then(Deliver(self.progress))
            return Plan((Gather(self._marked.next_element, num_records, self.progress),))
        # Reads ahead, unless that would take files which another reader would get.
        names, is_exact = plans[0], plans[0].is_exact
        read = in_sequence(self._read) if is_exact else self._read
        if num_records is not None:
            calls = None if is_exact else tf.data.AUTOTUNE
            read = ReadUpTo(in_sequence(self._read), num_records, calls)
        return names.then(read) if is_exact else names.then(read, Prefetch(1))

    def _mark(self, method: str) -> None:
        """Reads the files with marks behind them, so that all reads know where a file ends."""
        if self._marked is not None:
            return
        self._check_not_started(method)
        for source in self._sources.values():
            self._leave(source)
        marked = self._marked_source(self.queue)
        for source in self._sources.values():
            source.twin_key = None
            link = marked.link()
            source.parents[:] = [link]
            link.consume(source)
        for source in self._sources.values():
            source.rebuild()

    def _marked_source(self, queue: InputProducer) -> Source:
        if self._marked is None:
            self._marked = Source(
                f"{self._type_name}.read",
                self._scope(f"{queue.name}/{self._type_name}/marked"),
                _MARKED,
                [queue.source.link()],
                lambda plans: plans[0].then(ReadMarked(self._read, self.progress)),
            )
            queue.runner.add(self._marked)
        return self._marked

    def _leave(self, source: Source) -> None:
        """Takes no more from the parents of `source`."""
        parents, source.parents[:] = list(source.parents), []
        for link in parents:
            with link.source.watching():
                link.source.links.remove(link)

    def _check_not_started(self, method: str) -> None:
        if self._sources and self.queue.runner.has_started:
            raise RuntimeError(
                f"{method} of the {self._type_name} of "
                f"{next(iter(self._sources.values())).line} comes after start_queue_runners, and "
                "what runs by then cannot be changed: call it before, or use "
                "`run --engine=queues`"
            )

    def _scope(self, name: str) -> str:
        with tf.compat.v1.name_scope(None), tf.compat.v1.name_scope(name) as scope:
            return scope
