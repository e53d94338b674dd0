"""The program's own ops between recorded pipelines and one of contrib's functions, as a stage."""

from __future__ import annotations

import tensorflow as tf

from compat.plan.capture import SubGraph
from compat.plan.plan import Plan
from compat.plan.sources import Endless, Zip
from compat.plan.stages import Map


class MapAhead(Map):
    """Preprocessing of which nobody can see how far ahead it runs."""

    is_exact = False


def preprocessed(plans: list[Plan], subgraph: SubGraph, num_threads: int) -> Plan:
    """The elements of `plans`, in step, after `subgraph`.

    Args:
      plans: of the recorded pipelines that `subgraph` reads from; none where it makes the
        elements by itself.
      subgraph: the program's ops.
      num_threads: how many calls may run at a time where that can be seen.
    """
    if not plans:
        # Parallel calls would lose elements where the program's own function ends the stream.
        return Plan((Endless(),)).then(Map(subgraph, 1, "there is no recorded source"))
    plan = plans[0] if len(plans) == 1 else Plan((Zip(tuple(plans)),))
    if not subgraph.operations and list(subgraph.outputs) == list(subgraph.inputs):
        return plan
    if subgraph.has_effects:
        return plan.then(Map(subgraph, num_threads, "it has side effects"))
    if plan.is_exact:
        return plan.then(Map(subgraph, num_threads, "others share the source"))
    return plan.then(MapAhead(subgraph, tf.data.AUTOTUNE, "element by element"))
