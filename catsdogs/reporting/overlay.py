"""Heat over a photo, as a picture."""

from pathlib import Path

import matplotlib
import numpy as np
from PIL import ExifTags, Image, ImageDraw, ImageFont

from catsdogs.files import PICTURE_MARK
from catsdogs.text import printable

LONG_SIDE = 512
"""Pixels; smaller photos are enlarged, so that something can be seen."""
_MARGIN, _TITLE_SIZE = 12, 20  # pixels
_FONT = Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")
_MOST_OPAQUE = 0.75


def shown_size(photo: Image.Image, long_side: int = LONG_SIDE) -> tuple[int, int]:
    """Width and height of a photo whose long side is brought to a length."""
    scale = long_side / max(photo.size)
    return max(1, round(photo.width * scale)), max(1, round(photo.height * scale))


def overlay(photo: Image.Image, heat: np.ndarray) -> Image.Image:
    """Lay heat over a photo: grey where there is none, coloured and less transparent with more.

    Args:
        photo: RGB, upright.
        heat: float32 `(rows, columns)` over the whole photo, 0 to 1.

    Returns:
        RGB, of the photo's size.
    """
    smooth = np.asarray(
        Image.fromarray(heat.astype(np.float32)).resize(photo.size, Image.Resampling.BICUBIC)
    ).clip(0, 1)
    # even steps of heat look like even steps, in print and to colour-blind eyes as well
    colours = matplotlib.colormaps["inferno"](smooth)[..., :3] * 255  # (height, width, 3)
    grey = np.asarray(photo.convert("L"), np.float32)[..., None]
    opacity = _MOST_OPAQUE * np.sqrt(smooth)[..., None]
    return Image.fromarray((grey * (1 - opacity) + colours * opacity).astype(np.uint8))


def draw_explanation(
    photo: Image.Image, heat: np.ndarray, title: str, long_side: int = LONG_SIDE
) -> Image.Image:
    """Draw a photo and its heat side by side, with a line of text above them.

    Args:
        photo: RGB, upright, of any size.
        heat: float32 `(rows, columns)` over the whole photo, 0 to 1.
        title: one line; shortened where it is too long.
        long_side: of the photo in the picture, in pixels.
    """
    shown = photo.resize(shown_size(photo, long_side), Image.Resampling.LANCZOS)
    top = _TITLE_SIZE + 2 * _MARGIN
    width = 2 * max(shown.width, long_side // 2) + 3 * _MARGIN
    picture = Image.new("RGB", (width, shown.height + top + _MARGIN), "white")
    draw = ImageDraw.Draw(picture)
    font = ImageFont.truetype(_FONT, _TITLE_SIZE)
    draw.text((_MARGIN, _MARGIN), _fitting(title, font, width - 2 * _MARGIN), "black", font)
    picture.paste(shown, (_MARGIN, top))
    picture.paste(overlay(shown, heat), (width - _MARGIN - shown.width, top))
    return picture


def save_marked(picture: Image.Image, path: Path) -> None:
    """Write a picture that names its software, where its format can, so that it is known again.

    Raises:
        OSError: it cannot be written, or not in the format of that ending.
    """
    exif = Image.Exif()
    exif[ExifTags.Base.Software] = PICTURE_MARK
    try:
        picture.save(path, exif=exif)
    except ValueError as error:  # some formats have no colours
        raise OSError(None, str(error)) from None


def _fitting(text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    """The text, cut off with an ellipsis where it is wider than some pixels."""
    text = printable(text)
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"{text}…") > width:
        text = text[:-1]
    return f"{text}…"
