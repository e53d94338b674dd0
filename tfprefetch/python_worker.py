"""What a worker runs: it calls `load` for the items of a task.

    Work(load, is_batch=True)(["a.wav", "b.wav"])  # float32[2, ...]

Nothing here needs TensorFlow, so that a worker process starts in a fraction of a second, unless
`load` itself needs it.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tfprefetch.python_values import UnlikeError, copied, stack, to_arrays


@dataclass(frozen=True)
class LoadFailure:
    """`load` failed for an item.

    Attributes:
        position: which of the task's items.
        error: what it raised.
        trace: the traceback as text.
    """

    position: int
    error: BaseException
    trace: str


class Worker(Protocol):
    """What a worker is given: called with the items of a task, and closed at the end."""

    def __call__(self, items: Sequence[Any]) -> Any:  # noqa: D102
        ...

    def close(self) -> None:  # noqa: D102
        ...


@dataclass(frozen=True)
class Work:
    """What is to be done with the items of a task.

    Attributes:
        load: called with an item.
        is_batch: whether the results of all items of a task are stacked; else a task is one item.
        dtypes: of the leaves, in the structure of the results; None: as they are.
        copies: whether a single result is copied, so that `load` may go on with its own array. A
            batch is a copy anyway, and so is what comes out of another process.
    """

    load: Callable[[Any], Any]
    is_batch: bool
    dtypes: Any = None
    copies: bool = True

    def __call__(self, items: Sequence[Any]) -> Any | LoadFailure:
        """The result as arrays."""
        values: list[Any] = []
        try:
            for item in items:
                values.append(to_arrays(self.load(item), self.dtypes))
            if self.is_batch:
                return stack(values)
            return copied(values[0]) if self.copies else values[0]
        except UnlikeError as error:
            return LoadFailure(error.position, ValueError(str(error)), f"ValueError: {error}\n")
        except BaseException as error:  # sys.exit() would else look like a worker that was killed
            if error.__traceback__ is not None:
                error = error.with_traceback(error.__traceback__.tb_next)  # not from here
            return LoadFailure(len(values), error, "".join(traceback.format_exception(error)))

    def close(self) -> None:
        """Nothing stays open."""
