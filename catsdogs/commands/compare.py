"""`catsdogs compare`: which of two models is better, as far as some photos can tell."""

from dataclasses import dataclass, replace
from pathlib import Path

from scipy.stats import binomtest

from catsdogs.commands.evaluation_steps import judge, load_photos, report_unreadable
from catsdogs.console import Console
from catsdogs.errors import DataError
from catsdogs.evaluation.figures import Evaluation
from catsdogs.model.predictor import ModelRequest, Predictor
from catsdogs.text import counted, some_of

SIGNIFICANT = 0.05
"""A difference counts as shown where the p-value is below this."""


@dataclass(frozen=True)
class CompareResult:
    """Two models on the same photos; `a` is the first model, `b` the second.

    Attributes:
        folder: the one whose photos were evaluated.
        path_a, path_b: the models, as they were given.
        a, b: figures of each, over the photos that could be read.
        num_both: photos that both get right.
        num_only_a, num_only_b: photos that only this one gets right.
        num_neither: photos that both get wrong.
        unreadable: photos that could not be read, with the reason.
        p_value: of the exact McNemar test: how probable it would be, for equally good models,
            that the photos which only one gets right are shared out this unevenly or more so.
    """

    folder: Path
    path_a: Path
    path_b: Path
    a: Evaluation
    b: Evaluation
    num_both: int
    num_only_a: int
    num_only_b: int
    num_neither: int
    unreadable: tuple[tuple[Path, str], ...]
    p_value: float

    @property
    def trained_on(self) -> bool:
        """Whether a model was trained on the photos, so that nothing is said about others."""
        return self.a.trained_on or self.b.trained_on

    @property
    def is_worse(self) -> bool:
        """Whether the second model is shown to be worse than the first."""
        return self.p_value < SIGNIFICANT and self.num_only_a > self.num_only_b

    @property
    def verdict(self) -> str:
        """Which model is better, in one sentence."""
        p = f"exact McNemar test, p = {self.p_value:.2g}"
        if self.p_value < SIGNIFICANT:
            better = "B" if self.num_only_b > self.num_only_a else "A"
            return f"{better} is better ({p}, below {SIGNIFICANT})"
        photos = counted(self.a.num_photos, "photo")
        return f"no difference that {photos} can show ({p}, not below {SIGNIFICANT})"


def compare(
    model_a: ModelRequest,
    model_b: ModelRequest,
    root: Path,
    console: Console,
) -> CompareResult:
    """Hold two models against the same photos.

    Args:
        model_a, model_b: which ones; neither refuses a photo.
        root: as `find_labelled_photos` takes it.
        console: where progress is shown.

    Raises:
        CatsdogsError: a model or the folder cannot be used, the models know different
            classes, or no photo can be read.
    """
    first, second = (
        Predictor(replace(model, unknown=0.0), can_explain=False) for model in (model_a, model_b)
    )
    path_a, path_b = first.path, second.path
    names = first.class_names
    if set(names) != set(second.class_names):
        raise DataError(
            f"{path_a} knows {some_of(names)}, {path_b} knows {some_of(second.class_names)}: "
            "expected two models of the same classes"
        )
    photos = load_photos(root, [first, second], console)
    # a photo that one image size can read is not always one that another can
    answers_a = list(first.predict(photos.paths, console))
    answers_b = list(second.predict(photos.paths, console))
    answers = list(zip(answers_a, answers_b, photos.labels, strict=True))
    unreadable = report_unreadable([a if a.error else b for a, b, _ in answers], photos, console)
    answered = [(a, b, label) for a, b, label in answers if not a.error and not b.error]
    labels = [label for _, _, label in answered]
    right = [(a.class_name == label, b.class_name == label) for a, b, label in answered]
    num_only_a, num_only_b = right.count((True, False)), right.count((False, True))
    return CompareResult(
        folder=photos.folder,
        path_a=path_a,
        path_b=path_b,
        a=judge(path_a, names, [a for a, _, _ in answered], labels, trained_on=photos.trained_on),
        b=judge(path_b, names, [b for _, b, _ in answered], labels, trained_on=photos.trained_on),
        num_both=right.count((True, True)),
        num_only_a=num_only_a,
        num_only_b=num_only_b,
        num_neither=right.count((False, False)),
        unreadable=unreadable,
        p_value=mcnemar_p_value(num_only_a, num_only_b),
    )


def mcnemar_p_value(num_only_a: int, num_only_b: int) -> float:
    """How probable a split of the photos that only one model gets right is, if by fair coin.

    The exact two-sided test; McNemar, "Note on the sampling error of the difference between
    correlated proportions or percentages", 1947. 1 where there are no such photos.
    """
    if not num_only_a + num_only_b:
        return 1.0
    return float(binomtest(num_only_a, num_only_a + num_only_b).pvalue)
