"""What `catsdogs export` says about a file it has written."""

from typing import TYPE_CHECKING

from catsdogs.text import printable

if TYPE_CHECKING:
    from catsdogs.exporting.model_writer import ExportResult


def export_lines(result: "ExportResult") -> list[str]:
    """The file, its size, and how it compares with the model."""
    check = result.check
    lines = [
        f"saved {printable(str(result.path))}: {result.format}, {result.precision}, "
        f"{result.num_bytes / 1e6:.1f} MB, takes {result.takes}",
    ]
    if result.beside is not None:
        lines.append(f"saved {printable(str(result.beside))}: its class names, a line each")
    return [
        *lines,
        f"checked on {check.num_photos:,} {printable(result.checked_on)}: the same class for "
        f"{check.num_same:,}, probabilities differ by {_share(check.mean_difference)} on "
        f"average, by {_share(check.largest_difference)} at most ({printable(check.its_photo)})",
    ]


def _share(difference: float) -> str:
    """With four places; what would round to nothing is called less than the last of them."""
    return f"{difference:.4f}" if difference >= 0.0001 else "less than 0.0001"
