"""Find the caller of a call from its credentials."""

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
"""Seconds for which a token that was read is cached. A stream checks its token as often, and may
see a cached one: so on every server, a stream ends at most twice this long after its token was
revoked."""
_KEPT = 10_000
_USE_NOTED = 3600 * 1_000_000
_FAILURES = 20.0
_SCHEME = "bearer "


class Authority(Protocol):
    """Identifies callers. Raises Unauthenticated, RateLimited and StorageUnavailable."""

    async def principal(self, context: Any) -> Principal: ...


class Everybody:
    """Requires no credentials: every caller may do everything. For servers that only this machine
    can reach."""

    async def principal(self, context: Any) -> Principal:
        """See Authority."""
        return LOCAL


@dataclass(frozen=True, slots=True)
class _Read:
    records: tuple[TokenRecord, ...]
    at: float


class TokenAuthority:
    """Requires a token, or a client certificate that stands for one. A revocation takes effect at
    once in this process (`forget`), and after FRESH seconds in others. `now` returns µs since 1970;
    `clock` is monotonic, in seconds."""

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
        self._failures = Buckets(rate=_FAILURES, burst=_FAILURES, clock=clock, error=TooManyGuesses)

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
        """Drop the cache, because a token has changed."""
        self._read.clear()

    async def _records(self, key: tuple[str, ...], host: str) -> tuple[TokenRecord, ...]:
        read = self._read.get(key)
        if read is not None and self._clock() - read.at <= FRESH:
            return read.records
        # Guessing is limited per host, but never for a token that was once read here: behind a
        # proxy all callers have the same host.
        if read is None:
            self._failures.check(host)
        kind, *values = key

        def find(rows: TokenRows) -> tuple[TokenRecord, ...]:
            if kind == "certificate":
                return tuple(rows.of_certificates(values))
            record = rows.get(values[0])
            return () if record is None else (record,)

        began = self._clock()
        read = _Read(await self._rows.read(find), began)
        if not read.records:
            # Not cached: a token must work as soon as it is created.
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
        with contextlib.suppress(Unavailable):  # only informs people; a failed note refuses no call
            await self._rows.write(lambda rows: rows.used(token))


def _bearer(context: Any) -> str | None:
    """Return the bearer token of a call, or None. Raises TokenInvalid for two of them, and for
    another kind of credentials."""
    given = [value for key, value in context.invocation_metadata() or () if key == "authorization"]
    if not given:
        return None
    text = given[0] if isinstance(given[0], str) else ""
    if len(given) > 1 or not text.lower().startswith(_SCHEME):
        raise TokenInvalid
    return text[len(_SCHEME) :].strip()


def _identities(context: Any) -> tuple[str, ...]:
    """Return the names in the client's certificate, which TLS has verified: its alternative names,
    otherwise its common name."""
    return tuple(
        sorted(
            {
                identity.decode(errors="replace")[:500]
                for identity in context.peer_identities() or ()
            }
        )
    )[:20]


def _host(peer: str) -> str:
    """Return the address without the port."""
    return peer.rpartition(":")[0] if peer.startswith(("ipv4:", "ipv6:")) else peer
