"""What is kept for people and for callers that repeat themselves: runs, operations, answered
requests, notifications that have come, and the change feed."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from zaiko_core.app.records import ChangeKind, OperationRecord, Page, RunRecord


class Runs(Protocol):
    def put(self, record: RunRecord) -> None: ...
    def abandon(self, shop: str, *, before_token: int) -> list[str]:
        """Runs of this shop that say RUNNING under an older token have died with their process;
        which."""
        ...

    def get(self, shop: str, run: str) -> RunRecord | None: ...
    def page(self, page: Page, *, shop: str, states: Collection[str] = ()) -> list[RunRecord]:
        """Newest first, of one shop or (empty) of all, in one of these states (empty: in any); the
        key is (run, shop)."""
        ...


class Operations(Protocol):
    def put(self, record: OperationRecord) -> None: ...
    def get(self, operation: str) -> OperationRecord | None: ...
    def page(
        self, page: Page, *, kinds: Collection[str] = (), states: Collection[str] = ()
    ) -> list[OperationRecord]:
        """Newest first, of these kinds and in one of these states (empty: any)."""
        ...

    def active(self, kind: str, shop: str) -> OperationRecord | None: ...


class Requests(Protocol):
    def get(self, principal: str, method: str, request_id: str) -> tuple[bytes, bytes, int] | None:
        """(digest, response, revision)"""
        ...

    def put(
        self, principal: str, method: str, request_id: str, digest: bytes, response: bytes
    ) -> None: ...
    def forget(self, *, older_than: int) -> None:
        """Delete answers given before that time."""
        ...


class Webhooks(Protocol):
    def insert(self, shop: str, delivery: str) -> bool:
        """Write down that this notification has come; False when it had come before."""
        ...

    def forget(self, *, older_than: int) -> None: ...


class Feed(Protocol):
    def between(
        self, after: int, upto: int, kinds: Collection[ChangeKind]
    ) -> dict[ChangeKind, dict[str, int]]:
        """Names changed in (after, upto], each with the revision of its last change, by kind."""
        ...

    def compacted(self) -> int:
        """The newest revision that is no longer in the feed."""
        ...

    def compact(self, *, older_than: int, keep: int) -> int:
        """Drop rows that are both older than that time and beyond the newest `keep` revisions; the
        new watermark."""
        ...
