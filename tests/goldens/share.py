"""How many of the goldens' pipelines run on datasets, and why the others do not.

    share = Share.of(pipelines)
    print(share)

`pipelines` is what `record.py --pipelines FILE` writes: by scenario, a list of pipelines as
`--stats` lists them. A queue that the program makes itself is no pipeline of TF1's input
functions, stays a queue on purpose, and is counted by itself.
"""

from __future__ import annotations

import dataclasses
import fnmatch
from typing import Any

OWN_QUEUES = ("FIFOQueue", "PaddingFIFOQueue", "PriorityQueue", "RandomShuffleQueue")

# Every reason for which a pipeline of TF1's input functions stays on a queue.
REASONS = (
    "* is a placeholder, which a dataset cannot be fed",
    "* reads through a TF1 reader on a real queue",
    "* takes from a queue of the program's own",
    "batch_size is a tensor whose value is known only when it runs",
    "it reads file names from a queue of the program's own",
    "its producer does not deliver string scalars",
    "its queue_ref was asked for",
    "its reader's arguments have no dataset",
    "num_records is 0, or known only when it runs",
    "one reader reads from several queues, and takes its file along",
    "the reader's state is asked for",
)


@dataclasses.dataclass(frozen=True)
class Share:
    """Counts of pipelines.

    Attributes:
      datasets: pipelines of TF1's input functions and readers that ran on datasets.
      queues: the reasons of those that did not, one for each.
      own_queues: how many queues the programs made themselves.
    """

    datasets: int
    queues: tuple[str, ...]
    own_queues: int

    @classmethod
    def of(cls, pipelines: dict[str, list[dict[str, Any]] | None]) -> Share:
        """Counts the pipelines of all scenarios."""
        listed = [pipeline for scenario in pipelines.values() for pipeline in scenario or []]
        inputs = [
            pipeline
            for pipeline in listed
            if pipeline["name"] not in OWN_QUEUES or pipeline["engine"] == "datasets"
        ]
        queues = tuple(one["reason"] for one in inputs if one["engine"] != "datasets")
        return cls(len(inputs) - len(queues), queues, len(listed) - len(inputs))

    @property
    def of_input_functions(self) -> float:
        """From 0 to 1, without the queues that programs made themselves."""
        return self.datasets / max(1, self.datasets + len(self.queues))

    def unknown_reasons(self) -> set[str]:
        """Reasons that stand in no list."""
        return {
            reason
            for reason in self.queues
            if not any(fnmatch.fnmatchcase(reason, pattern) for pattern in REASONS)
        }

    def unmet_reasons(self) -> set[str]:
        """Reasons in the list that no scenario has."""
        return {pattern for pattern in REASONS if not fnmatch.filter(self.queues, pattern)}

    def __str__(self) -> str:
        inputs = self.datasets + len(self.queues)
        every = inputs + self.own_queues
        return (
            f"goldens: {self.datasets} of {inputs} pipelines on datasets "
            f"({self.of_input_functions:.1%}); with the {self.own_queues} queues that programs "
            f"make themselves, {self.datasets} of {every} ({self.datasets / max(1, every):.1%})"
        )
