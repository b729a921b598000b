"""Train an image classifier you can trust from a folder of photos per class.

The Python API is `load`, `train` and `finetune`; see docs/python-api.md. They import the network's
engine when they are first used: `import catsdogs` alone is immediate.
"""

from typing import TYPE_CHECKING, Any

from catsdogs import errors

if TYPE_CHECKING:
    from catsdogs.api import Explanation, Model, Prediction, finetune, load, train
    from catsdogs.config import Config

__version__ = "0.2.0"

__all__ = ["Config", "Explanation", "Model", "Prediction", "errors", "finetune", "load", "train"]


def __getattr__(name: str) -> Any:
    if name == "Config":
        from catsdogs.config import Config

        return Config
    if name in __all__:
        from catsdogs import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
