"""Gives the user's own modules compat for `tensorflow`; everybody else gets the real one.

`sys.modules["tensorflow"]` stays TensorFlow. Only the import statement, `__import__` and
`importlib.import_module` answer differently, by who asks: the file that the code is from.
"""

from __future__ import annotations

import builtins
import functools
import importlib
import importlib.machinery
import importlib.util
import multiprocessing.spawn
import os
import site
import sys
import sysconfig
import types
from collections.abc import Mapping, Sequence
from typing import Any

import compat
import compat.v1 as compat_v1
import tfprefetch
from compat.facade import Facade, import_module
from compat.run.tracebacks import without_own_frames
from compat.settings import settings

_OWN_FOLDERS = tuple(os.path.dirname(package.__file__) for package in (compat, tfprefetch))
_OWN_PARENT = os.path.dirname(_OWN_FOLDERS[0])
_INSTALLED_FOLDERS = (
    *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
    *site.getsitepackages(),
    site.getusersitepackages(),
)

# What the user's modules import from us.
_SERVED = ("tensorflow", "compat", "tf_slim")


def install(facade: Facade) -> None:
    """Changes, for this whole process, what the user's modules get as `tensorflow`.

    Also turns TensorFlow 2's behavior off: the program was written for TensorFlow 1. Processes
    that `multiprocessing` spawns are changed alike.

    Args:
      facade: what they get.
    """
    _disable_v2_behavior(facade)
    real_import = builtins.__import__
    real_import_module = importlib.import_module
    real_preparation_data = multiprocessing.spawn.get_preparation_data

    @functools.wraps(real_import)
    def user_import(
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> types.ModuleType:
        try:
            top = name.partition(".")[0]
            if level == 0 and top in _SERVED and _is_users(sys._getframe(1)):
                if top == "compat":
                    _give_way_to_users_compat()
                else:
                    module = import_module(facade, _served_name(name), fromlist or ())
                    if not fromlist:
                        return import_module(facade, _served_name(top))
                    if isinstance(module, Facade):
                        return module
                    name = module.__name__  # Keras's, which may have to import the names
            return real_import(name, globals, locals, fromlist, level)
        except BaseException as error:
            # Raised again like this, it does not get an entry for this frame either.
            error.__traceback__ = without_own_frames(error.__traceback__)
            raise

    @functools.wraps(real_import_module)
    def user_import_module(name: str, package: str | None = None) -> types.ModuleType:
        try:
            top = name.partition(".")[0]
            if top in _SERVED and _is_users(sys._getframe(1)):
                if top != "compat":
                    return import_module(facade, _served_name(name))
                _give_way_to_users_compat()
            return real_import_module(name, package)
        except BaseException as error:
            error.__traceback__ = without_own_frames(error.__traceback__)
            raise

    @functools.wraps(real_preparation_data)
    def preparation_data(name: str) -> dict[str, Any]:
        # Python ignores the entry; what counts is that unpickling it comes before the script.
        return {**real_preparation_data(name), "compat": _InChild()}

    builtins.__import__ = user_import
    importlib.import_module = user_import_module
    multiprocessing.spawn.get_preparation_data = preparation_data


def _disable_v2_behavior(facade: Facade) -> None:
    verbosity = facade.logging.get_verbosity()
    facade.logging.set_verbosity(facade.logging.ERROR)  # it warns that it is deprecated
    facade.disable_v2_behavior()
    facade.logging.set_verbosity(verbosity)


class _InChild:
    """Unpickled in a spawned process, it does there what `install` did here.

    As source, because a name to unpickle by might lead to the user's `compat`, here or there.
    """

    def __reduce__(self) -> tuple[object, ...]:
        arguments = f"{settings.engine!r}, {settings.strict!r}"
        return exec, (
            f"import sys; sys.path.insert(0, {_OWN_PARENT!r})\n"
            f"from compat.run.imports import install_in_child; install_in_child({arguments})",
        )


def install_in_child(engine: str, strict: bool) -> None:
    """Carries the choices of the command line and `install` over to a spawned process."""
    settings.engine = engine
    settings.strict = strict
    install(compat_v1)


def _served_name(name: str) -> str:
    """Where the facade has the module that is imported by `name`.

    >>> _served_name("tf_slim.nets")
    'tensorflow.contrib.slim.nets'
    """
    top, dot, rest = name.partition(".")
    return ("tensorflow.contrib.slim" if top == "tf_slim" else top) + dot + rest


def _is_users(frame: types.FrameType | None) -> bool:
    """Whether code of the user's is importing; generated code belongs to whoever runs it."""
    while frame is not None:
        path = frame.f_globals.get("__file__") or frame.f_code.co_filename
        if frame.f_globals.get("__name__") == "__main__":
            return True
        if not path.startswith("<"):
            return is_users_file(path)
        frame = frame.f_back
    return False


@functools.cache
def is_users_file(path: str) -> bool:
    """Whether the module at `path` is neither Python's, nor an installed package's, nor ours.

    >>> is_users_file("/home/me/project/model.py"), is_users_file(os.__file__)
    (True, False)
    """
    path = os.path.abspath(path)
    if "site-packages" in path.split(os.sep) or "dist-packages" in path.split(os.sep):
        return False
    return not path.startswith(
        tuple(folder + os.sep for folder in (*_OWN_FOLDERS, *_INSTALLED_FOLDERS))
    )


def _give_way_to_users_compat() -> None:
    """If the user has a module called `compat`, it takes that name from us.

    Our own modules go on working: they hold each other, and import nothing any more.
    """
    if sys.modules.get("compat") is not compat:
        return
    elsewhere = [entry for entry in sys.path if os.path.abspath(entry) != _OWN_PARENT]
    spec = importlib.machinery.PathFinder.find_spec("compat", elsewhere)
    if spec is None or (spec.origin is None and not _has_python_files(spec)):
        return
    for name in [name for name in sys.modules if name.partition(".")[0] == "compat"]:
        del sys.modules[name]
    module = importlib.util.module_from_spec(spec)
    sys.modules["compat"] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules["compat"]
        raise


def _has_python_files(folder: importlib.machinery.ModuleSpec) -> bool:
    """Whether a folder without `__init__.py` is a package, not just a folder of that name."""
    locations = folder.submodule_search_locations or ()
    return any(name.endswith(".py") for location in locations for name in os.listdir(location))
