"""What examples/ shows runs as it stands: on the built-in photos, with random weights."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from catsdogs.network.backbones import get_backbone
from tests.conftest import BLUISH, REDDISH

EXAMPLES = Path(__file__).parent.parent / "examples"
RUN_NOTEBOOK = EXAMPLES.parent / "docs" / "run_notebook.py"
TINY = {"model.weights": "random", "model.image_size": (32, 32), "head.kind": "logistic"}


@pytest.fixture(autouse=True)
def folder(workplace):
    return workplace


def test_every_example_is_listed():
    text = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    there = {path.name for path in EXAMPLES.iterdir() if path.is_file()} - {"README.md"}
    assert set(re.findall(r"^\| \[([^\]]+)\]", text, re.MULTILINE)) == there


@pytest.mark.slow
def test_script_goes_the_whole_way(folder):
    command = [sys.executable, EXAMPLES / "whole_way.py", "--weights=random", "--image-size=32"]
    done = subprocess.run(
        [*command, "--backbone=vgg16"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"^accuracy 0\.\d{4}, 95% interval 0\.\d+ to [01]\.\d+$", done.stdout, re.M)
    assert (folder / "mistakes.csv").read_text().startswith("path,label,class,probability\n")
    assert (folder / "explained.png").stat().st_size > 1000
    assert (folder / "classifier.html").stat().st_size > 1_000_000


@pytest.mark.slow
def test_notebook_runs_from_top_to_bottom(folder):
    """With its own network where the weights are there, and then it shows what is kept in it."""
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    notebook = nbformat.read(EXAMPLES / "notebook.ipynb", as_version=4)
    nbformat.validate(notebook)
    (parameters,) = (c for c in notebook.cells if "parameters" in c.metadata.get("tags", ()))
    names = re.findall(r"^(\w+) =", parameters.source, re.MULTILINE)
    assert names == ["folder", "settings"]
    has_weights = get_backbone("efficientnet_lite0").find_weights() is not None
    if not has_weights:
        parameters.source = f"folder = 'photos'\nsettings = {TINY!r}"
    nbformat.write(notebook, folder / "notebook.ipynb")
    stored = (folder / "notebook.ipynb").read_text(encoding="utf-8")
    # by a process of its own: what the notebook's packages warn of is not ours
    command = [sys.executable, RUN_NOTEBOOK, "notebook.ipynb"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    is_as_stored = (folder / "notebook.ipynb").read_text(encoding="utf-8") == stored
    assert is_as_stored == has_weights, "run `make docs-pages`"
    executed = nbformat.read(folder / "notebook.ipynb", as_version=4)
    outputs = [output for cell in executed.cells for output in cell.get("outputs", ())]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert any("95% interval" in output.get("data", {}).get("text/html", "") for output in outputs)
    assert outputs[-1]["text"].startswith("classifier.html, ")
    # what is told goes to the listener alone: Rich would show it in notebooks by itself
    shown = [output.data for output in outputs if output.output_type == "display_data"]
    assert [data for data in shown if not any(kind.startswith("image/") for kind in data)] == []


def test_outputs_of_the_notebook_are_those_of_a_run_without_errors():
    nbformat = pytest.importorskip("nbformat")
    notebook = nbformat.read(EXAMPLES / "notebook.ipynb", as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    kinds = {output.output_type for cell in code for output in cell.outputs}
    assert "error" not in kinds
    text = (EXAMPLES / "notebook.ipynb").read_text(encoding="utf-8")
    assert len(text) < 1_000_000
    assert str(Path.home()) not in text


@pytest.mark.slow
def test_workflow_stops_a_model_that_got_worse(folder, make_photos, make_model, call):
    for number, (name, colour) in enumerate((("cats", REDDISH), ("dogs", BLUISH))):
        make_photos(folder / "data" / "test" / name, 6, number, colour, size=(32, 32))
    make_model(folder / "before" / "models" / "catsdogs.h5")
    make_model(folder / "models" / "catsdogs.h5")
    workflow = (EXAMPLES / "accuracy-gate.yml").read_text(encoding="utf-8")
    lines = re.findall(r"run: catsdogs (.*)", workflow)
    assert [line.split()[0] for line in lines] == ["check", "compare", "evaluate"]
    for line in lines:
        call(*shlex.split(line))
    assert (folder / "answers.csv").is_file()
    (folder / "models" / "catsdogs.h5").unlink()
    make_model(folder / "models" / "catsdogs.h5", sureness=-4.0)
    result = call(*shlex.split(lines[1]), code=1)
    assert "models/catsdogs.h5 is worse than before/models/catsdogs.h5" in result.stderr
    result = call(*shlex.split(lines[2]), code=1)
    assert "is below the 0.95 of --min-accuracy" in result.stderr
