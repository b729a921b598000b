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
from catsdogs.commands.backbone_choice import with_quickest_backbone
from catsdogs.config import Config
from catsdogs.console import Console
from catsdogs.data.batches import num_decode_threads
from catsdogs.data.dataset import Dataset, load_dataset
from catsdogs.data.layout import TRAIN
from catsdogs.data.manifest import data_root, is_manifest
from catsdogs.data.samples import Sample
from catsdogs.errors import DataError
from catsdogs.evaluation.log_loss import log_probabilities
from catsdogs.files import PAGE_MARK, check_writable, replacing
from catsdogs.reporting.review_page import Review, render_review
from catsdogs.text import counted, is_unicode, some_of
from catsdogs.training.heads.logistic import out_of_fold_logits
from catsdogs.training.photo_features import Photos
from catsdogs.training.stored_features import photo_features

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
    check_writable(page_path, ending=".html", mark=PAGE_MARK)
    config = with_quickest_backbone(config, console)
    dataset = _read_photos(config, console)
    photos = pooled_features(dataset, config, console)
    suspects = rank_suspects(_look(dataset.splits[TRAIN], photos, config, console))
    notes = _notes(dataset, suspects)
    page = Review(
        Path(config.data.dir),
        data_root(Path(config.data.dir)),
        dataset.class_names,
        dataset.count(TRAIN),
        config.model.backbone,
        [suspect for suspect in suspects if is_unicode(str(suspect.path))][:MOST_SHOWN],
        [f"{note[:1].upper()}{note[1:]}." for note in notes],
    )
    with console.task("page"), replacing(page_path) as part:
        part.write_text(render_review(page), encoding="utf-8")
    return ReviewResult(
        Path(config.data.dir),
        dataset.class_names,
        dataset.count(TRAIN),
        config.model.backbone,
        suspects,
        notes,
        dataset.unreadable,
        page_path,
        time.perf_counter() - start,
    )


def _read_photos(config: Config, console: Console) -> Dataset:
    with console.task("reading photos") as task:
        dataset = load_dataset(config.data, config.seed, None, task.advance, as_one=True)
    for note in dataset.notes:
        console.note(note)
    return dataset


def pooled_features(dataset: Dataset, config: Config, console: Console) -> Photos:
    """Features of the photos of `train`, however many cannot be read: those leave the dataset."""
    sections = {
        # what a fine-tuning would need is of no use here, and what cannot be read is named
        "cache": config.cache.model_copy(update={"ahead": False}),
        "data": config.data.model_copy(update={"max_unreadable": 1.0}),
    }
    return photo_features(config.model_copy(update=sections), dataset, console)


def _look(samples: Sequence[Sample], photos: Photos, config: Config, console: Console) -> Seen:
    """Everything that suspicion rests on."""
    paths = [sample.path for sample in samples]
    with console.task("looking at photos", len(paths)) as task:
        threads = num_decode_threads(config.data.decode_threads)
        looks = list(look_at_photos(paths, threads, task.advance))
    contents = [sample.content_hash for sample in samples]
    with console.task("comparing photos"):
        positions, cosines = nearest_neighbours(unit_features(photos.features), _NUM_NEIGHBOURS)
        alike = find_look_alikes(paths, contents, looks, positions, cosines)
    # what belongs together, or is nearly the same, must not vouch for itself
    first = {unit: position for position, unit in reversed(list(enumerate(photos.units)))}
    together = [(first[unit], position) for position, unit in enumerate(photos.units)]
    together += [(pair.one, pair.other) for pair in alike]
    labels, num_classes = photos.labels, len(photos.class_names)
    with console.task("asking heads"):
        groups = tied_together(len(paths), together)
        logits = out_of_fold_logits(photos.features, labels, num_classes, groups)
    answers = log_probabilities(logits)
    counts = np.bincount(labels, minlength=num_classes)
    issues = [
        issue
        for issue in find_label_issues(answers, labels)
        if counts[labels[issue.position]] >= _LEAST_A_CLASS
    ]
    return Seen(paths, contents, labels, photos.class_names, answers, issues, alike, cosines, looks)


def _notes(dataset: Dataset, suspects: Sequence[Suspect]) -> list[str]:
    notes = []
    counts = dataset.class_counts(TRAIN)
    small = [name for name, count in counts.items() if count < _LEAST_A_CLASS]
    if small:
        notes.append(
            f"classes of fewer than {_LEAST_A_CLASS} photos, whose labels cannot be judged: "
            f"{some_of(small)}"
        )
    num_hidden = sum(not is_unicode(str(suspect.path)) for suspect in suspects)
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
    if is_manifest(root):
        raise DataError(
            f"{root} says what its photos are, and no folder does: change its labels, or review a "
            "folder with one folder per class"
        )
    decisions = read_decisions(decisions_path, root)
    if folder is None:
        home = Path(os.path.abspath(root))  # noqa: PTH100 - links stay
        folder = home.with_name(f"{home.name}-reviewed")
    moved, unmoved = quarantine(decisions.requests, root, folder)
    return ApplyResult(decisions.counts, moved, unmoved, folder)
