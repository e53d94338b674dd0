"""What the tests of all examples need."""

from pathlib import Path

import data
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def data_directory(tmp_path_factory):
    """The examples' data, made once."""
    return data.make(tmp_path_factory.mktemp("examples") / "data")


@pytest.fixture(scope="module", autouse=True)
def find_compat():
    """Processes that run a program find the packages as they are here."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("PYTHONPATH", str(ROOT))
        yield
