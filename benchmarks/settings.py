"""What the parts of the benchmark are given, and what they give."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from catsdogs.data.walking import list_photos


@dataclass(frozen=True)
class Settings:
    """What is measured on what.

    Attributes:
        data: absolute path of a folder that holds train/ and validation/.
        work: absolute path of an empty folder for models, caches and outputs.
        size: height and width of the photos in pixels.
        repeats: of each pair of measurements.
        classic_photos: photos that the classic recipe trains on; its time is scaled up.
    """

    data: Path
    work: Path
    size: int
    repeats: int
    classic_photos: int

    @property
    def num_training(self) -> int:
        """Photos in train/."""
        return len(list_photos(self.data / "train"))

    @property
    def num_validation(self) -> int:
        """Photos in validation/."""
        return len(list_photos(self.data / "validation"))

    @property
    def flags(self) -> list[str]:
        """What every one of our commands is given."""
        return [f"--set=model.image_size=[{self.size},{self.size}]", f"--data={self.data}"]


@dataclass(frozen=True)
class Row:
    """One line of the table: what, the figure with its unit, and what it is compared with."""

    what: str
    ours: str
    compared: str = ""
    ratio: float | None = None

    @classmethod
    def of_rates(cls, what: str, pairs: Sequence[tuple[float, float]]) -> "Row":
        """Medians of our and the other photos per second, and of their ratios, pair by pair."""
        return cls(
            what,
            f"{statistics.median(ours for ours, _ in pairs):,.1f} photos/s",
            f"{statistics.median(other for _, other in pairs):,.1f} photos/s",
            statistics.median(ours / other for ours, other in pairs),
        )
