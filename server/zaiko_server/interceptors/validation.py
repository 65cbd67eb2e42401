"""Check every request against the rule table before its handler receives it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zaiko_server.interceptors.interceptor import Call, Interceptor, Proceed
from zaiko_server.refusals import MessageTooLarge
from zaiko_server.validate.check import check
from zaiko_server.validate.table import TABLE

LARGEST_REQUEST = 4 << 20
"""The largest request in bytes."""


class Validation(Interceptor):
    """Refuses a request that is too large, or reports all its violations at once. Requests of other
    packages' services (health, reflection) pass. `now` returns µs since 1970."""

    def __init__(self, now: Callable[[], int], *, largest: int = LARGEST_REQUEST) -> None:
        self._now, self._largest = now, largest

    async def intercept(self, call: Call, proceed: Proceed) -> Any:
        """See Interceptor."""
        if (
            call.request is not None
            and call.method.startswith("/zaiko.")
            and call.request.DESCRIPTOR.name in TABLE
        ):
            size = call.request.ByteSize()
            if size > self._largest:
                raise MessageTooLarge(self._largest, size)
            check(call.request, now=self._now())
        return await proceed()
