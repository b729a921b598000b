"""The checkpoint: all that a training goes on from after a break, in one file of plain arrays."""

import json
import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from catsdogs.errors import DataError
from catsdogs.files import replacing
from catsdogs.training.history import Epoch, Progress
from catsdogs.training.model_state import ModelState, Values
from catsdogs.untrusted.arrays import read_arrays
from catsdogs.untrusted.boundary import foreign_bytes

FORMAT_VERSION = 1


@dataclass(frozen=True)
class RunFacts:
    """What a run began with and has to find again, and what else its record says.

    Attributes:
        started: UTC, ISO 8601.
        seconds: wall time so far, over all its parts.
        backend: of Keras.
        precision: what the convolutions compute in.
        model: path of the model that it fine-tunes; empty where it trains a new one.
        photos: hash of the photos and their order, before unreadable ones were dropped.
        frozen_weights: hash of the layers that it does not train.
        start_weights: hash of all layers before the first epoch.
        unreadable: files that could not be used so far, with the reason.
        run_id: tells the run from all others, however often it is resumed.
        start_run_id: of the run whose model this one started from; empty where that is not known.
    """

    started: str
    seconds: float
    backend: str
    precision: str
    model: str
    photos: str
    frozen_weights: str
    start_weights: str
    unreadable: tuple[tuple[str, str], ...] = ()
    run_id: str = ""
    start_run_id: str = ""


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint file holds. Attributes: what the run is; how far it has come."""

    facts: RunFacts
    progress: Progress


_FACTS = TypeAdapter(RunFacts)
_EPOCHS = TypeAdapter(list[Epoch])
_EPOCH = TypeAdapter(Epoch | None)


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Replace a run's checkpoint: uncompressed arrays with checksums, and no pickle.

    About four times the trained weights: the weights, Adam's two moments, and the kept
    weights where they are not those of the last epoch.

    Raises:
        DataError: it cannot be written; the old one is still whole.
    """
    progress = checkpoint.progress
    record = {
        "format_version": FORMAT_VERSION,
        "facts": asdict(checkpoint.facts),
        "epochs": [asdict(epoch) for epoch in progress.epochs],
        "num_frozen": progress.num_frozen,
        "frozen_seconds": progress.frozen_seconds,
        "as_it_was": progress.as_it_was and asdict(progress.as_it_was),
    }
    arrays = {"record": np.array(json.dumps(record))}
    if progress.state is not None:
        groups = asdict(progress.state)
        if progress.kept_weights is not progress.state.weights:
            groups["kept"] = progress.kept_weights
        for group, values in groups.items():
            arrays |= {f"{group}_{index}": value for index, value in enumerate(values)}
    with replacing(path, "run.dir") as part, part.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def read_checkpoint(path: Path) -> Checkpoint:
    """Read what `write_checkpoint` wrote; nothing in the file is executed.

    Raises:
        DataError: it is damaged, or of another version.
    """
    with foreign_bytes(path, DataError, "start anew"):
        return _parse(path, read_arrays(path))


def _parse(path: Path, arrays: dict[str, np.ndarray]) -> Checkpoint:
    record: dict[str, Any] = json.loads(str(arrays["record"]))
    if record["format_version"] != FORMAT_VERSION:
        raise DataError(
            f"{path} is of another version of catsdogs: resume with that one, or start anew"
        )
    unreadable = record["facts"].pop("unreadable", ())  # may hold names that are not Unicode
    facts = replace(
        _FACTS.validate_python(record["facts"]),
        unreadable=tuple((str(path), str(reason)) for path, reason in unreadable),
    )
    progress = Progress(
        epochs=_EPOCHS.validate_python(record["epochs"]),
        num_frozen=int(record["num_frozen"]),
        frozen_seconds=float(record["frozen_seconds"]),
        as_it_was=_EPOCH.validate_python(record.get("as_it_was")),
    )
    if not math.isfinite(facts.seconds + progress.frozen_seconds):
        raise ValueError("its times are no numbers")
    if [epoch.number for epoch in progress.epochs] != sorted({e.number for e in progress.epochs}):
        raise ValueError("its epochs are not in order")
    if progress.epochs:
        state = ModelState(*(_group(arrays, name) for name in ("weights", "optimizer", "seeds")))
        progress.state = state
        progress.kept_weights = _group(arrays, "kept") or state.weights
        if [v.shape for v in progress.kept_weights] != [v.shape for v in state.weights]:
            raise ValueError("the weights that it keeps are of another network")
    return Checkpoint(facts, progress)


def _group(arrays: dict[str, np.ndarray], name: str) -> Values:
    """The values of a group in their order; empty where there is no such group.

    Raises:
        ValueError: they are no numbers.
    """
    count = sum(key.rpartition("_")[0] == name for key in arrays)
    values = [arrays[f"{name}_{index}"] for index in range(count)]
    if any(value.dtype.kind not in "biuf" for value in values):
        raise ValueError(f"its {name} are no numbers")
    return values
