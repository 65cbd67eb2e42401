"""The command line as a whole: the options that every command knows, and how errors end it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import grpc
import typer
from rich.markup import escape

from zaiko_cli import commands
from zaiko_cli.client import ApiClient
from zaiko_cli.command import Command, Output
from zaiko_cli.connection import DEFAULT_ADDRESS, ServerConnection
from zaiko_cli.failure import USAGE, Failed, failed
from zaiko_cli.show import Show, console

app = typer.Typer(
    name="zaiko",
    cls=commands.Commands,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""zaiko keeps the stock that many shops show equal to what may still be sold.

    `zaiko demo` shows it at work. `zaiko serve` starts a server; the other commands ask one over gRPC.

    --address, --merchant, --output and those about TLS and tokens may stand anywhere on the line.""",  # noqa: E501
)


@app.callback()
def _options(
    context: typer.Context,
    address: Annotated[
        str,
        typer.Option(
            envvar="ZAIKO_ADDRESS",
            metavar="HOST:PORT",
            help="Address of the server.",
            show_default=True,
        ),
    ] = DEFAULT_ADDRESS,
    merchant: Annotated[
        str,
        typer.Option(
            envvar="ZAIKO_MERCHANT",
            metavar="ID",
            help="The merchant; not needed where there is only one.",
        ),
    ] = "",
    output: Annotated[
        Output, typer.Option(help="Tables for people, or JSON for scripts.")
    ] = Output.TABLE,
    tls: Annotated[
        bool,
        typer.Option("--tls", envvar="ZAIKO_TLS", help="Speak TLS, trusting the system's CAs."),
    ] = False,
    ca: Annotated[
        Path | None,
        typer.Option(envvar="ZAIKO_CA", metavar="FILE", help="Speak TLS, trusting this CA (PEM)."),
    ] = None,
    cert: Annotated[
        Path | None,
        typer.Option(
            envvar="ZAIKO_CERT", metavar="FILE", help="Our certificate (PEM), for mutual TLS."
        ),
    ] = None,
    key: Annotated[
        Path | None, typer.Option(envvar="ZAIKO_KEY", metavar="FILE", help="Its key (PEM).")
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(
            envvar="ZAIKO_TOKEN_FILE",
            metavar="FILE",
            help="File with our token. ZAIKO_TOKEN can hold the token itself.",
        ),
    ] = None,
) -> None:
    client = ApiClient(ServerConnection(address, tls, ca, cert, key, _token(token_file)), merchant)
    context.call_on_close(client.close)
    context.obj = Command(client, Show(as_json=output is Output.JSON))


commands.add_to(app)
_ANYWHERE = (
    "--address",
    "--merchant",
    "--output",
    "--tls",
    "--ca",
    "--cert",
    "--key",
    "--token-file",
)


def _token(path: Path | None) -> str:
    """Return the token of the file or of ZAIKO_TOKEN. No option takes the token itself, because
    other users of the machine can read the command line."""
    if path is None:
        return os.environ.get("ZAIKO_TOKEN", "").strip()
    try:
        return path.read_text().strip()
    except OSError as error:
        raise Failed(
            (
                f"{path} cannot be read ({error.strerror}). Name the file with the token with "
                "--token-file."
            ),
            USAGE,
        ) from None


def run(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit. A failure prints one sentence on standard error and exits with a
    code other than 0."""
    given = global_options(list(sys.argv[1:] if arguments is None else arguments))
    address = _address(given)
    try:
        app(args=given, prog_name="zaiko")
    except Failed as error:
        _end(error)
    except grpc.RpcError as error:
        _end(failed(error, address))
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output closed it (`zaiko watch | head`).
        sys.stderr.close()
        sys.exit(0)


def global_options(arguments: list[str]) -> list[str]:
    """Return the arguments with the global options moved to the front, where the parser expects
    them."""
    front: list[str] = []
    rest: list[str] = []
    pending = iter(arguments)
    for argument in pending:
        name, equals, _ = argument.partition("=")
        if argument == "--":
            rest += [argument, *pending]
        elif name in _ANYWHERE:
            front.append(argument)
            if not equals and name != "--tls":
                front += [value for value in [next(pending, None)] if value is not None]
        else:
            rest.append(argument)
    return front + rest


def _address(arguments: list[str]) -> str:
    """Return the address that the arguments name, for the sentence about a failed call."""
    for place, argument in enumerate(arguments):
        if argument.startswith("--address="):
            return argument.partition("=")[2]
        if argument == "--address" and place + 1 < len(arguments):
            return arguments[place + 1]
    return os.environ.get("ZAIKO_ADDRESS", DEFAULT_ADDRESS)


def _end(error: Failed) -> None:
    console(stderr=True).print(f"[bold red]Error:[/] {escape(error.sentence)}", soft_wrap=True)
    sys.exit(error.code)
