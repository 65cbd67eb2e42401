"""Several interceptors as one."""

from __future__ import annotations

from functools import partial
from typing import Any

from zaiko_server.interceptors.interceptor import Call, Interceptor, Proceed


class InterceptorChain(Interceptor):
    """Runs interceptors in order, the first one outermost. Each interceptor that wraps a handler
    costs one more function per streamed message; a chain costs one for all. The interceptors inside
    Errors form a chain of their own, so that a method that does not exist is refused before its
    permission and rules are looked up."""

    def __init__(self, *interceptors: Interceptor) -> None:
        self._interceptors = interceptors
        self._innermost_first = [
            interceptor.intercept
            for interceptor in reversed(interceptors)
            if type(interceptor).intercept is not Interceptor.intercept
        ]

    async def intercept(self, call: Call, proceed: Proceed) -> Any:
        """See Interceptor."""
        for intercept in self._innermost_first:
            proceed = partial(intercept, call, proceed)
        return await proceed()

    def prepare(self, handler: Any, method: str) -> Any:
        """See Interceptor."""
        for interceptor in reversed(self._interceptors):
            handler = interceptor.prepare(handler, method)
        return handler
