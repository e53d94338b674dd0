"""For the tests of tfprefetch."""

from __future__ import annotations

import os
import sys

import pytest


@pytest.fixture
def in_directory(tmp_path, monkeypatch):
    """An empty current directory."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run_program(tmp_path, forked_python):
    """Runs a program's text and returns its output; a warning of tfprefetch is an error."""

    def run(program):
        warnings = 'import warnings\nwarnings.filterwarnings("error", module="tfprefetch")\n'
        (tmp_path / "program.py").write_text(warnings + program)
        command = [sys.executable, "program.py"]
        done = forked_python(command, cwd=tmp_path, env=os.environ, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
