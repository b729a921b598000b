"""An epoch's figures for TensorBoard, named and laid out as Keras' own callback does."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from catsdogs.errors import ConfigError
from catsdogs.files import not_writable
from catsdogs.run import RunDir
from catsdogs.systems import shell_word
from catsdogs.training.run_listener import RunListener

if TYPE_CHECKING:
    from catsdogs.training.history import History


class TensorBoardLog(RunListener):
    """Event files of a run, in sub-runs `train` and `validation`.

    Raises:
        ConfigError: the package `tensorboard` is not installed.
    """

    def __init__(self) -> None:
        try:
            from tensorboard.summary import Writer
        except ImportError:
            raise ConfigError(
                "run.tensorboard needs the package tensorboard: "
                f"pip install {shell_word('catsdogs[tensorboard]')}, or leave run.tensorboard out"
            ) from None
        self._writer_type: Any = Writer
        self._writers: dict[str, Any] = {}

    def begin(self, run_dir: RunDir) -> None:
        """Begin the event files, in a folder of their own.

        Raises:
            DataError: the files cannot be written.
        """
        path = run_dir.tensorboard_path
        try:
            for name in ("train", "validation"):
                (path / name).mkdir(parents=True, exist_ok=True)
                self._writers[name] = self._writer_type(str(path / name))
        except OSError as error:
            raise not_writable(path, error, "run.dir") from None

    def epoch_ended(self, history: "History") -> None:
        """Add the last epoch; its number is TensorBoard's step."""
        epoch = asdict(history.epochs[-1])
        step = epoch["number"]
        for name, prefix in (("train", ""), ("validation", "validation_")):
            for quantity in ("loss", "accuracy"):
                value = epoch[prefix + quantity]
                if value is not None:
                    self._writers[name].add_scalar(f"epoch_{quantity}", value, step)
        if epoch["loss"] is not None:
            self._writers["train"].add_scalar("epoch_learning_rate", epoch["learning_rate"], step)
        for writer in self._writers.values():
            writer.flush()

    def close(self) -> None:
        """End the files."""
        for writer in self._writers.values():
            writer.close()
