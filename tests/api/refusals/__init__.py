"""Every reason that the protos document for an RPC, made to happen, in a module for each noun.
`tests/api/test_refusals.py` walks the cases."""

from __future__ import annotations

import pkgutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from api.bench import Api, World

Setup = Callable[[Api, World], Awaitable[Any]]


@dataclass(frozen=True)
class Case:
    """`setup` makes the state and gives the request; `metadata` is what the error must tell, `{}`
    standing for the merchant."""

    rpc: str
    reason: str
    setup: Setup
    metadata: dict[str, str] = field(default_factory=dict)
    violations: dict[str, str] = field(default_factory=dict)


CASES: list[Case] = []


def case(
    rpc: str,
    reason: str,
    metadata: dict[str, str] | None = None,
    violations: dict[str, str] | None = None,
) -> Callable[[Setup], Setup]:
    """Registers the setup of one case; may be used several times on one."""

    def register(setup: Setup) -> Setup:
        CASES.append(Case(rpc, reason, setup, metadata or {}, violations or {}))
        return setup

    return register


# Each module adds its cases as it is imported; none can be forgotten.
for _found in pkgutil.iter_modules(__path__, f"{__name__}."):
    import_module(_found.name)
