"""`catsdogs sample`, `catsdogs info` and `catsdogs cache`: what surrounds the training."""

from pathlib import Path

import click


@click.command()
@click.argument("folder", metavar="[DIR]", default="data", type=click.Path(path_type=Path))
def sample(folder: Path) -> None:
    """Unpack the built-in photos into DIR (default: data).

    \b
    catsdogs sample
    """
    from catsdogs.commands.sample import sample

    result = sample(folder)
    written = f"{result.num_written:,} written" if result.num_written else "all there already"
    click.echo(f"{result.folder}: {result.num_photos:,} photos of cats and dogs, {written}")


@click.command()
def info() -> None:
    """Show versions, device, precision, source of the weights.

    \b
    catsdogs info
    """
    from catsdogs.network.backend import import_backend

    import_backend()
    from catsdogs.commands.info import info

    facts = info()
    width = max(map(len, facts))
    for name, fact in facts.items():
        click.echo(f"{name:{width}}  {fact}")


@click.command()
@click.option("--dir", "folder", metavar="DIR", help="The cache folder.  [default: the user's]")
@click.option("--clear", is_flag=True, help="Delete all of it.")
def cache(folder: str | None, clear: bool) -> None:
    """Show what the feature store holds, or empty it.

    \b
    catsdogs cache --clear
    """
    from catsdogs.network.backend import import_backend

    import_backend()
    from catsdogs.commands import cache as command
    from catsdogs.config import CacheConfig
    from catsdogs.training.feature_store import cache_dir

    config = CacheConfig(dir=folder or "")
    if clear:
        click.echo(f"{command.clear(config) / 2**20:,.1f} MiB freed in {cache_dir(config)}")
        return
    entries = command.cache(config)
    for entry in entries:
        card, size = entry.store.card, entry.store.num_bytes / 2**20
        what = f"{card.backbone} to {card.boundary} {card.pooling}".strip() if card else "damaged"
        shape = f"{card.image_size[0]} x {card.image_size[1]}, {card.precision}" if card else ""
        click.echo(f"{size:10,.1f} MiB  {entry.num_features:9,} features  {what}, {shape}")
    total = sum(entry.store.num_bytes for entry in entries) / 2**20
    click.echo(f"{total:10,.1f} MiB in {cache_dir(config)}")
