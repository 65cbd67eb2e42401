"""A rule of the contract: a test with a statement, a reason, and what to do when it fails."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from zaiko_sdk import Capability, InventoryMode

F = TypeVar("F", bound=Callable[..., Any])


class Tier(enum.StrEnum):
    """Which promise of the connector a rule belongs to."""

    BASIC = "basic"
    """Every connector."""
    OPTIONAL = "optional"
    """Connectors that declare the capability, or the inventory mode."""


@dataclass(frozen=True, slots=True)
class ContractRule:
    """A rule. `statement` is the test's docstring. `needs` and `modes` say which connectors it
    concerns (empty: all)."""

    name: str
    statement: str
    why: str
    fix: str
    needs: frozenset[Capability] = frozenset()
    modes: frozenset[InventoryMode] = frozenset()

    @property
    def tier(self) -> Tier:
        """Basic when it concerns every connector."""
        return Tier.OPTIONAL if self.needs or self.modes else Tier.BASIC

    def not_for(self, capabilities: frozenset[Capability], mode: InventoryMode | None) -> str:
        """Return why the rule does not concern a connector, or an empty text."""
        missing = sorted(capability.value for capability in self.needs - capabilities)
        if missing:
            return f"the connector does not declare {', '.join(missing)}"
        if self.modes and mode not in self.modes:
            return f"for inventory mode {' or '.join(sorted(self.modes))} only"
        return ""


def rule(
    *needs: Capability, modes: tuple[InventoryMode, ...] = (), why: str, fix: str
) -> Callable[[F], F]:
    """Make a method of the contract a rule."""

    def mark(function: F) -> F:
        statement = " ".join((function.__doc__ or "").split())
        name = function.__name__.removeprefix("test_")
        function.contract_rule = ContractRule(  # type: ignore[attr-defined]
            name, statement, why, fix, frozenset(needs), frozenset(modes)
        )
        return function

    return mark
