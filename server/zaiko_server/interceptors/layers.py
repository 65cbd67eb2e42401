"""Several interceptors as one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from zaiko_server.interceptors.around import Around, Call


class Layers(Around):
    """The outermost first. gRPC goes through its interceptors anew for each call, and a streamed message through the wrapper of
    each: this is one. Those behind Errors are another one: a method that nobody has is refused before anybody asks for its rule."""

    def __init__(self, *layers: Around) -> None:
        self._layers = layers

    @asynccontextmanager
    async def around(self, call: Call) -> AsyncIterator[None]:
        """See Around."""
        async with AsyncExitStack() as stack:
            for layer in self._layers:
                await stack.enter_async_context(layer.around(call))
            yield

    def prepare(self, handler: Any, method: str) -> Any:
        """See Around."""
        for layer in reversed(self._layers):
            handler = layer.prepare(handler, method)
        return handler
