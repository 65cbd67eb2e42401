"""The watch: a snapshot, then every change in commit order, over a server-streaming call
(ADR 0006).

`topics` says what is watched and reads it, `cursor` is the resume token, `session` is one watch
from its first message to its last, `conversation` is many of them on one stream, `hub` is what all
watches of this process share (wake-ups, reads, seats, drain), `watcher` is the face towards the
services.
"""

from zaiko_server.watch.watcher import SyncWatcher

__all__ = ["SyncWatcher"]
