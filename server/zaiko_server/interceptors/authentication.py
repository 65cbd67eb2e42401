"""Authenticate the caller, and check its permission and the names in its request (ADR 0015)."""

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
"""Calls per second that one token may make on average, with bursts of twice as many. A stream
counts as one call, and so does each watch that is created on a WatchSyncSession."""


class Authentication(Interceptor):
    """Runs inside Errors and before everything that does work. `rate` is calls per second for each
    token, or None for no limit. A stream's credentials are checked again every `recheck` seconds,
    and the stream ends with the error that a new call would get."""

    def __init__(
        self,
        authority: Authority,
        *,
        rate: float | None = RATE,
        recheck: float = FRESH,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._authority, self._recheck = authority, recheck
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
            partial(self._until_refused, call), name=f"zaiko token of {call.name}"
        ):
            return await proceed()

    def _check_message(self, principal: Principal, request: Any) -> None:
        # A watch that is created on a stream reads a snapshot, as a separate call would.
        if request.DESCRIPTOR.name == "WatchSyncSessionRequest" and request.HasField("create"):
            self._count(principal)
        check_names(principal, request)

    def _count(self, principal: Principal) -> None:
        if self._buckets is not None and principal.id:
            self._buckets.check(principal.id)
            self._buckets.take(principal.id)

    async def _until_refused(self, call: Call) -> ServiceError:
        """Wait until the caller's credentials are no longer accepted, and return the error."""
        while True:
            await asyncio.sleep(self._recheck)
            try:
                await self._authority.principal(call.context)
            except Unavailable:
                # Without the store nothing can be decided: the stream goes on, and its own reads
                # fail if they must.
                continue
            except ServiceError as error:
                return error


def check_names(principal: Principal, request: Any) -> None:
    """Raise PermissionDenied for a request that names a merchant out of the caller's reach, in any
    field that takes a name. Whether the merchant exists is not looked up."""
    if principal.merchants is None or request.DESCRIPTOR.name not in TABLE:
        return
    for name in named(request):
        merchant = names.merchant_of(name)
        if merchant and not principal.reaches(merchant):
            raise foreign(merchant)


def named(request: Any) -> Iterator[str]:
    """Yield every resource name in a request."""
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
