"""The hooks of the pluggy project `zaiko`. Hooks are synchronous: they register and observe; work
is async methods on the objects that they return. Implementations may take fewer arguments than the
specification, so arguments are only ever added.

A distribution names its plugin module under the entry-point group `zaiko.connectors`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

from zaiko_sdk.connector import ConnectorType
from zaiko_sdk.events import (
    CredentialsExpiring,
    LinkView,
    Oversold,
    OversoldCleared,
    RunFinished,
    ShopHeld,
    ShopResumed,
)

if TYPE_CHECKING:
    from zaiko_sdk.testing.simulator import SimulatorType

PROJECT = "zaiko"
ENTRY_POINT_GROUP = "zaiko.connectors"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class Hooks:
    """The hook specifications."""

    @hookspec
    def zaiko_connectors(self) -> Iterable[ConnectorType]:  # type: ignore[empty-body]
        """The connector types that this plugin brings. Called once when the host starts. Must not
        do I/O. Two plugins that bring the same id: the second is refused and listed as failed, with
        both distributions in the message."""

    @hookspec
    def zaiko_simulators(self) -> Iterable[SimulatorType]:  # type: ignore[empty-body]
        """The platform simulators that this plugin brings, for `zaiko simulate`, the demo and
        tests. Called only when a simulator is asked for, so import its dependencies inside the
        implementation."""

    @hookspec
    def zaiko_run_finished(self, event: RunFinished) -> None:
        """A run of a shop has ended. An observer: see docs/hooks.md for when and where observers
        are called."""

    @hookspec
    def zaiko_shop_held(self, event: ShopHeld) -> None:
        """A shop waits for a person. An observer."""

    @hookspec
    def zaiko_shop_resumed(self, event: ShopResumed) -> None:
        """A held shop goes on. An observer."""

    @hookspec
    def zaiko_credentials_expiring(self, event: CredentialsExpiring) -> None:
        """A shop's credentials end soon. An observer."""

    @hookspec
    def zaiko_oversold(self, event: Oversold) -> None:
        """More was sold than there is. An observer."""

    @hookspec
    def zaiko_oversold_cleared(self, event: OversoldCleared) -> None:
        """There is enough again. An observer."""

    @hookspec
    def zaiko_adjust_quantity(self, view: LinkView) -> int | None:
        """The number that the link shall show instead of `view.quantity`, or None to leave it.

        Cut to 0 … `view.sellable`: a plugin can hide units, also give back what a plugin before it
        hid, and never sell what is not there. Called inside a transaction that all other writers of
        the merchant wait for, on a worker thread, several at once, and again when the transaction
        is repeated: be pure and quick (microseconds), do no I/O. Plugins are asked in the order of
        their names. One that raises or answers something else is passed over for this link, and
        logged."""
