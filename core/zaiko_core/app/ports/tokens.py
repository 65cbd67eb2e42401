"""Who may call (ADR 0015)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from zaiko_core.app.records import Page, TokenRecord


class Tokens(Protocol):
    """Who may call, outside of any merchant's unit of work."""

    now: int

    def insert(self, record: TokenRecord) -> None: ...
    def get(self, token: str) -> TokenRecord | None: ...
    def of_certificates(self, identities: Collection[str]) -> list[TokenRecord]:
        """Also those that have been revoked."""
        ...

    def page(self, page: Page) -> list[TokenRecord]:
        """By id."""
        ...

    def end(self, token: str) -> None:
        """Revoke now; one that was revoked keeps its time."""
        ...

    def used(self, token: str) -> None:
        """It was used now."""
        ...
