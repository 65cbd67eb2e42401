"""Tokens, outside of any merchant."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, insert, select, update

from zaiko_core.app.records import Page, TokenRecord
from zaiko_core.storage import schema
from zaiko_core.storage.codec import Codec
from zaiko_core.storage.sql import execute

_TOKENS = Codec(schema.tokens, TokenRecord)


class TokenRows:
    """Who may call, outside of any merchant's unit of work."""

    def __init__(self, connection: Connection, now: int) -> None:
        self._connection, self.now = connection, now

    def insert(self, record: TokenRecord) -> None:
        execute(self._connection, insert(schema.tokens).values(_TOKENS.write(record)))

    def get(self, token: str) -> TokenRecord | None:
        row = execute(
            self._connection, select(schema.tokens).where(schema.tokens.c.token == token)
        ).one_or_none()
        return None if row is None else _TOKENS.read(row)

    def of_certificates(self, identities: Collection[str]) -> list[TokenRecord]:
        """Return the tokens of these identities, revoked ones too."""
        table = schema.tokens
        query = (
            select(table)
            .where(table.c.certificate.in_([item for item in identities if item]))
            .order_by(table.c.token)
        )
        return [_TOKENS.read(row) for row in execute(self._connection, query)]

    def page(self, page: Page) -> list[TokenRecord]:
        """Return a page by id."""
        table = schema.tokens
        query = select(table).order_by(table.c.token).limit(page.size)
        if page.after is not None:
            query = query.where(table.c.token > page.after[0])
        return [_TOKENS.read(row) for row in execute(self._connection, query)]

    def end(self, token: str) -> None:
        """Revoke a token now. One that was revoked keeps its time."""
        table = schema.tokens
        execute(
            self._connection,
            update(table)
            .where(table.c.token == token, table.c.revoked_at.is_(None))
            .values(revoked_at=self.now),
        )

    def used(self, token: str) -> None:
        """Note that a token was used now."""
        table = schema.tokens
        execute(
            self._connection,
            update(table).where(table.c.token == token).values(last_used_at=self.now),
        )
