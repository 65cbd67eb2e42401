"""Tokens, outside of any merchant."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from zaiko_core.app.records import Page, TokenRecord
from zaiko_core.storage import schema

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
    """See ports.Tokens."""

    def __init__(self, connection: Connection, now: int) -> None:
        self._connection, self.now = connection, now

    def insert(self, record: TokenRecord) -> None:
        values = {name: getattr(record, name) for name in _COLUMNS}
        values["merchants"] = None if record.merchants is None else list(record.merchants)
        self._connection.execute(insert(schema.tokens).values(values))

    def get(self, token: str) -> TokenRecord | None:
        row = self._connection.execute(
            select(schema.tokens).where(schema.tokens.c.token == token)
        ).one_or_none()
        return None if row is None else _record(row)

    def of_certificates(self, identities: Collection[str]) -> list[TokenRecord]:
        table = schema.tokens
        query = (
            select(table)
            .where(table.c.certificate.in_([item for item in identities if item]))
            .order_by(table.c.token)
        )
        return [_record(row) for row in self._connection.execute(query)]

    def page(self, page: Page) -> list[TokenRecord]:
        table = schema.tokens
        query = select(table).order_by(table.c.token).limit(page.size)
        if page.after is not None:
            query = query.where(table.c.token > page.after[0])
        return [_record(row) for row in self._connection.execute(query)]

    def end(self, token: str) -> None:
        table = schema.tokens
        self._connection.execute(
            update(table)
            .where(table.c.token == token, table.c.revoked_at.is_(None))
            .values(revoked_at=self.now)
        )

    def used(self, token: str) -> None:
        table = schema.tokens
        self._connection.execute(
            update(table).where(table.c.token == token).values(last_used_at=self.now)
        )


def _record(row: Row[Any]) -> TokenRecord:
    merchants = None if row.merchants is None else tuple(row.merchants)
    return TokenRecord(**{name: getattr(row, name) for name in _COLUMNS}, merchants=merchants)
