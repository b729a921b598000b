"""Photos to predict that are none."""

import io
import os
import struct
import sys
import zlib
from pathlib import Path
from unittest.mock import patch

from PIL import Image

from . import Outcome, Situation, in_process

TITLE = "Photos to predict"
INTRODUCTION = (
    "The others are answered all the same; each bad one has a row with its reason, in every "
    "format, and the exit status is 1 at the end."
)


def half_jpeg(folder: Path) -> None:
    buffer = io.BytesIO()
    Image.open(folder / "photo.png").save(buffer, "JPEG")
    (folder / "bad.jpg").write_bytes(buffer.getvalue()[: len(buffer.getvalue()) // 2])


def png_bomb(folder: Path) -> None:
    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    (folder / "bad.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b""))
    )


def broken_tiff(folder: Path) -> None:
    buffer = io.BytesIO()
    Image.open(folder / "photo.png").save(buffer, "TIFF", compression="tiff_lzw")
    content = bytearray(buffer.getvalue())
    content[300:3000:7] = b"\xff" * len(content[300:3000:7])
    (folder / "bad.tif").write_bytes(content)


def heic_photos(folder: Path) -> None:
    for name in ("1.heic", "2.jpg"):
        (folder / name).write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")


def without_pillow_heif(folder: Path, arguments: list[str]) -> Outcome:
    with patch.dict(sys.modules, {"pillow_heif": None}):
        return in_process(folder, arguments)


def many_scans(folder: Path) -> None:
    buffer = io.BytesIO()
    Image.open(folder / "photo.png").resize((64, 64)).save(buffer, "JPEG", progressive=True)
    content = buffer.getvalue()
    tall = content.replace(struct.pack(">HH", 64, 64), struct.pack(">HH", 8000, 8000), 1)
    start = content.rindex(b"\xff\xda")
    (folder / "bad.jpg").write_bytes(tall[:start] + content[start:-2] * 2000)


def large_tile(folder: Path) -> None:
    values = {256: 1, 257: 1, 258: 8, 259: 8, 262: 1, 277: 1, 322: 60_000, 323: 60_000}
    values |= {324: 8, 325: 9}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, v) for tag, v in sorted(values.items()))
    head = b"II*\0" + struct.pack("<IH", 8, len(values))
    (folder / "bad.tif").write_bytes(head + entries + bytes(4))


def folder_with_others(folder: Path) -> None:
    for name in ("1.png", "@eaDir/2.png"):
        path = folder / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((folder / "photo.png").read_bytes())
    for name in ("3.cr2", "4.cr2", "notes.txt", ".DS_Store"):
        (folder / "photos" / name).touch()
    (folder / "photos" / "up").symlink_to("..")


SITUATIONS = [
    Situation(
        "a file that is no picture",
        "catsdogs predict bad.jpg photo.png",
        lambda folder: (folder / "bad.jpg").write_text("no picture"),
        shows="bad.jpg",
    ),
    Situation(
        "… and the count at the end",
        "catsdogs predict bad.jpg photo.png --format csv",
        lambda folder: (folder / "bad.jpg").write_text("no picture"),
    ),
    Situation(
        "a file of zero bytes",
        "catsdogs predict bad.jpg",
        lambda folder: (folder / "bad.jpg").touch(),
        shows="bad.jpg",
    ),
    Situation("half a JPEG", "catsdogs predict bad.jpg", half_jpeg, shows="bad.jpg"),
    Situation(
        "a PNG of 60,000 x 60,000 pixels", "catsdogs predict bad.png", png_bomb, shows="bad.png"
    ),
    Situation(
        "a GIF without a frame",
        "catsdogs predict bad.gif",
        lambda folder: (folder / "bad.gif").write_bytes(b"GIF89a\x28\0\x1e\0\0\0\0;"),
        shows="bad.gif",
    ),
    Situation(
        "a TIFF that libtiff complains about",
        "catsdogs predict bad.tif",
        broken_tiff,
        shows="bad.tif",
    ),
    Situation(
        "a pipe in place of a photo",
        "catsdogs predict bad.jpg",
        lambda folder: os.mkfifo(folder / "bad.jpg"),
        shows="bad.jpg",
    ),
    Situation(
        "a link to itself",
        "catsdogs predict bad.jpg",
        lambda folder: (folder / "bad.jpg").symlink_to("bad.jpg"),
        shows="bad.jpg",
    ),
    Situation(
        "a JPEG of thousands of scans", "catsdogs predict bad.jpg", many_scans, shows="bad.jpg"
    ),
    Situation(
        "a TIFF that unpacks more than it shows",
        "catsdogs predict bad.tif",
        large_tile,
        shows="bad.tif",
    ),
    Situation(
        "HEIC photos without pillow-heif",
        "catsdogs predict 1.heic 2.jpg photo.png",
        heic_photos,
        shows="not read",
        run=without_pillow_heif,
    ),
    Situation(
        "an HTML page under the name of a JPEG",
        "catsdogs predict bad.jpg",
        lambda folder: (folder / "bad.jpg").write_text("<!DOCTYPE html><title>404</title>"),
        shows="bad.jpg",
    ),
    Situation(
        "a pointer of Git LFS in place of a photo",
        "catsdogs predict bad.jpg",
        lambda folder: (folder / "bad.jpg").write_text(
            "version https://git-lfs.github.com/spec/v1\n"
        ),
        shows="bad.jpg",
    ),
    Situation(
        "a folder with other files, folders of a system and links",
        "catsdogs predict photos",
        folder_with_others,
        shows="left out",
    ),
    Situation(
        "links that lead in circles",
        'catsdogs predict "photos/**/*.png"',
        folder_with_others,
        shows="1.png",
    ),
    Situation("a missing file", "catsdogs predict none.jpg"),
    Situation(
        "several arguments that cannot be used",
        'catsdogs predict none.jpg photo.png "none*.jpg"',
    ),
    Situation("a glob without a match", 'catsdogs predict "none*.jpg"'),
    Situation(
        "a folder without photos",
        "catsdogs predict empty",
        lambda folder: (folder / "empty").mkdir(),
    ),
]
