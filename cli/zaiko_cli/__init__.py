"""The command `zaiko`: a client of any zaiko server."""

from __future__ import annotations

import os
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit."""
    # gRPC reads this when it is imported. Its own lines about failed handshakes would otherwise
    # appear between the command's.
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    from zaiko_cli.app import run

    run(arguments)
