"""Configurations with a mistake in them."""

from pathlib import Path

from . import Situation

TITLE = "Configuration"
INTRODUCTION = "The whole key is named. Exit status 2 means that the request itself was wrong."


def write(text: str) -> object:
    return lambda folder: Path("mine.toml").write_text(text)


SITUATIONS = [
    Situation("a key that does not exist", "catsdogs train --set train.lerning_rate=1"),
    Situation("a value out of its bounds", "catsdogs train --epochs 0"),
    Situation("a value of another type", "catsdogs train --set train.patience=often"),
    Situation("a section instead of a key", "catsdogs train --set train=5"),
    Situation("a key without a value", "catsdogs train --set seed"),
    Situation("a size of one number", 'catsdogs train --set "model.image_size=[224]"'),
    Situation("no such file", "catsdogs train --config none.toml"),
    Situation("a file that is no TOML", "catsdogs train --config mine.toml", write("epochs: 5")),
    Situation(
        "a key of the file that does not exist",
        "catsdogs train --config mine.toml",
        write("[model]\nsize = 5"),
    ),
    Situation("a model file of another kind", "catsdogs train --output mine.pt"),
    Situation(
        "another network than the model to fine-tune has",
        "catsdogs finetune --set model.pooling=max",
    ),
    Situation(
        "an image size below the backbone's",
        'catsdogs train --set "model.image_size=[16, 16]"',
        hidden=("--set", "model.weights=random"),
    ),
    Situation("a number beyond all measure", "catsdogs train --set cache.max_gib=1e300"),
    Situation("a path that no file can have", "catsdogs train --set 'output=\"a\\u0000.h5\"'"),
    Situation("a part that there is not", "catsdogs predict photo.png --shard 3/2"),
    Situation("a wrong option", "catsdogs train --epochs many"),
]
