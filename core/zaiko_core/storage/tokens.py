"""Tokens, outside of any merchant."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from zaiko_core.app.records import Page, TokenRecord
from zaiko_core.storage import schema
from zaiko_core.storage.sql import execute

_COLUMNS = (
    "token",
    "hash",
    "certificate",
    "display_name",
    "role",
    "created_by",
    "created_at",
    "expires_at",
    "revoked_at",
    "last_used_at",
)


class TokenRows:
    """Who may call, outside of any merchant's unit of work."""

    def __init__(self, connection: Connection, now: int) -> None:
        self._connection, self.now = connection, now

    def insert(self, record: TokenRecord) -> None:
        values = {name: getattr(record, name) for name in _COLUMNS}
        values["merchants"] = None if record.merchants is None else list(record.merchants)
        execute(self._connection, insert(schema.tokens).values(values))

    def get(self, token: str) -> TokenRecord | None:
        row = execute(
            self._connection, select(schema.tokens).where(schema.tokens.c.token == token)
        ).one_or_none()
        return None if row is None else _record(row)

    def of_certificates(self, identities: Collection[str]) -> list[TokenRecord]:
        """Also those that have been revoked."""
        table = schema.tokens
        query = (
            select(table)
            .where(table.c.certificate.in_([item for item in identities if item]))
            .order_by(table.c.token)
        )
        return [_record(row) for row in execute(self._connection, query)]

    def page(self, page: Page) -> list[TokenRecord]:
        """By id."""
        table = schema.tokens
        query = select(table).order_by(table.c.token).limit(page.size)
        if page.after is not None:
            query = query.where(table.c.token > page.after[0])
        return [_record(row) for row in execute(self._connection, query)]

    def end(self, token: str) -> None:
        """Revoke now; one that was revoked keeps its time."""
        table = schema.tokens
        execute(
            self._connection,
            update(table)
            .where(table.c.token == token, table.c.revoked_at.is_(None))
            .values(revoked_at=self.now),
        )

    def used(self, token: str) -> None:
        """It was used now."""
        table = schema.tokens
        execute(
            self._connection,
            update(table).where(table.c.token == token).values(last_used_at=self.now),
        )


def _record(row: Row[Any]) -> TokenRecord:
    merchants = None if row.merchants is None else tuple(row.merchants)
    return TokenRecord(**{name: getattr(row, name) for name in _COLUMNS}, merchants=merchants)
