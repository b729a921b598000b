"""Train an image classifier you can trust from a folder of photos per class.

The Python API is `load`, `train`, `finetune`, `check` and `sample`; see docs/python-api.md. They
import the network's engine when they are first used: `import catsdogs` alone is immediate. It
imports nothing at all, since the command line runs this before it can see to a Ctrl-C.
"""

TYPE_CHECKING = False  # type checkers know the name; typing itself takes milliseconds
if TYPE_CHECKING:
    from typing import Any

    from catsdogs import errors
    from catsdogs.api import (
        Explanation,
        Model,
        Prediction,
        check,
        finetune,
        load,
        sample,
        train,
    )
    from catsdogs.config import Config

__version__ = "0.2.0"

__all__ = [
    "Config",
    "Explanation",
    "Model",
    "Prediction",
    "check",
    "errors",
    "finetune",
    "load",
    "sample",
    "train",
]


def __getattr__(name: str) -> "Any":
    if name == "errors":
        from importlib import import_module

        return import_module("catsdogs.errors")
    if name == "Config":
        from catsdogs.config import Config

        return Config
    if name in __all__:
        from catsdogs import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
