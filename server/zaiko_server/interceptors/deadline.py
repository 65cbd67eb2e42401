"""Limit the time of a call whose client sets no deadline, or a longer one."""

from __future__ import annotations

import asyncio
from typing import Any

from zaiko_server.interceptors.interceptor import Call, Interceptor, Proceed
from zaiko_server.refusals import Expired

UNARY, BATCH = 30.0, 60.0


class Deadline(Interceptor):
    """Unary calls get `unary` seconds, batches and platform checks `batch`. Streams have no limit.
    gRPC enforces the client's own deadline by cancelling the handler."""

    def __init__(self, *, unary: float = UNARY, batch: float = BATCH) -> None:
        self._unary, self._batch = unary, batch

    async def intercept(self, call: Call, proceed: Proceed) -> Any:
        """See Interceptor."""
        if call.streams or call.request is None:
            return await proceed()
        limit = self._batch if call.name.startswith(("Batch", "Check")) else self._unary
        try:
            async with asyncio.timeout(limit) as scope:
                return await proceed()
        except TimeoutError:
            if not scope.expired():
                raise
            raise Expired(
                (
                    f"the call took longer than the server's limit of {limit:g} s; repeat it "
                    "with the same request_id"
                ),
                limit=f"{limit:g}",
            ) from None
