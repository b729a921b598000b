"""The result of a run, as its directory keeps it: what metrics.json says."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, computed_field, field_validator

from catsdogs.config import Command
from catsdogs.evaluation.score import Score
from catsdogs.untrusted.records import MOST_FIGURE

Count = Annotated[int, Field(ge=0, le=MOST_FIGURE)]
Seconds = Annotated[float, Field(ge=0, le=MOST_FIGURE)]


class RunMetrics(BaseModel):
    """The result of a run that came to its end.

    Attributes:
        command: which one it was.
        started, finished: UTC, ISO 8601.
        seconds: wall time of the command.
        model: path of the saved classifier, as it was given.
        data: the folder of photos, as it was given.
        class_names: in the order of the output.
        num_photos: readable photos of each split.
        num_class_photos: likewise of each class, for each split; empty where not recorded.
        num_skipped: photos that could not be used.
        kept_epoch: the epoch whose weights were saved; 0 is the state before fine-tuning.
        num_epochs: epochs that were trained.
        loss: validation log loss of the saved weights, in nats.
        accuracy: likewise, 0 to 1.
        num_frozen: photos and views that went through the frozen layers in this run.
        frozen_seconds: wall time of that.
        device, precision, versions: what it ran on.
        run_id: tells the run from all others; empty in records of older versions.
        start_run_id: of the run whose model this one started from; empty for `train`.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    command: Command
    started: str
    finished: str
    seconds: Seconds
    model: str
    data: str
    class_names: tuple[str, ...]
    num_photos: dict[str, Count]
    num_class_photos: dict[str, dict[str, Count]] = Field(default_factory=dict)
    num_skipped: Count
    kept_epoch: Count
    num_epochs: Count
    loss: float
    accuracy: float = Field(ge=0, le=1)
    num_frozen: Count
    frozen_seconds: Seconds
    device: str
    precision: str
    versions: dict[str, str]
    run_id: str = ""
    start_run_id: str = ""

    @field_validator("num_photos")
    @classmethod
    def _has_validation_photos(cls, counts: dict[str, int]) -> dict[str, int]:
        if counts.get("validation", 0) < 1:
            raise ValueError("num_photos has no validation photos")
        return counts

    @property
    def score(self) -> Score:
        """The figures on the validation photos, with their interval."""
        return Score(
            loss=self.loss, accuracy=self.accuracy, num_photos=self.num_photos["validation"]
        )

    @computed_field  # type: ignore[prop-decorator]
    @property
    def interval_low(self) -> float:
        """Lower bound of the accuracy's 95% Wilson interval."""
        return self.score.interval_low

    @computed_field  # type: ignore[prop-decorator]
    @property
    def interval_high(self) -> float:
        """Upper bound of the same interval."""
        return self.score.interval_high
