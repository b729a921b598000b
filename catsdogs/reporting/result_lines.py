"""What short commands did, as lines."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from catsdogs.evaluation.score import Score
from catsdogs.systems import shell_word
from catsdogs.text import counted, printable


class ExplainedPhoto(Protocol):
    """The result of an explanation."""

    @property
    def path(self) -> Path: ...
    @property
    def class_name(self) -> str: ...
    @property
    def probability(self) -> float: ...
    @property
    def output_path(self) -> Path | None: ...
    @property
    def error(self) -> str: ...


class WrittenReport(Protocol):
    """The result of a report."""

    @property
    def path(self) -> Path: ...
    @property
    def model_path(self) -> Path: ...
    @property
    def folder(self) -> Path: ...
    @property
    def score(self) -> Score: ...
    @property
    def summary(self) -> str: ...
    @property
    def num_unreadable(self) -> int: ...
    @property
    def num_bytes(self) -> int: ...


class Sorting(Protocol):
    """What was made of the photos that were sorted."""

    @property
    def num_placed(self) -> int: ...
    @property
    def unplaced(self) -> Sequence[tuple[Path, str]]: ...
    @property
    def notes(self) -> Sequence[str]: ...


class UnpackedSample(Protocol):
    """The result of unpacking the built-in photos."""

    @property
    def folder(self) -> Path: ...
    @property
    def num_photos(self) -> int: ...
    @property
    def num_written(self) -> int: ...


def explanation_line(photo: ExplainedPhoto) -> str:
    """The photo, what was seen in it, how probable that is, and where the picture is."""
    path = printable(str(photo.path))
    if photo.error:
        return f"{path}\terror\t{printable(photo.error)}"
    name, picture = printable(photo.class_name), printable(str(photo.output_path))
    return f"{path}\t{name}\t{photo.probability:.4f}\t{picture}"


def photos_read(num_read: int, num_unreadable: int) -> str:
    """How many photos the figures are of, and how many they leave out."""
    return counted(num_read, "photo") + (
        f", {num_unreadable:,} more could not be read" if num_unreadable else ""
    )


def report_lines(report: WrittenReport) -> Iterator[str]:
    """What was evaluated on which photos, the score, and where the page is."""
    photos = photos_read(report.score.num_photos, report.num_unreadable)
    yield printable(f"{report.model_path} on {report.folder}: {photos}")
    yield report.summary
    size = f"{report.num_bytes / 1e6:.1f} MB"
    yield f"saved {printable(str(report.path))} ({size}): open it in a browser"


def sample_line(sample: UnpackedSample) -> str:
    """Where the built-in photos are, and how many."""
    written = f"{sample.num_written:,} written" if sample.num_written else "all there already"
    folder = printable(str(sample.folder))
    return f"{folder}: {sample.num_photos:,} photos of cats and dogs, {written}"


def next_after_check(num_to_move: int, folder: Path) -> str:
    """What to do about findings.

    Args:
        num_to_move: those whose photos a quarantine takes.
        folder: that was checked, or the CSV.
    """
    place = printable(shell_word(str(folder)))
    review = f"`catsdogs review {place}` shows labels that may be wrong"
    if not num_to_move:
        return f"next: {review}"
    return f"next: --quarantine DIR moves what is useless or under several classes; {review}"


def moved_lines(
    moved: Sequence[object] | None, unmoved: Sequence[tuple[Path, str]], folder: Path | None
) -> Iterator[str]:
    """What went into a quarantine, and how it comes back.

    Args:
        moved: the files that were moved; None where none were to be.
        unmoved: those that could not be moved, with the reason.
        folder: the quarantine.
    """
    yield from unmoved_lines(unmoved)
    if moved is not None:
        place = printable(str(folder))
        word = printable(shell_word(str(folder)))
        undone = f"; `catsdogs check --restore {word}` brings them back" if moved else ""
        yield f"{counted(len(moved), 'file')} moved to {place}{undone}"


def unmoved_lines(unmoved: Sequence[tuple[Path, str]]) -> Iterator[str]:
    """Files that could not be moved, with the reason."""
    for path, reason in unmoved:
        yield f"{printable(str(path))} could not be moved: {printable(reason)}"


def left_lines(left: Sequence[tuple[Path, str]]) -> Iterator[str]:
    """What did not come back from a quarantine, with the reason."""
    for path, reason in left:
        yield f"{printable(str(path))} stays where it is: {printable(reason)}"


def restored_line(restored: Sequence[object], folder: Path) -> str:
    """How many files came back from a quarantine."""
    return f"{counted(len(restored), 'file')} brought back from {printable(str(folder))}"


def sorted_lines(sorting: Sorting, folder: Path) -> Iterator[str]:
    """What became of photos that were sorted into a folder, and how it is undone."""
    place = printable(str(folder))
    for note in sorting.notes:
        yield f"note: {printable(note)}"
    for path, reason in sorting.unplaced:
        yield f"{printable(str(path))} is not in {place}: {printable(reason)}"
    yield (
        f"{counted(sorting.num_placed, 'photo')} sorted into {place}; "
        f"`catsdogs predict --restore {printable(shell_word(str(folder)))}` undoes it"
    )


def unsorted_line(num_gone: int, folder: Path) -> str:
    """How many links and copies were taken away."""
    what = "link or copy" if num_gone == 1 else "links and copies"
    return f"{num_gone:,} {what} taken away from {printable(str(folder))}, the photos are untouched"
