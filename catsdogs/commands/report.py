"""`catsdogs report`: one page about a run's model."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

from catsdogs.commands.evaluation_steps import (
    gather,
    judge,
    load_photos,
    report_unreadable,
    with_refusal,
)
from catsdogs.commands.run_lookup import (
    FinishedRun,
    find_model,
    find_run,
    is_of_run,
    stands_on,
)
from catsdogs.commands.run_models import find_path
from catsdogs.config import Config, differences
from catsdogs.config_file import load_config
from catsdogs.console import Console
from catsdogs.data.evaluation_set import LabelledPhotos, TrainedOn
from catsdogs.errors import CatsdogsError, DataError
from catsdogs.evaluation.figures import Evaluation, Mistake
from catsdogs.evaluation.intervals import auc_interval, loss_interval
from catsdogs.evaluation.score import Score
from catsdogs.files import PAGE_MARK, check_writable, exists, replacing
from catsdogs.model.answer import Prediction
from catsdogs.model.gradcam import explain_photos
from catsdogs.model.metadata import Metadata, read_metadata
from catsdogs.model.predictor import ModelRequest, Predictor
from catsdogs.reporting.evaluation_output import remark_on_accuracy
from catsdogs.reporting.page_template import format_time
from catsdogs.reporting.report import Picture, Report, ReportedRun, render_report
from catsdogs.reporting.thumbnails import heat_thumbnail, thumbnail
from catsdogs.run_metrics import RunMetrics

_MOST_MISTAKES = 12
_MISTAKE_PIXELS = 280
_MOST_EXAMPLES = 60
"""Photos that are shown of all classes together, but always one of each."""
_EXAMPLE_PIXELS, _TINY_PIXELS = 200, 72
"""Long sides; the second one where there are many classes."""


@dataclass(frozen=True)
class ReportResult:
    """What was written.

    Attributes:
        path: of the page.
        num_bytes: its size.
        model_path: of the model.
        folder: the photos that it was evaluated on; a manifest, where that lists them.
        score: of the model, on the evaluated photos.
        summary: the score in words, with what makes it worth less.
        num_unreadable: photos that could not be evaluated.
    """

    path: Path
    num_bytes: int
    model_path: Path
    folder: Path
    score: Score
    summary: str
    num_unreadable: int


def report(
    run: Path | None,
    output: Path | None,
    data: Path | None,
    model: Path | None,
    console: Console,
) -> ReportResult:
    """Evaluate the model of a run and write the page about it.

    Args:
        run: as `find_run` takes it.
        output: the page; None puts it into the run directory.
        data: what is evaluated, as `load_photos` takes it; None takes the run's own folder.
        model: a model to evaluate in place of the one that the run saved.
        console: where progress is shown.

    Raises:
        CatsdogsError: run, model, photos or output cannot be used.
    """
    run_dir, metrics = find_run(run, console)
    output = output or run_dir.report_path
    check_writable(output, ending=".html", mark=PAGE_MARK)
    if data is None:
        data = find_path(run_dir, metrics.data)
        if not exists(data):
            raise DataError(
                f"no folder {data}, where {run_dir.path} had its photos: name a folder",
                key="data",
            )
    if model is None:
        model, metadata = find_model(run_dir, metrics)
    else:
        metadata = read_metadata(model)
    chain = stands_on(run_dir, metrics, console)
    predictor = Predictor(ModelRequest(model))
    photos = load_photos(data, [predictor], console)
    start = time.perf_counter()
    predictions = list(predictor.predict(photos.paths, console))
    seconds = time.perf_counter() - start
    unreadable = report_unreadable(predictions, photos, console)
    names = predictor.class_names
    evaluation = judge(
        model, names, predictions, photos.labels, predictor.temperature, photos.trained_on
    )
    evaluation = with_refusal(evaluation, predictor, predictions, photos.labels)
    _, labels, probabilities = gather(names, predictions, photos.labels)
    page = render_report(
        Report(
            runs=[_reported(one, console) for one in chain],
            evaluation=evaluation,
            loss_interval=loss_interval(labels, probabilities),
            auc_interval=auc_interval(labels, probabilities),
            evaluated=str(photos.folder),
            remarks=[
                *_remarks_on_model(model, metadata, metrics),
                *_remarks_on_chain(chain),
                *_remarks_on_figures(evaluation, photos),
            ],
            unreadable=[(str(path), reason) for path, reason in unreadable],
            mistakes=_show_mistakes(predictor, evaluation.mistakes[:_MOST_MISTAKES], console),
            examples=_show_examples(predictions, photos.labels, names),
            seconds=seconds,
            facts=_facts(model, metadata, metrics, predictor.trained_on),
        )
    )
    with replacing(output) as part:
        part.write_text(page, encoding="utf-8")
    return ReportResult(
        output,
        len(page.encode()),
        model,
        photos.folder,
        evaluation.score,
        evaluation.summary,
        len(unreadable),
    )


def _reported(finished: FinishedRun, console: Console) -> ReportedRun:
    """What a run left; what of it is damaged is left out with a warning."""
    run, metrics = finished
    epochs: list[dict[str, float | None]] = []
    skipped: list[tuple[str, str]] = []
    try:
        epochs = run.read_history()
    except DataError as error:
        console.warn(f"{error}: the page has no curves of it")
    try:
        skipped = run.read_skipped()
    except DataError as error:
        console.warn(f"{error}: the page does not name the photos that were skipped")
    return ReportedRun(run.path.name, metrics, epochs, _differences(run.config_path), skipped)


def _differences(config_path: Path) -> dict[str, tuple[Any, Any]] | None:
    try:
        config = load_config(config_path)
    except CatsdogsError:
        return None
    default = Config()
    return {
        key: (value, reduce(getattr, key.split("."), default))
        for key, value in differences(config).items()
    }


def _remarks_on_model(path: Path, metadata: Metadata, metrics: RunMetrics) -> list[str]:
    if is_of_run(metadata, metrics):
        return []
    if not metrics.run_id:
        return [f"Whether {path} is the model that this run saved was not recorded at that time."]
    return [
        f"The figures are those of {path}, which is not the model that this run saved: it was "
        f"made by {metadata.stage} on {format_time(metadata.created)}."
    ]


def _remarks_on_chain(chain: Sequence[FinishedRun]) -> list[str]:
    if chain[0][1].command == "train":
        return []
    return [
        f"The run that {chain[0][0].path.name} started from was not found beside it: "
        "its curves and its configuration are missing here."
    ]


def _remarks_on_figures(evaluation: Evaluation, photos: LabelledPhotos) -> list[str]:
    texts = (remark_on_accuracy(evaluation), *photos.warnings, *photos.notes)
    return [_sentence(text) for text in texts if text]


def _sentence(text: str) -> str:
    """With a capital, unless it begins with a name."""
    begin = text[:1].upper() if text.partition(" ")[0].isalpha() else text[:1]
    return f"{begin}{text[1:]}."


def _show_mistakes(
    predictor: Predictor, mistakes: Sequence[Mistake], console: Console
) -> list[Picture]:
    """The mistakes with what spoke for them."""
    if not mistakes:
        return []
    explanations = explain_photos(predictor, [mistake.path for mistake in mistakes])
    return [
        Picture(
            mistake.path,
            mistake.label,
            mistake.class_name,
            mistake.probability,
            thumbnail(mistake.path, _MISTAKE_PIXELS),
            ""
            if explanation.heat is None
            else heat_thumbnail(mistake.path, explanation.heat, _MISTAKE_PIXELS),
        )
        for mistake, explanation in zip(mistakes, explanations, strict=True)
    ]


def _show_examples(
    predictions: Sequence[Prediction], labels: Sequence[str], class_names: Sequence[str]
) -> dict[str, list[Picture]]:
    """Some photos of each class, evenly spread over their folder."""
    count = min(6, max(1, _MOST_EXAMPLES // len(class_names)))
    pixels = _EXAMPLE_PIXELS if len(class_names) <= _MOST_EXAMPLES else _TINY_PIXELS
    examples = {}
    for name in class_names:
        own = [
            prediction
            for prediction, label in zip(predictions, labels, strict=True)
            if label == name and not prediction.error
        ]
        places = sorted({round(i * (len(own) - 1) / max(1, count - 1)) for i in range(count)})
        examples[name] = [
            Picture(
                own[place].path,
                name,
                own[place].most_probable,
                own[place].probabilities[own[place].most_probable],
                thumbnail(own[place].path, pixels),
            )
            for place in places
            if own
        ]
    return examples


def _facts(
    path: Path, metadata: Metadata, metrics: RunMetrics, trained_on: TrainedOn | None
) -> dict[str, str]:
    height, width = metadata.image_size
    stage = "head only" if metadata.stage == "train" else "fine-tuned"
    if trained_on is None or trained_on.chose_epoch:
        stage += f", epoch {metadata.kept_epoch} kept"
    return {
        "model": str(path),
        "made": f"{stage}, {format_time(metadata.created)}",
        "network": f"{metadata.backbone}, photos at {height} x {width} pixels, "
        f"{metadata.architecture.pooling} pooling",
        "pretrained weights": metadata.weights.source,
        "their SHA-256": metadata.weights.sha256 or "unknown",
        "fingerprint of the data": metadata.data_fingerprint,
        "trained on": f"{metrics.device}, in {metrics.precision}",
        "versions": ", ".join(f"{name} {number}" for name, number in metadata.versions.items()),
    }
