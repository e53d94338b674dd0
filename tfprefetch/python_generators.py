"""What a worker runs for `from_generator`: it takes elements out of a generator, chunk by chunk.

    take = TakeChunk(make_generator, most=5, is_stacked=True)
    take([None])  # Chunk(values=float32[5, ...])

Knows nothing of TensorFlow, like `python_worker`.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tfprefetch.python_values import UnlikeError, stack, to_arrays
from tfprefetch.python_worker import LoadFailure

_SECONDS_PER_CHUNK = 0.01  # a slow generator's elements do not wait for each other


@dataclass(frozen=True)
class Chunk:
    """Some elements, and what came after them.

    Attributes:
        values: structures of arrays; with `is_stacked` one structure, stacked; None for no element.
        is_last: whether the generator ended.
        failure: what it raised.
    """

    values: Any
    is_last: bool = False
    failure: LoadFailure | None = None


@dataclass
class TakeChunk:
    """Takes the next elements at each call; begins with the first call.

    Attributes:
        make_generator: makes the generator.
        most: how many elements at a time.
        is_stacked: whether to stack them.
        dtypes: of the leaves, in the structure of an element; None: as they are.
    """

    make_generator: Callable[[], Iterable[Any]]
    most: int
    is_stacked: bool
    dtypes: Any = None
    _generator: Any = field(default=None, init=False)

    def __call__(self, items: Sequence[Any]) -> Chunk:
        """The next chunk; `items` says nothing."""
        values: list[Any] = []
        is_last, failure = False, None
        begin = time.monotonic()
        try:
            if self._generator is None:
                self._generator = iter(self.make_generator())
            while len(values) < self.most:
                try:
                    value = next(self._generator)
                except StopIteration:
                    is_last = True
                    break
                values.append(to_arrays(value, self.dtypes))
                if time.monotonic() - begin > _SECONDS_PER_CHUNK:
                    break
        except BaseException as error:
            if error.__traceback__ is not None:
                error = error.with_traceback(error.__traceback__.tb_next)  # not from here
            failure = LoadFailure(len(values), error, "".join(traceback.format_exception(error)))
        if is_last or failure:
            self._generator = iter(())  # and whatever it holds is let go
        if not self.is_stacked:
            return Chunk(values, is_last, failure)
        try:
            return Chunk(stack(values) if values else None, is_last, failure)
        except UnlikeError as error:
            values = values[: error.position]
            failure = LoadFailure(len(values), ValueError(str(error)), f"ValueError: {error}\n")
            return Chunk(stack(values) if values else None, False, failure)

    def close(self) -> None:
        """Ends the generator, so that its `finally` is done now."""
        if hasattr(self._generator, "close"):
            self._generator.close()
