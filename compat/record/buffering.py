"""What stands for TF1's queue between two parts of a pipeline: elements held, to pick from.

plan = held_ahead(plan, capacity=1000, min_after_dequeue=500, seed=None)
"""

from __future__ import annotations

from compat.plan.plan import Plan
from compat.plan.stages import Prefetch, Shuffle

_TAKEN_AT_A_TIME = 32  # where it is not known


def shuffle_buffer_size(
    capacity: int, min_after_dequeue: int, taken_at_a_time: int | None = None
) -> int:
    """From how many elements a dataset picks the next one, as a RandomShuffleQueue of TF1 did.

    That queue delivered once `min_after_dequeue` elements would be left, and so picked each from
    at least one more than that; how many more was a race that its runners won, mostly, up to its
    `capacity`. A dataset's buffer always has the same size, and is full before the first element
    is delivered. So it is the least that TF1 guaranteed: `min_after_dequeue + 1`, and the rest of
    `capacity` is read ahead of it.

    But where fewer are to be left than are taken at a time, that least is next to no shuffling at
    all, which no program of TF1 saw. Then it is what TF1's queue held before it delivered so many
    and still had `min_after_dequeue`: their sum, as far as `capacity` allows.

    >>> shuffle_buffer_size(capacity=1000, min_after_dequeue=500)
    501
    >>> shuffle_buffer_size(capacity=1000, min_after_dequeue=0, taken_at_a_time=128)
    128
    """
    taken_at_a_time = taken_at_a_time or _TAKEN_AT_A_TIME
    more = 1 if min_after_dequeue >= taken_at_a_time else taken_at_a_time
    return max(1, min(capacity, min_after_dequeue + more))


def held_ahead(
    plan: Plan,
    capacity: int,
    min_after_dequeue: int | None,
    seed: int | None,
    taken_at_a_time: int | None = None,
) -> Plan:
    """The elements of `plan`, read ahead by no more than `capacity`, as by TF1's queue.

    Where the preprocessing has side effects, or others share the source, this can be seen.

    Args:
      plan: delivers single elements.
      capacity: how many are held, to pick from and prepared ahead.
      min_after_dequeue: as in `shuffle_buffer_size`; None keeps the order.
      seed: of the order.
      taken_at_a_time: as in `shuffle_buffer_size`.
    """
    if min_after_dequeue is None:
        return plan.then(Prefetch(capacity))
    buffer_size = shuffle_buffer_size(capacity, min_after_dequeue, taken_at_a_time)
    return plan.then(Prefetch(max(1, capacity - buffer_size)), Shuffle(buffer_size, seed))
