"""`catsdogs review`: which photos a person should look at, and what becomes of them."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from catsdogs.checking.appearance import look_at_photos
from catsdogs.checking.copies import tied_together
from catsdogs.checking.decisions import read_decisions
from catsdogs.checking.label_issues import find_label_issues
from catsdogs.checking.look_alikes import find_look_alikes
from catsdogs.checking.neighbours import nearest_neighbours, unit_features
from catsdogs.checking.quarantine import Move, quarantine
from catsdogs.checking.suspects import Seen, Suspect, rank_suspects
from catsdogs.config import AUTO_BACKBONE, Config, ModelConfig
from catsdogs.console import Console
from catsdogs.data.batches import num_decode_threads
from catsdogs.data.dataset import TRAIN, Dataset, Sample, load_dataset
from catsdogs.data.skipping import drop_unreadable
from catsdogs.files import check_writable, replacing
from catsdogs.network.backbones import get_backbone
from catsdogs.reporting.review_page import Review, render_review
from catsdogs.text import counted
from catsdogs.training.gathering import gather_features
from catsdogs.training.heads.logistic import log_probabilities, out_of_fold_logits
from catsdogs.training.pooled_trunk import pooled_trunk, quickest_backbone

MOST_SHOWN = 500
"""Suspects on the page: so many photos make it some ten megabytes."""

_NUM_NEIGHBOURS = 10

_LEAST_A_CLASS = 5
"""Photos of a class below which heads that see four fifths of them say little of it."""


@dataclass(frozen=True)
class ReviewResult:
    """What was found in a folder.

    Attributes:
        folder: the folder.
        class_names: of its photos.
        num_photos: that were looked at.
        backbone: whose features were used.
        suspects: photos that a person should look at, the most suspect first.
        notes: what was left out, a sentence each.
        unreadable: photos that could not be read, with the reason.
        page_path: of the page.
        seconds: wall time.
    """

    folder: Path
    class_names: tuple[str, ...]
    num_photos: int
    backbone: str
    suspects: list[Suspect]
    notes: list[str]
    unreadable: list[tuple[Path, str]]
    page_path: Path
    seconds: float


@dataclass(frozen=True)
class ApplyResult:
    """What became of decisions.

    Attributes:
        counts: how many photos were decided which way.
        moved: files that were moved.
        unmoved: files that could not be, with the reason.
        folder: where the manifest is that brings them back, and what was left out.
    """

    counts: dict[str, int]
    moved: list[Move]
    unmoved: list[tuple[Path, str]]
    folder: Path


def review(config: Config, page_path: Path, console: Console) -> ReviewResult:
    """Rank the photos of a folder by how much they should be looked at, and write the page.

    Photos of `train` and `validation` are looked at together; nothing is moved.

    Args:
        config: photos, cache, engine. Where it names no backbone, the quickest is taken whose
            weights are on this machine.
        page_path: the page to write.
        console: where progress is shown.

    Raises:
        CatsdogsError: photos, weights, configuration or output cannot be used.
    """
    start = time.perf_counter()
    check_writable(page_path)
    config = with_quickest_backbone(config, console)
    dataset = _read_photos(config, console)
    trunk = pooled_trunk(config, console.warn)
    gathered = gather_features(trunk, dataset.splits[TRAIN], config, console)
    drop_unreadable(dataset, gathered.unreadable, 1.0)
    seen = _look(gathered.samples, gathered.features, dataset, config, console)
    suspects = rank_suspects(seen)
    notes = _notes(dataset, suspects)
    page = Review(
        Path(config.data.dir),
        dataset.class_names,
        len(gathered.samples),
        config.model.backbone,
        [suspect for suspect in suspects if _is_unicode(suspect.path)][:MOST_SHOWN],
        [f"{note}." for note in notes],
    )
    with console.task("page"), replacing(page_path) as part:
        part.write_text(render_review(page), encoding="utf-8")
    return ReviewResult(
        Path(config.data.dir),
        dataset.class_names,
        len(gathered.samples),
        config.model.backbone,
        suspects,
        notes,
        dataset.unreadable,
        page_path,
        time.perf_counter() - start,
    )


def with_quickest_backbone(config: Config, console: Console) -> Config:
    """The same on the quickest backbone that needs no download, unless one is named."""
    model = config.model
    if "backbone" in model.model_fields_set and model.backbone != AUTO_BACKBONE:
        backbone = get_backbone(model.backbone)
        if model.weights == "auto" and backbone.find_weights() is None:
            console.note(f"{backbone.name}: {backbone.describe_source()}")
        return config
    given = model.model_dump(include=model.model_fields_set)
    chosen = ModelConfig.model_validate({**given, "backbone": quickest_backbone(model.weights)})
    return config.model_copy(update={"model": chosen})


def _read_photos(config: Config, console: Console) -> Dataset:
    with console.task("reading photos") as task:
        dataset = load_dataset(config.data, config.seed, None, task.advance)
    for note in dataset.notes:
        console.note(note)
    dataset.in_one()
    console.note(
        f"{counted(dataset.count(TRAIN), 'photo')} of {len(dataset.class_names)} classes, features "
        f"of {config.model.backbone}"
    )
    return dataset


def _look(
    samples: Sequence[Sample],
    features: np.ndarray,
    dataset: Dataset,
    config: Config,
    console: Console,
) -> Seen:
    """Everything that suspicion rests on."""
    paths = [sample.path for sample in samples]
    with console.task("looking at photos", len(paths)) as task:
        threads = num_decode_threads(config.data.decode_threads)
        looks = list(look_at_photos(paths, threads, task.advance))
    labels = np.array([sample.label for sample in samples], int)
    with console.task("comparing photos"):
        units = unit_features(features)
        positions, cosines = nearest_neighbours(units, _NUM_NEIGHBOURS)
        contents = [sample.content_hash for sample in samples]
        alike = find_look_alikes(paths, contents, looks, positions, cosines)
    # what is nearly the same must not vouch for itself
    groups = tied_together(len(paths), [(pair.one, pair.other) for pair in alike])
    with console.task("asking heads"):
        num_classes = len(dataset.class_names)
        logits = out_of_fold_logits(features, labels, num_classes, groups)
    answers = log_probabilities(logits)
    counts = np.bincount(labels, minlength=num_classes)
    issues = [
        issue
        for issue in find_label_issues(answers, labels)
        if counts[labels[issue.position]] >= _LEAST_A_CLASS
    ]
    return Seen(
        paths, contents, labels, dataset.class_names, answers, issues, alike, cosines, looks
    )


def _notes(dataset: Dataset, suspects: Sequence[Suspect]) -> list[str]:
    notes = []
    counts = dataset.class_counts(TRAIN)
    small = [name for name, count in counts.items() if count < _LEAST_A_CLASS]
    if small:
        notes.append(
            f"classes of fewer than {_LEAST_A_CLASS} photos, whose labels cannot be judged: "
            f"{', '.join(small)}"
        )
    num_hidden = sum(not _is_unicode(suspect.path) for suspect in suspects)
    if num_hidden:
        notes.append(
            f"{counted(num_hidden, 'photo')} not on the page, whose names are not in UTF-8: rename "
            "them"
        )
    num_left = len(suspects) - num_hidden - MOST_SHOWN
    if num_left > 0:
        notes.append(
            f"the page shows the first {MOST_SHOWN}, {num_left:,} more are in the list: review "
            "again after these"
        )
    return notes


def _is_unicode(path: Path) -> bool:
    """Whether a name came out of its bytes as text, which is all that a page can hold."""
    return str(path).encode("utf-8", "ignore").decode() == str(path)


def apply(decisions_path: Path, root: Path, folder: Path | None) -> ApplyResult:
    """Move photos as a person decided, with a manifest that brings them back.

    Args:
        decisions_path: the CSV that the page saves.
        root: the data folder.
        folder: where photos go that are left out, and the manifest; None: beside the data
            folder, under its name and `-reviewed`.

    Raises:
        DataError: something in the file is not as it should be, and nothing has moved.
    """
    decisions = read_decisions(decisions_path, root)
    if folder is None:
        home = Path(os.path.abspath(root))  # noqa: PTH100 - links stay
        folder = home.with_name(f"{home.name}-reviewed")
    moved, unmoved = quarantine(decisions.requests, root, folder)
    return ApplyResult(decisions.counts, moved, unmoved, folder)
