"""Several devices and several processes on JAX, each in processes of their own."""

import csv
import importlib.util
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import catsdogs
from catsdogs.commands.sample import sample
from catsdogs.data.batches import WHOLE_BATCH, BatchPart
from catsdogs.training.cache_folder import count_features
from tests import tiny_backbone

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not importlib.util.find_spec("jax"), reason="no JAX here"),
]

TRAIN = [
    *("train", "--epochs=2", "--set=train.batch_size=10", "--set=train.learning_rate=1e-4"),
    *("--subsample=10", "--set=model.image_size=[32, 32]", "--set=model.weights=random"),
    "--backbone=tiny",
]
FINETUNE = ["finetune", "--epochs=1", "--subsample=10", "--set=finetune.batch_size=11"]


def start(folder, arguments, cache="cache", devices=1):
    environment = {
        **os.environ,
        "KERAS_BACKEND": "jax",
        "PYTHONPATH": str(Path(catsdogs.__file__).parents[1]),
        "XDG_CACHE_HOME": str(folder / cache),
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}",
    }
    return subprocess.Popen(
        [*tiny_backbone.COMMAND, *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(process, code=0):
    stdout, stderr = process.communicate(timeout=300)
    assert process.returncode == code, stdout + stderr
    return stdout, stderr


def start_pair(folder, arguments, other=()):
    """Two processes, each with a cache of its own, as on two machines."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        coordinator = f"127.0.0.1:{server.getsockname()[1]}"
    together = ["--coordinator", coordinator, "--processes=2"]
    return [
        start(folder, [*arguments, *more, *together, f"--process-id={index}"], f"cache-{index}")
        for index, more in enumerate([(), other])
    ]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes") / "data"
    sample(folder)
    return folder


def make_folder(tmp_path_factory, photos):
    folder = tmp_path_factory.mktemp("run")
    (folder / "data").symlink_to(photos)
    return folder


def histories(folder):
    """Figures of all epochs of all runs, from 0 up; without times."""
    figures = []
    for path in sorted(folder.glob("runs/*/history.csv")):
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                row.pop("seconds")
                figures.append([float(value or 0) for value in row.values()])
    return np.array(figures)


@pytest.fixture(scope="module")
def alone(tmp_path_factory, photos):
    """A training and its fine-tuning in one process on one device."""
    folder = make_folder(tmp_path_factory, photos)
    for arguments in (TRAIN, FINETUNE):
        end(start(folder, arguments))
    assert histories(folder).shape == (4, 6)
    return folder


def test_four_devices_give_the_history_of_one(tmp_path_factory, photos, alone):
    folder = make_folder(tmp_path_factory, photos)
    end(start(folder, [*TRAIN, "--devices=all"], devices=4))
    end(start(folder, [*FINETUNE, "--devices=4"], devices=4))
    np.testing.assert_allclose(histories(folder), histories(alone), rtol=1e-3, atol=1e-4)


def test_two_processes_give_the_history_of_one_and_one_of_them_writes(
    tmp_path_factory, photos, alone
):
    folder = make_folder(tmp_path_factory, photos)
    for arguments in (TRAIN, FINETUNE):
        leader, other = [end(process) for process in start_pair(folder, arguments)]
        assert leader[0].splitlines()[-2].startswith("saved models/catsdogs.h5 ")
        assert other == ("", "")
    np.testing.assert_allclose(histories(folder), histories(alone), rtol=1e-3, atol=1e-4)
    assert len(list(folder.glob("runs/*"))) == 2
    # either computed its half, and got the other from the other
    kept = [
        sorted(count_features(path.parent) for path in folder.glob(f"cache-{index}/**/data.mdb"))
        for index in (0, 1)
    ]
    assert kept == [[20, 20], [20, 20]]


def test_a_killed_process_ends_the_other_in_a_line_and_the_run_can_be_resumed(
    tmp_path_factory, photos, unsure_model
):
    folder = make_folder(tmp_path_factory, photos)
    model = folder / "models" / "catsdogs.h5"
    model.parent.mkdir()
    model.write_bytes(unsure_model.read_bytes())
    arguments = [*TRAIN, "--epochs=40", "--set=train.patience=0"]
    leader, other = start_pair(folder, arguments)
    for line in leader.stderr:
        if line.startswith("epoch 1/40  loss "):
            break
    other.kill()
    rest = leader.stderr.read().splitlines()
    stdout, _ = end(leader, code=1)
    other.communicate()
    assert stdout == ""
    assert rest[-1].startswith("error: another process ended")
    assert rest[-1].endswith(
        "the model that was saved before is whole, and `catsdogs train --resume` on every process "
        "carries on"
    )
    assert not [line for line in rest if "Traceback" in line]
    assert model.read_bytes() == unsure_model.read_bytes()
    end(start(folder, ["train", "--resume"], "cache-0"))
    assert [int(row[0]) for row in histories(folder)] == list(range(1, 41))
    assert model.read_bytes() != unsure_model.read_bytes()


def test_processes_with_other_settings_both_name_the_key_and_promise_nothing(
    tmp_path_factory, photos
):
    folder = make_folder(tmp_path_factory, photos)
    pair = start_pair(folder, TRAIN, other=["--set=train.learning_rate=0.5"])
    for process in pair:
        assert end(process, code=2) == (
            "",
            "error: train.learning_rate is 0.5 in process 1 and 0.0001 in process 0: give all "
            "processes the same files and the same settings\n",
        )
    assert not (folder / "runs").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--devices=0"], "--devices should be all, or a number from 1, got '0'"),
        (
            ["--coordinator=127.0.0.1:1", "--processes=2"],
            "--coordinator, --processes and --process-id belong together: give all three, or none "
            "where Slurm, Open MPI or Kubernetes start the processes",
        ),
        (
            ["--coordinator=127.0.0.1:1", "--processes=2", "--process-id=2"],
            "--process-id should be 0 to 1, got 2",
        ),
        (["--devices=3"], "3 devices are more than the 1 that JAX sees here"),
    ],
)
def test_requests_that_cannot_be_met_are_one_line(tmp_path, arguments, message):
    _, stderr = end(start(tmp_path, ["train", *arguments]), code=2)
    assert stderr == f"error: {message}\n"


def test_scheduler_that_jax_does_not_understand_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "2")  # all that Open MPI 5 tells
    _, stderr = end(start(tmp_path, ["train"]), code=1)
    assert stderr == (
        "error: the other processes cannot be reached (coordinator_address should be defined.): "
        "where JAX does not find them by itself, name the coordinator, the number of "
        "processes, and which one this is\n"
    )


def test_other_backends_say_which_one_can(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(catsdogs.__file__).parents[1]))
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    command = [sys.executable, "-m", "catsdogs", "train", "--devices", "2"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (
        2,
        "error: several devices or processes train together on JAX alone, and the backend is "
        "tensorflow: set KERAS_BACKEND=jax\n",
    )


@pytest.mark.parametrize("count", [1, 3, 4, 5, 11])
def test_parts_are_equal_and_give_every_row_a_weight_of_one_in_all(count):
    parts = [BatchPart(index, 2, 4).rows(count) for index in (0, 1)]
    assert len({len(rows) for rows, _ in parts}) == 1
    assert len(parts[0][0]) % 2 == 0
    weights = np.zeros(count)
    for rows, its_weights in parts:
        np.add.at(weights, rows, its_weights)
    np.testing.assert_array_equal(weights, 1)


def test_one_device_takes_batches_as_they_are():
    rows, weights = WHOLE_BATCH.rows(3)
    assert list(rows) == [0, 1, 2]
    assert weights is None
