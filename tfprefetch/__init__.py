"""Fast, careful `tf.data` input pipelines.

    import tfprefetch

    dataset = tfprefetch.from_files("train-*.tfrecord", shuffle=True, num_epochs=None)
    dataset = dataset.apply(tfprefetch.map_and_batch(parse_example, batch_size=128))

Every function returns a plain `tf.data.Dataset`, or a function for `dataset.apply(...)`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfprefetch.batching import map_and_batch
    from tfprefetch.describing import describe
    from tfprefetch.device import prefetch_to_device
    from tfprefetch.files import from_files
    from tfprefetch.generators import from_generator
    from tfprefetch.progress_bar import progress
    from tfprefetch.python_loaders import from_python, prefetch_python
    from tfprefetch.raw import from_raw
    from tfprefetch.windows import context_windows

__all__ = [
    "context_windows",
    "describe",
    "from_files",
    "from_generator",
    "from_python",
    "from_raw",
    "map_and_batch",
    "prefetch_python",
    "prefetch_to_device",
    "progress",
]

_MODULES = {
    "context_windows": "windows",
    "describe": "describing",
    "from_files": "files",
    "from_generator": "generators",
    "from_python": "python_loaders",
    "from_raw": "raw",
    "map_and_batch": "batching",
    "prefetch_python": "python_loaders",
    "prefetch_to_device": "device",
    "progress": "progress_bar",
}


def __getattr__(name: str) -> Any:
    # On first use, because these need TensorFlow, and the worker processes of `from_python`, which
    # import this package too, start ten times as fast without it.
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    function = getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = function
    return function


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
