"""What ran: one entry per pipeline of a program, for `--stats` and for the demo's table."""

from __future__ import annotations

import dataclasses
import threading
import time
from typing import Any


@dataclasses.dataclass(eq=False)
class PipelineReport:
    """What became of one pipeline.

    Attributes:
      name: the TF1 function or queue class that made it, e.g. `"shuffle_batch"`.
      line: `file:line` of the user's call.
      engine: `"datasets"` or `"queue"`.
      reason: why it is on a queue; empty on datasets.
      stages: what the pipeline does, one string per stage, in order.
      elements: how many elements it delivered (examples, not batches).
      seconds: time from the first delivery to the last one.
      part_of_another: whether other pipelines read from this one; such a one is listed only
        where the program also reads from it directly.
      counts: whether elements are counted; that takes an op behind each delivery.
    """

    name: str
    line: str
    engine: str
    reason: str = ""
    stages: list[str] = dataclasses.field(default_factory=list)
    elements: int = 0
    seconds: float = 0.0
    part_of_another: bool = False
    counts: bool = True
    _elements_first: int = dataclasses.field(default=0, repr=False)
    _started_at: float | None = dataclasses.field(default=None, repr=False)
    _lock: threading.Lock = dataclasses.field(
        default_factory=threading.Lock, repr=False, compare=False
    )

    def count(self, elements: int) -> None:
        """Adds one delivery of `elements` elements; called from TensorFlow's threads."""
        now = time.perf_counter()
        with self._lock:
            self.elements += int(elements)
            if self._started_at is None:
                self._started_at = now
                self._elements_first = int(elements)
            self.seconds = now - self._started_at

    @property
    def elements_per_second(self) -> float | None:
        """Rate after the first delivery (which includes the start); None for a single delivery."""
        if not self.seconds:
            return None
        return (self.elements - self._elements_first) / self.seconds

    def as_dict(self) -> dict[str, Any]:
        """The public fields, ready for JSON."""
        return {
            "name": self.name,
            "line": self.line,
            "engine": self.engine,
            "reason": self.reason,
            "stages": list(self.stages),
            "elements": self.elements,
            "seconds": self.seconds,
            "elements_per_second": self.elements_per_second,
        }


@dataclasses.dataclass
class Report:
    """All pipelines that a program built, in the order in which it built them.

    Attributes:
      pipelines: one entry for each.
      counts: whether their elements are counted.
    """

    pipelines: list[PipelineReport] = dataclasses.field(default_factory=list)
    counts: bool = True

    def add(self, pipeline: PipelineReport) -> PipelineReport:
        """Enters `pipeline` and returns it."""
        pipeline.counts = self.counts
        self.pipelines.append(pipeline)
        return pipeline

    def as_dict(self) -> dict[str, Any]:
        """What `--stats FILE` writes."""
        listed = [
            pipeline
            for pipeline in self.pipelines
            if pipeline.elements or not pipeline.part_of_another
        ]
        return {"pipelines": [pipeline.as_dict() for pipeline in listed]}
