"""What lies between a replica and the database, and what can happen to it; cut.py and cable.py are
the two kinds there are."""

from __future__ import annotations

from typing import Protocol

from sqlalchemy import URL


class Line(Protocol):
    """One replica's way to the database, which is `host`:`port` at its near end. Its methods may be
    called from any thread."""

    host: str
    port: int

    def cut(self) -> None:
        """Let nothing pass either way from now on, and tell nobody. What is sent meanwhile arrives
        when it heals, unless its sender has given up by then."""

    def heal(self) -> None:
        """Let everything pass again; what had been sent follows by itself."""

    def drop(self) -> None:
        """Break every connection that there is. While it is cut, what was sent and has not arrived
        is lost with them."""

    def close(self) -> None:
        """There is no line any more."""


class Lines(Protocol):
    """One kind of line."""

    name: str
    """As a verdict calls them."""

    def lay(self, number: int, database: URL) -> Line:
        """A line for the replica of that number to where that URL, which is a Unix socket's, leads.
        One for a number at a time."""
