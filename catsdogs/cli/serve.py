"""`catsdogs serve`."""

import errno
import os
import re
import socket

import click

from catsdogs.cli.completion import complete_files
from catsdogs.cli.options import NumberType, precision_option, unknown_option
from catsdogs.errors import CatsdogsError
from catsdogs.text import shortened

_LOCAL = ("127.0.0.1", "localhost", "::1")

_SECRET_VARIABLE = "CATSDOGS_TOKEN"

_HOST = re.compile(r"\*|[\w.:%-]+|\[[0-9A-Fa-f.:%\w]+\]")
"""What a Host header may name, or `*`."""


def _secret(_: click.Context, __: click.Parameter, value: str | None) -> str:
    if value is None:
        if _SECRET_VARIABLE in os.environ:  # empty: Click takes it for one that is not set
            raise click.BadParameter(f"{_SECRET_VARIABLE} is empty: unset it to ask for none")
        return ""
    if not value:  # of a variable that is not set: whoever asks would be answered
        raise click.BadParameter("the secret is empty: leave it out to ask for none")
    if value != value.strip() or re.search(r"[\x00-\x1f\x7f]", value):  # and is not shown
        raise click.BadParameter(
            "expected a secret without line breaks, control characters and spaces at its ends, "
            "which no request can send"
        )
    return value


def _hosts(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        if not _HOST.fullmatch(value):
            raise click.BadParameter(
                f"expected a name alone, such as photos.example.org, or * for any, "
                f"got {shortened(repr(value))}"
            )
    return values


@click.command()
@click.argument("models", metavar="[NAME=]FILE...", nargs=-1, shell_complete=complete_files)
@click.option(
    "--host",
    metavar="HOST",
    default="127.0.0.1",
    show_default=True,
    help="The address to listen on.",
)
@click.option(
    "--port",
    metavar="PORT",
    default=8000,
    show_default=True,
    type=NumberType(1, 65535),
    help="The port to listen on.",
)
@click.option(
    "--token",
    envvar=_SECRET_VARIABLE,
    metavar="SECRET",
    callback=_secret,
    help="Answer only who sends it, as `Authorization: Bearer SECRET`.",
)
@click.option(
    "--allow-host",
    "allowed_hosts",
    metavar="NAME",
    multiple=True,
    callback=_hosts,
    help="A name that clients may call this machine by.",
)
@unknown_option
@precision_option
def serve(
    models: tuple[str, ...],
    host: str,
    port: int,
    token: str,
    allowed_hosts: tuple[str, ...],
    unknown: float | None,
    precision: str,
) -> None:
    """Answer over HTTP, with a page to drop photos on.

    Without FILE, models/catsdogs.h5. A file that is replaced is taken up at once.

    \b
    catsdogs serve models/catsdogs.h5
    """
    from catsdogs.commands.serve import ServeRequest, name_models, serve
    from catsdogs.console import Console

    console = Console()
    listening = _listen(host, port)
    named = name_models(models or ("models/catsdogs.h5",))
    app = serve(ServeRequest(named, host, token, precision, allowed_hosts, unknown), console)
    import uvicorn

    if host not in _LOCAL:
        console.warn(
            f"listening on {host}: whoever reaches this machine can ask the model"
            + ("" if token else "; --token asks them for a secret")
        )
    console.note(f"serving {', '.join(named)} on http://{host}:{port}, its interface on /docs")
    config = uvicorn.Config(app, log_level="warning", server_header=False)
    uvicorn.Server(config).run(sockets=[listening])


def _listen(host: str, port: int) -> socket.socket:
    """A socket at an address, before models are opened for nothing.

    Raises:
        CatsdogsError: there is no such address here, or another program has the port.
    """
    if not host:  # of a variable that is not set
        raise CatsdogsError("the address to listen on is empty: choose one", "host")
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except (OSError, UnicodeError) as error:
        said = (getattr(error, "strerror", None) or str(error)).lower()
        reason = said.partition(" (while attempting")[0]
        problem = f"{shortened(host)}, port {port}, cannot be listened on ({reason})"
        no_address = isinstance(error, socket.gaierror | UnicodeError) or (
            error.errno == errno.EADDRNOTAVAIL
        )
        raise CatsdogsError(
            f"{problem}: choose another", "host" if no_address else "port"
        ) from None
