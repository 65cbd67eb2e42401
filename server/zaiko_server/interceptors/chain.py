"""Several interceptors as one."""

from __future__ import annotations

from functools import partial
from typing import Any

from zaiko_server.interceptors.interceptor import Call, Interceptor, Proceed


class InterceptorChain(Interceptor):
    """The outermost first. A streamed message goes through the wrapper of each: this is one. Those
    behind Errors are another one: a method that nobody has is refused before anybody asks for its
    rule."""

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
