"""The command `zaiko`: the server, the simulated shops, and a client that speaks gRPC to any zaiko
server."""

from __future__ import annotations

import os
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit."""
    # Read when gRPC is first imported: its own lines about each failed handshake would stand
    # between ours.
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    # Late, because one of the commands, the demo, stands on the client of this package.
    from zaiko_cli.app import run

    run(arguments)
