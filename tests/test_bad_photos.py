"""Real-world folders: what prediction and training say about photos that cannot be used."""

import csv
import io
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from catsdogs.cli import main
from catsdogs.data.photo_paths import find_photos
from catsdogs.run import list_run_dirs

SMALL = [
    *("--backbone", "tiny", "--set", "model.weights=random", "--set", "model.image_size=[32, 32]"),
    *("--epochs", "1"),
]

pytestmark = pytest.mark.usefixtures("tiny_backbone")


def call(*arguments, code=0):
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == code, result.output + repr(result.exception)
    return result


def make_data(root):
    """10 + 10 photos of red and green noise to train on, 3 + 3 for validation."""
    generator = np.random.default_rng(0)
    for split, count in (("train", 10), ("validation", 3)):
        for channel, name in enumerate(("green", "red")):
            folder = root / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = generator.integers(0, 80, (40, 40, 3)).astype(np.uint8)
                pixels[..., 1 - channel] += 150
                Image.fromarray(pixels).save(folder / f"{number}.png")


@pytest.fixture(scope="module")
def model_path(tmp_path_factory, tiny_backbone):
    folder = tmp_path_factory.mktemp("model")
    make_data(folder / "data")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        call("train", *SMALL, "--output", "model.h5")
    return folder / "model.h5"


@pytest.fixture
def folder(workplace):
    return workplace


def png_bomb(width, height, colour_type=2, channels=3):
    """A valid PNG of zeros, of few bytes; complete only where it is not absurdly large."""
    packer = zlib.compressobj(1)
    rows = bytes(1 + width * channels) if width * height <= 10**8 else b""
    packed = b"".join(packer.compress(rows) for _ in range(height if rows else 0)) + packer.flush()
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colour_type, 0, 0, 0)),
        (b"IDAT", packed),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in parts
    )


def encoded(suffix, **options):
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, suffix, **options)
    return buffer.getvalue()


def broken_tiff():
    content = bytearray(encoded("TIFF", compression="tiff_lzw"))
    content[300:3000:7] = b"\xff" * len(content[300:3000:7])
    return bytes(content)


def huge_exif():
    exif = Image.Exif()
    exif[0x10E] = "x" * 65_000
    return encoded("JPEG", exif=exif)


NO_PICTURE = "not a picture, or damaged at its start"
HALF_JPEG = encoded("JPEG")[: len(encoded("JPEG")) // 2]
CONTENTS = {
    "text.jpg": (b"<html>404 not found</html>", "an HTML page, not a photo"),
    "empty.jpg": (b"", NO_PICTURE),
    "half.jpg": (HALF_JPEG, "damaged: image file is truncated (142 bytes not processed)"),
    "bomb.png": (
        png_bomb(60_000, 60_000),
        "60000 x 60000 pixels would take 14.4 GB of memory, more than the 1 GB that a photo may",
    ),
    "no_frame.gif": (b"GIF89a" + struct.pack("<HHBBB", 40, 30, 0, 0, 0) + b";", NO_PICTURE),
    "complains.tif": (broken_tiff(), "damaged: decoder error -2"),
    "postscript.jpg": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n", NO_PICTURE),
}


def fill(folder):
    """Every kind of bad file, and a good one before and after them; returns their reasons."""
    folder.mkdir()
    reasons = {}
    for name, (content, reason) in CONTENTS.items():
        (folder / name).write_bytes(content)
        reasons[name] = reason
    os.mkfifo(folder / "pipe.jpg")
    (folder / "device.jpg").symlink_to("/dev/zero")
    (folder / "loop.jpg").symlink_to("loop.jpg")
    (folder / "nowhere.jpg").symlink_to("nothing.jpg")
    with (folder / "sparse.jpg").open("wb") as file:
        file.truncate(5 * 10**9)
    reasons |= dict.fromkeys(["pipe.jpg", "device.jpg"], "a pipe, socket or device, not a file")
    reasons["loop.jpg"] = "too many levels of symbolic links"
    reasons["nowhere.jpg"] = "no such file or directory"
    reasons["sparse.jpg"] = "5,000 MB are more than the 320 that are read"
    (folder / "a_good.jpg").write_bytes(huge_exif())
    (folder / "folder.jpg").mkdir()
    (folder / "folder.jpg" / "z_good.png").write_bytes(encoded("PNG"))
    return reasons


def test_each_bad_file_has_a_row_with_its_reason_in_every_format(folder, model_path):
    reasons = {f"bad/{name}": reason for name, reason in fill(folder / "bad").items()}
    good = ["bad/a_good.jpg", "bad/folder.jpg/z_good.png"]
    answers = {}
    for format_name in ("text", "json", "jsonl", "csv"):
        arguments = ["predict", "bad", "--model", str(model_path), "--format", format_name]
        result = call(*arguments, code=1)
        assert result.stderr.splitlines()[-1] == "12 of 14 photos could not be read"
        answers[format_name] = result.stdout
    rows = [line.split("\t") for line in answers["text"].splitlines()]
    assert {path: reason for path, name, reason in rows if name == "error"} == reasons
    assert [path for path, name, _ in rows if name != "error"] == good
    objects = [json.loads(line) for line in answers["jsonl"].splitlines()]
    assert objects == json.loads(answers["json"])
    assert {o["path"]: o["error"] for o in objects if "error" in o} == reasons
    table = list(csv.DictReader(io.StringIO(answers["csv"])))
    assert {row["path"]: row["error"] for row in table if row["error"]} == reasons
    assert [row["path"] for row in table] == [o["path"] for o in objects] == [r[0] for r in rows]


READ_ALL = """
import mmap, resource, sys
from pathlib import Path
from catsdogs.data.images import read_photo
from catsdogs.data.quiet import quieten_libraries
from catsdogs.errors import DataError
quieten_libraries()
read_photo(Path(sys.argv[1]), (32, 32))
used = int(Path("/proc/self/statm").read_text().split()[0]) * mmap.PAGESIZE
resource.setrlimit(resource.RLIMIT_AS, (used + 2**30, used + 2**30))
for name in sys.argv[2:]:
    try:
        print(name, read_photo(Path(name), (32, 32)).shape)
    except DataError as error:
        print(name, error)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits memory by Linux' means")
def test_no_file_takes_more_than_a_gibibyte_or_prints_to_the_terminal(folder):
    reasons = fill(folder / "bad")
    (folder / "good.png").write_bytes(encoded("PNG"))
    (folder / "bad" / "glass.png").write_bytes(png_bomb(10_000, 10_000, 6, 4))
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("bad/socket.jpg")
        names = [*reasons, "socket.jpg", "glass.png", "a_good.jpg"]
        command = [sys.executable, "-W", "error", "-c", READ_ALL, "../good.png", *names]
        done = subprocess.run(
            command, cwd=folder / "bad", capture_output=True, text=True, timeout=120, check=False
        )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        *(f"{name} {reason}" for name, reason in reasons.items()),
        "socket.jpg a pipe, socket or device, not a file",
        "glass.png (32, 32, 3)",
        "a_good.jpg (32, 32, 3)",
    ]


def test_progressive_jpeg_of_thousands_of_scans_is_refused(folder):
    content = encoded("JPEG", progressive=True)
    start = content.rindex(b"\xff\xda")
    tall = content.replace(struct.pack(">HH", 64, 64), struct.pack(">HH", 8000, 8000), 1)
    Path("scans.jpg").write_bytes(tall[:start] + content[start:-2] * 2000)
    done = call("check", "--format", "json", _as_class_folder("scans.jpg"), code=1)
    (fault,) = (f for f in json.loads(done.stdout)["findings"] if f["kind"] == "too_large")
    assert fault["detail"] == ("2,009 scans of 8000 x 8000 pixels would take minutes to decode")


def _as_class_folder(name):
    Path("data/cats").mkdir(parents=True)
    shutil.copy(name, "data/cats")
    return "data"


def test_all_missing_arguments_are_named_before_anything_is_computed(folder):
    (folder / "empty").mkdir()
    (folder / "photo.png").write_bytes(encoded("PNG"))
    arguments = ["none.jpg", "photo.png", "none*.jpg", "empty", "none.png", "last.png"]
    result = call("predict", *arguments, code=1)
    assert result.stdout == ""
    assert result.stderr == (
        "error: none.jpg does not exist, none*.jpg matches no file, empty holds no photos: "
        "expected jpg, png, webp, heic, avif, gif, bmp or tiff, and 2 more\n"
    )


@pytest.mark.parametrize("name", ["loop.jpg", "nowhere.jpg"])
def test_link_that_leads_nowhere_is_found_and_left_to_whoever_reads_it(folder, name):
    Path(name).symlink_to(name.replace("nowhere", "nothing"))
    assert find_photos([name, "*.jpg"]) == [Path(name), Path(name)]


def test_files_without_permission_are_named(folder):
    """As another user, where the tests run as one who may read everything."""
    closed = folder / "closed"
    closed.mkdir()
    (folder / "photo.jpg").write_bytes(encoded("JPEG"))
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from catsdogs.data.images import read_photo\n"
        "from catsdogs.data.photo_paths import find_photos\n"
        "from catsdogs.errors import DataError\n"
        "if os.geteuid() == 0: os.chdir(sys.argv[1]); os.setuid(65534)\n"
        "for act in (lambda: read_photo(Path('photo.jpg'), (8, 8)),\n"
        "            lambda: find_photos(['closed/photo.jpg']), lambda: find_photos(['closed'])):\n"
        "    try: act()\n"
        "    except DataError as error: print(error)\n"
    )
    for parent in [folder, *folder.parents]:
        if parent.stat().st_uid == os.geteuid() and parent.name:
            parent.chmod(parent.stat().st_mode | 0o055)
    (folder / "photo.jpg").chmod(0)
    closed.chmod(0)
    try:
        command = [sys.executable, "-c", code, str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    finally:
        closed.chmod(0o700)
    assert (done.stderr, done.stdout.splitlines()) == (
        "",
        [
            "permission denied",
            "closed/photo.jpg cannot be read (permission denied)",
            "closed cannot be read: Permission denied",
        ],
    )


def spoil(*names):
    for name in names:
        Path("data/train", name).write_bytes(b"no picture")


def skipped():
    (run,) = list_run_dirs(Path("runs"))
    with run.skipped_path.open(newline="") as file:
        return [tuple(row) for row in csv.reader(file)][1:]


@pytest.mark.slow
@pytest.mark.parametrize("views", [0, 1])
def test_bad_photos_are_named_in_one_line_and_listed_in_the_run(folder, views):
    make_data(folder / "data")
    spoil("green/0.png", "red/3.png")
    result = call("train", *SMALL, "--set", f"augment.views={views}")
    assert [line for line in result.stderr.splitlines() if " are skipped: " in line] == [
        "warning: 2 photos are skipped: data/train/green/0.png, data/train/red/3.png "
        f"({NO_PICTURE})",
    ]
    assert result.stdout.splitlines()[0] == "2 photos could not be read and were skipped"
    assert skipped() == [
        ("data/train/green/0.png", NO_PICTURE),
        ("data/train/red/3.png", NO_PICTURE),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("views", [0, 1])
def test_more_bad_photos_than_allowed_stop_before_training(folder, views):
    make_data(folder / "data")
    spoil(*(f"green/{number}.png" for number in range(5)))
    settings = ["--set", f"augment.views={views}"]
    result = call("train", *SMALL, *settings, code=1)
    assert result.stderr.splitlines()[-2:] == [
        "warning: 5 photos are skipped: "
        + ", ".join(f"data/train/green/{n}.png" for n in range(3))
        + f" and 2 more ({NO_PICTURE}); see {list_run_dirs(Path('runs'))[0].skipped_path}",
        "error: 5 of 26 photos cannot be read, more than data.max_unreadable = 0.1 allows: "
        "`catsdogs check` names them all",
    ]
    assert not any(line.startswith("epoch") for line in result.stderr.splitlines())
    assert len(skipped()) == 5
    assert not Path("models/catsdogs.h5").exists()
    shutil.rmtree("runs")
    call("train", *SMALL, *settings, "--set", "data.max_unreadable=0.2")
    assert len(skipped()) == 5


def test_class_without_a_readable_photo_is_one_line(folder):
    make_data(folder / "data")
    spoil(*(f"green/{number}.png" for number in range(10)))
    result = call("train", *SMALL, code=1)
    assert result.stderr.splitlines()[-1] == "error: no train photo of green can be read"
