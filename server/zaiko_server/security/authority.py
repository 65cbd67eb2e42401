"""From a call's credentials to the one who calls."""

from __future__ import annotations

import contextlib
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from zaiko_core.app import tokens
from zaiko_core.app.records import TokenRecord
from zaiko_core.domain.access import LOCAL, Principal
from zaiko_core.domain.errors import TokenInvalid, TokenMissing, Unavailable

from zaiko_server.refusals import TooManyGuesses
from zaiko_server.security.buckets import Buckets

if TYPE_CHECKING:
    from zaiko_core.storage.tokens import TokenRows
    from zaiko_core.storage.transactions import Door

FRESH = 15.0
"""Seconds for which what was read of a token is believed. A stream looks as often, at what may then
be as old: so twice as long after a token was revoked, nothing that it opened goes on, on any
server."""
_KEPT = 10_000
_USE_NOTED = 3600 * 1_000_000
_FAILURES = 20.0
_SCHEME = "bearer "


class Authority(Protocol):
    """Says who calls. Raises Unauthenticated, RateLimited, StorageUnavailable."""

    async def principal(self, context: Any) -> Principal: ...


class Everybody:
    """Asks for nothing: whoever reaches the server may do everything. For servers that only this
    machine reaches."""

    async def principal(self, context: Any) -> Principal:
        """See Authority."""
        return LOCAL


@dataclass(frozen=True, slots=True)
class _Read:
    records: tuple[TokenRecord, ...]
    at: float


class TokenAuthority:
    """Asks for a token, or for a client certificate that has one. Revocations on this process count
    at once (`forget`), those on others after FRESH seconds. `now` gives µs since 1970, `clock`
    seconds that never go back."""

    def __init__(
        self,
        rows: Door[TokenRows],
        *,
        now: Callable[[], int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rows, self._now, self._clock = rows, now, clock
        self._read: OrderedDict[tuple[str, ...], _Read] = OrderedDict()
        self._used: OrderedDict[str, int] = OrderedDict()
        self._failures = Buckets(
            rate=_FAILURES, burst=_FAILURES, clock=clock, refusal=TooManyGuesses
        )

    async def principal(self, context: Any) -> Principal:
        """See Authority."""
        host = _host(context.peer() or "")
        text = _bearer(context)
        if text is not None:
            token, secret = tokens.parsed(text)
            found = await self._records(("token", token), host)
            principal = tokens.principal_of(found[0] if found else None, secret, self._now())
        else:
            identities = _identities(context)
            found = await self._records(("certificate", *identities), host) if identities else ()
            known = tokens.principal_of_certificate(found, self._now())
            if known is None:
                raise TokenMissing
            principal = known
        await self._note_use(principal.id)
        return principal

    def forget(self) -> None:
        """Read every token anew: one has changed."""
        self._read.clear()

    async def _records(self, key: tuple[str, ...], host: str) -> tuple[TokenRecord, ...]:
        read = self._read.get(key)
        if read is not None and self._clock() - read.at <= FRESH:
            return read.records
        # Guessing may cost the guesser's host its turn, never somebody whose token is known here,
        # however long ago it was read: behind a proxy all have the same host.
        if read is None:
            self._failures.check(host)
        kind, *values = key

        def look(rows: TokenRows) -> tuple[TokenRecord, ...]:
            if kind == "certificate":
                return tuple(rows.of_certificates(values))
            record = rows.get(values[0])
            return () if record is None else (record,)

        began = self._clock()
        read = _Read(await self._rows.read(look), began)
        if not read.records:
            # Not kept: a token works from the moment on that it is made.
            self._failures.take(host)
            self._read.pop(key, None)
            return ()
        self._read[key] = read
        while len(self._read) > _KEPT:
            self._read.popitem(last=False)
        return read.records

    async def _note_use(self, token: str) -> None:
        now = self._now()
        if now - self._used.get(token, 0) <= _USE_NOTED:
            return
        self._used[token] = now
        self._used.move_to_end(token)
        while len(self._used) > _KEPT:
            self._used.popitem(last=False)
        with contextlib.suppress(Unavailable):  # a note for people; nobody is kept out for it
            await self._rows.write(lambda rows: rows.used(token))


def _bearer(context: Any) -> str | None:
    """What came as a token; raises TokenInvalid for more than one, or for something else than a
    bearer token."""
    given = [value for key, value in context.invocation_metadata() or () if key == "authorization"]
    if not given:
        return None
    text = given[0] if isinstance(given[0], str) else ""
    if len(given) > 1 or not text.lower().startswith(_SCHEME):
        raise TokenInvalid
    return text[len(_SCHEME) :].strip()


def _identities(context: Any) -> tuple[str, ...]:
    """What the client's certificate, which TLS has checked, says of its owner: its alternative
    names, else its common name."""
    return tuple(
        sorted(
            {
                identity.decode(errors="replace")[:500]
                for identity in context.peer_identities() or ()
            }
        )
    )[:20]


def _host(peer: str) -> str:
    """The address without the port."""
    return peer.rpartition(":")[0] if peer.startswith(("ipv4:", "ipv6:")) else peer
