"""`python -m benchmarks.review planted|next`: what `catsdogs review` and `next` find and gain.

planted: of the photos to train on, some are put into another class, and `catsdogs review` is asked.
next: a head on a few photos chooses those to add, against as many at random, judged on the
validation photos.
"""

import math
import os
import tempfile
from pathlib import Path

import click
import numpy as np
from scipy.stats import t as student

from catsdogs.checking.label_next import choose_photos
from catsdogs.commands.backbone_choice import with_quickest_backbone
from catsdogs.commands.review import pooled_features, review
from catsdogs.config import Config, DataConfig, ModelConfig
from catsdogs.console import Console
from catsdogs.data.dataset import load_dataset
from catsdogs.data.layout import TRAIN, VALIDATION
from catsdogs.data.walking import is_photo
from catsdogs.evaluation.log_loss import log_probabilities
from catsdogs.evaluation.score import wilson_interval
from catsdogs.training.heads.logistic import fit_logistic

data_option = click.option(
    "--data",
    default="data",
    show_default=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Photos: train/ and validation/ with a folder per class.",
)
backbone_option = click.option("--backbone", default="efficientnet_lite0", show_default=True)
seeds_option = click.option("--seeds", default=2, show_default=True, help="How many times.")


@click.group()
def main() -> None:
    """Measure `catsdogs review` and `catsdogs next`."""


@main.command()
@data_option
@backbone_option
@seeds_option
@click.option("--turned", default=40, show_default=True, help="Photos put into another class.")
@click.option("--first", default=60, show_default=True, help="Suspects that count.")
def planted(data: Path, backbone: str, seeds: int, turned: int, first: int) -> None:
    """How many wrong labels that were planted stand among the first suspects."""
    for seed in range(seeds):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder) / "data"
            names = _plant(data / "train", root, turned, seed)
            config = Config(
                model=ModelConfig(backbone=backbone), data=DataConfig(dir=str(root)), seed=seed
            )
            found = review(config, Path(folder) / "review.html", Console())
        flagged = [s.path.name for s in found.suspects if s.kind == "wrong_label"]
        hits = sum(name in names for name in flagged)
        among = sum(s.path.name in names for s in found.suspects[:first])
        low, high = wilson_interval(hits, len(flagged))
        click.echo(
            f"{backbone}, seed {seed}: {among} of {turned} among the first {first} suspects; of "
            f"{len(flagged)} labels called wrong {hits} were planted: {hits / len(flagged):.3f} "
            f"({low:.3f} to {high:.3f}); {found.seconds:.1f} s"
        )


def _plant(source: Path, root: Path, turned: int, seed: int) -> set[str]:
    """Links to the photos, some of them under another class; names of those."""
    places = [(path.parent.name, path) for path in sorted(source.glob("*/*")) if is_photo(path)]
    classes = sorted({name for name, _ in places})
    generator = np.random.default_rng(seed)
    chosen = set(generator.choice(len(places), turned, replace=False).tolist())
    names = set()
    for position, (name, path) in enumerate(places):
        if position in chosen:
            others = [other for other in classes if other != name]
            name = others[int(generator.integers(len(others)))]
        link = root / name / f"{path.parent.name}-{path.name}"
        link.parent.mkdir(parents=True, exist_ok=True)
        os.link(path, link) if _same_disk(path, root) else link.symlink_to(path.absolute())
        if position in chosen:
            names.add(link.name)
    return names


def _same_disk(path: Path, folder: Path) -> bool:
    return path.stat().st_dev == folder.stat().st_dev


@main.command("next")
@data_option
@backbone_option
@click.option("--seeds", default=20, show_default=True, help="How many times.")
@click.option("--start", default=20, show_default=True, help="Photos that the head begins with.")
@click.option("--count", default=100, show_default=True, help="Photos that are added.")
def next_photos(data: Path, backbone: str, seeds: int, start: int, count: int) -> None:
    """Accuracy after adding chosen photos, and after adding as many at random."""
    config = Config(model=ModelConfig(backbone=backbone), data=DataConfig(dir=str(data)))
    config = with_quickest_backbone(config, Console())
    held_out = {sample.path for sample in load_dataset(config.data, 0).splits[VALIDATION]}
    dataset = load_dataset(config.data, 0, as_one=True)
    photos = pooled_features(dataset, config, Console())
    is_judged = np.array([sample.path in held_out for sample in dataset.splits[TRAIN]])
    pool, judged = photos.features[~is_judged], photos.features[is_judged]
    labels, wanted = photos.labels[~is_judged], photos.labels[is_judged]
    num_classes = len(dataset.class_names)

    def accuracy(known: np.ndarray) -> float:
        head = fit_logistic(pool[known], labels[known], num_classes)
        return float((head.logits(judged).argmax(axis=1) == wanted).mean())

    rows = []
    for seed in range(seeds):
        order = np.random.default_rng(seed).permutation(len(labels))
        known, others = order[:start], order[start:]
        head = fit_logistic(pool[known], labels[known], num_classes)
        answers = np.exp(log_probabilities(head.logits(pool[others])))
        chosen = others[choose_photos(answers, pool[others], count)]
        at_random = others[:count]
        rows.append(
            (
                accuracy(known),
                accuracy(np.append(known, at_random)),
                accuracy(np.append(known, chosen)),
            )
        )
    figures = np.array(rows)  # (seeds, 3)
    for title, values in zip(
        (f"{start} photos", f"and {count} at random", f"and {count} chosen"), figures.T, strict=True
    ):
        click.echo(f"{title:22}  {_mean_and_interval(values)}")
    click.echo(f"{'chosen less random':22}  {_mean_and_interval(figures[:, 2] - figures[:, 1])}")


def _mean_and_interval(values: np.ndarray) -> str:
    half = student.ppf(0.975, len(values) - 1) * values.std(ddof=1) / math.sqrt(len(values))
    return f"{values.mean():+.4f} ({values.mean() - half:+.4f} to {values.mean() + half:+.4f})"


if __name__ == "__main__":
    main()
