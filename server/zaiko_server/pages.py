"""Pages of lists: the token says where to go on, and is good only for the merchant and the request
that it was made for.

A token is opaque to clients and grants nothing: it holds a position, the hash of the filter and the
revision that was read, under a MAC that is bound to the merchant. Positions are keys (keyset),
never offsets.
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
from zaiko_core.app.records import Page
from zaiko_core.domain.errors import InvalidPageToken

R = TypeVar("R")
M = TypeVar("M", bound=Message)
Key = tuple[Any, ...]

DEFAULT_SIZE, LARGEST_SIZE = 100, 1000
REPLY_LIMIT = 1 << 20
"""Bytes that a page aims at: clients refuse more than 4 MiB by default. A page ends early, never
empty, when it is reached."""

_VERSION = 1
_MAC_SIZE = 8


@dataclass(frozen=True, slots=True)
class Cut(Generic[M]):
    """The messages of one page, and where to go on; the token is empty on the last page."""

    items: list[M]
    next_page_token: str


@dataclass(frozen=True, slots=True)
class PagePosition:
    """Where a list request begins."""

    merchant: str
    kind: str
    filter_hash: str
    size: int
    after: Key | None

    @property
    def page(self) -> Page:
        """What to read: one row more than wanted tells whether there is another page."""
        return Page(self.size + 1, self.after)


class Pages:
    """Makes and checks page tokens. `key` is the database's own, so that every replica understands
    every token."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def begin(self, merchant: str, request: Any) -> PagePosition:
        """Where `request`, a list request with `page_size` and `page_token`, begins. Raises
        InvalidPageToken."""
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
    ) -> Cut[M]:
        """One page of `rows` (read with `position.page`) and their `messages`."""
        items: list[M] = []
        total = 0
        for message in messages:
            total += message.ByteSize()
            if len(items) == position.size or (items and total > REPLY_LIMIT):
                break
            items.append(message)
        if len(items) == len(rows):
            return Cut(items, "")
        return Cut(items, self._seal(position, key(rows[len(items) - 1]), revision))

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
                "page_token belongs to a request with another filter or order; begin again "
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
    """Rows that pass `keep`, read page by page until one more than a page is there: for filters
    that the store does not know."""
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
        "page_token is broken or belongs to another merchant; begin again without it"
    )
