"""Packages of others that carry on a part of TF1, loaded so that they see compat's `tensorflow`.

    bound = BoundPackage("tf_slim", import_statement, {"tf_slim.data.prefetch_queue": …})
    bound.load("tf_slim.nets.vgg")  # a module of its own; `import tf_slim` gives another one

Such a package needs names and input functions that compat has and TensorFlow 2 has not. So it is
loaded a second time, under a name of ours and with an import statement of ours. The copy that
everybody else imports is not touched.
"""

from __future__ import annotations

import builtins
import functools
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any

_SUFFIX = " on compat"
# Modules of Keras 2 that TensorFlow still looks for where an older Keras had them.
_KERAS_ALIASES = {
    "tf_keras.legacy_tf_layers.normalization": "tf_keras.src.legacy_tf_layers.normalization"
}


def is_installed(package: str) -> bool:
    """Whether the top-level `package` can be imported.

    >>> is_installed("tensorflow"), is_installed("no_such_package")
    (True, False)
    """
    return importlib.util.find_spec(package) is not None


def is_bound(module: str) -> bool:
    """Whether `module` is the name of a module in a `BoundPackage`.

    >>> is_bound("tf_slim on compat.nets"), is_bound("tf_slim.nets")
    (True, False)
    """
    return module.partition(".")[0].endswith(_SUFFIX)


class BoundPackage(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """One package, loaded for one `tensorflow`.

    Args:
      package: its top-level name.
      import_tensorflow: what `import name` and `from name import fromlist` give its modules, for
        names below `tensorflow`; called with these two.
      replacements: the package's dotted names → what this copy has instead.
    """

    def __init__(
        self,
        package: str,
        import_tensorflow: Callable[[str, Sequence[str]], types.ModuleType],
        replacements: Mapping[str, object],
    ) -> None:
        # Not below a package of ours, whose names a program may take for itself.
        self.name = f"{package}{_SUFFIX}"
        self._package = package
        self._import_tensorflow = import_tensorflow
        self._replacements = dict(replacements)
        self._builtins = {**vars(builtins), "__import__": self._import}
        self._loaders: dict[str, Any] = {}
        sys.meta_path.insert(0, self)

    def load(self, name: str) -> types.ModuleType:
        """This copy's module of that name.

        Raises:
          ModuleNotFoundError: the package has no such module.
        """
        if self.name not in sys.modules:
            if is_installed("tf_keras"):
                for alias, real in _KERAS_ALIASES.items():
                    sys.modules.setdefault(alias, importlib.import_module(real))
            top = importlib.import_module(self.name)
            for dotted, replacement in self._replacements.items():
                *parents, attribute = dotted.split(".")[1:]
                setattr(functools.reduce(getattr, parents, top), attribute, replacement)
        return importlib.import_module(self._own(name))

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Claims the names below this copy's own; the files are those of the package."""
        if name != self.name and not name.startswith(f"{self.name}."):
            return None
        real = self._package + name[len(self.name) :]
        found = importlib.machinery.PathFinder.find_spec(real, path)
        if found is None or found.origin is None:
            return None
        spec = importlib.util.spec_from_file_location(
            name, found.origin, submodule_search_locations=found.submodule_search_locations
        )
        self._loaders[name] = spec.loader
        spec.loader = self
        return spec

    def exec_module(self, module: types.ModuleType) -> None:
        """Runs the module's file with this copy's import statement."""
        vars(module)["__builtins__"] = self._builtins
        exec(self._loaders[module.__name__].get_code(module.__name__), vars(module))

    def _own(self, name: str) -> str:
        return self.name + name[len(self._package) :]

    def _import(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> types.ModuleType:
        top = name.partition(".")[0]
        if level == 0 and top == "tensorflow":
            return self._import_tensorflow(name, fromlist or ())
        if level == 0 and top == self._package:
            name = self._own(name)
        return builtins.__import__(name, globals, locals, fromlist, level)
