"""Small JPEGs that a page carries in itself."""

import base64
import io
from pathlib import Path

import numpy as np
from PIL import Image

from catsdogs.data.images import open_photo
from catsdogs.errors import DataError
from catsdogs.reporting.overlay import overlay

_QUALITY = 80


def thumbnail(path: Path, long_side: int) -> str:
    """A photo as a data URI, its long side shrunk to some pixels; empty where it is gone."""
    photo = _open(path, long_side)
    return _data_uri(photo) if photo else ""


def heat_thumbnail(path: Path, heat: np.ndarray, long_side: int) -> str:
    """A photo with heat laid over it, as `overlay` does; empty where it is gone."""
    photo = _open(path, long_side)
    return _data_uri(overlay(photo, heat)) if photo else ""


def _open(path: Path, long_side: int) -> Image.Image | None:
    try:
        photo = open_photo(path, (long_side, long_side))
    except DataError:  # removed since it was evaluated
        return None
    scale = long_side / max(photo.size)
    size = (max(1, round(photo.width * scale)), max(1, round(photo.height * scale)))
    return photo.resize(size, Image.Resampling.LANCZOS)


def _data_uri(photo: Image.Image) -> str:
    buffer = io.BytesIO()
    photo.save(buffer, "JPEG", quality=_QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
