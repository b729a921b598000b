"""What a shell offers after Tab, where the kind of an argument does not say it already."""

import click
from click.shell_completion import CompletionItem


def complete_files(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Leave it to the shell to offer files."""
    return [CompletionItem(incomplete, type="file")]


def complete_backbones(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The networks, and `auto`."""
    from catsdogs.network.backbones import backbone_names

    names = ["auto", *backbone_names()]
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def complete_settings(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """`KEY=` for every key of the configuration; the value is for the user to write."""
    from catsdogs.config import config_keys

    return [CompletionItem(f"{key}=") for key in config_keys() if key.startswith(incomplete)]
