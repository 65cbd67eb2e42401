"""Who calls, whether they may, and whether everything that the request names is theirs
(docs/adr/0015)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

from zaiko_core.domain.access import Principal
from zaiko_core.domain.errors import PermissionDenied, ServiceError, Unavailable

from zaiko_server import names
from zaiko_server.interceptors.cancellation import cancelled_when
from zaiko_server.interceptors.interceptor import Call, Interceptor, Proceed
from zaiko_server.security.authority import FRESH, Authority
from zaiko_server.security.buckets import Buckets
from zaiko_server.security.calling import called_by, foreign
from zaiko_server.security.permissions import RULES
from zaiko_server.validate.rules import Named
from zaiko_server.validate.table import TABLE

RATE = 500.0
"""Calls a second of one token in the long run; twice as many at once. A stream counts as one, and
so does each watch that begins on a session."""


class Authentication(Interceptor):
    """Behind Errors, before everything that does work. `rate` None: as many calls as they like. A
    stream looks at its credentials again every `again` seconds, and ends with the refusal that a
    new call would get."""

    def __init__(
        self,
        authority: Authority,
        *,
        rate: float | None = RATE,
        again: float = FRESH,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._authority, self._again = authority, again
        self._buckets = Buckets(rate=rate, burst=2 * rate, clock=clock) if rate else None

    async def intercept(self, call: Call, proceed: Proceed) -> Any:
        """See Interceptor."""
        if call.method not in RULES:
            raise PermissionDenied(
                "none",
                f"nobody may call {call.method[:200]} here; tell the operator that it has no rule",
            )
        permission = RULES[call.method]
        if permission is None:
            return await proceed()
        principal = await self._authority.principal(call.context)
        self._count(principal)
        if not principal.may(permission):
            raise PermissionDenied(permission)
        called_by(principal)
        if call.request is not None:
            check_names(principal, call.request)
        else:
            call.checks.append(partial(self._check_message, principal))
        if not principal.id or not (call.streams or call.request is None):
            return await proceed()
        async with cancelled_when(
            partial(self._refused_later, call), name=f"zaiko token of {call.name}"
        ):
            return await proceed()

    def _check_message(self, principal: Principal, request: Any) -> None:
        # A watch that begins on a session reads a snapshot, as a call of its own would.
        if request.DESCRIPTOR.name == "WatchSyncSessionRequest" and request.HasField("create"):
            self._count(principal)
        check_names(principal, request)

    def _count(self, principal: Principal) -> None:
        if self._buckets is not None and principal.id:
            self._buckets.check(principal.id)
            self._buckets.take(principal.id)

    async def _refused_later(self, call: Call) -> ServiceError:
        """Returns when the caller's token does not hold any more."""
        while True:
            await asyncio.sleep(self._again)
            try:
                await self._authority.principal(call.context)
            except Unavailable:
                # The store is away: what was allowed goes on, as the watch's own reads decide.
                continue
            except ServiceError as refusal:
                return refusal


def check_names(principal: Principal, request: Any) -> None:
    """Refuse a request that names a merchant which the caller does not reach, in any field that
    takes a name. Raises PermissionDenied, without looking whether there is such a merchant."""
    if principal.merchants is None or request.DESCRIPTOR.name not in TABLE:
        return
    for name in named(request):
        merchant = names.merchant_of(name)
        if merchant and not principal.reaches(merchant):
            raise foreign(merchant)


def named(request: Any) -> Iterator[str]:
    """Every resource name in a request."""
    for path in _paths(request.DESCRIPTOR.name):
        yield from _at(request, path)


@cache
def _paths(message: str) -> tuple[tuple[str, ...], ...]:
    return tuple(
        tuple(part.removesuffix("[]") for part in path.split("."))
        for path, rules in TABLE[message].items()
        if any(isinstance(rule, Named) for rule in rules)
    )


def _at(message: Any, path: tuple[str, ...]) -> Iterator[str]:
    first, *rest = path
    value = getattr(message, first)
    field = message.DESCRIPTOR.fields_by_name[first]
    if not rest:
        yield from value if field.is_repeated else [value]
        return
    if field.is_repeated:
        for item in value:
            yield from _at(item, tuple(rest))
    elif message.HasField(first):
        yield from _at(value, tuple(rest))
