import dataclasses
import itertools
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from catsdogs.cli import main
from catsdogs.commands.run_lookup import find_model, find_run, stands_on
from catsdogs.commands.run_models import find_path
from catsdogs.console import Console
from catsdogs.errors import DataError, ModelFileError
from catsdogs.evaluation.figures import evaluate_predictions
from catsdogs.reporting.page_template import format_time
from catsdogs.reporting.report import (
    Picture,
    Report,
    ReportedRun,
    format_percent,
    render_report,
)
from catsdogs.reporting.thumbnails import thumbnail
from catsdogs.run import RunDir
from catsdogs.run_metrics import RunMetrics
from tests.chromium import NEEDS_BROWSER

pytestmark = pytest.mark.slow

HOSTILE = "<script>alert(1)</script>"
BREAKING = "\"' onerror=alert(1)>\n\x1b[31m\u202e{{ 7 * 7 }}"


class Page(HTMLParser):
    """What an HTML parser finds on a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.texts.append(data)

    def find(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


EPOCH = {
    "number": 1.0,
    "loss": 0.5,
    "accuracy": 0.75,
    "validation_loss": 0.5,
    "validation_accuracy": 0.75,
    "seconds": 2.0,
}


@pytest.fixture
def make_report(run_facts, tmp_path, make_photos):
    """A function that puts a report together for classes of two photos, each of the first given
    the second class."""

    def make(*class_names, **changes):
        paths = make_photos(tmp_path / "photos", 2 * len(class_names))
        labels = np.repeat(np.arange(len(class_names)), 2)
        probabilities = np.full((len(labels), len(class_names)), 0.1 / (len(class_names) - 1))
        probabilities[np.arange(len(labels)), np.maximum(labels, 1)] = 0.9
        photo = thumbnail(paths[0], 16)
        picture = Picture(Path(f"{HOSTILE}{BREAKING}"), *class_names[:2], 0.9, photo, photo)
        return Report(
            **{
                "runs": [
                    ReportedRun(
                        "20260101-000000-train",
                        RunMetrics.model_validate(run_facts | {"class_names": class_names}),
                        [EPOCH, EPOCH | {"number": 2.0}],
                        {"data.dir": (HOSTILE, "data")},
                        [(BREAKING, HOSTILE)],
                    )
                ],
                "evaluation": evaluate_predictions(paths, labels, probabilities, class_names),
                "loss_interval": (0.1, 0.2),
                "auc_interval": None,
                "evaluated": HOSTILE,
                "remarks": [HOSTILE],
                "unreadable": [(BREAKING, HOSTILE)],
                "mistakes": [picture],
                "examples": {name: [picture] for name in class_names},
                "seconds": 2.0,
                "facts": {"model": HOSTILE + BREAKING},
            }
            | changes
        )

    return make


def test_names_are_text_and_nothing_else(make_report):
    text = render_report(make_report(HOSTILE, BREAKING))
    page = Page(text)
    assert page.find("script") == []
    assert [key for _, attributes in page.tags for key in attributes if key.startswith("on")] == []
    photos = [attributes for attributes in page.find("img") if attributes["class"] != "mark"]
    sources = [attributes["src"] for attributes in photos]
    assert len(sources) == 4
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)
    assert HOSTILE in page.texts
    shown = "\"' onerror=alert(1)>\\n\\x1b[31m\\u202e{{ 7 * 7 }}"
    assert any(shown in piece for piece in page.texts)
    assert any(shown in attributes["alt"] for attributes in page.find("img"))
    assert "\x1b" not in text
    assert "\u202e" not in text


@pytest.mark.parametrize(
    ("differences", "sentence"),
    [
        ({}, "1 epoch on 8 photos in 1:00 min. Epoch 1 was kept: validation loss"),
        (
            {"head.kind": ("logistic", "dense")},
            "Solved on 8 photos in 1:00 min. On photos that it had not seen: validation loss",
        ),
        (
            {"head.kind": ("logistic", "dense"), "train.folds": (5, 0)},
            "Solved on 8 photos in 1:00 min. In 5 folds, each answered for by a head that had not "
            "seen it: validation loss",
        ),
    ],
)
def test_the_page_says_what_chose_the_head(make_report, differences, sentence):
    report = make_report("cats", "dogs")
    runs = [dataclasses.replace(report.runs[0], differences=differences)]
    page = Page(render_report(dataclasses.replace(report, runs=runs)))
    assert sentence in " ".join(" ".join(page.texts).split())


def test_the_page_may_load_and_run_nothing(make_report):
    page = Page(render_report(make_report("cats", "dogs")))
    policy = [a for a in page.find("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    assert [a["content"] for a in policy] == [
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    ]
    targets = {a.get("href", a.get("src", "#")) for _, a in page.tags}
    assert {t[:5] for t in targets if not t.startswith("#")} == {"data:"}


def test_the_page_is_sound_for_screen_readers(make_report):
    page = Page(render_report(make_report("cats", "dogs")))
    assert page.find("html") == [{"lang": "en"}]
    for landmark in ("header", "main", "nav", "footer", "h1", "title"):
        assert len(page.find(landmark)) == 1
    headings = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h\d", tag)]
    assert headings[0] == 1
    steps = [after - before for before, after in itertools.pairwise(headings)]
    assert max(steps) == 1
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [a["href"][1:] for a in page.find("a")]
    assert len(links) == 7
    assert set(links) <= set(ids)
    images = page.find("img")
    assert all(image["alt"] for image in images if image["class"] != "mark")  # which only adorns
    assert len(page.find("table")) == len(page.find("caption"))
    assert all(heading.get("scope") in ("col", "row") for heading in page.find("th"))
    charts = page.find("svg")
    assert len(charts) == 3
    assert all(chart["role"] == "img" and chart["aria-label"] for chart in charts)


def test_what_it_says_about_two_classes(make_report):
    texts = " ".join(" ".join(Page(render_report(make_report("cats", "dogs"))).texts).split())
    assert "Telling cats from dogs" in texts
    assert "50.0% of 4 photos named right" in texts
    assert "expect between 15.0% and 85.0% to be named right" in texts
    assert "cats , taken for dogs with 90.0%" in texts
    assert "1 photos were not evaluated" not in texts
    assert "1 photo was not evaluated and is not counted anywhere on this page." in texts
    assert "Epoch 1 was kept: validation loss 0.5000" in texts


def test_many_classes_have_a_map_its_worst_part_and_a_list_in_place_of_a_matrix(make_report):
    names = [f"class {number}" for number in range(20)]
    page = Page(render_report(make_report(*names, examples={})))
    texts = " ".join(" ".join(page.texts).split())
    assert "Confused most often" in page.texts
    assert "Confusion matrix" not in page.texts
    assert "Telling 20 classes apart" in page.texts
    assert "Map of the confusion matrix" in texts
    assert "2 of 2 mistakes are between these classes" in texts
    assert "class 0 taken for class 1: 2" in page.texts  # what a pointer is told
    assert "The other 5 classes" in page.texts
    (map_,) = (svg for svg in page.find("svg") if svg["class"] == "map")
    assert "Confusion matrix of 20 classes" in map_["aria-label"]


def test_many_classes_without_a_mistake_have_no_map(make_report):
    names = [f"class {number}" for number in range(20)]
    evaluation = evaluate_predictions([Path("x")] * 20, np.arange(20), np.eye(20), names)
    page = Page(render_report(make_report(*names, examples={}, evaluation=evaluation)))
    assert [svg for svg in page.find("svg") if svg["class"] == "map"] == []
    assert "No class was taken for another." in page.texts


@pytest.mark.browser
@NEEDS_BROWSER[1]
@pytest.mark.parametrize("number", [2, 37, 200])
def test_on_a_phone_the_figures_of_all_classes_are_as_wide_as_it(
    browser, make_report, tmp_path, number
):
    names = [f"staffordshire_bull_terrier_{label}" for label in range(number)]
    page = tmp_path / "report.html"
    page.write_text(render_report(make_report(*names, examples={})), encoding="utf-8")
    size = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(page.as_uri())
    widths = browser.execute_script(
        "document.querySelectorAll('details').forEach(d => d.open = true);"
        "return [...document.querySelectorAll('.scroll[aria-label^=Figures]')]"
        ".map(e => [e.scrollWidth, e.clientWidth])"
    )
    assert len(widths) == 1 + (number > 15)
    assert [wide for wide, room in widths if wide > room] == []
    row = browser.find_element("css selector", "[aria-label^=Figures] tbody tr").text
    assert "2 photos, F1" in row  # what has no column there


def test_one_epoch_is_told_and_not_drawn(make_report):
    report = make_report("cats", "dogs")
    one = dataclasses.replace(report.runs[0], epochs=[EPOCH])
    page = Page(render_report(dataclasses.replace(report, runs=[one])))
    assert len(page.find("svg")) == 1
    assert "Epoch 1 was kept: validation loss 0.5000" in " ".join(" ".join(page.texts).split())


@pytest.mark.parametrize(
    ("differences", "sentence"),
    [
        ({}, "Report on photos that it has not seen."),
        (
            {"head.kind": ("logistic", "dense"), "train.folds": (5, 0)},
            "By heads that had not seen them, 75.0% of 4 were named right: on other photos like "
            "these, expect between 30.1% and 95.4% .",
        ),
    ],
)
def test_photos_that_were_trained_on_promise_nothing(make_report, differences, sentence):
    report = make_report("cats", "dogs")
    evaluation = dataclasses.replace(report.evaluation, trained_on=True)
    runs = [dataclasses.replace(report.runs[0], differences=differences)]
    page = Page(render_report(dataclasses.replace(report, runs=runs, evaluation=evaluation)))
    text = " ".join(" ".join(page.texts).split())
    assert "of 4 photos named right, which the model was trained on They say nothing" in text
    assert sentence in text
    assert text.count("On other photos like these") == 0
    assert "measured, " in text
    assert "95% interval, " not in text


def test_nothing_wrong_is_said_in_a_sentence(make_report):
    texts = Page(render_report(make_report("cats", "dogs", mistakes=[]))).texts
    assert "None of the 4 photos was named wrong." in texts


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.985, "98.5%"),
        (1, "100.0%"),
        (0.99999, "99.999%"),
        (0, "0.0%"),
        (0.0004, "0.04%"),
        (None, "\N{EN DASH}"),
    ],
)
def test_a_share_reads_as_all_or_nothing_only_where_it_is(share, text):
    assert format_percent(share) == text


def test_a_time_that_is_none_stays_as_it_is():
    assert format_time("some day") == "some day"
    assert re.fullmatch(r"1 January 2026, \d\d:\d\d", format_time("2026-01-01T12:00:00+00:00"))


def test_the_command_writes_the_page_into_one_file_and_says_so(reported):
    lines = (reported / "answer.txt").read_text().splitlines()
    assert lines[0] == "models/catsdogs.h5 on data/validation: 10 photos, 1 more could not be read"
    assert re.fullmatch(r"accuracy 0\.\d{4} \(95% .*, 10 photos\), loss \d\.\d{4}", lines[1])
    assert re.fullmatch(r"saved report.html \(0\.\d MB\): open it in a browser", lines[2])


def test_the_report_of_a_fine_tuning_shows_the_training_that_it_stands_on(reported):
    page = Page((reported / "report.html").read_text("utf-8"))
    texts = " ".join(" ".join(page.texts).split())
    assert "Head. 3 epochs on 12 photos" in texts
    assert "Fine-tuning. 2 epochs on 12 photos" in texts
    assert "model.image_size [32, 32] [224, 224]" in texts
    assert "bad.jpg not a picture, or damaged at its start" in texts
    assert "wrong.png" in texts
    alternatives = {image["alt"] for image in page.find("img")}
    assert "The same photo, warm where the model saw <script>alert(1)" in alternatives
    assert "These photos chose the epoch that was kept" in texts
    assert page.find("script") == []
    assert "<script>alert(1)" in page.texts


def test_a_run_leaves_curves_and_event_files(reported):
    train, finetune = sorted((reported / "runs").iterdir())
    assert (train / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert (finetune / "curves.png").exists()
    assert len(list((train / "tensorboard" / "validation").iterdir())) == 1
    assert not (finetune / "tensorboard").exists()
    metrics = RunDir(train).read_metrics()
    assert metrics.num_class_photos["train"] == {"<script>alert(1)": 6, "dogs & 'wolves'": 6}
    assert RunDir(finetune).read_metrics().start_run_id == metrics.run_id


def test_runs_lists_both(reported, monkeypatch):
    monkeypatch.chdir(reported)
    result = CliRunner().invoke(main, ["runs", "--format", "json"])
    records = json.loads(result.stdout)
    assert [(r["command"], r["status"]) for r in records] == [
        ("train", "finished"),
        ("finetune", "finished"),
    ]
    paths = ["models/catsdogs.head.h5", "models/catsdogs.h5"]
    assert [record["model_path"] for record in records] == paths


def finished(reported, number):
    run = RunDir(sorted((reported / "runs").iterdir())[number])
    return run, run.read_metrics()


def test_a_training_that_was_fine_tuned_is_found_at_its_head(reported, monkeypatch):
    monkeypatch.chdir(reported)
    assert find_model(*finished(reported, 0))[0] == Path("models/catsdogs.head.h5")
    assert find_model(*finished(reported, 1))[0] == Path("models/catsdogs.h5")


def test_paths_of_a_run_are_found_from_anywhere(reported, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run, metrics = finished(reported, 1)
    assert find_path(run, metrics.data) == reported / "data"
    assert find_model(run, metrics)[0] == reported / "models" / "catsdogs.h5"
    assert find_run(run.path, Console())[1] == metrics


def test_a_model_that_was_replaced_is_not_taken_for_the_run_s(reported, monkeypatch):
    monkeypatch.chdir(reported)
    run, metrics = finished(reported, 1)
    created = find_model(run, metrics)[1].created
    with pytest.raises(ModelFileError) as caught:
        find_model(run, metrics.model_copy(update={"run_id": "another"}))
    assert str(caught.value) == (
        f"models/catsdogs.h5 is no longer the model of {run.path}: it was replaced by `finetune` "
        f"at {created}. Report on that run, or name this one's model"
    )
    assert caught.value.key == "model"


def test_a_run_without_an_id_has_to_be_told_its_model(reported, monkeypatch):
    monkeypatch.chdir(reported)
    run, metrics = finished(reported, 1)
    with pytest.raises(ModelFileError) as caught:
        find_model(run, metrics.model_copy(update={"run_id": ""}))
    assert str(caught.value) == (
        f"{run.path} is of a version of catsdogs that did not record which model is its own: "
        "name the model"
    )
    assert caught.value.key == "model"


def test_another_model_is_evaluated_on_request_and_the_page_says_so(
    reported, tmp_path, monkeypatch
):
    monkeypatch.chdir(reported)
    output = tmp_path / "page.html"
    arguments = ["report", "--model", "models/catsdogs.head.h5", "--output", str(output)]
    result = CliRunner().invoke(main, [*arguments, "--data", "data/train"])
    assert result.exit_code == 0, result.output
    texts = Page(output.read_text("utf-8")).texts
    assert any(
        text.startswith(
            "The figures are those of models/catsdogs.head.h5, which is not the model that this "
            "run saved: it was made by train on "
        )
        for text in texts
    )
    assert any("the model was trained on" in text.lower() for text in texts)


def test_a_chain_of_runs_is_followed_to_its_start_and_never_in_a_circle(run_facts, tmp_path):
    def make(name, **facts):
        run = RunDir(tmp_path / name)
        run.path.mkdir()
        metrics = RunMetrics.model_validate(run_facts | facts)
        run.write_metrics(metrics)
        return run, metrics

    make("20260101-000000-train", run_id="a")
    make("20260101-000001-train", run_id="b")
    make("20260101-000100-train")
    run = make("20260101-000200-finetune", command="finetune", run_id="c", start_run_id="a")
    names = [run.path.name for run, _ in stands_on(*run, Console())]
    assert names == ["20260101-000000-train", "20260101-000200-finetune"]
    make("20260101-000300-finetune", command="finetune", run_id="d", start_run_id="e")
    circle = make("20260101-000400-finetune", command="finetune", run_id="e", start_run_id="d")
    assert len(stands_on(*circle, Console())) == 2
    old = make("20260101-000500-finetune", command="finetune")
    assert len(stands_on(*old, Console())) == 1


def test_photos_that_are_gone_can_be_given_by_an_option(reported, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run, metrics = finished(reported, 1)
    moved = RunDir(tmp_path / "elsewhere" / "runs" / run.path.name)
    moved.path.mkdir(parents=True)
    moved.write_metrics(metrics)
    result = CliRunner().invoke(main, ["report", str(moved.path)])
    assert result.exit_code == 1
    assert result.stderr == (
        f"error: no folder data, where {moved.path} had its photos: name a folder by --data DIR\n"
    )


def test_missing_and_unfinished_runs_name_the_way_out(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError) as caught:
        find_run(None, Console())
    assert str(caught.value) == (
        "no finished run in runs: run `catsdogs train` first, or give its folder"
    )
    with pytest.raises(DataError) as caught:
        find_run(Path("none"), Console())
    assert str(caught.value) == "no run none: `catsdogs runs` lists those that there are"
    (tmp_path / "runs" / "20260101-000000-train").mkdir(parents=True)
    with pytest.raises(DataError) as caught:
        find_run(Path("20260101-000000-train"), Console())
    assert str(caught.value) == (
        "runs/20260101-000000-train has no metrics.json: the run did not come to its end"
    )
