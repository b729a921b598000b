"""Damaged files of every kind by the thousand: only an answer or a clear error may come out.

    python tests/fuzz.py --inputs 100000

Each input is made from a valid file by a seeded generator, so that its kind, the seed and its
number are enough to make it again. Workers are processes of their own, with a limit on memory
and on the time for one input: a crash or a hang costs that input and is reported, and the
input is kept.
"""

import argparse
import importlib.util
import io
import json
import mmap
import resource
import signal
import struct
import subprocess
import sys
import tempfile
import time
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
    from PIL import Image, features

    generator = np.random.default_rng(0)
    smooth = np.linspace(0, 255, 48 * 40 * 3).reshape(48, 40, 3)
    noisy = np.clip(smooth + generator.integers(-30, 31, smooth.shape), 0, 255).astype(np.uint8)
    photo = Image.fromarray(noisy)
    frames = [Image.fromarray(np.roll(noisy, 8 * n, axis=1)) for n in range(1, 4)]
    exif = Image.Exif()
    exif[0x112] = 6
    exif[0x10E] = "described" * 20
    exif.get_ifd(0x8769)[0x9003] = "2026:01:01 12:00:00"
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
    if features.check("avif"):
        variants["avif"] = (photo, {"format": "AVIF", "quality": 70})
    contents = {}
    for name, (image, options) in variants.items():
        buffer = io.BytesIO()
        image.save(buffer, **options)
        contents[name] = buffer.getvalue()
    if importlib.util.find_spec("pillow_heif"):
        import pillow_heif

        buffer = io.BytesIO()
        pillow_heif.from_pillow(photo).save(buffer, quality=70, exif=exif.tobytes())
        contents["heic"] = buffer.getvalue()
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


def weights_corpus():
    """A file of pretrained weights, as far as a reader gets before it finds one missing."""
    import h5py

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "weights.h5")
        with h5py.File(path, "w") as file:
            for name in ("block1_conv1", "block1_conv2"):
                group = file.create_group(f"{name}/{name}")
                group["kernel"] = np.ones((3, 3, 3, 4), np.float32)
                group["bias"] = np.ones(4, np.float32)
        return {"h5": path.read_bytes()}


def store_corpus():
    """Databases of feature stores: values within pages, and in pages of their own."""
    from catsdogs.training.disk_store import DiskStore

    contents = {}
    for name, shape in (("small", (4, 4, 2)), ("large", (16, 16, 8))):
        with tempfile.TemporaryDirectory() as folder:
            store = DiskStore(Path(folder), trunk_card(), 2**24)
            for number in range(40):
                features = np.full((1, *shape), number, np.float16)
                store.write([number.to_bytes(32, "big")], features)
            store.close()
            contents[name] = next(Path(folder).rglob("data.mdb")).read_bytes()
    return contents


def trunk_card():
    from catsdogs.training.cache_folder import TrunkCard

    return TrunkCard(
        backbone="tiny",
        boundary="pool",
        pooling="",
        image_size=(8, 8),
        engine="keras",
        precision="float32",
        weights="a",
    )


def card_corpus():
    from dataclasses import asdict

    return {"json": json.dumps(asdict(trunk_card())).encode()}


def checkpoint_corpus():
    """Checkpoints of a training before and after its first epoch."""
    from catsdogs.training.checkpoint import Checkpoint, RunFacts, write_checkpoint
    from catsdogs.training.history import Epoch, Progress
    from catsdogs.training.model_state import ModelState

    texts = ("backend", "precision", "model", "photos", "frozen_weights", "start_weights")
    fields = RunFacts.__dataclass_fields__
    facts = RunFacts(
        started="2026-01-01T00:00:00+00:00",
        seconds=1.5,
        **{name: name for name in (*texts, "model_created") if name in fields},
    )
    weights = [np.arange(6, dtype=np.float32).reshape(2, 3)]
    state = ModelState(weights, [np.array(7), np.ones(3, np.float32)], [np.array([1, 2])])
    later = Progress([Epoch(1, 0.1, 0.1, 0.2, 0.3, 0.5, 2.0)], state, weights)
    contents = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, progress in (("start", Progress()), ("later", later)):
            path = Path(folder, name)
            write_checkpoint(path, Checkpoint(facts, progress))
            contents[name] = path.read_bytes()
    return contents


HISTORY = (
    "number,learning_rate,loss,accuracy,validation_loss,validation_accuracy,seconds\n"
    "0,0.001,,,0.7,0.5,1.5\n1,0.001,0.5,0.75,0.6,0.5,1.25\n"
)
METRICS = {
    "command": "train",
    "started": "2026-01-01T00:00:00+00:00",
    "finished": "2026-01-01T00:01:00+00:00",
    "seconds": 60.5,
    "model": "models/catsdogs.h5",
    "data": "data",
    "class_names": ["cats", "dogs"],
    "num_photos": {"train": 4, "validation": 2},
    "num_skipped": 0,
    "kept_epoch": 1,
    "num_epochs": 1,
    "loss": 0.5,
    "accuracy": 0.5,
    "interval_low": 0.1,
    "interval_high": 0.9,
    "num_frozen": 4,
    "frozen_seconds": 1.0,
    "device": "CPU",
    "precision": "float32",
    "versions": {"keras": "3"},
}


def record_corpus():
    """What a run leaves, by the names of its files."""
    return {
        "metrics.json": json.dumps(METRICS).encode(),
        "history.csv": HISTORY.encode(),
        "skipped.csv": b'path,reason\ndata/a.jpg,damaged\n"b, c.jpg",cut off\n',
        "config.toml": b'[data]\ndir = "data"\n[train]\nepochs = 5\nlearning_rate = 1e-3\n',
    }


def answer_corpus():
    """Files of predictions, by their formats."""
    return {
        "csv": b'path,class,probability,error\na.jpg,cats,0.75,\n"b, c.jpg",,,damaged\n',
        "jsonl": b'{"path": "a.jpg", "class": "cats", "probability": 0.75}\n{"path": "b.jpg"}\n',
        "text": b"a.jpg\tcats\t0.7500\nb.jpg\tdogs\t0.5000\n",
    }


def manifest_corpus():
    return {"csv": b"from,to,reason\n/data/cats/a.jpg,cats/a.jpg,damaged\n"}


def list_corpus():
    """CSVs in the place of folders: of this file, which is no photo and is there."""
    row = f"{Path(__file__).name},cats,train,a,1"
    rows = "path,label,split,group,weight\n" + f"{row}\n" + '"no, file.png",dogs,validation,b,0.5\n'
    return {"csv": rows.encode(), "semicolons": rows.replace(",", ";").encode("utf-8-sig")}


def sorting_corpus():
    rows = b"from,to,kind,blake2b\n/data/a.jpg,cats/a.jpg,link,\n/data/b.jpg,cats/b.jpg,copy,00\n"
    return {"csv": rows}


CORPORA = {
    "photos": photo_corpus,
    "models": model_corpus,
    "weights": weights_corpus,
    "stores": store_corpus,
    "cards": card_corpus,
    "checkpoints": checkpoint_corpus,
    "records": record_corpus,
    "answers": answer_corpus,
    "manifests": manifest_corpus,
    "lists": list_corpus,
    "sortings": sorting_corpus,
}

TEXTS = {"cards", "records", "answers", "manifests", "lists", "sortings"}

TOKENS = (
    *(b"NaN", b"Infinity", b"1e999", b"-1", b"null", b"{}", b"[]", b'""', b"\0", b"\xff", b"\x1b["),
    *(b"9" * 400, b"9" * 5000, b"[" * 2000, b'{"a":' * 2000, b"x" * 200_000),
    *(b"\n", b"\r", b",", b"\t", b'"', b"'", b"=1+1", b"\xef\xbb\xbf", b"\\ud800"),
)
"""What a text may have in it that a reader does not expect."""


def insert_tokens(content, generator):
    """Put one to three of the tokens in places of a text, or in the place of a word."""
    for _ in range(generator.integers(1, 4)):
        token = TOKENS[int(generator.integers(len(TOKENS)))]
        at = int(generator.integers(len(content) + 1))
        end = at + int(generator.integers(8)) * int(generator.integers(2))
        content = content[:at] + token + content[end:]
    return content


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
    if kind in TEXTS and number // len(names) % 2:
        return name, insert_tokens(corpus[name], generator)
    return name, mutate(corpus[name], list(corpus.values()), generator)


def photo_target():
    from catsdogs.data.framing import fit_to
    from catsdogs.data.images import decode_photo, read_exif, read_header
    from catsdogs.data.moments import moment_of, moment_of_jpeg
    from catsdogs.data.quiet import quieten_libraries
    from catsdogs.errors import DataError

    quieten_libraries()  # as the command line does

    def try_photo(content, name, number):
        answers = []
        for attempt in (
            lambda: read_header(content),
            lambda: moment_of(read_exif(content)) or moment_of_jpeg(content[:1000]),
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
    from catsdogs.model.metadata import read_metadata
    from catsdogs.model.model_file import load_model

    folder = tempfile.mkdtemp()
    path = Path(folder, "model.h5")

    def try_model(content, name, number):
        path.write_bytes(content)
        try:
            metadata = read_metadata(path)
            if number % MODEL_LOADS == 0 and max(metadata.image_size) <= 256:
                load_model(path, keras.DTypePolicy("float32"))
            return True
        except CatsdogsError:
            return False

    return try_model


def file_target(name, read):
    """Try a reader that takes a path.

    Args:
        name: of the file that the content is written to; empty for the corpus' own.
        read: called with the path and what the content was made from.
    """
    from catsdogs.errors import CatsdogsError

    folder = Path(tempfile.mkdtemp())

    def attempt(content, made_from, number):
        path = folder / (name or made_from)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        try:
            read(path, made_from)
        except CatsdogsError as error:
            if len(str(error)) > 2000 or not str(error).isprintable():
                raise ValueError(f"not one short line: {str(error)[:3000]!r}") from None
            return False
        return True

    return attempt


def weights_target():
    from catsdogs.network.backbones.vgg16 import VGG16

    return file_target("weights.h5", lambda path, _: VGG16.load_weights(str(path)))


def store_target():
    """Open, read all, write one, close: what is damaged is computed anew, whatever it is."""
    from catsdogs.training.cache_folder import drop_store
    from catsdogs.training.disk_store import DiskStore
    from catsdogs.training.feature_store import StoreError

    card = trunk_card()
    folder = Path(tempfile.mkdtemp())
    keys = [number.to_bytes(32, "big") for number in range(41)]

    def attempt(content, made_from, number):
        shape = (4, 4, 2) if made_from == "small" else (16, 16, 8)
        path = folder / card.fingerprint / "data.mdb"
        path.parent.mkdir()
        path.write_bytes(content)
        warnings = []
        store = DiskStore(folder, card, 2**24, warnings.append)
        expected = np.arange(41, dtype=np.float16)[:, None, None, None] * np.ones(shape, np.float16)
        try:
            missing = sorted(store.missing(keys))
            if missing:
                store.write(missing, expected[[int.from_bytes(key, "big") for key in missing]])
            np.testing.assert_array_equal(store.read(keys, shape), expected)
        except StoreError:
            return False
        finally:
            store.close()
            drop_store(path.parent)
        return not warnings

    return attempt


def card_target():
    from catsdogs.errors import DataError
    from catsdogs.training.cache_folder import list_stores

    def read(path, _):
        (store,) = list_stores(path.parent.parent)
        if store.card is None:
            raise DataError("damaged")

    return file_target("store/trunk.json", read)


def checkpoint_target():
    from catsdogs.training.checkpoint import read_checkpoint

    return file_target("checkpoint.npz", lambda path, _: read_checkpoint(path))


def record_target():
    from catsdogs.commands.runs import runs
    from catsdogs.config_file import load_config
    from catsdogs.reporting.run_table import format_json, format_table
    from catsdogs.run import RunDir

    def read(path, made_from):
        run = RunDir(path.parent)
        rows = runs(path.parent.parent, best=True)
        for line in (*format_table(rows), format_json(rows)):
            if "\x1b" in line:
                raise ValueError("an escape reaches the terminal")
        readers = {
            "metrics.json": run.read_metrics,
            "history.csv": run.read_history,
            "skipped.csv": run.read_skipped,
            "config.toml": lambda: load_config(run.config_path),
        }
        try:
            readers[path.name]()
        finally:
            path.unlink()

    attempt = file_target("", read)

    def in_a_run(content, made_from, number):
        return attempt(content, f"20260101-000000-train/{made_from}", number)

    return in_a_run


def answer_target():
    from catsdogs.reporting.prediction_file import read_answers

    return file_target("answers", lambda path, made_from: read_answers(path, made_from, 1))


def manifest_target():
    from catsdogs.checking.quarantine_manifest import read_manifest

    return file_target("manifest.csv", lambda path, _: read_manifest(path.parent))


def list_target():
    from catsdogs.data.manifest import read_manifest

    def read(path, made_from):
        for name in (Path(__file__).name, "no, file.png"):
            (path.parent / name).touch()
        read_manifest(path)

    return file_target("data.csv", read)


def sorting_target():
    from catsdogs.reporting.sorting_manifest import read_manifest

    return file_target("manifest.csv", lambda path, _: read_manifest(path.parent))


TARGETS = {
    "photos": photo_target,
    "models": model_target,
    "weights": weights_target,
    "stores": store_target,
    "cards": card_target,
    "checkpoints": checkpoint_target,
    "records": record_target,
    "answers": answer_target,
    "manifests": manifest_target,
    "lists": list_target,
    "sortings": sorting_target,
}


@dataclass
class Outcome:
    """What came of some inputs.

    Attributes:
        num_inputs: how many were tried.
        num_answers: inputs that were accepted in spite of the damage; the others got an error.
        crashes, hangs, tracebacks: inputs that ended otherwise, with how to make them again.
        noise: what was printed to stderr.
        most_bytes: of memory that an input took on top of what the process had.
        most_seconds: of processor time that one took.
    """

    num_inputs: int = 0
    num_answers: int = 0
    most_bytes: int = 0
    most_seconds: float = 0.0
    crashes: list[str] = field(default_factory=list)
    hangs: list[str] = field(default_factory=list)
    tracebacks: list[str] = field(default_factory=list)
    noise: list[str] = field(default_factory=list)

    def add(self, other):
        self.num_inputs += other.num_inputs
        self.num_answers += other.num_answers
        self.most_bytes = max(self.most_bytes, other.most_bytes)
        self.most_seconds = max(self.most_seconds, other.most_seconds)
        for name in ("crashes", "hangs", "tracebacks", "noise"):
            getattr(self, name).extend(getattr(other, name))

    def __str__(self):
        return (
            f"{self.num_inputs:,} inputs: {self.num_answers:,} answers, "
            f"{self.num_inputs - self.num_answers:,} errors, {len(self.crashes)} crashes, "
            f"{len(self.hangs)} hangs, {len(self.tracebacks)} tracebacks, "
            f"{len(self.noise)} lines on stderr; at most {self.most_bytes / 2**20:,.0f} MiB "
            f"and {self.most_seconds:.2f} s"
        )


def work(kind, seed, start, stop, progress_path):
    """Try inputs `start` to `stop - 1` in this process; its place stands in a file all along."""
    corpus = CORPORA[kind]()
    attempt = TARGETS[kind]()
    used = int(Path("/proc/self/statm").read_text().split()[0]) * mmap.PAGESIZE
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY_BYTES,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    num_answers, tracebacks, most_seconds = 0, [], 0.0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with Path(progress_path).open("r+b") as file, mmap.mmap(file.fileno(), 8) as place:
        for number in range(start, stop):
            place[:] = struct.pack("<q", number)
            name, content = make_input(kind, seed, number, corpus)
            signal.alarm(SECONDS_PER_INPUT)  # ends the process where it is not called off
            start_seconds = time.process_time()
            try:
                num_answers += attempt(content, name, number)
            except Exception:  # noqa: BLE001 - any other than DataError is what is looked for
                tracebacks.append((number, traceback.format_exc()))
            signal.alarm(0)
            most_seconds = max(most_seconds, time.process_time() - start_seconds)
    most_bytes = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    report = {"num_answers": num_answers, "tracebacks": tracebacks}
    json.dump({**report, "most_bytes": most_bytes, "most_seconds": most_seconds}, sys.stdout)


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
            outcome.most_bytes = max(outcome.most_bytes, report["most_bytes"])
            outcome.most_seconds = max(outcome.most_seconds, report["most_seconds"])
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
    parser.add_argument(
        "--inputs",
        type=int,
        default=20_000,
        help="photos; of others a tenth, of stores a hundredth",
    )
    parser.add_argument("--kinds", nargs="*", default=list(CORPORA), choices=list(CORPORA))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--keep", type=Path, default=Path("fuzz_failures"))
    options = parser.parse_args()
    is_bad = False
    for kind in options.kinds:
        count = options.inputs // (1 if kind == "photos" else 100 if kind == "stores" else 10)
        outcome = fuzz(kind, count, options.seed, options.workers, options.keep)
        print(f"{kind}: {outcome}", flush=True)
        for entry in (*outcome.crashes, *outcome.hangs, *outcome.tracebacks, *outcome.noise[:20]):
            is_bad = True
            print(entry)
    sys.exit(is_bad)


if __name__ == "__main__":
    main()
