"""Serialize each message of a watch once, however many streams send it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from zaiko_server.interceptors.interceptor import Interceptor

_KEPT = 16
"""Messages kept per method. Watches of the same topic send the same object within moments."""
_LARGEST = 64 << 10
"""The size in bytes above which a message is not kept. Such a message is part of a snapshot, which
no two watches share."""


class SerializeOnce(Interceptor):
    """For the watches of this server: they never change a message after sending it."""

    def prepare(self, handler: Any, method: str) -> Any:
        """See Interceptor."""
        service, _, name = method.rpartition("/")
        if handler is None or not service.startswith("/zaiko.") or not name.startswith("Watch"):
            return handler
        return handler._replace(response_serializer=memoized(handler.response_serializer))


def memoized(serialize: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    """Return `serialize` with a cache, for messages that are never changed afterwards."""
    known: OrderedDict[int, tuple[Any, bytes]] = OrderedDict()

    def serialized(message: Any) -> bytes:
        found = known.get(id(message))
        # The cache keeps the message alive, so no other object can have its id.
        if found is not None and found[0] is message:
            return found[1]
        data = serialize(message)
        if len(data) <= _LARGEST:
            known[id(message)] = (message, data)
            if len(known) > _KEPT:
                known.popitem(last=False)
        return data

    return serialized
