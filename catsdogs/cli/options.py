"""Options that several commands share, each with one name and one meaning."""

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from catsdogs.cli.completion import complete_backbones, complete_files, complete_settings
from catsdogs.files import expanded
from catsdogs.text import shortened

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class _PathType(click.ParamType):
    """A path: `~` and variables expanded, and refused here where no system call could take it."""

    name = "path"

    def convert(
        self, value: str | Path, parameter: click.Parameter | None, context: click.Context | None
    ) -> Path:
        if not str(value):  # of a variable that is not set; as a path, it is the current folder
            self.fail("the path is empty", parameter, context)
        path = Path(expanded(str(value)))
        try:
            path.lstat()
        except (OSError, ValueError) as error:
            number = getattr(error, "errno", None)
            if number in (None, errno.ENAMETOOLONG, errno.ELOOP, errno.EACCES):
                reason = (getattr(error, "strerror", None) or str(error)).lower()
                self.fail(f"{shortened(str(path))} cannot be used ({reason})", parameter, context)
        return path

    def shell_complete(
        self, context: click.Context, parameter: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return complete_files(context, parameter, incomplete)


PATH = _PathType()


class NumberType(click.ParamType):
    """A whole number in a range, which Click's own type would name after an unknown x in the help.

    Args:
        least: the smallest that is taken.
        most: the largest; None takes any.
    """

    name = "number"

    def __init__(self, least: int, most: int | None = None) -> None:
        self._least = least
        self._most = most

    def convert(
        self, value: str | int, parameter: click.Parameter | None, context: click.Context | None
    ) -> int:
        try:
            number = int(value)
        except ValueError:
            number = self._least - 1
        if number < self._least or (self._most is not None and number > self._most):
            range_ = (
                f"from {self._least} to {self._most}" if self._most else f"{self._least} or more"
            )
            got = shortened(repr(str(value)))
            self.fail(f"expected a whole number, {range_}, got {got}", parameter, context)
        return number


class KeyOption(click.Option):
    """An option that sets a key of the configuration."""

    def __init__(self, *args: Any, key: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._key = key

    def key_of(self, command: str) -> str:
        """The whole key, such as `train.epochs`, in a command."""
        return self._key.format(command=command)


def _split_names(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> list[str] | None:
    return None if value is None else [name.strip() for name in value.split(",")]


model_option: Decorator = click.option(
    "--model",
    metavar="FILE",
    default="models/catsdogs.h5",
    show_default=True,
    type=PATH,
    help="The model file.",
)

class_names_option: Decorator = click.option(
    "--classes",
    "class_names",
    metavar="NAME,NAME",
    callback=_split_names,
    help="The class names of a plain Keras model, in the order of its output.",
)

precision_option: Decorator = click.option(
    "--precision",
    default="auto",
    show_default=True,
    type=click.Choice(["auto", "float32", "bfloat16", "float16"]),
    help="The numbers that the network computes in; auto: what is quickest here.",
)


engine_option: Decorator = click.option(
    "--engine",
    default="auto",
    show_default=True,
    type=click.Choice(["auto", "keras", "ncnn"]),
    help="What computes the answers; auto: what is quickest here.",
)


def _share_of_photos(_: click.Context, __: click.Parameter, value: float | None) -> float | None:
    if value is not None and not 0 <= value <= 0.5:  # refuses nan as well
        raise click.BadParameter(f"expected a share from 0 to 0.5, got {value:g}")
    return value


unknown_option: Decorator = click.option(
    "--unknown",
    metavar="SHARE",
    type=float,
    callback=_share_of_photos,
    help="Answer `neither` where a photo is stranger than all but this share of ordinary ones, "
    "e.g. 0.02.  [default: as trained]",
)


data_option: Decorator = click.option(
    "--data",
    cls=KeyOption,
    key="data.dir",
    metavar="DIR",
    type=PATH,
    help="The folder of photos, or a CSV of them.  [default: data]",
)


def backbone_option(
    help_text: str = "The pretrained network; auto compares those of `catsdogs backbones`.  "
    "[default: vgg16]",
) -> Decorator:
    """The network that is trained on, or whose features are used."""
    return click.option(
        "--backbone",
        cls=KeyOption,
        key="model.backbone",
        metavar="NAME",
        shell_complete=complete_backbones,
        help=help_text,
    )


def config_option(help_text: str = "A TOML file with what differs from the defaults.") -> Decorator:
    """The file of the configuration."""
    return click.option("--config", "config_path", metavar="FILE", type=PATH, help=help_text)


def settings_option(help_text: str) -> Decorator:
    """Single keys of the configuration; as often as wanted."""
    return click.option(
        "--set",
        "settings",
        metavar="KEY=VALUE",
        multiple=True,
        shell_complete=complete_settings,
        help=help_text,
    )


def format_option(help_text: str, formats: tuple[str, ...] = ("text", "json")) -> Decorator:
    """How the answer is written; the first of the formats is the default."""
    return click.option(
        "--format",
        "format_name",
        default=formats[0],
        show_default=True,
        type=click.Choice(formats),
        help=help_text,
    )


figures_format_option = format_option(
    "How the figures are written; JSON gives them at full precision."
)
