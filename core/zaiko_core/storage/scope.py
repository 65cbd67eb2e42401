"""What every repository of a unit of work shares: the connection, the merchant, the time and the
revision."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, or_, true

from zaiko_core.app.records import Page


class Scope:
    """The base of a repository. Every query is restricted by `mine`."""

    def __init__(self, connection: Connection, merchant: str, now: int, revision: int) -> None:
        self.connection, self.merchant, self.now, self.revision = (
            connection,
            merchant,
            now,
            revision,
        )

    def mine(self, table: Table) -> ColumnElement[bool]:
        """Rows of this merchant."""
        return table.c.merchant == self.merchant

    def stamp(self, values: dict[str, Any]) -> dict[str, Any]:
        """`values` of a new row, with merchant, times and revision."""
        return values | {
            "merchant": self.merchant,
            "created_at": self.now,
            "updated_at": self.now,
            "revision": self.revision,
        }


def after(page: Page, *columns: Any) -> ColumnElement[bool]:
    """The keyset condition: rows behind `page.after` in the ascending order of `columns`. Spelt out
    instead of a row value, so that both databases use the index."""
    if page.after is None:
        return true()
    alternatives = []
    for position, column in enumerate(columns):
        equal = [
            earlier == value for earlier, value in zip(columns[:position], page.after, strict=False)
        ]
        alternatives.append(and_(*equal, column > page.after[position]))
    return or_(*alternatives)
