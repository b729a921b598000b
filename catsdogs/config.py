"""The typed configuration: its keys, with their defaults, units and bounds.

A config file holds differences; what it leaves out is what stands here. The defaults are
spelled out for reading in `configs/default.toml`, and a test holds the two equal.
"""

import unicodedata
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self, cast, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.config import JsonDict
from pydantic.fields import FieldInfo

from catsdogs.files import expanded
from catsdogs.text import is_unicode, shown_value

Command = Literal["train", "finetune"]
"""Those that train: each leaves a run, and has a section of the configuration."""

Freedom = Literal["resume", "processes"]

_FREE_ON_RESUME: JsonDict = {"free": ["resume"]}
"""Of keys that may change when a run is resumed: where things lie, how fast it goes, and nothing
of what is learned."""

_FREE_EVERYWHERE: JsonDict = {"free": ["resume", "processes"]}
"""Of keys that may in addition differ between processes that train together."""


class _Section(BaseModel):
    """What all sections have in common: unknown keys are refused, and nothing is infinite."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _truth_is_no_number(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse `train.epochs = true`, which Python would take for 1."""
        if isinstance(value, bool) and info.field_name:
            types = {cls.model_fields[info.field_name].annotation}
            types |= set(get_args(cls.model_fields[info.field_name].annotation))
            if types & {int, float} and bool not in types:
                raise ValueError("a number")
        return value


def _as_path(text: str) -> str:
    """Expand a path; refuse what no file can be called, or what no file of a run can hold."""
    if "\0" in text:
        raise ValueError("A path holds no NUL")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("A path that a run writes down is UTF-8: rename it") from None
    return expanded(text)


def _not_empty(text: str) -> str:
    """Refuse a path that was forgotten, or whose variable is not set: it is the current folder."""
    if not text:
        raise ValueError("Should be a path")
    return text


PathText = Annotated[str, AfterValidator(_as_path)]
"""A path, `~` and environment variables expanded."""

GivenPath = Annotated[PathText, AfterValidator(_not_empty)]
"""A path that cannot be left out."""


def _as_class(value: object) -> object:
    """What a class counts as: a name that a model file can hold, or False."""
    if value is False:
        return value
    is_text = isinstance(value, str) and value.strip() and len(value) <= 255
    if not is_text or not isinstance(value, str) or "\0" in value or not is_unicode(value):
        raise ValueError("Should be the name of a class, or false to leave it out")
    return unicodedata.normalize("NFC", value)


def _as_label(text: str) -> str:
    if "\0" in text or not is_unicode(text):
        raise ValueError("A class is named in UTF-8")
    return text


Classes = dict[
    Annotated[str, Field(max_length=255), AfterValidator(_as_label)],
    Annotated[str | bool, BeforeValidator(_as_class)],
]
"""What photos are labelled to what they count as."""


def _as_group(text: str) -> str:
    """Refuse what no run can hold."""
    if "\0" in text or not is_unicode(text):
        raise ValueError("A pattern holds no NUL and is in UTF-8")
    return text


GroupText = Annotated[str, Field(max_length=1000), AfterValidator(_as_group)]

Count = Annotated[int, Field(le=1_000_000_000)]
"""Bounded, so that whatever is computed from it stays a number."""


class DataConfig(_Section):
    """Which photos are used, and how they are split."""

    dir: GivenPath = Field("data", json_schema_extra=_FREE_EVERYWHERE)
    """Holds train/ and validation/ (or val/, valid/), or the class folders themselves; or a CSV
    that lists photos (docs/data.md)."""
    classes: Classes = {}
    """What photos that are labelled so count as: `tabby = "cat"` renames, several with one name
    are put together, `misc = false` leaves out. Those that are not named stay as they are."""
    group: GroupText = ""
    """What belongs together and is never split, such as a patient or a video: a regular expression
    that finds it in a photo's path below the folder, a column of the CSV, or `moment`: photos that
    a camera took within 10 s of each other. Empty: the column `group`, if there is one."""
    subsample: Count = Field(1, ge=1)
    """Take every N-th photo of each split, at least one a class; 1 takes all."""
    validation_fraction: float = Field(0.2, gt=0, lt=1)
    """Share of each class for validation where the folder is not split already: exact for small
    classes; in large ones adding photos moves no others."""
    max_unreadable: float = Field(0.1, ge=0, le=1, json_schema_extra=_FREE_ON_RESUME)
    """Share of unreadable photos above which a training stops instead of skipping them."""
    decode_threads: int = Field(0, ge=0, le=256, json_schema_extra=_FREE_EVERYWHERE)
    """Threads that decode photos ahead of the network; 0: one for each processor core."""


class AugmentConfig(_Section):
    """How the views of a training photo differ. Validation is never augmented."""

    views: int = Field(1, ge=0, le=1000)
    """So many views in turn, one an epoch; the first is the photo itself. 0: a fresh view of
    every photo in every epoch, streamed through the whole network."""
    flip: bool = True
    """Mirror half of the views left to right, by chance."""
    rotation_degrees: float = Field(15.0, ge=0, le=180)
    """Greatest rotation, either way."""
    shift: float = Field(0.08, ge=0, lt=1)
    """Greatest shift, as a share of the width and of the height."""
    shear_degrees: float = Field(5.0, ge=0, le=60)
    """Greatest shear, either way."""
    zoom: float = Field(0.15, ge=0, lt=1)
    """Scale between 1 - zoom and 1 + zoom."""
    brightness: float = Field(0.15, ge=0, lt=1)
    """Pixel values times a factor between 1 - brightness and 1 + brightness."""


MAX_PIXELS_A_SIDE = 2048
"""Of the photos that a network takes."""

Pixels = Annotated[int, Field(ge=1, le=MAX_PIXELS_A_SIDE)]


Fit = Literal["stretch", "crop", "pad"]
"""How a photo is brought to the shape that the network takes: stretched; its centre, as large as
it goes; whole, with ImageNet's mean colour beside it."""


@dataclass(frozen=True)
class _Input:
    """How photos are shown to a backbone where nothing else is asked for.

    Attributes:
        side: height and width in pixels, as it was trained with.
        fit: what measures best, and where that is not known, how it was trained.
    """

    side: int
    fit: Fit


INPUTS = {
    "vgg16": _Input(224, "stretch"),  # 0.9875 against 0.981 with `pad`, 2,000 photos
    "efficientnet_lite0": _Input(224, "crop"),  # 0.9933 against 0.9917 stretched, 1,200 photos
    "efficientnet_lite1": _Input(240, "crop"),
    "efficientnet_lite2": _Input(260, "crop"),
    "mobilenet_v2": _Input(224, "crop"),
    "efficientnetv2_b0": _Input(224, "crop"),
    "efficientnetv2_s": _Input(384, "crop"),
    "convnext_tiny": _Input(224, "crop"),
    "resnet50_v2": _Input(224, "crop"),
    "mobilenet_v3_large": _Input(224, "crop"),
    "xception": _Input(299, "crop"),
}
"""By backbone; a name that is not among them is refused where the network is looked up."""


def _input_of(values: dict[str, Any]) -> _Input:
    return INPUTS.get(values.get("backbone", ""), INPUTS["vgg16"])


AUTO_BACKBONE = "auto"
"""In place of a backbone's name: those whose weights are there are compared on the photos."""


class ModelConfig(_Section):
    """What makes the classifier; stored in the model file and fixed from then on."""

    backbone: str = "vgg16"
    """`catsdogs backbones` lists them. auto: compare those that are there, and take the quickest
    that is not worse than the best by more than a standard error."""
    weights: GivenPath = "auto"
    """`auto`, `random` (for tests), or the path of a file like the one that `auto` takes."""
    image_size: tuple[Pixels, Pixels] = Field(
        default_factory=lambda values: (_input_of(values).side,) * 2
    )
    """Height and width in pixels that every photo is brought to; by default, what the backbone
    was trained with, 224 for VGG16."""
    fit: Fit = Field(default_factory=lambda values: _input_of(values).fit)
    """How: stretched; its centre, as large as it goes; or whole, with ImageNet's mean colour beside
    it. By default, what is best for the backbone."""
    pooling: Literal["average", "max", "flatten"] = "average"
    """What makes one vector of the backbone's output: the mean or the largest value over all
    places, or all values one after the other."""
    head_units: int = Field(256, ge=0, le=65536)
    """Width of the dense layer between pooling and classes; 0: none, as in a logistic head."""
    dropout: float = Field(0.5, ge=0, lt=1)
    """Share of the dense layer's outputs that each training step leaves out."""


class HeadConfig(_Section):
    """How the head comes by its weights."""

    kind: Literal["dense", "logistic"] = "dense"
    """`dense`: a hidden layer, trained in epochs. `logistic`: none, solved to its optimum on the
    photos as they are, the regularisation chosen by cross-validation on the training photos."""
    class_weights: Literal["none", "balanced"] = "none"
    """`balanced`: all classes weigh the same in the loss, however many photos they have."""


class TrainConfig(_Section):
    """The head on the frozen backbone."""

    epochs: Count = Field(100, ge=1)
    """At most; `patience` ends a training whose validation loss stopped getting better. The
    learning rate falls over so many epochs: a small number makes it fall sooner."""
    batch_size: int = Field(0, ge=0, le=4096)
    """Photos in a step; 0: so many that an epoch makes about 60 steps, from 4 to 32."""
    learning_rate: float = Field(1e-3, gt=0, le=1)
    """Of Adam, in the first epoch; it falls along a cosine to a twentieth."""
    patience: Count = Field(5, ge=0)
    """Stop after so many epochs without a better validation loss; 0 never stops early."""
    keep: Literal["best", "last"] = "best"
    """Which epoch's weights are saved: the one with the best validation loss, or the last."""
    folds: int = Field(0, ge=0, le=100)
    """Of a logistic head: so many parts in turn are answered for by heads that were solved on the
    others, which gives an accuracy over all photos; then the head is solved on all of them. 0: one
    part is set aside for validation."""
    backbones: tuple[str, ...] = ()
    """Those that `model.backbone = "auto"` compares; none named: all whose weights are on this
    machine."""
    backbone_photos: Count = Field(1000, ge=10)
    """How many photos it compares them on, at most."""


class FinetuneConfig(_Section):
    """Head and top blocks together. The starting point is epoch 0; the best epoch is kept."""

    block: str = "auto"
    """The lowest block that is trained; all above it are trained too. auto: the backbone's own
    choice, block5 of VGG16."""
    epochs: Count = Field(2, ge=1)
    """At most; `patience` may end it sooner."""
    head_epochs: Count = Field(20, ge=0)
    """Before, at most so many epochs of the head alone, on stored features; the better of the two
    heads goes on. 0: none. A logistic head is solved instead."""
    batch_size: int = Field(32, ge=1, le=4096)
    """Photos in a step, on all devices together."""
    learning_rate: float = Field(1e-5, gt=0, le=1)
    """Of Adam: larger steps destroy what ImageNet taught the convolutions."""
    patience: Count = Field(3, ge=0)
    """Stop after so many epochs without a better validation loss; 0 never stops early."""


class UnknownConfig(_Section):
    """Photos that show none of the classes."""

    share: float = Field(0.0, ge=0, le=0.5)
    """Share of ordinary photos that the model may answer by `neither`: the larger it is, the more
    other photos are. 0: none, until `predict` is asked for a share."""


class CacheConfig(_Section):
    """The store of what the frozen layers computed."""

    enabled: bool = Field(True, json_schema_extra=_FREE_ON_RESUME)
    """Whether features are kept for later runs; false: for this one alone, in memory."""
    dir: PathText = Field("", json_schema_extra=_FREE_EVERYWHERE)
    """Empty: the user's cache folder."""
    max_gib: float = Field(10.0, gt=0, le=100_000, json_schema_extra=_FREE_EVERYWHERE)
    """The least recently used features are dropped beyond this size."""
    ahead: bool = Field(True, json_schema_extra=_FREE_EVERYWHERE)
    """`train` keeps what `finetune` will need too, where it fits. Not on a GPU, which computes
    it sooner than a disk writes it."""

    @property
    def max_bytes(self) -> int:
        """The budget in bytes."""
        return int(self.max_gib * 2**30)


class RunConfig(_Section):
    """What a training leaves behind besides the model file."""

    dir: GivenPath = Field("runs", json_schema_extra=_FREE_EVERYWHERE)
    """Each run gets a folder `<time>-<command>` in it."""
    tensorboard: bool = Field(False, json_schema_extra=_FREE_EVERYWHERE)
    """Write each epoch's figures as TensorBoard event files too."""


class Config(_Section):
    """Everything that can be adjusted, in sections that are handed down as they are.

    >>> catsdogs.Config(seed=1, train={"epochs": 5}).train.epochs
    5
    """

    seed: int = Field(0, ge=0, lt=2**32)
    """Where all chance begins: subsampling, augmentation, initial weights, dropout and the order of
    photos."""
    engine: Literal["auto", "keras", "ncnn"] = "auto"
    """What computes answers and frozen layers; auto: what is quickest here."""
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """What the convolutions compute in; files are float32 always."""
    output: GivenPath = Field("models/catsdogs.h5", json_schema_extra=_FREE_EVERYWHERE)
    """The model file, which ends in `.h5`."""
    data: DataConfig = DataConfig()
    augment: AugmentConfig = AugmentConfig()
    model: ModelConfig = ModelConfig()
    head: HeadConfig = HeadConfig()
    train: TrainConfig = TrainConfig()
    finetune: FinetuneConfig = FinetuneConfig()
    unknown: UnknownConfig = UnknownConfig()
    cache: CacheConfig = CacheConfig()
    run: RunConfig = RunConfig()

    @model_validator(mode="after")
    def _folds_are_of_a_logistic_head(self) -> Self:
        if self.train.folds == 1:
            raise ValueError("train.folds should be 0 or at least 2, got 1")
        if self.train.folds and self.head.kind != "logistic":
            if "kind" in self.head.model_fields_set:
                raise ValueError(
                    f"head.kind should be logistic with train.folds = {self.train.folds}: a dense "
                    "head needs photos set aside to know when to stop"
                )
            self.__dict__["head"] = self.head.model_copy(update={"kind": "logistic"})
        return self

    @model_validator(mode="after")
    def _logistic_head_has_no_hidden_layer(self) -> Self:
        if self.head.kind == "logistic" and self.model.head_units:
            if "head_units" in self.model.model_fields_set:
                raise ValueError(
                    f"model.head_units should be 0 with head.kind = logistic, got "
                    f"{self.model.head_units}: leave it out, or set head.kind = dense"
                )
            self.__dict__["model"] = self.model.model_copy(update={"head_units": 0})
        return self

    @model_validator(mode="after")
    def _output_is_h5(self) -> Self:
        if not self.output.endswith(".h5"):
            raise ValueError(
                "output must end in .h5, for example models/mine.h5, "
                f"got {shown_value(self.output)}"
            )
        return self


def config_keys() -> list[str]:
    """All whole keys, such as `train.epochs`, in the order of definition."""
    return list(_fields())


def free_keys(on: Freedom) -> set[str]:
    """Whole keys whose values may change when a run is resumed, or differ between processes."""
    found = set()
    for key, field in _fields().items():
        marks = field.json_schema_extra
        if isinstance(marks, dict) and on in cast("list[str]", marks.get("free", [])):
            found.add(key)
    return found


def _fields() -> dict[str, FieldInfo]:
    """Whole keys to what pydantic knows of them, in the order of definition."""
    fields: dict[str, FieldInfo] = {}
    for name, field in Config.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, _Section):
            fields |= {f"{name}.{key}": inner for key, inner in section.model_fields.items()}
        else:
            fields[name] = field
    return fields


def differences(config: Config) -> dict[str, Any]:
    """The whole keys whose values differ from the defaults, with their values."""
    return {key: value for key, value in flatten(config).items() if value != flatten(Config())[key]}


def flatten(config: Config) -> dict[str, Any]:
    """Whole keys, such as `train.epochs`, to values."""
    flat: dict[str, Any] = {}
    for key in config_keys():
        value: Any = config
        for part in key.split("."):
            value = getattr(value, part)
        flat[key] = value
    return flat
