"""`catsdogs explain`: where in photos the model sees what it names."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from catsdogs.console import Console
from catsdogs.data.images import open_any
from catsdogs.data.photo_paths import find_photos
from catsdogs.errors import ConfigError
from catsdogs.files import PICTURE_MARK, check_writable, identity, is_dir, refuse_other, replacing
from catsdogs.model.gradcam import Explanation, explain_photos
from catsdogs.model.predictor import ModelRequest, Predictor
from catsdogs.reporting.overlay import LONG_SIDE, draw_explanation, save_marked

_SUFFIX = ".explained.png"
_OTHER_PICTURES = (".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".svg", ".pdf")
_MAX_STEM_BYTES = 140
"""Of a picture's name: most file systems take 255, and a file in the making needs more."""
_MANY = Path("explained")


@dataclass(frozen=True)
class Picture:
    """What was made of one photo.

    Attributes:
        path: of the photo, as it was asked for.
        class_name: the class that is explained; empty where the photo could not be read.
        probability: of that class.
        output_path: of the picture; None where the photo could not be read.
        error: why it could not be read; empty otherwise.
    """

    path: Path
    class_name: str
    probability: float
    output_path: Path | None
    error: str = ""


def explain(
    arguments: Sequence[str],
    model: ModelRequest,
    class_name: str | None,
    output: Path | None,
    console: Console | None,
) -> Iterator[Picture]:
    """Draw Grad-CAM beside each photo and save it as PNG, as the pictures are taken.

    Args:
        arguments: as `find_photos` takes them.
        model: which one, a file that `catsdogs train` or `finetune` wrote.
        class_name: the class to explain; None takes each photo's most probable one.
        output: a file that ends in .png, for one photo, or a folder; None takes the current
            folder for one photo, and `explained` for several.
        console: where progress is shown; None shows none.

    Raises:
        CatsdogsError: the model, a path, the class or the output cannot be used. A photo that
            cannot be read is a picture with a reason instead.
    """
    paths = find_photos(arguments)
    output_paths = name_outputs(paths, output)
    check_writable(output_paths[0])
    for path in output_paths:
        refuse_other(path, mark=PICTURE_MARK.encode())
    predictor = Predictor(model, len(paths))
    explanations = explain_photos(predictor, paths, class_name, console)
    return _draw(paths, explanations, output_paths)


def name_outputs(paths: Sequence[Path], output: Path | None) -> list[Path]:
    """Choose a path for each photo's picture, all different, and none of them a photo's.

    Raises:
        ConfigError: one file for several photos, a picture would replace a photo, or is to be
            of a format that is not written.
    """
    if output is not None and output.suffix.lower() in _OTHER_PICTURES and not is_dir(output):
        raise ConfigError(
            f"{output} is no .png, as which pictures are written: choose another name", key="output"
        )
    if output is not None and output.suffix.lower() == ".png" and not is_dir(output):
        if len(paths) > 1:
            raise ConfigError(
                f"{output} is one file for {len(paths):,} photos: choose a folder", key="output"
            )
        chosen = [output]
    else:
        folder = output or (Path() if len(paths) == 1 else _MANY)
        names: set[str] = set()
        chosen = []
        for path in paths:
            stem = _short(path.stem)
            name, number = f"{stem}{_SUFFIX}", 1
            while name.casefold() in names:
                number += 1
                name = f"{stem}-{number}{_SUFFIX}"
            names.add(name.casefold())
            chosen.append(folder / name)
    photos = {identity(path) for path in paths}
    for path in chosen:
        if identity(path) in photos:
            raise ConfigError(
                f"{path} is a photo and would be replaced: choose another place", key="output"
            )
    return chosen


def _short(stem: str) -> str:
    """The start of a name, so long that a file system takes what is put round it."""
    most = _MAX_STEM_BYTES if stem.isascii() else _MAX_STEM_BYTES // 4
    return stem[:most]


def _draw(
    paths: Sequence[Path], explanations: Iterator[Explanation], output_paths: Sequence[Path]
) -> Iterator[Picture]:
    for path, explanation, output_path in zip(paths, explanations, output_paths, strict=True):
        answer, name = explanation.answer, explanation.class_name
        if explanation.heat is None:
            yield Picture(path, "", 0.0, None, answer.error)
            continue
        picture = picture_of(explanation, explanation.heat)
        with replacing(output_path) as part:
            save_marked(picture, part)
        yield Picture(path, name, answer.probabilities[name], output_path)


def picture_of(explanation: Explanation, heat: np.ndarray) -> Image.Image:
    """A photo, and beside it the photo with the heat over it, below the class's name."""
    name = explanation.class_name
    title = f"{name} {explanation.answer.probabilities[name]:.4f}"
    return draw_explanation(open_any(explanation.photo, (LONG_SIDE, LONG_SIDE)), heat, title)
