"""Who follows a training, and may end it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from catsdogs.training.history import History, Progress


class StopRequested(Exception):  # noqa: N818, it is nobody's error
    """A training was asked to stop before its first epoch had ended: it has given nothing."""


@dataclass(frozen=True)
class Supervision:
    """What follows a training, and may end it.

    Attributes:
        progress: where it goes on; brought up to date as each epoch ends.
        on_epoch: called after that, with all epochs so far.
        should_stop: asked after each step; once it says yes, the training ends with the kept
            epoch of those that have ended.
    """

    progress: Progress = field(default_factory=Progress)
    on_epoch: Callable[[History], None] = lambda _: None
    should_stop: Callable[[], bool] = lambda: False

    def stop_if_asked(self) -> None:
        """End what is running, where that was asked for.

        Raises:
            StopRequested: the training was asked to stop.
        """
        if self.should_stop():
            raise StopRequested
