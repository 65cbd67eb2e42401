"""The command `zaiko`: the server, the simulated shops, and a client that speaks gRPC to any zaiko server."""

from zaiko_server.cli.main import main

__all__ = ["main"]
