"""Every notebook runs from top to bottom and shows its pictures; none is committed with results."""

import os
import shutil
from pathlib import Path

import nbformat
import pytest
from ipykernel.kernelspec import write_kernel_spec
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpecManager
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
PICTURES = {
    "01_from_queues_to_datasets": 1,
    "02_python_loader_in_parallel": 2,
    "03_raw_files_near_memory_speed": 3,
}
TIMEOUT_S = 120  # for one cell


@pytest.fixture(scope="module")
def kernels(tmp_path_factory):
    """Finds this interpreter's kernel, whatever else is registered on the machine."""
    folder = tmp_path_factory.mktemp("kernels")
    write_kernel_spec(str(folder / "python3"))
    return KernelSpecManager(kernel_dirs=[str(folder)])


@pytest.fixture
def executed(kernels, tmp_path, monkeypatch):
    """Executes a notebook in an empty folder, as a user would who has the package installed."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT), prepend=os.pathsep)
    for variable in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "MPLCONFIGDIR", "TMPDIR"):
        folder = tmp_path / variable
        folder.mkdir()
        monkeypatch.setenv(variable, str(folder))

    empty = tmp_path / "empty"
    empty.mkdir()

    def execute(name):
        # A kernel with worker processes never ends by itself: it waits for multiprocessing's
        # resource tracker, which ends after it. So do not wait long.
        manager = AsyncKernelManager(
            kernel_name="python3", kernel_spec_manager=kernels, shutdown_wait_time=1
        )
        client = NotebookClient(
            read(name),
            km=manager,
            timeout=TIMEOUT_S,
            resources={"metadata": {"path": str(empty)}},
        )
        return client.execute(cleanup_kc=True)

    yield execute
    # The notebooks' data, which pytest would keep for a while; a worker may just be ending.
    shutil.rmtree(tmp_path / "TMPDIR", ignore_errors=True)


def read(name):
    return nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_every_notebook_is_tested():
    assert sorted(PICTURES) == sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))


@pytest.mark.parametrize("name", PICTURES)
def test_outputs_are_stripped(name):
    notebook = read(name)
    nbformat.validate(notebook)
    assert [cell for cell in code_cells(notebook) if cell.outputs or cell.execution_count] == []
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata.kernelspec.name == "python3"
    assert notebook.cells[0].source.startswith("# ")  # a title, and what the notebook shows


@pytest.mark.parametrize(("name", "pictures"), PICTURES.items())
def test_runs_and_shows_its_pictures(name, pictures, executed):
    cells = code_cells(executed(name))
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    shown = [output for output in outputs if output.output_type == "display_data"]
    assert sum("image/png" in output.data for output in shown) == pictures
    assert any("describe" in cell.source and cell.outputs for cell in cells)
