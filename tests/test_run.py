import csv
import json
import os
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from catsdogs.config import Config
from catsdogs.config_file import load_config
from catsdogs.errors import DataError
from catsdogs.evaluation.score import Score
from catsdogs.run import RunDir, check_run_parent, create_run_dir, list_run_dirs
from catsdogs.run_metrics import RunMetrics


def test_runs_of_the_same_second_get_folders_of_their_own(tmp_path):
    made = [create_run_dir(tmp_path / "runs", "train") for _ in range(3)]
    assert len({run.path for run in made}) == 3
    assert {run.command for run in made} == {"train"}
    assert {run.path for run in list_run_dirs(tmp_path / "runs")} == {run.path for run in made}


def finished_run(parent, name, run_facts, started):
    run = RunDir(parent / name)
    run.path.mkdir()
    run.write_metrics(RunMetrics.model_validate(run_facts | {"started": started}))
    return run


def test_the_oldest_run_is_first_by_its_recorded_time_in_whatever_time_zone(tmp_path, run_facts):
    for name, started in (
        ("20261025-025000-train", "2026-10-25T00:50:00+00:00"),
        ("20261025-021000-train", "2026-10-25T01:10:00+00:00"),  # the hour that comes twice
        ("20261024-150000-train", "2026-10-25T03:00:00+08:00"),
        ("20261025-090000-finetune", "2026-10-25T01:00:00"),  # none is UTC
    ):
        finished_run(tmp_path, name, run_facts, started)
    assert [run.path.name for run in list_run_dirs(tmp_path)] == [
        "20261024-150000-train",
        "20261025-025000-train",
        "20261025-090000-finetune",
        "20261025-021000-train",
    ]


def test_the_tenth_run_of_a_second_comes_after_the_ninth(tmp_path):
    made = [create_run_dir(tmp_path, "train").path.name for _ in range(12)]
    found = [run.path.name for run in list_run_dirs(tmp_path)]
    assert found == sorted(made, key=lambda name: (name[:15], RunDir(tmp_path / name).number))
    assert len(found) == 12


def test_runs_of_a_second_stand_in_their_order_whatever_their_command(tmp_path):
    commands = ["train", "finetune", "train", "finetune"]
    made = [create_run_dir(tmp_path, command).path.name for command in commands]
    assert [run.path.name for run in list_run_dirs(tmp_path)] == made


def test_an_unfinished_run_is_as_old_as_its_checkpoint_says(tmp_path, run_facts):
    def unfinished(name, started):
        run = RunDir(tmp_path / name)
        run.path.mkdir()
        record = np.array(json.dumps({"facts": {"started": started, "model": "\N{SNOWMAN}"}}))
        np.savez(run.checkpoint_path, record=record, weights_0=np.zeros(3))

    unfinished("20260101-090000-train", "2026-01-01T14:00:00+00:00")
    unfinished("20260101-180000-train", "2026-01-01T13:00:00+00:00")
    finished_run(tmp_path, "20260101-100000-train", run_facts, "2026-01-01T13:30:00+00:00")
    assert [run.path.name for run in list_run_dirs(tmp_path)] == [
        "20260101-180000-train",
        "20260101-100000-train",
        "20260101-090000-train",
    ]


def test_a_run_whose_records_are_damaged_is_as_old_as_its_name_says(tmp_path, run_facts):
    for name in ("20260102-000000-train", "20260101-000000-train-x", "a-b-train", "0-0-finetune"):
        run = finished_run(tmp_path, name, run_facts, "9999-12-31T23:59:59-23:59")
        run.metrics_path.write_text('{"started": [1]}')
        run.checkpoint_path.write_bytes(b"PK\x03\x04" * 9)
    finished_run(tmp_path, "20260101-000000-train", run_facts, "9999-12-31T23:59:59-23:59")
    assert [run.path.name for run in list_run_dirs(tmp_path)] == [
        "0-0-finetune",
        "a-b-train",
        "20260101-000000-train-x",
        "20260102-000000-train",
        "20260101-000000-train",
    ]


def test_metrics_of_an_older_version_still_open(run_facts):
    metrics = RunMetrics.model_validate(run_facts | {"start_created": "2026-01-01T00:00:00"})
    assert (metrics.run_id, metrics.start_run_id) == ("", "")
    assert metrics.score == Score(loss=0.5, accuracy=0.75, num_photos=4)
    assert metrics.interval_low == metrics.score.interval[0]


def test_other_folders_are_no_runs(tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "20260101-000000-train").write_text("a file")
    (tmp_path / "20260101-000000-finetune").mkdir()
    assert [run.command for run in list_run_dirs(tmp_path)] == ["finetune"]
    assert list_run_dirs(tmp_path / "none") == []


def test_resolved_configuration_is_one_that_config_takes(tmp_path):
    run = create_run_dir(tmp_path, "train")
    config = load_config(None, {"train.epochs": 7, "model.image_size": [64, 32], "cache.dir": "é"})
    run.write_config(config)
    assert load_config(run.config_path) == config
    assert set(tomllib.loads(run.config_path.read_text("utf-8"))) == set(Config.model_fields)


def test_history_comes_back_as_it_was_written(tmp_path):
    run = RunDir(tmp_path)
    rest = {"learning_rate": 0.1, "validation_loss": 0.2, "validation_accuracy": 0.5}
    epochs = [
        {"number": 0, **rest, "loss": None, "accuracy": None, "seconds": 0.5},
        {"number": 1, **rest, "loss": 0.1, "accuracy": 1, "seconds": 1},
    ]
    assert run.read_history() == []
    run.write_history(epochs)
    assert run.read_history() == epochs


def test_metrics_come_back_and_damaged_ones_are_named(tmp_path, run_facts):
    run = RunDir(tmp_path)
    assert run.read_metrics() is None
    metrics = RunMetrics.model_validate(run_facts)
    run.write_metrics(metrics)
    assert run.read_metrics() == metrics
    run.metrics_path.write_text('{"command": "train"}')
    with pytest.raises(DataError, match=r"metrics.json is damaged \(started: Field required\)$"):
        run.read_metrics()


def test_skipped_photos_are_a_table_and_no_file_where_there_are_none(tmp_path):
    run = RunDir(tmp_path)
    run.write_skipped([])
    assert not run.skipped_path.exists()
    run.write_skipped([(tmp_path / "a, b.jpg", "damaged: no end")])
    with run.skipped_path.open(newline="") as file:
        assert list(csv.reader(file)) == [
            ["path", "reason"],
            [str(tmp_path / "a, b.jpg"), "damaged: no end"],
        ]


def test_skipped_photos_of_any_name_are_one_cell_and_no_formula(tmp_path):
    run = RunDir(tmp_path)
    names = ["=1+1.jpg", "a\nb.jpg", os.fsdecode(b"caf\xe9.jpg"), "\u202egpj.exe"]
    run.write_skipped([(Path(name), "-damaged") for name in names])
    with run.skipped_path.open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file))[1:] == [
            ["'=1+1.jpg", "'-damaged"],
            ["a\nb.jpg", "'-damaged"],
            [r"caf\udce9.jpg", "'-damaged"],
            ["\u202egpj.exe", "'-damaged"],
        ]
    expected = ["=1+1.jpg", "a\nb.jpg", r"caf\udce9.jpg", "\u202egpj.exe"]
    assert run.read_skipped() == [(name, "-damaged") for name in expected]


HISTORY = "number,learning_rate,loss,accuracy,validation_loss,validation_accuracy,seconds\n"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "number\n1\n",
        HISTORY + "nan,1,1,1,1,1,1\n",
        HISTORY + "inf,1,1,1,1,1,1\n",
        HISTORY + "-1,1,1,1,1,1,1\n",
        HISTORY + f"{'9' * 30},1,1,1,1,1,1\n",
        HISTORY + f"{'9' * 200_000},1,1,1,1,1,1\n",
        HISTORY + "1,1,1,1,1,1,inf\n",
        HISTORY + "1,1,1,1,1,1,\n",
        HISTORY + "1,1,1\n",
        HISTORY + "1,1,1,1,1,1,1,1\n",
        HISTORY + "1,x,1,1,1,1,1\n",
        HISTORY + '1,"1"1,1,1,1,1,1\n',
        HISTORY + "1,1,1,1,1,1,1\n" * 3 + "\0",
    ],
)
def test_damaged_history_is_one_line(tmp_path, text):
    run = RunDir(tmp_path)
    run.history_path.write_text(text)
    with pytest.raises(DataError) as caught:
        run.read_history()
    assert str(caught.value).startswith(f"{run.history_path} is damaged (")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


def test_figures_that_are_none_are_no_figures(tmp_path):
    run = RunDir(tmp_path)
    run.history_path.write_text(HISTORY + "1,,nan,inf,1e300,-inf,2\n")
    assert list(run.read_history()[0].values()) == [1, None, None, None, None, None, 2]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seconds", "1e999"),
        ("seconds", "1e300"),
        ("seconds", "-1"),
        ("frozen_seconds", "NaN"),
        ("loss", "Infinity"),
        ("accuracy", "NaN"),
        ("num_epochs", "9" * 300),
        ("num_epochs", "9" * 5000),
        ("num_photos", '{"train": -1}'),
        ("class_names", "[" * 100_000),
    ],
)
def test_metrics_that_measure_nothing_are_damaged(tmp_path, run_facts, key, value):
    run = RunDir(tmp_path)
    text = json.dumps({**run_facts, key: "HERE"}).replace('"HERE"', value)
    run.metrics_path.write_text(text)
    with pytest.raises(DataError) as caught:
        run.read_metrics()
    assert str(caught.value).startswith(f"{run.metrics_path} is damaged (")
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("name", ["history_path", "skipped_path", "metrics_path"])
def test_pipes_in_place_of_records_are_not_waited_for(tmp_path, name):
    run = RunDir(tmp_path)
    os.mkfifo(getattr(run, name))
    read = {
        "history_path": run.read_history,
        "skipped_path": run.read_skipped,
        "metrics_path": run.read_metrics,
    }
    with pytest.raises(DataError, match="a pipe, socket or device, not a file"):
        read[name]()


@pytest.mark.parametrize("text", ["reason,path\nfoo\n", "path,reason\na.jpg\n", "path\na\n"])
def test_skipped_list_cut_short_is_one_line(tmp_path, text):
    run = RunDir(tmp_path)
    run.skipped_path.write_text(text)
    with pytest.raises(DataError, match=r"skipped.csv is damaged \("):
        run.read_skipped()


@pytest.mark.parametrize("use", [lambda path: create_run_dir(path, "train"), check_run_parent])
def test_run_directory_that_cannot_be_made_names_the_way_out(tmp_path, use):
    blocked = tmp_path / "runs"
    blocked.write_text("a file in its place")
    with pytest.raises(DataError) as caught:
        use(blocked)
    assert str(caught.value) == (f"{blocked} cannot be written (file exists): choose another place")


def test_a_place_for_runs_is_tried_without_a_trace(tmp_path):
    check_run_parent(tmp_path / "runs")
    assert not (tmp_path / "runs").exists()
    check_run_parent(tmp_path / "my" / "runs")
    check_run_parent(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_place_for_runs_is_not_taken_away_from_one_that_begins(tmp_path):
    parent = tmp_path / "runs"
    for _ in range(20):
        with ThreadPoolExecutor() as pool:
            for _ in pool.map(check_run_parent, [parent] * 8):
                pass
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(DataError, match="file exists"):
        check_run_parent(tmp_path / "link")


@pytest.mark.usefixtures("tiny_backbone")
def test_a_place_for_runs_is_tried_before_photos_are_looked_for(workplace, call):
    Path("runs").write_text("a file in its place")
    Path("data").mkdir()
    line = call("train", "--backbone", "tiny", code=1).stderr
    assert line == (
        "error: runs cannot be written (file exists): choose another place by --set run.dir=DIR\n"
    )
