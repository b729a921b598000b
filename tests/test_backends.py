"""The same commands on every backend of Keras, each in a process of its own."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import catsdogs
from catsdogs.commands.sample import sample

BACKENDS = [
    "tensorflow",
    pytest.param(
        "jax",
        marks=pytest.mark.skipif(not importlib.util.find_spec("jax"), reason="no JAX here"),
    ),
    pytest.param(
        "torch",
        marks=pytest.mark.skipif(not importlib.util.find_spec("torch"), reason="no PyTorch here"),
    ),
]

SMALL = ["--set=model.image_size=[32, 32]", "--set=model.weights=random", "--set=precision=float32"]

pytestmark = pytest.mark.slow

EVERY_COMMAND = """
import json, sys
from click.testing import CliRunner
from catsdogs.cli import main

def call(*arguments):
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output + repr(result.exception)
    return result.stdout

given = call("predict", "data/validation/cats", "--model=given.h5", "--format=json",
             "--precision=float32")
call("train", "--epochs=1", *sys.argv[1:])
call("finetune", "--epochs=1", "--subsample=40", "--set=precision=float32")
call("predict", "data/validation/cats/Abyssinian_12.jpg")
call("cache")
facts = dict(line.split(None, 1) for line in call("info").splitlines())
print(json.dumps([facts["backend"], "tensorflow" in sys.modules, json.loads(given)]))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory, unsure_model):
    """The built-in photos, and `given.h5`, which is unsure about them."""
    folder = tmp_path_factory.mktemp("backends")
    sample(folder / "data")
    shutil.copy(unsure_model, folder / "given.h5")
    return folder


@pytest.fixture(scope="module")
def run_everything(folder):
    """A function that runs every command on a backend, once; what it printed."""
    done = {}

    def run(backend):
        if backend not in done:
            environment = {
                **os.environ,
                "KERAS_BACKEND": backend,
                "PYTHONPATH": str(Path(catsdogs.__file__).parents[1]),
                "XDG_CACHE_HOME": str(folder / f"cache-{backend}"),
            }
            process = subprocess.run(
                [sys.executable, "-c", EVERY_COMMAND, "--subsample=40", *SMALL],
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
            )
            assert process.returncode == 0, process.stderr
            done[backend] = json.loads(process.stdout)
        return done[backend]

    return run


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_command_runs_and_tensorflow_stays_out_where_it_is_not_the_backend(
    run_everything, backend
):
    name, has_tensorflow, _ = run_everything(backend)
    assert name == backend
    assert has_tensorflow == (backend == "tensorflow")


@pytest.mark.parametrize("backend", BACKENDS[1:])
def test_one_file_gives_the_same_probabilities_on_every_backend(run_everything, backend):
    expected, found = (run_everything(b)[2] for b in ("tensorflow", backend))
    assert [row["path"] for row in found] == [row["path"] for row in expected]
    probabilities = [[row["probabilities"]["cats"] for row in rows] for rows in (expected, found)]
    assert np.ptp(probabilities[0]) > 0.02
    np.testing.assert_allclose(*probabilities, atol=1e-4)


@pytest.mark.parametrize(
    ("backend", "message"),
    [
        ("numpy", "error: KERAS_BACKEND should be one of tensorflow, jax, torch, got 'numpy'\n"),
    ],
)
def test_backend_that_cannot_train_is_one_line(backend, message):
    process = subprocess.run(
        [sys.executable, "-m", "catsdogs", "info"],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
    )
    assert (process.returncode, process.stdout, process.stderr) == (2, "", message)
