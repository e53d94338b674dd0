"""`tfprefetch-compat run`: what it refuses, and how it says so."""

import os
import pathlib

import pytest

import compat
from compat.run import command, python2
from compat.run.imports import is_users_file
from compat.settings import settings

ROOT = pathlib.Path(compat.__file__).parents[1]


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["nosuch.py"], 2, "cannot read nosuch.py: No such file"),
        (["."], 2, ". is a folder: name the script inside it"),
        (["notebook.ipynb"], 2, "notebook.ipynb is a notebook"),
        (["photo.py"], 2, "is not a Python source file"),
        (["null.py"], 2, "is not a Python source file: it has null bytes"),
        (["old.py"], 1, "old.py:3: Python 2 syntax (`except Error, name`)"),
        (["--stats", "nosuch/stats.json", "fine.py"], 2, "--stats: cannot write"),
    ],
)
def test_what_cannot_be_run_is_one_line(tmp_path, monkeypatch, capsys, arguments, status, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photo.py").write_bytes(b"\xff\xd8\xff\xe0")
    (tmp_path / "null.py").write_bytes(b"x = 1\0")
    (tmp_path / "old.py").write_text("try:\n  pass\nexcept IOError, error:\n  pass\n")
    (tmp_path / "fine.py").write_text("raise SystemError('must not run')\n")
    assert command.main(["run", *arguments]) == status
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("tfprefetch-compat: ") and message in line
    assert settings.report is None


@pytest.mark.parametrize("arguments", [[], ["run"], ["run", "--engine=x", "a.py"], ["run", "--no"]])
def test_a_wrong_command_line_is_refused(arguments, capsys):
    with pytest.raises(SystemExit) as exit_:
        command.main(arguments)
    assert exit_.value.code == 2
    assert "usage: tfprefetch-compat" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("print 'x'", "the print statement"),
        ("print x, y", "the print statement"),
        ("if x:\n    print '%d' % (\n        1)", "the print statement"),
        ("exec 'x = 1' in scope", "the exec statement"),
        ("try:\n  x\nexcept (A, B), error:\n  y", "`except Error, name`"),
        ("raise ValueError, 'x'", "`raise Error, value`"),
        ("x = `y`", "backticks for repr()"),
        ("x <> y", "the operator <>"),
        ("os.chmod(path, 0777)", "an octal number without 0o"),
        ("x = 10L", "a long integer (10L)"),
        ("x = ur'abc'", "a ur'' string"),
        ("def f(a, (b, c)): pass", "a tuple among the parameters"),
        ("sorted(x, key=lambda (a, b): a)", "a tuple among the parameters"),
        ("if x:\n        y\n\tz", "tabs mixed with spaces"),
    ],
)
def test_python_2_constructs_are_named(source, name):
    with pytest.raises(SyntaxError) as raised:
        compile(source, "script.py", "exec")
    assert python2.construct(raised.value) == f"Python 2 syntax ({name})"


@pytest.mark.parametrize(
    "source", ["x = (1 2", "x = 'print y", "def f(x:", "x = = 'print 1' # print 2", "f(a b) # 0777"]
)
def test_typing_errors_are_not_python_2(source):
    with pytest.raises(SyntaxError) as raised:
        compile(source, "script.py", "exec")
    assert python2.construct(raised.value) is None


@pytest.mark.parametrize(
    ("path", "users"),
    [
        ("/home/me/project/model.py", True),
        ("/home/me/venv/lib/python3.11/site-packages/slim/nets.py", False),
        ("/usr/lib/python3/dist-packages/numpy/__init__.py", False),
        (os.__file__, False),
        (compat.__file__, False),
        (os.path.join(os.path.dirname(compat.__file__), "record", "batching.py"), False),
        (os.path.join(ROOT, "examples", "legacy", "queue.py"), True),
    ],
)
def test_whose_file_it_is(path, users):
    assert is_users_file(path) is users
