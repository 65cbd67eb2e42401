"""Following a platform's pages without trusting it to end them."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TypeVar

from zaiko_sdk.errors import ContractBroken

P = TypeVar("P", bound=Hashable)


class PageTrail:
    """The pages of one listing that were asked for so far.

    `what` names the listing in errors, `start` is where its first page began. Call `follow` before
    each further page:

        trail = PageTrail("/api/orders")
        while reply.next:
            reply = await get(after=trail.follow(reply.next))
    """

    def __init__(self, what: str, *, start: Hashable = None, most: int = 100_000) -> None:
        self._what, self._most = what, most
        self._seen: set[Hashable] = {start}
        self._pages = 1

    def follow(self, position: P) -> P:
        """Return `position`, where the next page begins: a key, an offset or the platform's own
        cursor.

        Raises ContractBroken when the same position came before, so that the pages go round in
        circles, and after `most` pages.
        """
        if position in self._seen:
            raise ContractBroken(f"{self._what}: the pages go round in circles at {position!r:.80}")
        if self._pages >= self._most:
            raise ContractBroken(f"{self._what}: there is no end after {self._most} pages")
        self._seen.add(position)
        self._pages += 1
        return position
