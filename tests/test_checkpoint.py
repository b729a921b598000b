import io
import json
import os
import pickle
import re
import resource
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from catsdogs.errors import DataError
from catsdogs.training.checkpoint import Checkpoint, RunFacts, read_checkpoint, write_checkpoint
from catsdogs.training.history import Epoch, Progress
from catsdogs.training.model_state import ModelState

FACTS = RunFacts(
    started="2026-01-01T00:00:00+00:00",
    seconds=1.5,
    backend="tensorflow",
    precision="float32",
    model="models/mine.h5",
    photos="a",
    frozen_weights="b",
    start_weights="c",
    unreadable=(("data/\udcff.jpg", "damaged"),),
    run_id="d",
)
STATE = ModelState(
    weights=[np.arange(6, dtype=np.float32).reshape(2, 3), np.float32([1e-30])],
    optimizer=[np.array(7, np.int64), np.full(3, np.pi, np.float32)],
    seeds=[np.array([1, 2], np.uint32)],
)


def make(kept=None):
    epochs = [
        Epoch(0, 0.0, None, None, 0.7, 0.5, 1.0),
        Epoch(1, 1 / 3, 0.1, 0.2, float("inf"), 0.5, 2.0),
    ]
    return Checkpoint(FACTS, Progress(epochs, STATE, kept or STATE.weights, 12, 3.5))


def assert_same(one, other):
    assert one.facts == other.facts
    assert one.progress.epochs == other.progress.epochs
    assert one.progress.num_frozen == other.progress.num_frozen
    assert one.progress.frozen_seconds == other.progress.frozen_seconds
    for group in ("weights", "optimizer", "seeds"):
        ours, theirs = getattr(one.progress.state, group), getattr(other.progress.state, group)
        for a, b in zip(ours, theirs, strict=True):
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)
    for a, b in zip(one.progress.kept_weights, other.progress.kept_weights, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("kept", [None, [np.zeros((2, 3), np.float32), np.float32([2])]])
def test_what_is_written_is_read_to_the_last_bit(tmp_path, kept):
    path = tmp_path / "checkpoint.npz"
    write_checkpoint(path, make(kept))
    assert_same(read_checkpoint(path), make(kept))
    assert list(tmp_path.iterdir()) == [path]


def test_a_run_before_its_first_epoch_has_a_checkpoint_without_weights(tmp_path):
    path = tmp_path / "checkpoint.npz"
    write_checkpoint(path, Checkpoint(FACTS, Progress()))
    assert read_checkpoint(path) == Checkpoint(FACTS, Progress())


def test_kept_weights_that_are_the_last_epochs_are_stored_once(tmp_path):
    write_checkpoint(tmp_path / "once.npz", make())
    write_checkpoint(tmp_path / "twice.npz", make([w.copy() for w in STATE.weights]))
    assert "kept_0.npy" not in (tmp_path / "once.npz").read_bytes().decode("latin1")
    assert "kept_0.npy" in (tmp_path / "twice.npz").read_bytes().decode("latin1")


@pytest.mark.parametrize("share", [0, 0.3, 0.6, 0.99])
def test_a_truncated_file_is_one_line(tmp_path, share):
    path = tmp_path / "checkpoint.npz"
    write_checkpoint(path, make())
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(DataError) as caught:
        read_checkpoint(path)
    pattern = rf"{re.escape(str(path))} is damaged \([^\n]+\): start anew"
    assert re.fullmatch(pattern, str(caught.value))


def test_a_changed_byte_among_the_weights_is_found(tmp_path):
    path = tmp_path / "checkpoint.npz"
    write_checkpoint(path, make())
    content = bytearray(path.read_bytes())
    content[content.index(STATE.weights[0].tobytes()) + 5] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"is damaged \(Bad CRC-32"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("optimizer_0", np.array("x"), "its optimizer are no numbers"),
        ("weights_0", np.array(["x"]), "its weights are no numbers"),
        ("kept_0", np.zeros((7, 7), "float32"), "the weights that it keeps are of another network"),
    ],
)
def test_values_that_no_network_takes_are_one_line(tmp_path, name, value, problem):
    path = tmp_path / "checkpoint.npz"
    write_checkpoint(path, make([w.copy() for w in STATE.weights]))
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(path, **(arrays | {name: value}))
    with pytest.raises(DataError) as caught:
        read_checkpoint(path)
    assert str(caught.value) == f"{path} is damaged ({problem}): start anew"


def test_a_pickle_in_it_is_not_opened(tmp_path):
    class Harm:
        def __reduce__(self):
            return (tmp_path.joinpath("harm").mkdir, ())

    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|O", "fortran_order": False, "shape": ()}
    )
    path = tmp_path / "checkpoint.npz"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("record.npy", header.getvalue() + pickle.dumps(Harm()))
    with pytest.raises(DataError, match="is damaged"):
        read_checkpoint(path)
    assert not (tmp_path / "harm").exists()


def record_of(tmp_path):
    write_checkpoint(tmp_path / "whole.npz", make())
    with np.load(tmp_path / "whole.npz") as arrays:
        return dict(arrays)


def header_of(descr, shape):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": descr, "fortran_order": False, "shape": shape}
    )
    return header.getvalue()


def deep(path, arrays):
    np.savez(path, **{**arrays, "record": np.array("[" * 100_000)})


def compressed(path, arrays):
    np.savez_compressed(path, **{**arrays, "weights_0": np.zeros(2**24, np.float32)})


def no_number(path, arrays):
    np.savez(path, **{**arrays, "weights_0": np.float32([np.nan])})


def other_types(path, arrays):
    record = json.loads(str(arrays["record"]))
    record["facts"]["seconds"] = "Infinity"
    np.savez(path, **{**arrays, "record": np.array(json.dumps(record))})


def member(content):
    def write(path, arrays):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("record.npy", content)

    return write


def flagged(path, arrays):
    np.savez(path, **arrays)
    content = bytearray(path.read_bytes())
    content[6] |= 1
    content[content.find(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)


def pipe(path, arrays):
    os.mkfifo(path)


def folder(path, arrays):
    path.mkdir()


def vast(path, arrays):
    np.savez(path, **arrays)
    os.truncate(path, 2**40)


def commented(path, arrays):
    np.savez(path, **arrays)
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"PK\x05\x06" * 1000


@pytest.mark.parametrize(
    "write",
    [
        deep,
        compressed,
        no_number,
        other_types,
        flagged,
        pipe,
        folder,
        vast,
        commented,
        member(header_of("<f8", (2**40,))),
        member(header_of("<U0", (2**62,))),
        member(header_of("<f8", (2**40, 0))),
        member(header_of([("a", "<f4", (2**20,))], (2**20,))),
        member(header_of("<f4", (2,)) + bytes(9)),
        member(b"\x93NUMPY\x01\0" + b"\xff\xff" + b"(" * 65535),
        member(b"\x93NUMPY\x03\0"),
    ],
)
def test_whatever_is_wrong_is_one_line_within_bounds(tmp_path, write):
    path = tmp_path / "checkpoint.npz"
    write(path, record_of(tmp_path))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(DataError) as caught:
        read_checkpoint(path)
    pattern = rf"{re.escape(str(path))} (is damaged|cannot be read) \(.+\): start anew"
    assert re.fullmatch(pattern, str(caught.value))
    assert len(str(caught.value)) < 600
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024  # KiB


def test_another_version_is_named(tmp_path):
    path = tmp_path / "checkpoint.npz"
    np.savez(path, record=np.array(json.dumps({"format_version": 99})))
    with pytest.raises(DataError) as caught:
        read_checkpoint(path)
    assert str(caught.value) == (
        f"{path} is of another version of catsdogs: resume with that one, or start anew"
    )


def test_a_full_disk_keeps_the_old_one(tmp_path, file_size_limit):
    path = tmp_path / "checkpoint.npz"
    write_checkpoint(path, make())
    large = replace(STATE, weights=[np.zeros(10**5, np.float32)])
    progress = Progress(make().progress.epochs, large, large.weights)
    with file_size_limit(10**5), pytest.raises(DataError) as caught:
        write_checkpoint(path, Checkpoint(FACTS, progress))
    assert str(caught.value) == (f"{path} cannot be written (file too large): choose another place")
    assert_same(read_checkpoint(path), make())
    assert list(tmp_path.iterdir()) == [path]


def test_checkpoint_of_an_older_version_is_read(tmp_path):
    path = tmp_path / "checkpoint.npz"
    write_checkpoint(path, make())
    with np.load(path) as arrays:
        contents = dict(arrays)
    record = json.loads(str(contents["record"]))
    facts = record["facts"]
    del facts["run_id"], facts["start_run_id"]
    facts["model_created"] = "2026-01-01T00:00:00+00:00"
    np.savez(path, **(contents | {"record": np.array(json.dumps(record))}))
    assert read_checkpoint(path).facts == replace(FACTS, run_id="")
