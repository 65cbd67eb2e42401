"""The command `zaiko`: the server, the simulated shops, and a client that speaks gRPC to any zaiko server."""

from __future__ import annotations

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit."""
    # Late, because one of the commands, the demo, stands on the client of this package.
    from zaiko_server.cli.app import run

    run(arguments)
