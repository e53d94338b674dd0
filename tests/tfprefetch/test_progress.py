from __future__ import annotations

import contextlib
import fcntl
import io
import itertools
import os
import re
import struct
import subprocess
import sys
import termios
import threading
import types

import numpy as np
import pytest
import tensorflow as tf

from tfprefetch import progress_bar
from tfprefetch.progress_bar import progress

Dataset = tf.data.Dataset


class Terminal:
    """A pseudo-terminal; what is written there is read all the time, as its buffer is small."""

    def __init__(self, columns=80):
        self.reading, self.writing = os.openpty()
        size = struct.pack("HHHH", 24, columns, 0, 0)
        fcntl.ioctl(self.writing, termios.TIOCSWINSZ, size)
        self.stream = open(self.writing, "w", closefd=False)
        self._written = b""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        with contextlib.suppress(OSError):  # EIO, when the last who writes has gone
            while data := os.read(self.reading, 1024):
                self._written += data

    def text(self):
        """All that was written; the terminal is closed."""
        self.stream.close()
        os.close(self.writing)
        self._thread.join()
        os.close(self.reading)
        return self._written.decode()

    def looks(self):
        """What the bar looked like, one after another."""
        text = self.text()
        assert text.startswith("\r")
        assert text.endswith("\r\n")
        return text.removesuffix("\r\n").split("\r")[1:]


@pytest.fixture
def make_terminal(monkeypatch):
    def make(columns=80):
        terminal = Terminal(columns)
        monkeypatch.setattr(sys, "stderr", terminal.stream)
        return terminal

    return make


@pytest.fixture
def clock(monkeypatch):
    """Time that passes when it is told to."""
    clock = types.SimpleNamespace(seconds=100.0)
    fake = types.SimpleNamespace(perf_counter=lambda: clock.seconds)
    monkeypatch.setattr(progress_bar, "time", fake)
    return clock


def slow(clock, number, seconds):
    for element in range(number):
        clock.seconds += seconds
        yield element


# --- in a terminal --------------------------------------------------------------------------------


def test_bar(make_terminal, clock):
    terminal = make_terminal()
    elements = []
    for element in progress(slow(clock, 4, 0.75), 4):
        clock.seconds += 0.25
        elements.append(element)
    assert elements == [0, 1, 2, 3]
    looks = terminal.looks()
    assert {len(look) for look in looks} == {79}
    assert [look.split("[")[0].rstrip() for look in looks] == [
        "0/4",
        "1/4  1.33/s  0:02 left  100% waiting for data",
        "2/4  1.14/s  0:02 left  86% waiting for data",
        "3/4  1.09/s  0:01 left  82% waiting for data",
        "4/4  1.07/s  0:00 left  80% waiting for data",
        "4/4  1/s  took 0:04  75% waiting for data",
    ]
    bars = [re.search(r"\[(=*)>? *\]", look)[1] for look in looks]
    widths = [len(look.split("[")[1]) - 1 for look in looks]
    shares = [len(bar) / width for bar, width in zip(bars, widths, strict=True)]
    assert np.allclose(shares, [0, 0.25, 0.5, 0.75, 1, 1], atol=0.05)


def test_real_waiting(make_terminal):
    """By the real clock."""
    terminal = make_terminal()
    for _ in progress(Dataset.range(3)):
        pass
    last = terminal.looks()[-1]
    share = int(re.search(r"3/3 .* took 0:\d\d  (\d+)% waiting for data", last)[1])
    assert 0 < share <= 100


def test_looks_come_ten_times_a_second_at_most(make_terminal, clock):
    terminal = make_terminal()
    assert len(list(progress(slow(clock, 1000, 0.01)))) == 1000  # ten seconds
    assert 90 <= len(terminal.looks()) <= 102


def test_of_unknown_and_wrong_totals(make_terminal, clock):
    terminal = make_terminal()
    list(progress(slow(clock, 1500, 1)))
    look = terminal.looks()[-2]
    assert look.rstrip() == "1,500  1/s  100% waiting for data"

    terminal = make_terminal()
    list(progress(slow(clock, 7200, 1), 7000))
    looks = terminal.looks()
    assert looks[1].startswith("1/7,000  1/s  1:56:39 left")
    assert looks[-1].rstrip() == "7,200  1/s  took 2:00:00  100% waiting for data"

    terminal = make_terminal()
    for number in progress(Dataset.range(3).repeat()):
        if number == 2:
            break
    assert all("left" not in look and "[" not in look for look in terminal.looks())

    terminal = make_terminal()
    assert list(progress(Dataset.range(0))) == []
    assert terminal.looks()[0].startswith("0/0 ")


@pytest.mark.parametrize("columns", [1, 2, 10, 24, 40, 60, 300])
def test_width(make_terminal, clock, columns):
    terminal = make_terminal(columns)
    list(progress(slow(clock, 100, 1), 100))
    looks = terminal.looks()
    assert {len(look) for look in looks} == {max(columns - 1, 1)}
    # Parts are there as a whole, or not at all; the first is there as far as there is room.
    assert looks[10].startswith("10/100"[: max(columns - 1, 1)])
    whole = "10/100  1/s  1:30 left  100% waiting for data"
    expected = {1: "1", 2: "1", 10: "10/100", 24: "10/100  1/s  1:30 left", 60: whole, 300: whole}
    text, bar, _ = looks[10].partition("  [")
    assert text.rstrip() == expected.get(columns, "10/100  1/s  1:30 left")
    assert bool(bar) == (columns in (40, 60, 300))


def test_width_of_a_terminal_that_does_not_tell(make_terminal, monkeypatch):
    monkeypatch.setenv("COLUMNS", "33")
    terminal = make_terminal(columns=0)
    list(progress([1]))
    assert {len(look) for look in terminal.looks()} == {32}


# --- ends -----------------------------------------------------------------------------------------


def test_left_by_break_and_by_an_error(make_terminal):
    terminal = make_terminal()
    for element in progress(range(10)):
        if element == 3:
            break
    assert terminal.looks()[-1].startswith("4/10 ")

    terminal = make_terminal()
    error = KeyError("of the loop")
    with pytest.raises(KeyError) as raised:
        for _ in progress(range(10)):
            raise error
    assert raised.value is error
    assert terminal.looks()[-1].startswith("1/10 ")


def test_errors_of_the_pipeline_pass_unchanged(make_terminal):
    terminal = make_terminal()
    error = ValueError("of the source")

    def source():
        yield 1
        raise error

    with pytest.raises(ValueError) as raised:
        list(progress(source()))
    assert raised.value is error
    assert terminal.looks()[-1].startswith("1 ")

    terminal = make_terminal()
    dataset = Dataset.from_tensor_slices(["1", "two"]).map(tf.strings.to_number)
    with pytest.raises(tf.errors.InvalidArgumentError, match="two"):
        list(progress(dataset))
    assert terminal.looks()[-1].startswith("1/2 ")


PROGRAM = """
from tfprefetch.progress_bar import progress

for element in progress([1, 2, 3]):
    if element == 2:
        raise ValueError("the end")
"""


def test_a_program_that_ends_with_an_error():
    """Its message has lines of its own."""
    terminal = Terminal(60)
    options = {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHON_COLORS": "0"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **options},
        stdout=subprocess.DEVNULL,
        stderr=terminal.stream,
    )
    assert done.returncode == 1
    assert re.search(
        r"\r2/3 [^\r\n]*\r\nTraceback [^\r]*\r\n(.*\r\n)*ValueError: the end\r\n$", terminal.text()
    )


def test_silent_where_nobody_sees_it(monkeypatch, tmp_path):
    with open(tmp_path / "log", "w") as log:
        monkeypatch.setattr(sys, "stderr", log)
        assert list(progress([1, 2])) == [1, 2]
    assert (tmp_path / "log").read_text() == ""
    for stream in (None, log, io.StringIO(), object()):  # the second is closed
        monkeypatch.setattr(sys, "stderr", stream)
        assert list(progress([1, 2])) == [1, 2]


def test_a_terminal_that_goes_away_stops_nothing(make_terminal, clock):
    terminal = make_terminal()
    elements = []
    for element in progress(slow(clock, 10, 1), 10):
        elements.append(element)
        if element == 4:
            # As when the window is closed: what is written now is an error.
            reading, writing = os.openpty()
            os.dup2(writing, terminal.writing)
            os.close(writing)
            os.close(reading)
            with pytest.raises(OSError):
                os.write(terminal.writing, b".")
    assert elements == list(range(10))
    with contextlib.suppress(OSError):
        terminal.stream.close()
    os.close(terminal.writing)
    os.close(terminal.reading)


# --- what it returns ------------------------------------------------------------------------------


def test_length():
    assert len(progress(Dataset.range(10).batch(3))) == 4
    assert len(progress(np.zeros([5, 2]))) == 5
    assert len(progress(itertools.count(), np.int64(7))) == 7
    for unknown in (Dataset.range(3).repeat(), Dataset.range(3).filter(lambda n: n > 1), iter([])):
        with pytest.raises(TypeError, match="not known, or infinite: give progress total"):
            len(progress(unknown))


@pytest.mark.parametrize("is_seen", [False, True])
def test_as_often_as_the_dataset(make_terminal, is_seen):
    if is_seen:
        make_terminal()
    again = progress(Dataset.range(3))
    assert [int(n) for n in again] == [int(n) for n in again] == [0, 1, 2]
    once = progress(iter([1, 2]))
    assert (list(once), list(once)) == ([1, 2], [])
    iterator = iter(Dataset.range(3))
    assert [int(n) for n in progress(iterator)] == [0, 1, 2]


def test_arguments_that_cannot_be():
    with pytest.raises(TypeError, match="dataset must be something to iterate over, got 5"):
        progress(5)
    with pytest.raises(TypeError, match="total must be an integer, or None, got 2.5"):
        progress([], 2.5)
    with pytest.raises(ValueError, match="total must be at least 0, or None .*, got -1"):
        progress([], -1)


def test_where_python_cannot_iterate():
    dataset = Dataset.range(3)

    @tf.function
    def count(elements):
        for _ in progress(elements):
            pass

    with pytest.raises(RuntimeError, match="needs eager execution: iterate over the dataset"):
        count(dataset)
    with pytest.raises(RuntimeError, match="needs eager execution"):
        tf.function(lambda: list(progress(iter(dataset))))()
    with tf.Graph().as_default():
        with pytest.raises(RuntimeError, match="needs eager execution"):
            list(progress(Dataset.range(3)))
        assert list(progress([1, 2])) == [1, 2]


# --- in Jupyter -----------------------------------------------------------------------------------


def test_in_a_notebook(monkeypatch):
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    source = "from tfprefetch.progress_bar import progress\n"
    cells = [source + "for n in progress(range(5)):\n    pass", "sum(progress(iter([1, 2])))"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    known, unknown = (
        [one for one in cell.outputs if one.output_type == "display_data"]
        for cell in notebook.cells
    )
    # One output each, which changed.
    assert len(known) == len(unknown) == 1
    html = known[0].data["text/html"]
    assert html.startswith('<progress value="5" max="5"></progress> &nbsp; 5/5 &nbsp; ')
    assert re.search(r"took 0:\d\d &nbsp; \d+% waiting for data$", html)
    assert known[0].data["text/plain"].startswith("5/5  ")
    assert unknown[0].data["text/html"].startswith("2 &nbsp; ")
    assert notebook.cells[1].outputs[-1].data["text/plain"] == "3"


def test_ipython_in_a_terminal_is_a_terminal(make_terminal):
    interactive = pytest.importorskip("IPython.terminal.interactiveshell")
    shell = interactive.TerminalInteractiveShell.instance()
    terminal = make_terminal()
    try:
        list(progress([1, 2]))
    finally:
        shell.clear_instance()
    assert terminal.looks()[-1].startswith("2/2 ")
