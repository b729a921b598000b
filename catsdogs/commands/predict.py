"""`catsdogs predict`: name what is in new photos."""

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from catsdogs.console import Console
from catsdogs.data.photo_paths import Shard, read_path_list, walk_photos
from catsdogs.data.walking import Tally
from catsdogs.errors import ConfigError
from catsdogs.model.answer import Prediction
from catsdogs.model.predictor import ModelRequest, Predictor


@dataclass(frozen=True)
class Selection:
    """Which of the photos that were asked for are answered; all of them by default.

    Attributes:
        listed: what the argument `-` reads; None where there is none.
        shard: the part that is answered; None: all.
        is_answered: tells of a path, once for each time that it comes up, whether an earlier
            run has answered it.
    """

    listed: BinaryIO | None = None
    shard: Shard | None = None
    is_answered: Callable[[str], bool] = lambda _: False

    def select(self, arguments: Sequence[str], left_out: Tally) -> tuple[Iterable[str], int | None]:
        """Paths to answer, and how many were asked for.

        Paths from files, folders and globs are a list; from standard input they come one by
        one, and nobody knows how many. `left_out` counts what else lies in the folders.

        Raises:
            ConfigError: `-` is not the only argument.
            DataError: a path is missing, a glob matches nothing, a folder holds no photos.
        """
        if "-" not in arguments:
            count = itertools.count()
            asked = (path for path, _ in zip(walk_photos(arguments, left_out), count, strict=False))
            return list(self._selected(asked)), next(count)
        if len(arguments) > 1 or self.listed is None:
            raise ConfigError("- takes the list of photos from standard input: give it alone")
        return self._selected(read_path_list(self.listed)), None

    def _selected(self, paths: Iterable[str]) -> Iterator[str]:
        for path in paths:
            if (self.shard is None or self.shard.holds(path)) and not self.is_answered(path):
                yield path


ALL = Selection()


@dataclass(frozen=True)
class PredictResult:
    """What will be answered.

    Attributes:
        class_names: in the order of the model's output.
        num_photos: how many answers there will be; None where photos come from a list.
        photos: their paths; empty where they come from a list.
        predictions: one for each photo, in the order asked for, computed as they are taken.
        left_out: what else lies in the folders, counted by kind; empty: nothing.
        warning: a line about the engine for those who lose time by it; empty: none.
        refused_as: what a photo is called that is none of the classes; empty: each is one of them.
    """

    class_names: tuple[str, ...]
    num_photos: int | None
    photos: Sequence[str]
    predictions: Iterator[Prediction]
    left_out: str = ""
    warning: str = ""
    refused_as: str = ""


def predict(
    arguments: Sequence[str],
    model: ModelRequest,
    console: Console | None,
    selection: Selection = ALL,
) -> PredictResult:
    """Answer for files, folders, globs and lists.

    Args:
        arguments: as `find_photos` takes them, or `-` alone.
        model: which one.
        console: where progress is shown; None shows none.
        selection: which of the photos.

    Raises:
        CatsdogsError: the model or a path cannot be used. A photo that cannot be read is an
            answer with a reason instead.
    """
    left_out = Tally()
    selected, num_asked = selection.select(arguments, left_out)
    num_photos = len(selected) if isinstance(selected, list) else None
    predictor = Predictor(model, num_asked, can_explain=False)
    asked: deque[str] = deque()

    def photos() -> Iterator[Path]:
        for path in selected:
            asked.append(path)
            yield Path(path)

    answers = predictor.predict(photos(), console, num_photos)
    predictions = (replace(answer, asked=asked.popleft()) for answer in answers)
    return PredictResult(
        predictor.class_names,
        num_photos,
        selected if isinstance(selected, list) else (),
        predictions,
        str(left_out),
        predictor.choice.warning,
        predictor.neither if predictor.unknown else "",
    )
