"""The Python API: what a notebook or another program needs, as the commands do it.

`import catsdogs` gives all of it, and imports what is heavy when it is first used. Nothing here
prints, exits or catches signals; errors are those of `catsdogs.errors`.
"""

import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from catsdogs.answers import Explanation, Prediction
from catsdogs.config import Config
from catsdogs.config_file import settled_config
from catsdogs.console import Console, LineListener
from catsdogs.data.images import Photo
from catsdogs.errors import ConfigError, DataError
from catsdogs.given import given_names, given_path, is_one_photo, name_of_photo
from catsdogs.network.backend import import_backend
from catsdogs.text import some_of

if TYPE_CHECKING:  # these import the network's engine
    from catsdogs.commands.check import CheckResult
    from catsdogs.evaluation.figures import Evaluation
    from catsdogs.exporting.model_writer import ExportResult
    from catsdogs.exporting.stored_weights import Precision
    from catsdogs.model.metadata import Metadata
    from catsdogs.training.training_run import TrainResult


class Model:
    """A trained classifier, loaded by `catsdogs.load`.

    Attributes:
        path: where its file lies.
        class_names: in the order of its output.
        image_size: height and width, in pixels, that photos are brought to.
        metadata: what the file says about itself; None for a plain Keras file.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        precision: str = "auto",
        class_names: Iterable[str] | None = None,
        engine: str = "auto",
        unknown: float | None = None,
    ) -> None:
        from catsdogs.model.predictor import ModelRequest, Predictor

        self.path: Path = given_path(path, "path")
        names = None if class_names is None else given_names(class_names)
        settled_config("train", None, None, {"precision": precision, "engine": engine})
        self._names_given, self._share_given = names, unknown
        self._predictor = Predictor(ModelRequest(self.path, precision, names, engine, unknown))
        self.class_names: tuple[str, ...] = self._predictor.class_names
        self.image_size: tuple[int, int] = self._predictor.image_size
        self.metadata: Metadata | None = self._predictor.metadata

    def __repr__(self) -> str:
        height, width = self.image_size
        return f"<catsdogs model {self.path}: {some_of(self.class_names)}, {height} x {width}>"

    @overload  # mypy finds that a path is a sequence of paths
    def predict(  # type: ignore[overload-overlap]
        self, photos: Photo, *, progress: LineListener | None = None
    ) -> Prediction: ...

    @overload
    def predict(
        self, photos: Iterable[Photo], *, progress: LineListener | None = None
    ) -> list[Prediction]: ...

    def predict(
        self, photos: Photo | Iterable[Photo], *, progress: LineListener | None = None
    ) -> Prediction | list[Prediction]:
        """Say what is in one photo, or in many.

        >>> model = catsdogs.load("models/catsdogs.h5")
        >>> model.predict("image.jpg").class_name in model.class_names
        True
        >>> answers = model.predict(["image.jpg", Path("image.jpg").read_bytes()])
        >>> answers[0].probabilities == answers[1].probabilities
        True

        Args:
            photos: one, or any number in a list, an iterator, or a uint8 array of shape
                `(photos, height, width, 3)`, RGB, 0 to 255.
            progress: is told how it is getting on; None: nobody is.

        Returns:
            For one photo its answer; for many a list of answers in their order, those of
            photos that could not be read with the reason.

        Raises:
            DataError: the one photo cannot be read.
            ModelFileError: the model gives something that is no probability.
        """
        is_one = is_one_photo(photos)
        asked: Iterable[Photo] = [photos] if is_one else photos  # type: ignore[list-item, assignment]
        answers = [
            Prediction(answer.probabilities, answer.error, answer.strangeness, answer.refused_as)
            for answer in self._predictor.answer(asked, Console.telling(progress))
        ]
        if not is_one:
            return answers
        if answers[0].error:
            raise DataError(f"{name_of_photo(asked)}: {answers[0].error}")
        return answers[0]

    def evaluate(
        self, data: str | Path = "data", *, progress: LineListener | None = None
    ) -> "Evaluation":
        """Measure the model on photos whose class is known, as `catsdogs evaluate` does.

        >>> evaluation = catsdogs.load("models/catsdogs.h5").evaluate("data/test")
        >>> low, high = evaluation.interval
        >>> low <= evaluation.accuracy <= high
        True

        Args:
            data: a folder with `test/` or `validation/` in it, or a folder per class, or a CSV.
            progress: is told what is left out, and how it is getting on; None: nobody is.

        Returns:
            All figures, over the photos that could be read.

        Raises:
            DataError: the folder cannot be used, or no photo in it can be read.
            ModelFileError: the model gives something that is no probability.
        """
        from catsdogs.commands.evaluate import measure
        from catsdogs.reporting.notebook import NotebookEvaluation

        result = measure(self._predictor, given_path(data, "data"), None, Console.telling(progress))
        return NotebookEvaluation.of(result.evaluation)

    def explain(self, photo: Photo, *, class_name: str | None = None) -> Explanation:
        """Show where in a photo the model sees a class, as `catsdogs explain` does.

        >>> model = catsdogs.load("models/catsdogs.h5")
        >>> model.explain("image.jpg").save("cam.png")

        Args:
            photo: the photo.
            class_name: the class to look for; None takes the most probable one.

        Returns:
            The answer, and the heat over the photo, by Grad-CAM.

        Raises:
            DataError: the photo cannot be read.
            ConfigError: the model has no such class, or is none that catsdogs trained.
        """
        from catsdogs.commands.explain import picture_of
        from catsdogs.model.gradcam import explain_photos

        (found,) = explain_photos(self._predictor, [photo], class_name)
        if found.heat is None:
            raise DataError(f"{name_of_photo([photo])}: {found.answer.error}")
        answer = found.answer
        prediction = Prediction(answer.probabilities, "", answer.strangeness, answer.refused_as)
        picture = picture_of(found, found.heat)
        return Explanation(prediction, found.class_name, found.heat, picture)

    def export(
        self,
        output: str | Path,
        *,
        precision: "Precision | None" = None,
        resize: bool = True,
        data: str | Path | None = None,
        progress: LineListener | None = None,
    ) -> "ExportResult":
        """Write the model for other programs, as `catsdogs export` does.

        A page says `neither` where this model does.

        >>> result = catsdogs.load("models/catsdogs.h5").export("mine.html")
        >>> result.check.num_same == result.check.num_photos
        True

        Args:
            output: what is written; its ending tells the format: `.onnx`, `.tflite`, `.html`, or
                none for a SavedModel folder.
            precision: `float32`, `float16` or `int8`, of the weights; None: float16 for a page,
                float32 for all else.
            resize: take photos of any size, where the format can.
            data: photos to check the file on; None: those that the model was validated with.
            progress: is told how it is getting on; None: nobody is.

        Returns:
            What was written, and how its answers compare with those of the model.

        Raises:
            ConfigError: the ending tells no format, or the format has no such precision.
            CatsdogsError: the model cannot be exported, a package is missing, or the file cannot
                be written or answers otherwise; what was there before is unchanged.
        """
        from catsdogs.commands.export import ExportRequest, export
        from catsdogs.exporting.model_writer import default_precision, format_of

        output, folder = (
            given_path(output, "output"),
            None if data is None else given_path(data, "data"),
        )
        if precision not in (None, "float32", "float16", "int8"):
            raise ConfigError(f"precision should be float32, float16 or int8, got {precision!r}")
        wanted = precision or default_precision(format_of(output))
        request = ExportRequest(
            self.path,
            output,
            precision=wanted,
            resizes=resize,
            data=folder,
            class_names=self._names_given,
            unknown=self._share_given,
        )
        return export(request, Console.telling(progress))


def sample(folder: str | Path = "data") -> Path:
    """Unpack the 240 built-in photos of cats and dogs, as `catsdogs sample` does.

    >>> sorted(split.name for split in catsdogs.sample("data").iterdir())
    ['test', 'train', 'validation']

    Args:
        folder: where to; photos of theirs that are there already are left alone.

    Returns:
        The folder.

    Raises:
        DataError: the folder holds other photos, or cannot be written.
    """
    from catsdogs.commands.sample import sample

    return sample(given_path(folder, "folder")).folder


def check(
    data: str | Path = "data", *, fast: bool = False, progress: LineListener | None = None
) -> "CheckResult":
    """Find what would spoil a training, as `catsdogs check` does; nothing is changed.

    >>> [finding.kind for finding in catsdogs.check("data").findings if not finding.is_note]
    []

    Args:
        data: the folder of photos, or a CSV of them.
        fast: look at contents and headers alone: no decoding, no near copies.
        progress: is told how it is getting on; None: nobody is.

    Returns:
        All findings, the most serious kinds first, and the numbers of photos.

    Raises:
        DataError: the folder is missing or holds no photos.
    """
    from catsdogs.commands.check import check

    return check(given_path(data, "data"), fast, None, Console.telling(progress))


def load(
    path: str | Path = "models/catsdogs.h5",
    *,
    precision: str = "auto",
    class_names: Iterable[str] | None = None,
    engine: str = "auto",
    unknown: float | None = None,
) -> Model:
    """Load a trained classifier.

    >>> catsdogs.load("models/catsdogs.h5").class_names
    ('cats', 'dogs')

    Args:
        path: a file that `train` or `finetune` wrote, or one of plain Keras.
        precision: `auto`, `float32`, `bfloat16` or `float16`.
        class_names: of a plain Keras file, in the order of its output; None for ours.
        engine: `auto`, `keras` or `ncnn`, which needs no Keras; `docs/engines.md` says what auto
            takes.
        unknown: the share of ordinary photos, 0 to 0.5, that may be answered by `neither`: those
            that are stranger than all others; 0: none; None: as the model was trained.

    Returns:
        The model, ready to answer.

    Raises:
        ModelFileError: the file is missing, damaged, or not admitted.
        ConfigError: a setting is wrong.
    """
    return Model(path, precision=precision, class_names=class_names, engine=engine, unknown=unknown)


def train(
    data: str | Path | None = None,
    *,
    config: Config | str | Path | None = None,
    progress: LineListener | None = None,
    **settings: Any,
) -> "TrainResult":
    """Train a classifier on a folder of photos per class, and save it.

    >>> result = catsdogs.train(
    ...     "data",
    ...     epochs=1,
    ...     subsample=10,
    ...     model={"image_size": (32, 32)},
    ...     **{"model.weights": "random", "output": "models/new.h5"},
    ... )
    >>> result.score.accuracy == catsdogs.load(result.model_path).metadata.validation.accuracy
    True

    Args:
        data: the folder, or a CSV of photos; None: as configured, `data` by default.
        config: all settings, or the path of a TOML file with what differs from the defaults.
        progress: is told how it is getting on; None: nobody is.
        settings: keys of the configuration, laid over `config`: whole ones
            (`**{"train.learning_rate": 0.01}`), sections (`augment={"views": 2}`), and those of
            the section `train` and `subsample` by their last name (`epochs=5`).

    Returns:
        Where the model and the record of the run are, the score on the validation photos, and
        the history of all epochs.

    Raises:
        CatsdogsError: photos, weights, settings or output cannot be used.
        DivergedError: the loss became no number; what was saved before is unchanged.
    """
    chosen = settled_config("train", data, config, settings)
    from catsdogs.training.new_classifier import may_need_no_backend

    if not may_need_no_backend(chosen):
        import_backend()
    from catsdogs.commands.train import train

    with _random_state_kept():
        return train(chosen, Console.telling(progress))


def finetune(
    model: "Model | TrainResult | str | Path" = "models/catsdogs.h5",
    *,
    data: str | Path | None = None,
    config: Config | str | Path | None = None,
    progress: LineListener | None = None,
    **settings: Any,
) -> "TrainResult":
    """Train the top of a classifier too, and save it if that makes it better.

    >>> result = catsdogs.finetune("models/catsdogs.h5", data="data", epochs=1, subsample=10)
    >>> result.history.epochs[0].number
    0

    Args:
        model: the one to start from, or its file; it is replaced unless `output` is given.
        data: the folder of photos, or a CSV of them; None: as configured, `data` by default.
        config: all settings, or the path of a TOML file with what differs from the defaults; its
            section `model` is that of the model.
        progress: is told how it is getting on; None: nobody is.
        settings: keys of the configuration, laid over `config`, as `train` takes them, those of
            the section `finetune` by their last name.

    Returns:
        What `train` returns. Epoch 0 of the history is the model that it started from, with its
        head brought up to these photos where that made it better; where that epoch was kept, no
        later one was better.

    Raises:
        CatsdogsError: model, photos, settings or output cannot be used.
        DivergedError: the loss became no number; what was saved before is unchanged.
    """
    from catsdogs.model.metadata import read_metadata

    given = model.path if isinstance(model, Model) else getattr(model, "model_path", model)
    path = given_path(given, "model")
    settings = {"output": str(path)} | settings
    fixed = read_metadata(path).architecture
    chosen = settled_config("finetune", data, config, settings, fixed)
    import_backend()
    from catsdogs.commands.finetune import finetune

    with _random_state_kept():
        return finetune(chosen, path, Console.telling(progress))


@contextmanager
def _random_state_kept() -> Iterator[None]:
    """Give the program back the random numbers that it would have drawn: training seeds them."""
    python, numpy = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
