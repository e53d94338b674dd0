"""The program's own ops between recorded pipelines and the function that takes their elements.

plan = preprocessed(zipped(plans), subgraph, num_threads=2)
"""

from __future__ import annotations

import os

import tensorflow as tf

from compat.plan.capture import SubGraph
from compat.plan.plan import Plan
from compat.plan.sources import Endless, Live, Zip
from compat.plan.stages import Map


def zipped(plans: list[Plan]) -> Plan:
    """The elements of all `plans`, in step; of none, an endless source of nothing."""
    if not plans:
        return Plan((Endless(),))
    return plans[0] if len(plans) == 1 else Plan((Zip(tuple(plans)),))


def preprocessed(
    plan: Plan, subgraph: SubGraph, num_threads: int, reason: str = "element by element"
) -> Plan:
    """The elements of `plan` after `subgraph`, one by one.

    Args:
      plan: what `subgraph` reads from.
      subgraph: the program's ops.
      num_threads: how many calls may run at a time where that can be seen, because they have side
        effects or because others share the source.
      reason: why the calls do not get whole batches, where it cannot be seen.
    """
    if isinstance(plan.stages[0], Endless):
        # Parallel calls would lose elements where the program's own function ends the stream.
        return plan.then(Map(subgraph, 1, "there is no recorded source"))
    if subgraph.has_effects:
        return plan.then(Map(subgraph, num_threads, "it has side effects"))
    if not plan.is_exact:
        return plan.then(Map(subgraph, tf.data.AUTOTUNE, reason))
    if isinstance(plan.stages[0], Live) and plan.stages[0].block_elements > 1:
        # What others share in blocks is taken ahead anyway.
        num_threads = max(num_threads, os.cpu_count() or 1)
    return plan.then(Map(subgraph, num_threads, "others share the source"))
