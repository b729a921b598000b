import datetime
import json
import os

import h5py
import pytest

from catsdogs.commands.runs import runs
from catsdogs.config import Config, ModelConfig
from catsdogs.config_file import load_config
from catsdogs.errors import DataError
from catsdogs.reporting.run_table import format_json, format_table
from catsdogs.run import RunDir
from catsdogs.run_metrics import RunMetrics
from tests.conftest import describe

EPOCH = {
    "number": 3,
    "learning_rate": 0.1,
    "loss": 0.5,
    "accuracy": 0.5,
    "validation_loss": 0.5,
    "validation_accuracy": 0.5,
    "seconds": 1.0,
}


@pytest.fixture
def make_run(run_facts):
    """A function that makes a run directory, finished where metrics are given."""

    def make(parent, name, **metrics):
        run = RunDir(parent / name)
        run.path.mkdir(parents=True)
        run.write_config(load_config(None, {"train.epochs": 5}))
        if metrics:
            run.write_metrics(RunMetrics.model_validate(run_facts | metrics))
        return run

    return make


@pytest.fixture
def parent(tmp_path, make_run):
    """Two finished runs, the better one in the middle, an unfinished and a damaged one."""
    parent = tmp_path / "runs"
    make_run(
        parent,
        "20260101-101530-train",
        accuracy=0.95,
        interval_low=0.835,
        interval_high=0.9862,
        num_photos={"train": 100, "validation": 40},
        seconds=8.25,
    )
    make_run(
        parent,
        "20260102-101530-finetune",
        command="finetune",
        accuracy=0.9875,
        interval_low=0.9772,
        interval_high=0.9932,
        num_photos={"train": 2000, "validation": 800},
        seconds=190,
    )
    make_run(parent, "20260103-101530-train").write_history([EPOCH])
    make_run(parent, "20260104-101530-train")
    make_run(parent, "20260105-101530-train").metrics_path.write_text("{")
    return parent


def test_table_is_aligned_and_fits_80_columns(parent):
    lines = format_table(runs(parent, best=False))
    assert lines == [
        "run                      photos  accuracy, 95%          time  model",
        "20260101-101530-train       100  0.950 0.835-0.986     8.2 s  gone",
        "20260102-101530-finetune  2,000  0.988 0.977-0.993  3:10 min  gone",
        "20260103-101530-train            unfinished, epoch 3 of 5",
        "20260104-101530-train            unfinished, no epoch ended",
        "20260105-101530-train            metrics.json cannot be read",
    ]
    assert max(map(len, lines)) <= 80


TIMES = "2026-01-0{day}T00:00:00+00:00", "2026-01-0{day}T00:01:00+00:00"


@pytest.fixture
def make_writer(tmp_path, make_run):
    """A function that makes a finished run of a day in January, as one that wrote m.h5."""

    def make(day, run_id, **metrics):
        name = f"2026010{day}-000000-{metrics.get('command', 'train')}"
        started, finished = (text.format(day=day) for text in TIMES)
        times = {"started": started, "finished": finished}
        make_run(tmp_path / "runs", name, model="m.h5", run_id=run_id, **times, **metrics)

    return make


def write_on_day(path, day, content=b"no model, which nobody has to open"):
    path.write_bytes(content)
    moment = datetime.datetime(2026, 1, day, 0, 0, 30, tzinfo=datetime.UTC).timestamp()
    os.utime(path, (moment, moment))


def models_of(folder):
    return [line.split()[-1] for line in format_table(runs(folder / "runs", best=False))[1:]]


def test_the_file_is_named_beside_the_run_that_wrote_it_last_alone(tmp_path, make_writer):
    for day in (1, 2, 3):
        make_writer(day, f"run-{day}")
    write_on_day(tmp_path / "m.h5", 2)
    assert models_of(tmp_path) == ["replaced", "m.h5", "replaced"]
    write_on_day(tmp_path / "m.h5", 3)
    assert models_of(tmp_path) == ["replaced", "replaced", "m.h5"]
    (tmp_path / "m.h5").unlink()
    assert models_of(tmp_path) == ["gone"] * 3


def test_a_head_that_was_fine_tuned_is_named_where_it_was_put_aside(tmp_path, make_writer):
    make_writer(1, "head")
    make_writer(2, "tuned", command="finetune", start_run_id="head")
    write_on_day(tmp_path / "m.h5", 2)
    write_on_day(tmp_path / "m.head.h5", 2)
    assert models_of(tmp_path) == ["m.head.h5", "m.h5"]
    records = json.loads(format_json(runs(tmp_path / "runs", best=False)))
    assert [record["model_path"] for record in records] == [
        str(tmp_path / "m.head.h5"),
        str(tmp_path / "m.h5"),
    ]


def test_a_file_of_another_time_is_asked_whose_it_is(tmp_path, make_writer):
    make_writer(1, "run-1")
    make_writer(2, "run-2")
    write_on_day(tmp_path / "m.h5", 5)
    assert models_of(tmp_path) == ["replaced", "replaced"]
    config = Config(model=ModelConfig(image_size=(32, 32)))
    record = describe(config, ("cats", "dogs")).model_copy(update={"run_id": "run-1"})
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.attrs["catsdogs"] = record.model_dump_json()
    assert models_of(tmp_path) == ["m.h5", "replaced"]


def test_a_file_that_two_runs_may_have_written_is_asked_whose_it_is(tmp_path, make_writer):
    make_writer(1, "run-1")
    make_writer(1, "run-2", command="finetune")  # both ran at once
    config = Config(model=ModelConfig(image_size=(32, 32)))
    record = describe(config, ("cats", "dogs")).model_copy(update={"run_id": "run-1"})
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.attrs["catsdogs"] = record.model_dump_json()
    write_on_day(tmp_path / "m.h5", 1, (tmp_path / "m.h5").read_bytes())
    assert sorted(models_of(tmp_path)) == ["m.h5", "replaced"]
    found = {run.command: run.is_replaced for run in runs(tmp_path / "runs", best=False)}
    assert found == {"train": False, "finetune": True}


def test_best_puts_the_highest_accuracy_first_and_what_has_none_last(parent):
    assert [run.path.name[:8] for run in runs(parent, best=True)] == [
        "20260102",
        "20260101",
        "20260103",
        "20260104",
        "20260105",
    ]


def test_json_has_all_metrics_of_finished_runs_and_the_status_of_all(parent):
    records = json.loads(format_json(runs(parent, best=False)))
    assert [record["status"] for record in records] == [
        "finished",
        "finished",
        "unfinished",
        "unfinished",
        "damaged",
    ]
    assert records[1]["accuracy"] == 0.9875
    assert records[1]["run"] == str(parent / "20260102-101530-finetune")
    assert records[2] == {
        "run": str(parent / "20260103-101530-train"),
        "status": "unfinished",
        "command": "train",
        "num_epochs": 3,
        "planned_epochs": 5,
    }


def test_damage_is_said_once_with_its_reason(parent):
    assert [run.damage for run in runs(parent, best=False) if run.damage] == [
        f"{parent / '20260105-101530-train' / 'metrics.json'} is damaged "
        "(Expecting property name enclosed in double quotes: line 1 column 2 (char 1))"
    ]


def test_a_damaged_configuration_or_history_hides_only_the_epochs(tmp_path, make_run):
    run = make_run(tmp_path, "20260101-101530-train")
    run.config_path.write_text("train = 3")
    run.history_path.write_text("number,loss\nthree,\n")
    assert format_table(runs(tmp_path, best=False))[1] == (
        "20260101-101530-train         unfinished, no epoch ended"
    )


def test_names_from_the_disk_cannot_act_on_the_terminal(tmp_path, make_run):
    (tmp_path / "m\x1b[31m\n.h5").touch()
    make_run(tmp_path / "runs", "20260101-101530-train", model="m\x1b[31m\n.h5")
    assert format_table(runs(tmp_path / "runs", best=False))[1].endswith("m\\x1b[31m\\n.h5")


def test_a_missing_folder_names_the_way_out(tmp_path):
    with pytest.raises(DataError) as caught:
        runs(tmp_path / "none", best=False)
    assert str(caught.value) == (
        f"no folder {tmp_path / 'none'}: run `catsdogs train` first, or give another"
    )
