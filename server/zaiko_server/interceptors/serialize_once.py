"""Messages of watches are made into bytes once, however many streams they go to."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from zaiko_server.interceptors.interceptor import Interceptor

_KEPT = 16
"""Messages of each method. Watches of the same thing get the same object within moments of each
other."""
_LARGEST = 64 << 10
"""Bytes of one that is kept; what is larger is a snapshot, which no two watches share."""


class SerializeOnce(Interceptor):
    """For our watches: what they send is never changed afterwards."""

    def prepare(self, handler: Any, method: str) -> Any:
        """See Interceptor."""
        service, _, name = method.rpartition("/")
        if handler is None or not service.startswith("/zaiko.") or not name.startswith("Watch"):
            return handler
        return handler._replace(response_serializer=memoized(handler.response_serializer))


def memoized(serialize: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    """As `serialize`, for messages that nobody changes any more."""
    known: OrderedDict[int, tuple[Any, bytes]] = OrderedDict()

    def serialized(message: Any) -> bytes:
        found = known.get(id(message))
        # The message is kept beside its bytes, so the id is nobody else's.
        if found is not None and found[0] is message:
            return found[1]
        data = serialize(message)
        if len(data) <= _LARGEST:
            known[id(message)] = (message, data)
            if len(known) > _KEPT:
                known.popitem(last=False)
        return data

    return serialized
