import csv
import os
import tomllib
from pathlib import Path

import pytest

from catsdogs.config import Config, load_config
from catsdogs.errors import DataError
from catsdogs.run import RunDir, RunMetrics, create_run_dir, list_run_dirs


def test_runs_of_the_same_second_get_folders_of_their_own(tmp_path):
    made = [create_run_dir(tmp_path / "runs", "train") for _ in range(3)]
    assert len({run.path for run in made}) == 3
    assert {run.command for run in made} == {"train"}
    assert {run.path for run in list_run_dirs(tmp_path / "runs")} == {run.path for run in made}


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
    epochs = [{"number": 0, "loss": None, "seconds": 0.5}, {"number": 1, "loss": 0.1, "seconds": 1}]
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
    with pytest.raises(DataError, match=r"metrics.json cannot be read \(Field required\)$"):
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


def test_skipped_list_cut_short_still_names_its_photos(tmp_path):
    run = RunDir(tmp_path)
    run.skipped_path.write_text("path,reason\na.jpg,damaged\nb.jpg\n")
    assert run.read_skipped() == [("a.jpg", "damaged"), ("b.jpg", "")]


def test_run_directory_that_cannot_be_made_names_the_way_out(tmp_path):
    blocked = tmp_path / "runs"
    blocked.write_text("a file in its place")
    with pytest.raises(DataError) as caught:
        create_run_dir(blocked, "train")
    assert str(caught.value) == (f"{blocked} cannot be written (file exists): choose another place")
