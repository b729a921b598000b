"""`catsdogs predict`."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from catsdogs.cli.completion import complete_files
from catsdogs.cli.options import (
    PATH,
    NumberType,
    class_names_option,
    engine_option,
    format_option,
    model_option,
    precision_option,
    unknown_option,
)
from catsdogs.cli.streams import answer, loss_of_answer, say
from catsdogs.errors import CatsdogsError, ConfigError
from catsdogs.files import exists
from catsdogs.text import printable

if TYPE_CHECKING:
    from catsdogs.model.answer import Prediction


@click.command()
@click.argument("paths", metavar="PATH...", nargs=-1, shell_complete=complete_files)
@model_option
@class_names_option
@click.option(
    "--top",
    metavar="K",
    default=1,
    show_default=True,
    type=NumberType(1),
    help="How many classes to name for each photo, the most probable first; text only.",
)
@format_option(
    "How the answers are written; all but text give the probability of every class.",
    ("text", "json", "jsonl", "csv"),
)
@unknown_option
@engine_option
@precision_option
@click.option(
    "--shard", metavar="I/N", help="Answer for the I-th of N parts of the photos alone, e.g. 1/4."
)
@click.option(
    "--output",
    metavar="FILE",
    type=PATH,
    help="The file to write the answers to.  [default: standard output]",
)
@click.option(
    "--resume",
    is_flag=True,
    help="Go on with the --output FILE: leave out the photos that it answers.",
)
@click.option(
    "--sort-into",
    metavar="DIR",
    type=PATH,
    help="A folder in which the photos are linked, in a folder for each class.",
)
@click.option("--copy", "copies", is_flag=True, help="Copy them there in place of links.")
@click.option(
    "--restore",
    "restore_dir",
    metavar="DIR",
    type=PATH,
    help="Take away what --sort-into made in DIR, and predict nothing.",
)
def predict(
    paths: tuple[str, ...],
    model: Path,
    class_names: list[str] | None,
    top: int,
    format_name: str,
    unknown: float | None,
    engine: str,
    precision: str,
    sort_into: Path | None,
    copies: bool,
    restore_dir: Path | None,
    **destination: Any,
) -> None:
    """Name what is in photos.

    PATH is a photo, a folder, a pattern, a CSV with a column path, or - for a list of photos
    on standard input.

    \b
    catsdogs predict image.jpg
    catsdogs predict photos --format csv --output answers.csv
    """
    if restore_dir is not None:
        _undo_sorting(restore_dir, paths, sort_into)
        return
    if not paths:
        raise click.UsageError("Missing argument 'PATH...'.")
    if copies and sort_into is None:
        raise ConfigError("--copy says how photos are sorted: give --sort-into DIR")
    from catsdogs.commands.predict import Selection, predict
    from catsdogs.console import Console
    from catsdogs.data.skipping import NotReadHere
    from catsdogs.model.predictor import ModelRequest
    from catsdogs.reporting.predictions import write_predictions
    from catsdogs.reporting.result_lines import sorted_lines
    from catsdogs.reporting.sorted_photos import SortedPhotos
    from catsdogs.reporting.sorting_place import SortingPlace

    output = _Output(format_name, top, **destination)
    # on a terminal the answers themselves show the progress, and a bar would break their lines
    console = Console() if output.path or not sys.stdout.isatty() else None
    selection = Selection(sys.stdin.buffer, output.shard, output.earlier.take)
    request = ModelRequest(model, precision, class_names, engine, unknown)
    result = predict(paths, request, console, selection)
    if result.left_out:
        say(f"left out: {printable(result.left_out)}")
    if result.warning:
        say(f"warning: {result.warning}")
    sorted_photos = None
    if sort_into is not None:
        goes_on = output.shard is not None or bool(output.earlier.num_bytes)
        place = SortingPlace(sort_into, result.class_names)
        place.check_asked(paths)
        place.check_photos(result.photos)
        sorted_photos = SortedPhotos(sort_into, result.class_names, copies, goes_on)
    num_answers = 0
    not_read_here = NotReadHere()

    def counted() -> "Iterator[Prediction]":
        nonlocal num_answers
        for prediction in result.predictions:
            num_answers += 1
            not_read_here.add(prediction.name, prediction.error)
            yield prediction
            if sorted_photos:
                place.check_photos([str(prediction.path)])  # of a list that is being read
                sorted_photos.place(prediction)
            if output.path is None and loss_of_answer():  # nobody will see the others
                return

    may_refuse = bool(result.refused_as)
    with output.opened(result.class_names, result.refused_as) as write:
        num_failed = write_predictions(
            counted(),
            result.class_names,
            format_name,
            top,
            write,
            output.has_header,
            may_refuse,
        )
    if sorted_photos and sort_into is not None:
        for line in sorted_lines(sorted_photos, sort_into):
            say(line)
    for line in not_read_here.lines():
        say(printable(line))
    if num_failed:
        say(f"{num_failed:,} of {num_answers:,} photos could not be read")
        sys.exit(CatsdogsError.exit_code)


def _undo_sorting(folder: Path, paths: tuple[str, ...], sort_into: Path | None) -> None:
    from catsdogs.reporting.result_lines import left_lines, unsorted_line
    from catsdogs.reporting.sorted_photos import undo_sorting

    if paths or sort_into:
        raise ConfigError("--restore undoes a sorting and predicts nothing: give it alone")
    num_gone, left = undo_sorting(folder)
    for line in left_lines(left):
        say(line)
    answer(unsorted_line(num_gone, folder))
    if left:
        sys.exit(CatsdogsError.exit_code)


class _Output:
    """Where the answers go, and what is there already.

    Raises:
        ConfigError: flags that contradict each other, or a file that is no earlier output.
    """

    def __init__(
        self, format_name: str, top: int, shard: str | None, output: Path | None, resume: bool
    ) -> None:
        from catsdogs.data.photo_paths import parse_shard
        from catsdogs.reporting.prediction_file import EarlierAnswers, read_answers

        if format_name == "json" and (shard or resume):
            raise ConfigError(
                f"a JSON array cannot be {'continued' if resume else 'put together from parts'}: "
                "give --format jsonl"
            )
        if resume and output is None:
            raise ConfigError("--resume goes on with a file: give --output FILE")
        if output is not None and exists(output) and not resume:
            raise ConfigError(
                f"{output} exists: give --resume to go on with it, or another --output"
            )
        self.path = output
        self._format_name = format_name
        self.shard = parse_shard(shard) if shard else None
        self.earlier = (
            read_answers(output, format_name, top) if output and resume else EarlierAnswers()
        )

    @property
    def has_header(self) -> bool:
        """Whether a CSV begins here: parts that follow one another have one header."""
        return not self.earlier.num_bytes and (self.shard is None or self.shard.number == 1)

    def _show(self, class_names: tuple[str, ...], refused_as: str) -> Callable[[str], None]:
        """A function that shows a line on a terminal."""
        from catsdogs.reporting.predictions import STRANGENESS, error_mark
        from catsdogs.reporting.table import path_last

        if self._format_name == "text":
            names = (*class_names, refused_as, error_mark(class_names))
            kind = STRANGENESS if refused_as else ""
            return lambda line: click.echo(path_last(line, names, kind))
        return lambda line: click.echo(printable(line))  # a CSV keeps every name as it is

    @contextmanager
    def opened(
        self, class_names: tuple[str, ...], refused_as: str
    ) -> Iterator[Callable[[str], None]]:
        """Give a function that writes a line."""
        from catsdogs.reporting.prediction_file import going_on
        from catsdogs.reporting.predictions import csv_header

        if self.path is None:
            yield self._show(class_names, refused_as) if sys.stdout.isatty() else click.echo
            return
        header, own = self.earlier.header, csv_header(class_names, bool(refused_as))
        if header and header != own:
            raise ConfigError(
                f"{self.path} begins with {header!r}, this model would give {own!r}: "
                "give another --output"
            )
        with going_on(self.path, self.earlier) as write:
            yield write
