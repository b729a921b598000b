"""The group of all commands: what they have in common, and how errors end."""

import io
import os
import sys
from typing import Any

import click

from catsdogs import __version__
from catsdogs.cli.error_line import error_line
from catsdogs.cli.streams import say
from catsdogs.data.quiet import quieten_libraries
from catsdogs.errors import CatsdogsError
from catsdogs.text import printable, shortened

_PHOTO_ARGUMENTS = ("DIR", "PATH", "PHOTO")
"""What an argument is called that names photos."""


class _Group(click.Group):
    """Turns errors that a user can mend into one line and an exit code."""

    def list_commands(self, context: click.Context) -> list[str]:
        """In the order of use, which is that of `catsdogs/cli/__init__.py`."""
        return list(self.commands)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Each command with its whole first sentence, which Click cuts off."""
        sentences = [
            (name, (command.help or "").partition("\n\n")[0].replace("\n", " "))
            for name, command in self.commands.items()
        ]
        with formatter.section("Commands"):
            formatter.write_dl(sentences)

    def make_context(
        self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any
    ) -> click.Context:
        is_alone = not args
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.UsageError as error:
            if is_alone:  # which shows the help
                raise
            say(_usage_line(error))
            sys.exit(error.exit_code)

    def invoke(self, context: click.Context) -> Any:
        if isinstance(sys.stdout, io.TextIOWrapper):  # file names may be in any encoding
            sys.stdout.reconfigure(errors="backslashreplace")
        quieten_libraries()
        try:
            return super().invoke(context)
        except click.UsageError as error:
            say(_usage_line(error, context.invoked_subcommand or ""))
            context.exit(error.exit_code)
        except FileNotFoundError:
            if _is_somewhere():
                raise
            click.echo("error: the current folder is gone: change to another one", err=True)
            context.exit(CatsdogsError.exit_code)
        except CatsdogsError as error:
            name = context.invoked_subcommand or ""
            command = click.Context(self.commands[name], parent=context, info_name=name)
            say(error_line(error, command))
            context.exit(error.exit_code)


def _usage_line(error: click.UsageError, command_name: str = "") -> str:
    """What is wrong with a command line, in one line, with what was probably meant.

    Args:
        error: what Click found.
        command_name: whose command line it is, where the error does not say; empty: of none.
    """
    place = error.ctx.command_path if error.ctx else f"catsdogs {command_name}".rstrip()
    if error.ctx and (way := _way_to_name(error, error.ctx.command)):
        problem = f"{error.message.rstrip('.')}. {way}"  # without what Click takes it for
    else:
        problem = error.format_message().rstrip(".")
    problem = printable(shortened(problem, 400))
    link = " See" if problem.endswith("?") else ": see"
    return f"error: {problem}{link} `{place} --help`"


def _way_to_name(error: click.UsageError, command: click.Command) -> str:
    """How the command takes photos or a model, where another one's way was tried; else nothing."""
    options = {name for parameter in command.params for name in parameter.opts}
    arguments = [each for each in command.params if isinstance(each, click.Argument)]
    if isinstance(error, click.NoSuchOption) and error.option_name == "--data":
        names = [(each.metavar or "").strip("[].") for each in arguments]
        name = next((name for name in names if name in _PHOTO_ARGUMENTS), "")
        return f"Did you mean {name} without it?" if name else ""
    if "unexpected extra argument" in error.message:
        if ".h5)" in error.message and "--model" in options:
            return "Did you mean --model FILE?"
        if "--data" in options and not arguments:
            return "Did you mean --data DIR?"
    return ""


def _is_somewhere() -> bool:
    """Whether the current folder is still there; paths that begin there lead nowhere otherwise."""
    try:
        os.getcwd()  # noqa: PTH109 - raises, as `Path.cwd` does
    except FileNotFoundError:
        return False
    return True


@click.group("catsdogs", cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="catsdogs")
def main() -> None:
    """Train an image classifier from a folder of photos per class.

    \b
    catsdogs train --subsample 20 --epochs 1
    catsdogs finetune --epochs 2
    catsdogs predict image.jpg
    """
