"""TensorFlow 1's `tensorflow`: TensorFlow's own `compat.v1`, with some objects replaced.

    tf = Facade(tensorflow.compat.v1, {"train.batch": batch})
    tf.train.batch            # batch
    tf.python.training.input  # a facade too: its `batch` is the same object, so it is replaced
    tf.constant               # TensorFlow's

Replacement goes by identity, not by name: whatever path leads to an original leads to its
replacement. TensorFlow itself is not touched; other packages go on seeing the originals.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import linecache
import operator
import sys
import types
from collections.abc import Iterable, Mapping

from compat import advice
from compat.contrib.packages import BoundPackage, is_bound, is_installed

# Source trees of TensorFlow that TF1 made attributes of `tf` (`tf.python.ops.data_flow_ops`).
_SOURCE_TREES = ("compiler", "core", "lite", "python", "tools")

# Where modules of TensorFlow 2 say they live, longest first; the rest is the name TF1 had for them.
_PREFIXES = (
    "tensorflow._api.v2.compat.v1.compat.v1.",
    "tensorflow._api.v2.compat.v1.",
    "tensorflow._api.v2.",
    "tensorflow.",
)


class Facade(types.ModuleType):
    """A module that shows `module` with the originals replaced.

    Attributes that are modules of TensorFlow are shown as facades, which are made when asked for.
    Setting or deleting an attribute changes `module` itself, as it did in TF1, where scripts
    patched TensorFlow that way (`tf.mul = tf.multiply`).

    Args:
      module: TensorFlow's `tensorflow.compat.v1`.
      replacements: dotted names under `module` and what to show instead of what they name.
      name: the `__name__` of the facade: the name to import it by.
      additions: dotted names that TF1 had and `module` has not, and what to show there. Those of
        packages of others (`advice.PACKAGES`) stand in the copies of these that are shown.

    Raises:
      AttributeError: `replacements` has a name that `module` does not have. Later, on access to a
        name that TensorFlow 2 has lost: with the remedy from `compat.advice`.

    >>> import tensorflow
    >>> tf = Facade(tensorflow.compat.v1, {"train.batch": "mine"})
    >>> tf.train.batch, tf.compat.v1.train.batch, tf.python.training.input.batch
    ('mine', 'mine', 'mine')
    >>> tf.train.Saver is tensorflow.compat.v1.train.Saver
    True
    """

    def __init__(
        self,
        module: types.ModuleType,
        replacements: Mapping[str, object],
        name: str = "tensorflow",
        additions: Mapping[str, object] | None = None,
    ) -> None:
        self._become(module, "", _Exchange(self, module, replacements, name, additions or {}))

    def _become(self, module: types.ModuleType, dotted: str, exchange: _Exchange) -> None:
        name = f"{exchange.name}.{dotted}" if dotted else exchange.name
        super().__init__(name, vars(module).get("__doc__"))
        # Not by setattr, which goes through to TensorFlow.
        vars(self).update(_module=module, _dotted=dotted, _exchange=exchange)

    def __getattr__(self, name: str) -> object:
        # Only called for what is not in the instance: everything but the dunders of a module.
        dotted = f"{self._dotted}.{name}" if self._dotted else name
        try:
            value = getattr(self._module, name)
        except AttributeError:
            if name.startswith("__"):
                raise
            value = _elsewhere(self, dotted)
            if value is None:
                message = advice.message(dotted, _line_of_caller())
                if message is None:
                    raise
                # With the full name Python finds no similar one to suggest after the advice.
                raise AttributeError(message, name=f"tensorflow.{dotted}", obj=self) from None
        return self._exchange.show(value, dotted)

    def __setattr__(self, name: str, value: object) -> None:
        if name.startswith("__"):
            super().__setattr__(name, value)
        elif getattr(self, name, None) is not value:  # importing a submodule sets what is there
            setattr(self._module, name, self._exchange.take_back(value))

    def __delattr__(self, name: str) -> None:
        if name.startswith("__"):
            super().__delattr__(name)
        else:
            delattr(self._module, name)

    def __dir__(self) -> list[str]:
        return sorted({*dir(self._module), *(n for n in vars(self) if n.startswith("__"))})

    def __repr__(self) -> str:
        return f"<module {self.__name__!r} on top of {self._module!r}>"

    def __reduce__(self) -> tuple[object, ...]:
        return _restore, (self._exchange.name, self._dotted)


def _restore(root: str, dotted: str) -> types.ModuleType:
    """Finds a pickled facade again."""
    facade = importlib.import_module(root)
    return operator.attrgetter(dotted)(facade) if dotted else facade


class _Exchange:
    """What one tree of facades shows instead of what."""

    def __init__(
        self,
        facade: Facade,
        module: types.ModuleType,
        replacements: Mapping[str, object],
        name: str,
        additions: Mapping[str, object],
    ) -> None:
        self.name = name
        self.root = facade
        self._packages: dict[str, BoundPackage] = {}
        self._namespaces: dict[str, types.ModuleType] = {}
        self.additions: dict[str, object] = {}
        self._inside_packages: dict[str, object] = {}
        for dotted, addition in additions.items():
            place = next((at for at in advice.PACKAGES if dotted.startswith(f"{at}.")), None)
            if place is None:
                self.additions[dotted] = addition
            else:
                self._inside_packages[advice.PACKAGES[place] + dotted[len(place) :]] = addition
        self._facades: dict[tuple[int, str], Facade] = {(id(module), ""): facade}
        # Keyed by identity; the originals are kept so that no other object gets their id.
        self._replacements: dict[int, tuple[object, object]] = {}
        self._originals: dict[int, object] = {}
        for dotted, replacement in replacements.items():
            original = operator.attrgetter(dotted)(module)
            self._replacements[id(original)] = (original, replacement)
            self._originals[id(replacement)] = original

    def show(self, value: object, dotted: str) -> object:
        """What stands for `value`, which was reached as `dotted`."""
        if id(value) in self._replacements:
            return self._replacements[id(value)][1]
        if isinstance(value, types.ModuleType) and not isinstance(value, Facade):
            own_name = vars(value).get("__name__", "")
            is_served = own_name.startswith("tensorflow.") or is_bound(own_name)
            if is_served or dotted in advice.LAZY_MODULES:
                return self._facade(value, own_name, dotted)
        return value

    def of_package(self, dotted: str) -> types.ModuleType:
        """The module `dotted` of a package of others, in a copy that sees these facades."""
        top = dotted.partition(".")[0]
        if top not in self._packages:
            self._packages[top] = BoundPackage(top, self._import, self._inside_packages)
        return self._packages[top].load(dotted)

    def submodule(self, package: str, dotted: str) -> types.ModuleType | None:
        """The submodule that the last part of `dotted` names, in a package of others."""
        if not is_bound(package):
            return None
        try:
            return importlib.import_module(f"{package}.{dotted.rpartition('.')[2]}")
        except ModuleNotFoundError as error:
            if not str(error.name).startswith(package):
                raise
            return None

    def namespace(self, dotted: str) -> types.ModuleType | None:
        """An empty module where TF1 had one that leads to names which are served."""
        served = [*self.additions, *advice.MOVED]
        served += [name for name, to in advice.PACKAGES.items() if is_installed(to.split(".")[0])]
        if not any(name.startswith(f"{dotted}.") for name in served):
            return None
        module = types.ModuleType(f"tensorflow.{dotted}")
        module.__path__ = []  # a package, to import from
        return self._namespaces.setdefault(dotted, module)

    def _import(self, name: str, fromlist: Iterable[str]) -> types.ModuleType:
        module = import_module(self.root, name, fromlist)
        return module if fromlist else self.root

    def _facade(self, module: types.ModuleType, own_name: str, dotted: str) -> Facade:
        prefix = next((prefix for prefix in _PREFIXES if own_name.startswith(prefix)), None)
        # TF1 had several names for what is one module in a package of others.
        key = (id(module), dotted if prefix is None else "")
        facade = self._facades.get(key)
        if facade is None:
            if prefix is not None:
                dotted = own_name[len(prefix) :]
            facade = Facade.__new__(Facade)
            facade._become(module, dotted, self)
            facade = self._facades.setdefault(key, facade)
        return facade

    def take_back(self, value: object) -> object:
        """The inverse of `show`: TensorFlow never gets to hold a facade or a replacement."""
        if isinstance(value, Facade):
            return value._module
        return self._originals.get(id(value), value)


def _elsewhere(facade: Facade, dotted: str) -> object | None:
    """Looks for a name that is not where TF1 had it; None if it is nowhere."""
    exchange = facade._exchange
    if dotted in exchange.additions:
        return exchange.additions[dotted]
    if dotted in advice.MOVED:
        return operator.attrgetter(advice.MOVED[dotted])(exchange.root)
    if dotted in advice.PACKAGES and is_installed(advice.PACKAGES[dotted].split(".")[0]):
        return exchange.of_package(advice.PACKAGES[dotted])
    if dotted.partition(".")[0] == "contrib":
        return exchange.submodule(facade._module.__name__, dotted) or exchange.namespace(dotted)
    if dotted.split(".")[0] in _SOURCE_TREES and isinstance(
        sys.modules.get(f"tensorflow.{dotted.rpartition('.')[0]}".rstrip(".")), types.ModuleType
    ):
        try:
            return importlib.import_module(f"tensorflow.{dotted}")
        except ModuleNotFoundError as error:
            if error.name != f"tensorflow.{dotted}":
                raise
    return None


def _line_of_caller() -> str:
    """The line of source that made Python look for a name: it may have more of it than Python."""
    frame = sys._getframe(1)
    while frame.f_back and frame.f_code.co_filename.startswith((__file__, "<frozen importlib")):
        frame = frame.f_back
    return linecache.getline(frame.f_code.co_filename, frame.f_lineno)


def import_module(facade: Facade, name: str, fromlist: Iterable[str] = ()) -> types.ModuleType:
    """What a TF1 script gets from `import tensorflow.…`, out of `facade`.

    Args:
      facade: the top one, which stands for `tensorflow`.
      name: the whole name, `"tensorflow"` or `"tensorflow.…"`.
      fromlist: the names in `from tensorflow.… import names`.

    Returns:
      The module called `name`: a facade where it is TensorFlow's, the real one where it is Keras's.

    Raises:
      ModuleNotFoundError: TensorFlow 2 has no such module, or TF1 had a name in `fromlist` that is
        gone; with the remedy from `compat.advice` where it knows one.

    >>> import tensorflow
    >>> tf = Facade(tensorflow.compat.v1, {})
    >>> import_module(tf, "tensorflow.python.ops") is tf.python.ops
    True
    """
    dotted = name.partition(".")[2]
    wanted = [f"{dotted}.{attribute}".lstrip(".") for attribute in fromlist]
    module: object = facade
    try:
        if dotted:
            module = operator.attrgetter(dotted)(facade)
        if not isinstance(module, types.ModuleType):
            raise AttributeError(name)
    except AttributeError:
        _raise_if_gone(dotted, " ".join(wanted) or _line_of_caller())
        module = facade._exchange.show(importlib.import_module(name), dotted)
    for attribute, whole in zip(fromlist, wanted, strict=True):
        if attribute != "*" and not hasattr(module, attribute):
            _raise_if_gone(whole)
    return module


def _raise_if_gone(dotted: str, hint: str = "") -> None:
    message = advice.message(dotted, hint)
    if message is not None:
        raise ModuleNotFoundError(message, name=f"tensorflow.{dotted}") from None


class SubmoduleFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the submodules of one importable facade (`compat.v1.train`), and nothing else.

    Args:
      facade: the top one; its `__name__` is what the submodules' names begin with.
    """

    def __init__(self, facade: Facade) -> None:
        self._facade = facade

    def find_spec(
        self, name: str, path: object = None, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Claims the names below the facade's own."""
        top = self._facade.__name__
        # A package of the user's may have taken the name.
        if not name.startswith(f"{top}.") or sys.modules.get(top) is not self._facade:
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def exec_module(self, module: types.ModuleType) -> None:
        """Puts the facade's submodule in the place of the empty `module`.

        Raises:
          ModuleNotFoundError: as `import_module` does.
        """
        rest = module.__name__[len(self._facade.__name__) :]
        sys.modules[module.__name__] = import_module(self._facade, f"tensorflow{rest}")
