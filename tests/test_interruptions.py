"""Trainings that are stopped, killed and resumed, or run out of disk."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from click.testing import CliRunner

from catsdogs.cli import main
from catsdogs.cli.stop_signal import StopSignal
from catsdogs.commands.finetune import finetune
from catsdogs.commands.train import train
from catsdogs.config_file import load_config
from catsdogs.console import Console
from catsdogs.model.metadata import read_metadata
from catsdogs.run import list_run_dirs
from catsdogs.training.checkpoint import read_checkpoint, write_checkpoint
from catsdogs.training.supervision import StopRequested
from tests import tiny_backbone

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("tiny_backbone")]

SMALL = {
    "model.backbone": "tiny",
    "model.image_size": [32, 32],
    "model.weights": "random",
    "augment.views": 2,
}
FLAGS = [word for key, value in SMALL.items() for word in ("--set", f"{key}={value}")]
BIG = ("--set", "model.backbone=vgg16")  # whose file takes 59 MB
SAVED = "stopped: nothing that was saved before has changed"


@pytest.fixture
def folder(class_folders, monkeypatch):
    """A working folder with photos in `data`, and a cache of its own."""
    folder = class_folders.parent
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    return folder


@pytest.fixture
def trained(folder, template):
    """The folder with a model in it."""
    if template.exists():
        for name in ("models", "runs", "cache"):
            shutil.copytree(template / name, folder / name)
    else:
        call("train", "--epochs", "2", *FLAGS)
        shutil.copytree(folder, template)
    return folder


def call(*arguments, code=0):
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == code, result.output + repr(result.exception)
    return result


class AskedOften:
    """Given when it was asked so many times."""

    def __init__(self, asked=10**9):
        self._left = asked
        self.is_in_force = False

    def __enter__(self):
        self.is_in_force = True

    def __exit__(self, *exception):
        self.is_in_force = False

    def is_given(self):
        assert self.is_in_force
        self._left -= 1
        return self._left < 0


def run(command, epochs, stop=None, resumed=None):
    config = load_config(None, {**SMALL, f"{command}.epochs": epochs})
    if command == "train":
        return train(config, Console(), stop, resumed)
    # without the epochs of the head: tests/test_interrupted_heads.py stops those
    settings = {"finetune.epochs": epochs, "finetune.head_epochs": 0}
    config = load_config(None, settings, fixed_model=config.model)
    return finetune(config, None, Console(), stop, resumed)


def newest_run():
    return list_run_dirs(Path("runs"))[-1]


def epochs_of(run):
    return [{k: v for k, v in epoch.items() if k != "seconds"} for epoch in run.read_history()]


def weights_of(path):
    arrays = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: arrays.update({name: item[()]}) if hasattr(item, "shape") else None
        )
    return arrays


def assert_same_weights(path, expected):
    found = weights_of(path)
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-5, atol=1e-7)


def leftovers(folder):
    return [p.name for p in folder.rglob("*") if ".part" in p.name or p.suffix == ".npz"]


def start(*arguments):
    """A command in a process of its own, to which Ctrl-C can be sent."""
    return subprocess.Popen(
        [*tiny_backbone.COMMAND, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # as in a terminal
    )


def read_until(process, pattern):
    for line in process.stderr:
        if re.match(pattern, line):
            return
    raise AssertionError(f"the process ended without {pattern}")


# what a resumed run ends with


KILLED_AT_A_STEP = """
import os, signal, sys
sys.path[:0] = sys.argv[1:]
from catsdogs.network.backend import import_backend
import_backend()
from test_interruptions import AskedOften, run, tiny_backbone

tiny_backbone.KNOWN_BACKBONES["tiny"] = tiny_backbone.TINY

class Kill(AskedOften):
    def is_given(self):
        if super().is_given():
            os.kill(os.getpid(), signal.SIGKILL)
        return False

run("train", 4, Kill(14))
"""


def test_killed_and_resumed_is_as_never_stopped(trained):
    model = trained / "models" / "catsdogs.h5"
    before = model.read_bytes()
    run("train", 4)
    expected, history = weights_of(model), epochs_of(newest_run())
    model.write_bytes(before)
    places = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
    killed = subprocess.run([sys.executable, "-c", KILLED_AT_A_STEP, *places])
    assert killed.returncode == -signal.SIGKILL
    killed = newest_run()
    assert 1 <= len(killed.read_history()) < 4
    assert weights_of(model).keys() == expected.keys()
    result = call("train", "--resume")
    assert f"going on with {killed.path} after epoch " in result.stderr
    assert newest_run().path == killed.path
    assert epochs_of(killed) == history
    assert_same_weights(model, expected)
    assert leftovers(trained) == []


@pytest.mark.parametrize(("command", "asked"), [("train", 1), ("finetune", 9)])
def test_stopped_at_any_step_and_resumed_is_as_never_stopped(trained, command, asked):
    model = trained / "models" / "catsdogs.h5"
    before = model.read_bytes()
    run(command, 4)
    expected, history = weights_of(model), epochs_of(newest_run())
    model.write_bytes(before)
    call("cache", "--clear")
    try:
        assert run(command, 4, AskedOften(asked)).history.interrupted
    except StopRequested:
        assert asked == 1
    assert call(command, "--resume").exit_code == 0
    assert epochs_of(newest_run()) == history
    assert_same_weights(model, expected)


def test_stopped_training_saves_the_best_so_far_and_says_so_in_the_file(trained):
    model = trained / "models" / "catsdogs.h5"
    history = run("train", 50, AskedOften(30)).history
    metadata = read_metadata(model)
    assert metadata.interrupted
    assert (
        metadata.kept_epoch
        == history.kept.number
        == min(history.epochs, key=lambda epoch: epoch.validation_loss).number
    )


def test_stopped_finetuning_leaves_the_head_beside_and_goes_on_from_its_successor(trained):
    head = (trained / "models" / "catsdogs.h5").read_bytes()
    result = run("finetune", 3, AskedOften(6))
    assert result.history.interrupted
    assert (trained / "models" / "catsdogs.head.h5").read_bytes() == head
    assert read_metadata(trained / "models" / "catsdogs.h5").stage == "finetune"
    call("finetune", "--resume")
    assert (trained / "models" / "catsdogs.head.h5").read_bytes() == head
    assert len(newest_run().read_history()) == 4


def test_unreadable_photos_stay_left_out_after_a_break(trained):
    (trained / "data" / "train" / "cats" / "bad.png").write_bytes(b"no picture")
    run("train", 3)
    history = epochs_of(newest_run())
    run("train", 3, AskedOften(13))
    result = call("train", "--resume")
    assert result.stdout.splitlines()[0] == "1 photo could not be read and was skipped"
    assert epochs_of(newest_run()) == history
    assert read_metadata(trained / "models" / "catsdogs.h5").num_photos["train"] == 8


# what --resume refuses


def stop(command="train", epochs=3):
    """Leave an unfinished run, and give its path."""
    run(command, epochs, AskedOften(14 if command == "train" else 6))
    return newest_run()


def refused(*arguments, code=1):
    result = call(*arguments, code=code)
    assert result.stdout == ""
    return result.stderr.splitlines()[-1]


def test_nothing_to_resume_is_one_line(trained):
    ended = newest_run().path
    assert refused("train", "--resume") == (
        f"error: {ended} came to its end: there is nothing to resume"
    )
    assert refused("finetune", "--resume") == (
        "error: runs holds no finetune to resume: start one by `catsdogs finetune`, "
        "or choose the folder that holds it by --set run.dir=DIR"
    )


def test_flags_that_contradict_the_run_are_named(trained):
    path = stop().path
    assert refused("train", "--resume", "--epochs", "9", code=2) == (
        f"error: train.epochs is fixed in {path}: leave it out, or start anew"
    )
    assert refused("train", "--resume", "--config", "mine.toml", code=2) == (
        "error: --resume goes on with the run's own configuration: leave out --config"
    )
    call("train", "--resume", "--epochs", "3", "--set", "cache.dir=elsewhere", "--output", "o.h5")
    assert (trained / "o.h5").exists()


def test_other_photos_are_one_line(trained, make_photos):
    path = stop().path
    make_photos(trained / "data" / "train" / "cats", 1, seed=9)
    assert refused("train", "--resume") == (
        f"error: the photos are not those that {path} began with, in number, content or order: "
        "bring them back, or start anew"
    )


def test_another_model_is_one_line(trained):
    path = stop("finetune").path
    call("train", "--epochs", "1", "--seed", "7", *FLAGS)
    assert refused("finetune", "--resume") == (
        f"error: models/catsdogs.h5 is not what {path} began with: bring that back, or start anew"
    )


def test_other_backbone_weights_or_backend_are_one_line(trained):
    run = stop()
    checkpoint = read_checkpoint(run.checkpoint_path)
    facts = replace(checkpoint.facts, frozen_weights="of another backbone")
    write_checkpoint(run.checkpoint_path, replace(checkpoint, facts=facts))
    assert refused("train", "--resume") == (
        f"error: the weights of the backbone are not what {run.path} began with: bring that back, "
        "or start anew"
    )
    facts = replace(checkpoint.facts, backend="another")
    write_checkpoint(run.checkpoint_path, replace(checkpoint, facts=facts))
    assert refused("train", "--resume") == (
        f"error: {run.path} began with the Keras backend another: "
        "set KERAS_BACKEND=another to go on with it"
    )


def test_a_damaged_or_missing_checkpoint_is_one_line(trained):
    run = stop()
    run.checkpoint_path.write_bytes(run.checkpoint_path.read_bytes()[:5000])
    assert refused("train", "--resume") == (
        f"error: {run.checkpoint_path} is damaged (it is cut off, or no archive): start anew"
    )
    run.checkpoint_path.unlink()
    assert refused("train", "--resume") == (
        f"error: {run.path} left no checkpoint to go on from: start anew"
    )


def test_a_checkpoint_of_another_network_is_one_line_that_leads_out(trained):
    run = stop()
    with np.load(run.checkpoint_path) as file:
        arrays = dict(file)
    np.savez(run.checkpoint_path, **(arrays | {"optimizer_0": np.zeros((3, 3), "float32")}))
    assert refused("train", "--resume") == (
        f"error: {run.checkpoint_path} cannot be gone on from (it is of another network or "
        "optimizer): start anew"
    )


@pytest.mark.parametrize("content", [b"train", b"\xff\xfe", b"[train]\nepochs = nan\n", None])
def test_a_damaged_or_missing_configuration_of_a_run_leads_out(trained, content):
    run = stop()
    run.config_path.unlink()
    if content is not None:
        run.config_path.write_bytes(content)
    line = refused("train", "--resume", code=2)
    assert line.startswith(f"error: {run.path}")
    assert line.endswith(": start anew")


def test_a_run_that_another_process_has_is_left_to_it(trained):
    run = stop()
    with run.claimed():
        assert refused("train", "--resume") == (
            f"error: {run.path} is still running: wait for it, or stop it first"
        )
    call("train", "--resume")


# signals


def test_first_ctrl_c_ends_after_the_step_with_the_best_so_far(trained):
    process = start("train", "--epochs", "5000", *FLAGS)
    read_until(process, "epoch 1/5000  loss ")  # lines of slow steps begin with the epoch, too
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate()
    assert process.returncode == 130
    lines = stderr.splitlines()
    assert "stopping after this step; once more stops at once" in lines
    assert re.fullmatch(r"stopped after epoch \d+: `catsdogs train --resume` carries on", lines[-1])
    assert re.match(r"saved models/catsdogs.h5 (\(epoch \d+\) )?after ", stdout.splitlines()[-2])
    assert read_metadata(trained / "models" / "catsdogs.h5").interrupted
    assert leftovers(trained) == ["checkpoint.npz"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_second_signal_does_what_it_did_before(number, capfd):
    def at_once(*_):
        raise InterruptedError

    before = signal.signal(number, at_once)
    try:
        stop = StopSignal()
        with stop:
            assert not stop.is_given()
            signal.raise_signal(number)
            assert stop.is_given()
            with pytest.raises(InterruptedError):
                signal.raise_signal(number)
        assert stop.exit_code == 128 + number
        assert signal.getsignal(number) is at_once
    finally:
        signal.signal(number, before)
    assert capfd.readouterr().err == "stopping after this step; once more stops at once\n"


def test_a_signal_that_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as in the background of a script
    try:
        with StopSignal():
            assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_during_imports_is_one_line(folder, number, code):
    library = {"tensorflow": "tensorflow", "jax": "jaxlib", "torch": "torch"}
    process = start("train", *FLAGS)
    while library[keras.backend.backend()] not in Path(f"/proc/{process.pid}/maps").read_text():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(number)
    stdout, stderr = process.communicate()
    assert (process.returncode, stdout, stderr) == (code, "", f"{SAVED}\n")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_what_is_in_the_making_goes_with_the_process(tmp_path, number, code):
    (tmp_path / "old.csv").write_text("whole")
    script = f"""
import signal
from pathlib import Path
from catsdogs import __main__, files
signal.signal({number}, __main__._stop_at_once)
with files.replacing(Path("old.csv")) as part, files.in_the_making(Path("folder")):
    part.write_text("half")
    Path("folder", "inner").mkdir(parents=True)
    signal.raise_signal({number})
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (code, f"{SAVED}\n")
    assert [path.name for path in tmp_path.iterdir()] == ["old.csv"]
    assert (tmp_path / "old.csv").read_text() == "whole"


def test_an_interrupted_prediction_is_one_line_after_the_answers(trained, make_photos):
    folder = "many" * 50  # lines so long that the pipe is full before the last photo's
    make_photos(trained / folder, 800)
    process = start("predict", folder)
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate()
    assert process.returncode == 130
    assert stderr.splitlines()[-1] == SAVED
    assert "Traceback" not in stderr


# disk


def test_a_full_disk_at_the_end_keeps_the_old_model_and_resume_saves_the_new(
    trained, file_size_limit
):
    model = trained / "models" / "catsdogs.h5"
    before = model.read_bytes()
    with file_size_limit(20 * 2**20):
        # a quota on files is one on ncnn's file in memory as well, which a full disk is not
        message = refused("train", "--epochs", "3", *FLAGS, *BIG, "--set", "engine=keras")
    assert message == (
        "error: models/catsdogs.h5 cannot be written (file too large): choose another place by "
        "--output FILE. `catsdogs train --resume` carries on after epoch 3"
    )
    assert model.read_bytes() == before
    assert leftovers(trained) == ["checkpoint.npz"]
    result = call("train", "--resume")
    assert "epoch 3/3" not in result.stderr
    assert read_metadata(model).config["train"]["epochs"] == 3
    assert leftovers(trained) == []


def test_a_checkpoint_that_cannot_be_written_is_one_warning(trained, file_size_limit):
    # the model takes 84 kB, the checkpoint 146; features have no file whose size could matter
    with file_size_limit(110_000):
        result = call("finetune", "--epochs", "2", "--set", "cache.enabled=false")
    path = newest_run().checkpoint_path
    assert [line for line in result.stderr.splitlines() if line.startswith("warning")] == [
        f"warning: {path} cannot be written (file too large): choose another place. "
        "This training goes on, but cannot be resumed"
    ]
    assert read_metadata(trained / "models" / "catsdogs.h5").stage == "finetune"
    assert leftovers(trained) == []


def test_no_space_for_the_model_is_one_line(trained, small_disk):
    output = small_disk / "mine.h5"
    assert refused("train", "--epochs", "1", *FLAGS, *BIG, "--output", str(output)) == (
        f"error: {output} cannot be written (no space left on device): choose another place by "
        "--output FILE. `catsdogs train --resume` carries on after epoch 1"
    )
    assert list(small_disk.iterdir()) == []
    call("train", "--resume", "--output", "mine.h5")


def test_read_only_places_are_one_line(trained, read_only_folder):
    reason = "read-only file system" if os.geteuid() == 0 else "permission denied"
    output = read_only_folder / "mine.h5"
    assert refused("train", *FLAGS, "--output", str(output)) == (
        f"error: {output} cannot be written ({reason}): choose another place by --output FILE"
    )
    assert refused("train", *FLAGS, "--set", f"run.dir={read_only_folder}") == (
        f"error: {read_only_folder} cannot be written ({reason}): "
        "choose another place by --set run.dir=DIR"
    )
    result = call("train", *FLAGS, "--epochs", "1", "--set", f"cache.dir={read_only_folder}")
    warnings = [line for line in result.stderr.splitlines() if line.startswith("warning: feature")]
    assert len(warnings) == 1
    assert re.fullmatch(
        rf"warning: feature store: {read_only_folder}/features/\w+ cannot be used \({reason}\): "
        "going on without it",
        warnings[0],
    )


def test_a_record_that_cannot_be_finished_is_a_warning_after_the_model_is_saved(trained):
    class Clumsy(AskedOften):
        """Puts a folder in the way of the record."""

        def is_given(self):
            newest_run().metrics_path.mkdir(exist_ok=True)
            return False

    console = Console()
    result = train(load_config(None, {**SMALL, "train.epochs": 1}), console, Clumsy())
    assert read_metadata(trained / "models" / "catsdogs.h5").kept_epoch == 1
    assert newest_run().log_path.read_text().splitlines()[-1] == (
        f"warning: {result.run_path}/metrics.json cannot be written (is a directory): choose "
        "another place. The model is saved, the record of its run is not"
    )
