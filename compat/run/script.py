"""Runs a file the way `python FILE` does: same `__main__`, same `sys`, same tracebacks."""

from __future__ import annotations

import builtins
import importlib.machinery
import os
import sys
import tokenize
import types
from collections.abc import Sequence

from compat.run import python2
from compat.run.tracebacks import without_own_frames


class NotAScriptError(ValueError):
    """The path is not that of a Python file; the text says why."""


def load(path: str) -> types.CodeType:
    """Reads and compiles the script at `path`.

    Raises:
      NotAScriptError: there is no such file, it is a folder, or it is not Python source.
      SyntaxError: it is source, but not for this version of Python.
    """
    if os.path.isdir(path):
        raise NotAScriptError(f"{path} is a folder: name the script inside it")
    if path.endswith(".ipynb"):
        raise NotAScriptError(f"{path} is a notebook: `jupyter nbconvert --to script` first")
    try:
        with open(path, "rb") as file:
            source = file.read()
    except OSError as error:
        raise NotAScriptError(f"cannot read {path}: {error.strerror}") from None
    path = os.path.abspath(path)
    try:
        with tokenize.open(path) as file:
            text = file.read()
    except (SyntaxError, UnicodeDecodeError) as error:
        raise NotAScriptError(f"{path} is not a Python source file: {error}") from None
    if "\0" in text:
        raise NotAScriptError(f"{path} is not a Python source file: it has null bytes")
    return compile(source, path, "exec", dont_inherit=True)


def run(program: str, code: types.CodeType, path: str, arguments: Sequence[str]) -> int:
    """Runs `code` as `__main__` and returns the exit status.

    Args:
      program: the name of this command, for its own messages.
      code: what `load(path)` returned.
      path: the script, as the user gave it: its `sys.argv[0]`.
      arguments: the rest of its `sys.argv`.

    Raises:
      SystemExit: as the script raised it.
    """
    module = types.ModuleType("__main__")
    module.__file__ = code.co_filename
    module.__builtins__ = builtins
    module.__cached__ = None
    module.__loader__ = importlib.machinery.SourceFileLoader("__main__", code.co_filename)
    sys.modules["__main__"] = module
    sys.argv = [path, *arguments]
    folder = os.path.dirname(os.path.realpath(path))
    if getattr(sys.flags, "safe_path", False):  # then Python has put no folder in front
        sys.path.insert(0, folder)
    else:
        sys.path[0] = folder
    try:
        exec(code, vars(module))
    except SystemExit:
        raise
    except BaseException as error:
        return report_exception(program, error)
    return 0


def report_exception(program: str, error: BaseException) -> int:
    """Prints an exception that the script did not catch; returns the exit status.

    Frames of this package are left out. Python 2 syntax is one line with the remedy.
    """
    if isinstance(error, SyntaxError):
        construct = python2.construct(error)
        if construct is not None:
            place = f"{error.filename}:{error.lineno}"
            print(f"{program}: {place}: {construct}: {python2.REMEDY}", file=sys.stderr)
            return 1
    seen: set[int] = set()
    chain: list[BaseException | None] = [error]
    while chain:
        link = chain.pop()
        if link is not None and id(link) not in seen:
            seen.add(id(link))
            link.__traceback__ = without_own_frames(link.__traceback__)
            chain += [link.__cause__, link.__context__]
    sys.excepthook(type(error), error, error.__traceback__)
    return 130 if isinstance(error, KeyboardInterrupt) else 1
