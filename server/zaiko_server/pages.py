"""Pages of lists. A page token names the position of the next page, and is valid only for the
merchant and the request that it was issued for.

A token is opaque to clients and grants nothing. It holds a position, the hash of the filter and the
revision that was read, under a MAC that is bound to the merchant. Positions are keys (keyset
pagination), never offsets.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import Page
from zaiko_core.domain.errors import InvalidPageToken

R = TypeVar("R")
M = TypeVar("M", bound=Message)
Key = tuple[Any, ...]

DEFAULT_SIZE, LARGEST_SIZE = 100, 1000
REPLY_LIMIT = 1 << 20
"""The target size of a page in bytes; clients refuse more than 4 MiB by default. A page that would
exceed it ends early, but has at least one item."""

_VERSION = 1
_MAC_SIZE = 8


@dataclass(frozen=True, slots=True)
class PageContent(Generic[M]):
    """The messages of one page, and the token of the next one; empty on the last page."""

    items: list[M]
    next_page_token: str


@dataclass(frozen=True, slots=True)
class PagePosition:
    """The position at which a list request begins."""

    merchant: str
    kind: str
    filter_hash: str
    size: int
    after: Key | None

    @property
    def page(self) -> Page:
        """The rows to read. One more than requested shows whether there is a next page."""
        return Page(self.size + 1, self.after)


class Pages:
    """Makes and checks page tokens. `key` is the database's, so every replica understands every
    token."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def begin(self, merchant: str, request: Any) -> PagePosition:
        """Return the position at which `request`, a list request with `page_size` and `page_token`,
        begins. Raises InvalidPageToken."""
        kind = request.DESCRIPTOR.name
        filter_hash = _filter_hash(request)
        size = min(request.page_size or DEFAULT_SIZE, LARGEST_SIZE)
        after = (
            self._open(request.page_token, merchant, kind, filter_hash)
            if request.page_token
            else None
        )
        return PagePosition(merchant, kind, filter_hash, size, after)

    def cut(
        self,
        position: PagePosition,
        rows: Sequence[R],
        key: Callable[[R], Key],
        messages: Iterable[M],
        revision: int,
    ) -> PageContent[M]:
        """Return one page of `rows` (read with `position.page`) and their `messages`. Messages that
        do not fit into the page are never made."""
        items: list[M] = []
        total = 0
        for message in messages:
            total += message.ByteSize()
            if len(items) == position.size or (items and total > REPLY_LIMIT):
                break
            items.append(message)
        if len(items) == len(rows):
            return PageContent(items, "")
        return PageContent(items, self._seal(position, key(rows[len(items) - 1]), revision))

    def list_of(
        self,
        merchant: str,
        request: Any,
        reply: type[M],
        rows: Callable[[UnitOfWork, PagePosition], Sequence[R]],
        *,
        key: Callable[[R], Key],
        messages: Callable[[UnitOfWork, Sequence[R]], Iterable[Message]],
    ) -> Callable[[UnitOfWork], M]:
        """Return the query of a List method. It reads `rows` from a position, and puts their
        `messages` into the only repeated field of `reply`, with `next_page_token` and `revision`.
        `key` is the position of a row. Raises InvalidPageToken at once, before anything is read."""
        position = self.begin(merchant, request)
        (items,) = (field.name for field in reply.DESCRIPTOR.fields if field.is_repeated)

        def query(uow: UnitOfWork) -> M:
            found = rows(uow, position)
            page = self.cut(position, found, key, messages(uow, found), uow.revision)
            content: dict[str, Any] = {items: page.items}
            return reply(**content, next_page_token=page.next_page_token, revision=uow.revision)

        return query

    def _seal(self, position: PagePosition, after: Key, revision: int) -> str:
        content = [_VERSION, position.kind, list(after), position.filter_hash, revision]
        payload = json.dumps(content, separators=(",", ":")).encode()
        return (
            base64.urlsafe_b64encode(self._mac(position.merchant, payload) + payload)
            .decode()
            .rstrip("=")
        )

    def _open(self, token: str, merchant: str, kind: str, filter_hash: str) -> Key:
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise _broken() from None
        mac, payload = raw[:_MAC_SIZE], raw[_MAC_SIZE:]
        if not hmac.compare_digest(mac, self._mac(merchant, payload)):
            raise _broken()
        version, made_for, after, made_with, _ = json.loads(payload)
        if version != _VERSION or made_for != kind or made_with != filter_hash:
            raise InvalidPageToken(
                "page_token belongs to a request with another filter or order; start again "
                "without it"
            )
        return tuple(after)

    def _mac(self, merchant: str, payload: bytes) -> bytes:
        return hashlib.blake2b(
            merchant.encode() + b"\0" + payload, key=self._key, digest_size=_MAC_SIZE
        ).digest()


def collect(
    position: PagePosition,
    fetch: Callable[[Page], list[R]],
    key: Callable[[R], Key],
    keep: Callable[[R], bool],
) -> list[R]:
    """Return the rows that pass `keep`, read page by page until there is one more than a page. For
    filters that the store cannot apply."""
    found: list[R] = []
    after = position.after
    chunk = max(position.size + 1, DEFAULT_SIZE)
    while True:
        rows = fetch(Page(chunk, after))
        found += [row for row in rows if keep(row)]
        if len(found) > position.size or len(rows) < chunk:
            return found[: position.size + 1]
        after = key(rows[-1])


def _filter_hash(request: Any) -> str:
    bare = type(request)()
    bare.CopyFrom(request)
    bare.ClearField("page_size")
    bare.ClearField("page_token")
    return hashlib.sha256(bare.SerializeToString(deterministic=True)).hexdigest()[:16]


def _broken() -> InvalidPageToken:
    return InvalidPageToken(
        "page_token is broken or belongs to another merchant; start again without it"
    )
