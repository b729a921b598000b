"""An error as the line that a user reads, with the flag that is the way out."""

import click

from catsdogs.cli.options import KeyOption
from catsdogs.errors import CatsdogsError
from catsdogs.text import printable


def error_line(error: CatsdogsError, context: click.Context) -> str:
    """`error: …`, in one line.

    Args:
        error: what happened.
        context: of the command that ran.
    """
    flag = _flag(error.key, context) if error.key else ""
    sequel = f". {error.sequel}" if error.sequel else ""
    return f"error: {printable(error.message)}{f' by {flag}' if flag else ''}{printable(sequel)}"


def _flag(key: str, context: click.Context) -> str:
    """How a command sets a key: its own flag, else `--set`, else nothing that is of use."""
    for parameter in context.command.params:
        if isinstance(parameter, KeyOption):
            is_meant = parameter.key_of(context.info_name or "") == key
        else:
            is_meant = key in (parameter.name, (parameter.name or "").removesuffix("_dir"))
        if is_meant and isinstance(parameter, click.Option):
            return f"{parameter.opts[0]} {parameter.metavar or ''}".rstrip()
    if any(parameter.name == "settings" for parameter in context.command.params):
        from catsdogs.config import config_keys

        if key in config_keys():
            return f"--set {key}={key.rpartition('.')[2].upper()}"
    return ""
