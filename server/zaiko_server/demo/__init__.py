"""`zaiko demo`: the server and three simulated shops as they really run, and a story that checks
every number that it shows."""

from __future__ import annotations

from typing import Annotated

import typer


def demo(
    plain: Annotated[
        bool, typer.Option("--plain", help="Plain lines, also on a terminal.")
    ] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave everything running at the end, until Ctrl-C.")
    ] = False,
) -> None:
    """Show zaiko at work on this machine: a server, three simulated shops, and a story that checks
    every number.

    Nothing outside of a temporary folder is touched, and nothing leaves this machine. Ends with 1
    when a number is wrong."""
    from zaiko_cli.failure import Failed

    try:
        # Late: what simulators are built from is not needed to serve, and need not be installed.
        from zaiko_server.demo.command import run
    except ImportError as error:
        raise Failed(
            f"The demo needs {error.name}. Install zaiko with its extra: pip install "
            "'zaiko[simulators]'."
        ) from None
    raise typer.Exit(run(plain=plain, keep=keep))
