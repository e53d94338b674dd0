"""What the command line decides for the whole process, before the script starts.

The library itself keeps no module-level state about pipelines: those live in the graph they
belong to. Only `tfprefetch-compat run` writes here.
"""

from __future__ import annotations

import dataclasses

from compat.report import Report


@dataclasses.dataclass
class Settings:
    """Process-wide choices of the command line.

    Attributes:
      engine: `"datasets"` maps the input API onto tf.data, `"queues"` leaves every call to
        TensorFlow's own queues.
      strict: a pipeline that would fall back to a queue raises instead.
      vectorize: `"auto"` runs preprocessing on whole batches where that gives the same result,
        False always example by example.
      device: where batches are delivered, ahead of time: `"auto"` on the first GPU if there is one,
        `"cpu"` on the host as TF1 did, else the name of a device.
      report: where pipelines are counted; None when nobody asked for statistics.
    """

    engine: str = "datasets"
    strict: bool = False
    vectorize: str | bool = "auto"
    device: str = "auto"
    report: Report | None = None


settings = Settings()
