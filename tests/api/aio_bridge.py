"""Present an asynchronous servicer as the synchronous one that grpc_testing expects, for exact
control of time and cancellation.

grpc_testing calls a servicer directly in a thread, without interceptors, serialization or flow
control. Tests that need those use a real server. There, a coroutine that is never awaited would
look like success, so assert the type of each result.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Coroutine
from typing import Any


class Aborted(Exception):
    """The call was ended by its handler."""


class AioContext:
    """An asynchronous wrapper of grpc_testing's context. The context's own `abort` would drop the
    trailing metadata, so the call ends normally."""

    def __init__(self, context: Any) -> None:
        self._context = context

    async def abort(self, code: Any, details: str = "", trailing_metadata: Any = ()) -> None:
        self._context.set_trailing_metadata(tuple(trailing_metadata))
        self._context.set_code(code)
        self._context.set_details(details)
        raise Aborted

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)


class LoopThread:
    """An event loop in a thread, for as long as the context lasts."""

    def __enter__(self) -> LoopThread:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        asyncio.run_coroutine_threadsafe(self._cancel_all(), self.loop).result()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    async def _cancel_all(self) -> None:
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def run(self, work: Coroutine[Any, Any, Any], context: Any) -> Any:
        """Run a handler. A deadline or the client cancels it, as in grpc.aio."""
        future = asyncio.run_coroutine_threadsafe(work, self.loop)
        if not context.add_callback(future.cancel):
            # The call ended before the callback could be added.
            future.cancel()
        return future.result()


class SynchronousServicer:
    """A servicer with unary methods, as grpc_testing expects it."""

    def __init__(self, servicer: Any, loop: LoopThread) -> None:
        self._servicer, self._loop = servicer, loop

    def __getattr__(self, name: str) -> Callable[[Any, Any], Any]:
        method = getattr(self._servicer, name)

        def call(request: Any, context: Any) -> Any:
            try:
                return self._loop.run(method(request, AioContext(context)), context)
            except (Aborted, concurrent.futures.CancelledError):
                return None

        return call
