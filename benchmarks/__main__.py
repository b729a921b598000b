"""`python -m benchmarks [PART]...`: measure, print a table, write JSON."""

import json
import platform
import tempfile
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from benchmarks.settings import Row, Settings
from catsdogs.network.backend import import_backend

import_backend()  # first, or it would print its lines

from benchmarks.parts import PARTS  # noqa: E402
from catsdogs.commands.info import info  # noqa: E402


@click.command()
@click.argument("names", metavar="[PART]...", nargs=-1, type=click.Choice(sorted(PARTS)))
@click.option(
    "--data",
    default="data",
    show_default=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Photos: train/ and validation/ with a folder per class.",
)
@click.option("--size", default=224, show_default=True, help="Height and width in pixels.")
@click.option("--repeats", default=3, show_default=True, help="Of each pair of measurements.")
@click.option(
    "--classic-photos",
    default=200,
    show_default=True,
    help="Photos that the classic recipe trains on; its time is scaled up.",
)
@click.option(
    "--output",
    default="benchmark.json",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Where the figures are written.",
)
def main(
    names: tuple[str, ...],
    data: Path,
    size: int,
    repeats: int,
    classic_photos: int,
    output: Path,
) -> None:
    """Measure our commands against the classic Keras recipe, in pairs, on the same photos.

    Without a PART, all but `scaling`, which takes the longest.
    """
    facts = info()
    console = Console()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as work:
        settings = Settings(data.resolve(), Path(work), size, repeats, classic_photos)
        for name in names or [name for name in PARTS if name != "scaling"]:
            console.print(f"measuring {name}", style="dim")
            rows += PARTS[name](settings)
    table = Table("what", "ours", "compared with", "ratio")
    for row in rows:
        table.add_row(
            row.what, row.ours, row.compared, "" if row.ratio is None else f"{row.ratio:.2f}"
        )
    console.print(table)
    console.print(f"{facts['device']}, {facts['precision']}, {platform.platform()}")
    console.print(
        f"{settings.num_training:,} + {settings.num_validation:,} photos at {size} px; "
        f"classic figures scaled up from {classic_photos} photos; medians of {repeats} pairs"
    )
    record = {"facts": facts, "size": size, "rows": [asdict(row) for row in rows]}
    output.write_text(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
