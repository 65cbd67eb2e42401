"""The base of every repository of a unit of work: the connection, the merchant, the time and the
revision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, Executable, Table, and_, or_, true

from zaiko_core.app.records import Page
from zaiko_core.storage.sql import Result, execute


class Scope:
    """The base of a repository. Every query is restricted by `mine`."""

    def __init__(self, connection: Connection, merchant: str, now: int, revision: int) -> None:
        self.connection = connection
        self.merchant = merchant
        self.now = now
        self.revision = revision

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.connection.dialect.name

    def execute(self, statement: Executable, params: Mapping[str, Any] | None = None) -> Result:
        """Run a statement (sql.execute)."""
        return execute(self.connection, statement, params)

    def mine(self, table: Table) -> ColumnElement[bool]:
        """Return the condition for rows of this merchant."""
        return table.c.merchant == self.merchant

    def stamp(self, values: dict[str, Any]) -> dict[str, Any]:
        """Return `values` of a new row with merchant, times and revision."""
        return values | {
            "merchant": self.merchant,
            "created_at": self.now,
            "updated_at": self.now,
            "revision": self.revision,
        }


def after(page: Page, *columns: Any) -> ColumnElement[bool]:
    """Return the keyset condition: rows behind `page.after` in the ascending order of `columns`. It
    is spelt out instead of a row value, so that both databases use the index."""
    if page.after is None:
        return true()
    alternatives = []
    for position, column in enumerate(columns):
        equal = [
            earlier == value for earlier, value in zip(columns[:position], page.after, strict=False)
        ]
        alternatives.append(and_(*equal, column > page.after[position]))
    return or_(*alternatives)
