"""A light installation, without TensorFlow and Keras: it answers, exports and solves heads.

They are hidden from a process of its own, as if they were not there.
"""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import keras
import pytest

ROOT = Path(__file__).parent.parent

HIDE = """
import importlib.machinery, importlib.metadata, sys
away = ("keras", "tensorflow", "jax", "torch")
find, named = importlib.machinery.PathFinder.find_spec, importlib.metadata.Distribution.from_name

def find_spec(name, *rest):
    return None if name.partition(".")[0] in away else find(name, *rest)

def from_name(name):
    if name in away:
        raise importlib.metadata.PackageNotFoundError(name)
    return named(name)

importlib.machinery.PathFinder.find_spec = find_spec
importlib.metadata.Distribution.from_name = from_name
from catsdogs.__main__ import run
sys.argv[0] = "catsdogs"
run()
"""


@pytest.fixture
def light(tmp_path, monkeypatch):
    """A function that runs a command line without them; what it printed."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("KERAS_BACKEND", raising=False)

    def call(*arguments, code=0):
        done = subprocess.run(
            [sys.executable, "-c", HIDE, *map(str, arguments)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout if code == 0 else done.stderr

    return call


@pytest.mark.slow
def test_it_solves_a_head_answers_measures_and_exports(light, class_folders, tmp_path):
    settings = ["--set=model.weights=random", "--set=model.image_size=[32,32]"]
    light("train", "--data", class_folders, *settings, "--set=head.kind=logistic")
    photo = next((class_folders / "validation" / "cats").iterdir())
    assert light("predict", photo).startswith(f"{photo}\t")
    assert "accuracy" in light("evaluate", class_folders)
    assert "the same class for 4" in light("export", "mine.html", "--data", class_folders)
    model = keras.models.load_model(tmp_path / "models" / "catsdogs.h5", compile=False)
    assert model.output_shape == (None, 2)


def test_what_it_cannot_do_says_what_to_install(light, class_folders):
    needed = (
        "error: this needs keras and tensorflow, which a light installation does not have: run "
        "`pip install keras tensorflow`\n"
    )
    assert light("train", "--data", class_folders, code=2).endswith(needed)


def test_info_says_that_no_dense_head_is_trained(light):
    facts = dict(line.split(None, 1) for line in light("info").splitlines())
    assert facts["backend"].startswith("none: tensorflow or Keras is not installed")
    assert "keras" not in facts


def test_the_line_that_installs_it_names_all_packages_but_these():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {re.split("[>=]", each)[0] for each in project["dependencies"]}
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    line = re.search(r"^ {4}pip install (numpy(?:\\\n|.)*)$", page, re.MULTILINE)[1]
    assert set(line.replace("\\\n", " ").split()) == names - {"tensorflow", "keras"}
