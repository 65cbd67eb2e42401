"""End a call with the status of the error that its handler raised (`status.py`)."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
import structlog
from google.protobuf.message import DecodeError
from zaiko_core.domain.errors import InvalidField, ServiceError

from zaiko_server import status
from zaiko_server.interceptors.interceptor import Call, Interceptor, Proceed
from zaiko_server.refusals import Internal, Unimplemented


class Errors(Interceptor):
    """Maps a ServiceError to its status. Any other error is logged with its traceback under an
    incident id, and the client gets only the id."""

    def __init__(self, new_id: Callable[[], str]) -> None:
        self._new_id = new_id
        self._log: Any = structlog.get_logger("zaiko.errors")

    async def intercept(self, call: Call, proceed: Proceed) -> Any:
        """See Interceptor."""
        if call.request is None:
            call.checks.append(_check_readable)
        try:
            _check_readable(call.request)
            return await proceed()
        except (grpc.aio.AbortError, asyncio.CancelledError, GeneratorExit):
            raise
        except ServiceError as error:
            if isinstance(error, Internal):
                self._log.error(
                    "refused", method=call.method, reason=error.reason, message=error.message
                )
            await end(call.context, error)
        except Exception as error:  # noqa: BLE001 - the last place to catch a bug
            incident = self._new_id()
            # The text instead of `exc_info`: some renderers show the variables of every frame, and
            # requests carry credentials.
            where = traceback.format_exc()
            self._log.error(
                "incident",
                method=call.method,
                incident=incident,
                error=type(error).__name__,
                exception=where,
            )
            await end(call.context, Internal(incident))

    def prepare(self, handler: Any, method: str) -> Any:
        """Refuse unknown methods and undecodable requests with a reason, like everything else.
        Plain gRPC would answer INTERNAL to the latter."""
        if handler is None:
            return grpc.unary_unary_rpc_method_handler(_refusing(method))
        return handler if handler.request_deserializer is None else _lenient(handler)


def _refusing(method: str) -> Any:
    async def refuse(request: bytes, context: Any) -> bytes:
        raise Unimplemented(method)

    return refuse


@dataclass(frozen=True, slots=True)
class _Unreadable:
    """Stands for a request that could not be decoded."""

    problem: str


def _lenient(handler: Any) -> Any:
    strict = handler.request_deserializer

    def read(data: bytes) -> Any:
        try:
            return strict(data)
        except DecodeError as error:
            return _Unreadable(str(error))

    return handler._replace(request_deserializer=read)


def _check_readable(request: Any) -> None:
    if isinstance(request, _Unreadable):
        text = "is not a message of this method; generate the client's stubs from the protos"
        raise InvalidField([("request", "message.encoding", text)])


async def end(context: Any, error: ServiceError) -> None:
    """End a call with the status of `error`, and keep its trailing metadata. Always raises
    AbortError."""
    found = status.status_for(error)
    trailers = status.trailers_for(error, japanese=status.wants_japanese(context))
    metadata = (*(context.trailing_metadata() or ()), *trailers)
    await context.abort(status.code_for(error), found.message, metadata)
