"""Several interceptors as one."""

from __future__ import annotations

from functools import partial
from typing import Any

from zaiko_server.interceptors.around import Call, Interceptor, Proceed


class InterceptorChain(Interceptor):
    """The outermost first. A streamed message goes through the wrapper of each: this is one. Those
    behind Errors are another one: a method that nobody has is refused before anybody asks for its
    rule."""

    def __init__(self, *layers: Interceptor) -> None:
        self._layers = layers
        self._innermost_first = [
            layer.around
            for layer in reversed(layers)
            if type(layer).around is not Interceptor.around
        ]

    async def around(self, call: Call, proceed: Proceed) -> Any:
        """See Around."""
        for around in self._innermost_first:
            proceed = partial(around, call, proceed)
        return await proceed()

    def prepare(self, handler: Any, method: str) -> Any:
        """See Around."""
        for layer in reversed(self._layers):
            handler = layer.prepare(handler, method)
        return handler
