"""What is told how a run goes: its record, and whatever else wants to know."""

from typing import TYPE_CHECKING

from catsdogs.run import RunDir

if TYPE_CHECKING:  # a listener may be made where nothing is trained, and Keras takes seconds
    from catsdogs.training.history import History


class RunListener:
    """Is told how a run goes, in the process that keeps its record; does nothing by itself."""

    def begin(self, run_dir: RunDir) -> None:
        """The run directory is made, or the resumed run's is taken; no epoch has begun."""

    def epoch_ended(self, history: "History") -> None:
        """One more epoch has ended; `history` is all of them."""

    def finish(self, history: "History") -> None:
        """The training came to its end, and its model is saved.

        Raises:
            DataError: what this one keeps cannot be written.
        """

    def close(self) -> None:
        """The training is over, however it ended."""
