"""`zaiko demo`: a server and three simulated shops as real processes, and a story that checks every
number it shows."""

from __future__ import annotations

from typing import Annotated

import typer


def demo(
    plain: Annotated[
        bool, typer.Option("--plain", help="Print plain lines, also on a terminal.")
    ] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave everything running at the end, until Ctrl-C.")
    ] = False,
) -> None:
    """Show zaiko at work on this machine: a server, three simulated shops, and a story that checks
    every number.

    It uses a temporary folder and this machine only. Exits with 1 if a number is wrong."""
    from zaiko_cli.failure import Failed

    try:
        # Late: simulators need packages that a server does not need.
        from zaiko_server.demo.command import run
    except ImportError as error:
        raise Failed(
            f"The demo needs {error.name}. Install zaiko with its extra: pip install "
            "'zaiko[simulators]'."
        ) from None
    raise typer.Exit(run(plain=plain, keep=keep))
