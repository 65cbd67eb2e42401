"""The watch: a snapshot, then every change in commit order, over a server-streaming call (ADR
0006).

A watch is a position in the change feed, never a queue: it reads its next range when its client has
taken the last one. README.md says what each module does.
"""

from zaiko_server.watch.watch_server import WatchServer

__all__ = ["WatchServer"]
