"""The happy path of every RPC, in one module per noun: an RPC does what its comment says, and
answers in the documented form. `tests/api/test_rpcs.py` runs them."""

from __future__ import annotations

import pkgutil
from collections.abc import Awaitable, Callable
from importlib import import_module

from api.bench import Api, World

Body = Callable[[Api, World], Awaitable[None]]
HAPPY: dict[str, Body] = {}


def happy(rpc: str) -> Callable[[Body], Body]:
    """Register the test of an RPC's happy path."""

    def register(body: Body) -> Body:
        assert rpc not in HAPPY
        HAPPY[rpc] = body
        return body

    return register


# Each module fills the table as it is imported; none can be forgotten.
for _found in pkgutil.iter_modules(__path__, f"{__name__}."):
    import_module(_found.name)
