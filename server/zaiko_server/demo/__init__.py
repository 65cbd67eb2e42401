"""`zaiko demo`: the server and three simulated shops as they really run, and a story that checks every number that it shows."""

from zaiko_server.demo.command import demo

__all__ = ["demo"]
