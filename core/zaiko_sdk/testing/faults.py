"""Faults that a test injects into a simulator, once or often, on the requests that they match."""

from __future__ import annotations

import asyncio
import enum
import logging
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Dropped(Exception):
    """Makes the server close the connection in the middle of a reply. The fault is committed on
    purpose."""


def is_unintended(record: logging.LogRecord) -> bool:
    """Return whether the server's log should keep a record: all but those that `Dropped` causes."""
    return not (isinstance(record.exc_info, tuple) and record.exc_info[0] is Dropped)


class FaultKind(enum.StrEnum):
    """What goes wrong with a request.

    Faults that last for a while, or are in what the platform says (maintenance, a wrong clock,
    pages that repeat or leave out rows), are switches of its simulator.
    """

    LATENCY = "latency"
    """The request is served after `seconds`."""
    REFUSE = "refuse"
    """Answered with `status` and `body`; the platform does nothing."""
    REFUSE_AFTER = "refuse_after"
    """The platform does it, then answers with `status` and `body`."""
    DROP = "drop"
    """The connection breaks; the platform does nothing."""
    DROP_AFTER = "drop_after"
    """The platform does it, then the connection breaks before the reply is whole."""
    MALFORMED = "malformed"
    """The platform does it and the reply is cut in the middle of its JSON."""


@dataclass(slots=True)
class Fault:
    """One fault. `match` is a text that the request's path or body must contain (empty: any). The
    fault is committed `times` times, after letting `skip` matching requests through."""

    kind: FaultKind
    match: str = ""
    times: int = 1
    skip: int = 0
    status: int = 500
    body: str = '{"errors":"An unexpected error occurred"}'
    seconds: float = 0.0
    headers: tuple[tuple[str, str], ...] = ()


class FaultInjector:
    """ASGI middleware around a platform. It takes `faults` in their order and never touches the
    control API."""

    def __init__(self, app: ASGIApp, *, control_prefix: str) -> None:
        self._app, self._control_prefix = app, control_prefix
        self.faults: list[Fault] = []
        self._resets = 0

    def reset(self) -> None:
        """Forget the faults that were not committed yet, and break the connection of every request
        that a fault still delays: its client has given up, and the platform is another's now."""
        self.faults.clear()
        self._resets += 1

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (
            scope["type"] != "http"
            or scope["path"].startswith(self._control_prefix)
            or not self.faults
        ):
            await self._app(scope, receive, send)
            return
        body = await _read(receive)
        fault = self._take(
            f"{scope['path']}?{scope['query_string'].decode()}\n{body.decode('utf-8', 'replace')}"
        )

        async def replay() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        if fault is None:
            await self._app(scope, replay, send)
            return
        if fault.seconds:
            resets = self._resets
            await asyncio.sleep(fault.seconds)
            if resets != self._resets:
                raise Dropped
        applies = fault.kind not in (FaultKind.REFUSE, FaultKind.DROP)
        if fault.kind is FaultKind.LATENCY:
            await self._app(scope, replay, send)
            return
        sent = await _capture(self._app, scope, replay) if applies else []
        await _answer(fault, sent, send)

    def _take(self, text: str) -> Fault | None:
        for fault in self.faults:
            if fault.match in text:
                if fault.skip > 0:
                    fault.skip -= 1
                    return None
                fault.times -= 1
                if fault.times <= 0:
                    self.faults.remove(fault)
                return fault
        return None


async def _read(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += bytes(message.get("body", b""))
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            return body


async def _capture(app: ASGIApp, scope: Scope, receive: Receive) -> list[Message]:
    sent: list[Message] = []

    async def keep(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, keep)
    return sent


async def _answer(fault: Fault, sent: list[Message], send: Send) -> None:
    if fault.kind in (FaultKind.DROP, FaultKind.DROP_AFTER):
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-length", b"1000000")],
            }
        )
        await send({"type": "http.response.body", "body": b'{"', "more_body": True})
        raise Dropped
    headers: list[Any] = [(name.encode(), value.encode()) for name, value in fault.headers]
    if fault.kind is FaultKind.MALFORMED:
        body = b"".join(message.get("body", b"") for message in sent)
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-type", b"application/json")],
            }
        )
        await send({"type": "http.response.body", "body": body[: max(1, len(body) // 2)]})
        return
    await send(
        {
            "type": "http.response.start",
            "status": fault.status,
            "headers": [*headers, (b"content-type", b"application/json")],
        }
    )
    await send({"type": "http.response.body", "body": fault.body.encode()})
