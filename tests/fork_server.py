"""Imports TensorFlow and compat once, and forks for every program that is to run with them.

Reads requests, a line of JSON each; answers with the process's id and, when it has ended, with its
exit status. TensorFlow's threads, which would not survive a fork, are started by programs only.
"""

from __future__ import annotations

import json
import os
import runpy
import sys

import tensorflow  # noqa: F401

import compat.v1  # noqa: F401


def next_program() -> list[str] | None:
    """Serves requests; returns in each forked process, with its command line, and at the end."""
    for line in sys.stdin:
        request = json.loads(line)
        process = os.fork()
        if not process:
            os.chdir(request["cwd"])
            os.environ.clear()
            os.environ.update(request["env"])
            for descriptor, path in zip((0, 1, 2), (os.devnull, *request["files"]), strict=True):
                opened = os.open(path, os.O_RDWR | os.O_CREAT)
                os.dup2(opened, descriptor)
                os.close(opened)
            return request["arguments"]
        print(process, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)
    return None


def run(arguments: list[str]) -> None:
    """What `python *arguments` does."""
    first, *rest = arguments
    if first == "-m":
        sys.argv = rest
        sys.path[0] = os.getcwd()
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments
        sys.path[0] = os.path.dirname(os.path.abspath(first))
        runpy.run_path(first, run_name="__main__")


if __name__ == "__main__":
    program = next_program()
    if program is not None:
        run(program)
