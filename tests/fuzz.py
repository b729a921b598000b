"""Damaged photos and model files by the thousand: only an answer or a clear error may come out.

    python tests/fuzz.py --inputs 100000

Each input is made from a valid file by a seeded generator, so that its kind, the seed and its
number are enough to make it again. Workers are processes of their own, with a limit on memory
and on the time for one input: a crash or a hang costs that input and is reported, and the
input is kept.
"""

import argparse
import io
import json
import mmap
import resource
import signal
import struct
import subprocess
import sys
import tempfile
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

SECONDS_PER_INPUT = 20
MEMORY_BYTES = 2**30
"""On top of what the process has once everything is imported."""

MODEL_LOADS = 100
"""Of so many damaged model files whose metadata can be read, one is loaded as a whole: slow."""


def photo_corpus():
    """Valid photos, small and of many makes: names to contents."""
    from PIL import Image

    generator = np.random.default_rng(0)
    smooth = np.linspace(0, 255, 48 * 40 * 3).reshape(48, 40, 3)
    noisy = np.clip(smooth + generator.integers(-30, 31, smooth.shape), 0, 255).astype(np.uint8)
    photo = Image.fromarray(noisy)
    frames = [Image.fromarray(np.roll(noisy, 8 * n, axis=1)) for n in range(1, 4)]
    exif = Image.Exif()
    exif[0x112] = 6
    exif[0x10E] = "described" * 20
    variants = {
        "jpeg": (photo, {"format": "JPEG", "quality": 80, "exif": exif}),
        "jpeg-progressive": (photo, {"format": "JPEG", "progressive": True, "subsampling": 0}),
        "jpeg-cmyk": (photo.convert("CMYK"), {"format": "JPEG"}),
        "png": (photo, {"format": "PNG", "exif": exif}),
        "png-palette": (photo.quantize(16), {"format": "PNG", "transparency": 3}),
        "png-16": (Image.fromarray(noisy[..., 0].astype(np.uint16) * 257), {"format": "PNG"}),
        "png-moving": (photo, {"format": "PNG", "save_all": True, "append_images": frames}),
        "gif": (photo, {"format": "GIF", "save_all": True, "append_images": frames}),
        "webp": (photo, {"format": "WEBP", "quality": 70}),
        "webp-lossless": (photo.convert("RGBA"), {"format": "WEBP", "lossless": True}),
        "webp-moving": (photo, {"format": "WEBP", "save_all": True, "append_images": frames}),
        "bmp": (photo, {"format": "BMP"}),
        "bmp-palette": (photo.quantize(200), {"format": "BMP"}),
        **{
            f"tiff-{compression}": (photo, {"format": "TIFF", "compression": compression})
            for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits")
        },
        "tiff-float": (Image.fromarray(noisy[..., 0].astype(np.float32)), {"format": "TIFF"}),
    }
    contents = {}
    for name, (image, options) in variants.items():
        buffer = io.BytesIO()
        image.save(buffer, **options)
        contents[name] = buffer.getvalue()
    return contents


def model_corpus():
    """A model file with sound metadata and the beginnings of its weights."""
    import h5py

    metadata = {
        "format_version": 1,
        "class_names": ["cats", "dogs"],
        "image_size": [32, 32],
        "stage": "train",
        "kept_epoch": 1,
        "config": {"model": {"image_size": [32, 32], "head_units": 4}},
        "backbone": "vgg16",
        "weights": {"source": "random", "sha256": "0" * 64},
        "data_fingerprint": "0" * 64,
        "num_photos": {"train": 2, "validation": 2},
        "validation": {
            "loss": 0.5,
            "accuracy": 0.5,
            "num_photos": 2,
            "interval_low": 0.1,
            "interval_high": 0.9,
        },
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.h5")
        with h5py.File(path, "w") as file:
            file.attrs["catsdogs"] = json.dumps(metadata)
            file.attrs["model_config"] = json.dumps({"class_name": "Functional", "config": {}})
            weights = file.create_group("model_weights")
            weights.attrs["layer_names"] = [b"block1_conv1", b"hidden"]
            for layer in ("block1_conv1", "hidden"):
                group = weights.create_group(layer)
                group.attrs["weight_names"] = [b"kernel", b"bias"]
                group.create_dataset("kernel", data=np.ones((4, 4), np.float32), compression="gzip")
                group.create_dataset("bias", data=np.ones(4, np.float32))
        return {"h5": path.read_bytes()}


CORPORA = {"photos": photo_corpus, "models": model_corpus}


def mutate(content, others, generator):
    """Damage a content in one to four places.

    Args:
        content: a valid file.
        others: contents to splice in.
        generator: NumPy's, seeded.
    """
    content = bytearray(content)
    for _ in range(generator.integers(1, 5)):
        if not content:
            break
        at = int(generator.integers(len(content)))
        if generator.random() < 0.5:  # what matters stands at the start more often than not
            at = int(generator.integers(min(len(content), 512)))
        length = int(generator.integers(1, 65))
        match int(generator.integers(10)):
            case 0:
                content[at] ^= 1 << int(generator.integers(8))
            case 1:
                content[at : at + length] = generator.bytes(length)
            case 2:
                del content[at:]
            case 3:
                del content[at : at + length]
            case 4:
                content[at:at] = content[at : at + length]
            case 5:  # two chunks change places
                other = int(generator.integers(len(content)))
                one, two = content[at : at + length], content[other : other + length]
                content[at : at + length], content[other : other + length] = two, one
            case 6:  # a length, a count or an offset
                value = int(generator.choice([0, 1, 0x7F, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 60000]))
                order = ">" if generator.random() < 0.5 else "<"
                content[at : at + 4] = struct.pack(f"{order}I", value)
            case 7:
                value = int(generator.choice([0, 1, 0xFF, 0x7FFF, 0xFFFF]))
                order = ">" if generator.random() < 0.5 else "<"
                content[at : at + 2] = struct.pack(f"{order}H", value)
            case 8:
                content[at : at + length] = bytes(length)
            case 9:
                other = others[int(generator.integers(len(others)))]
                begin = int(generator.integers(len(other)))
                content[at : at + length] = other[begin : begin + length]
    return bytes(content)


def make_input(kind, seed, number, corpus):
    """Input `number` of a kind: the name of what it was made from, and its content."""
    names = sorted(corpus)
    name = names[number % len(names)]
    generator = np.random.default_rng([seed, number])
    return name, mutate(corpus[name], list(corpus.values()), generator)


def photo_target():
    from catsdogs.data.images import decode_photo, fit_to, read_header
    from catsdogs.errors import DataError

    def try_photo(content, number):
        answers = []
        for attempt in (
            lambda: read_header(content),
            lambda: fit_to(decode_photo(content, (32, 32)), (32, 32)),
            lambda: decode_photo(content),
        ):
            try:
                attempt()
                answers.append(True)
            except DataError as error:
                answers.append(False)
                if not str(error).isprintable():
                    raise ValueError(f"not one line: {str(error)!r}") from None
        return any(answers)

    return try_photo


def model_target():
    import keras

    from catsdogs.errors import CatsdogsError
    from catsdogs.network.metadata import read_metadata
    from catsdogs.network.model_file import load_model

    folder = tempfile.mkdtemp()
    path = Path(folder, "model.h5")

    def try_model(content, number):
        path.write_bytes(content)
        try:
            metadata = read_metadata(path)
            if number % MODEL_LOADS == 0 and max(metadata.image_size) <= 256:
                load_model(path, keras.DTypePolicy("float32"))
            return True
        except CatsdogsError:
            return False

    return try_model


TARGETS = {"photos": photo_target, "models": model_target}


@dataclass
class Outcome:
    """What came of some inputs.

    Attributes:
        num_inputs: how many were tried.
        num_answers: inputs that were accepted in spite of the damage; the others got an error.
        crashes, hangs, tracebacks: inputs that ended otherwise, with how to make them again.
        noise: what was printed to stderr.
    """

    num_inputs: int = 0
    num_answers: int = 0
    crashes: list[str] = field(default_factory=list)
    hangs: list[str] = field(default_factory=list)
    tracebacks: list[str] = field(default_factory=list)
    noise: list[str] = field(default_factory=list)

    def add(self, other):
        self.num_inputs += other.num_inputs
        self.num_answers += other.num_answers
        for name in ("crashes", "hangs", "tracebacks", "noise"):
            getattr(self, name).extend(getattr(other, name))

    def __str__(self):
        return (
            f"{self.num_inputs:,} inputs: {self.num_answers:,} answers, "
            f"{self.num_inputs - self.num_answers:,} errors, {len(self.crashes)} crashes, "
            f"{len(self.hangs)} hangs, {len(self.tracebacks)} tracebacks, "
            f"{len(self.noise)} lines on stderr"
        )


def work(kind, seed, start, stop, progress_path):
    """Try inputs `start` to `stop - 1` in this process; its place stands in a file all along."""
    corpus = CORPORA[kind]()
    attempt = TARGETS[kind]()
    used = int(Path("/proc/self/statm").read_text().split()[0]) * mmap.PAGESIZE
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY_BYTES,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    num_answers, tracebacks = 0, []
    with Path(progress_path).open("r+b") as file, mmap.mmap(file.fileno(), 8) as place:
        for number in range(start, stop):
            place[:] = struct.pack("<q", number)
            _, content = make_input(kind, seed, number, corpus)
            signal.alarm(SECONDS_PER_INPUT)  # ends the process where it is not called off
            try:
                num_answers += attempt(content, number)
            except Exception:  # noqa: BLE001 - any other than DataError is what is looked for
                tracebacks.append((number, traceback.format_exc()))
            signal.alarm(0)
    json.dump({"num_answers": num_answers, "tracebacks": tracebacks}, sys.stdout)


def try_range(kind, seed, start, stop, keep_dir):
    """Try inputs in a process of their own, and in another one from where that was lost."""
    outcome = Outcome()
    while start < stop:
        with tempfile.NamedTemporaryFile() as progress:
            progress.write(struct.pack("<q", start))
            progress.flush()
            arguments = ["--worker", kind, *map(str, (seed, start, stop)), progress.name]
            done = subprocess.run(
                [sys.executable, __file__, *arguments], capture_output=True, text=True, check=False
            )
            (at,) = struct.unpack("<q", Path(progress.name).read_bytes())
        noise = [line for line in done.stderr.splitlines() if not _is_backend_chatter(line)]
        if done.returncode == 0:
            report = json.loads(done.stdout)
            outcome.num_inputs += stop - start
            outcome.num_answers += report["num_answers"]
            outcome.noise += noise
            for number, text in report["tracebacks"]:
                outcome.tracebacks.append(f"{keep(kind, seed, number, keep_dir)}\n{text}")
            return outcome
        outcome.num_inputs += at + 1 - start
        ended = outcome.hangs if done.returncode == -signal.SIGALRM else outcome.crashes
        ended.append(f"{keep(kind, seed, at, keep_dir)} (status {done.returncode}) {noise[-3:]}")
        start = at + 1
    return outcome


def _is_backend_chatter(line):
    """What TensorFlow prints as it is imported."""
    return any(word in line for word in ("absl::", "oneDNN", "cuda", "cpu_feature_guard", "AVX"))


def keep(kind, seed, number, keep_dir):
    """Write an input out for a closer look, and say how to make it again."""
    name, content = make_input(kind, seed, number, CORPORA[kind]())
    keep_dir.mkdir(parents=True, exist_ok=True)
    path = keep_dir / f"{kind}-{seed}-{number}-{name}"
    path.write_bytes(content)
    return f"{path} = make_input({kind!r}, {seed}, {number}, …)"


def fuzz(kind, num_inputs, seed, num_workers, keep_dir):
    """Try inputs 0 to `num_inputs - 1` of a kind in several processes."""
    step = min(-(-num_inputs // num_workers), 5000)
    starts = range(0, num_inputs, step)
    total = Outcome()
    with ThreadPoolExecutor(num_workers) as pool:
        for outcome in pool.map(
            lambda start: try_range(kind, seed, start, min(start + step, num_inputs), keep_dir),
            starts,
        ):
            total.add(outcome)
    return total


def main():
    if sys.argv[1:2] == ["--worker"]:
        kind, seed, start, stop, progress_path = sys.argv[2:]
        work(kind, int(seed), int(start), int(stop), progress_path)
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=20_000, help="photos; a tenth of it models")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--keep", type=Path, default=Path("fuzz_failures"))
    options = parser.parse_args()
    is_bad = False
    for kind, count in (("photos", options.inputs), ("models", options.inputs // 10)):
        outcome = fuzz(kind, count, options.seed, options.workers, options.keep)
        print(f"{kind}: {outcome}", flush=True)
        for entry in (*outcome.crashes, *outcome.hangs, *outcome.tracebacks, *outcome.noise[:20]):
            is_bad = True
            print(entry)
    sys.exit(is_bad)


if __name__ == "__main__":
    main()
