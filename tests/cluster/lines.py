"""The line between a replica and the database, which a test can cut and heal. There are two kinds:
cable.py and cut.py."""

from __future__ import annotations

from typing import Protocol

from sqlalchemy import URL


class Line(Protocol):
    """The line of one replica: it reaches the database at `host`:`port`. The methods may be called
    from any thread."""

    host: str
    port: int

    def cut(self) -> None:
        """Stop all traffic in both directions, silently. What is sent meanwhile arrives when the
        line heals, unless its sender has given up by then."""

    def heal(self) -> None:
        """Let traffic pass again. What was sent meanwhile arrives, without being sent again."""

    def drop(self) -> None:
        """Break every connection. While the line is cut, what was sent and has not arrived is
        lost."""

    def close(self) -> None:
        """Remove the line."""


class Lines(Protocol):
    """One kind of line."""

    name: str
    """The name in a verdict."""

    def lay(self, number: int, database: URL) -> Line:
        """Return a line from the replica of this number to the database of a URL (which names a
        Unix socket). A number has one line at a time."""
