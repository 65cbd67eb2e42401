"""The hooks of the pluggy project `zaiko`. Hooks are synchronous: they register and observe.
Asynchronous work is for the methods of the objects that they return.

An implementation may take fewer arguments than the specification, so that arguments are only ever
added. A distribution names its plugin module under the entry-point group `zaiko.connectors`.
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
        """Return the connector types that this plugin brings.

        Called once when the host starts. Must not do I/O. When two plugins bring the same id, the
        second is refused and listed as failed, with both distributions in the message.
        """

    @hookspec
    def zaiko_simulators(self) -> Iterable[SimulatorType]:  # type: ignore[empty-body]
        """Return the platform simulators that this plugin brings, for `zaiko simulate`, the demo
        and tests.

        Called only when a simulator is needed, so import its dependencies inside the
        implementation.
        """

    @hookspec
    def zaiko_run_finished(self, event: RunFinished) -> None:
        """Observe that a run of a shop has ended. docs/hooks.md says when and where observers are
        called."""

    @hookspec
    def zaiko_shop_held(self, event: ShopHeld) -> None:
        """Observe that a shop waits for a person."""

    @hookspec
    def zaiko_shop_resumed(self, event: ShopResumed) -> None:
        """Observe that a held shop syncs again."""

    @hookspec
    def zaiko_credentials_expiring(self, event: CredentialsExpiring) -> None:
        """Observe that a shop's credentials end soon."""

    @hookspec
    def zaiko_oversold(self, event: Oversold) -> None:
        """Observe that more was sold than there is."""

    @hookspec
    def zaiko_oversold_cleared(self, event: OversoldCleared) -> None:
        """Observe that there is enough of a product again."""

    @hookspec
    def zaiko_adjust_quantity(self, view: LinkView) -> int | None:
        """Return the number that the link shall show instead of `view.quantity`, or None to leave
        it.

        The host cuts the answer to 0 … `view.sellable`. A plugin can hide units, and show again
        what a plugin before it hid, but never sell what is not there. Plugins are called in the
        order of their names.

        The call runs inside a transaction that all other writers of the merchant wait for, on a
        worker thread, possibly several at once, and again when the transaction is repeated. Be pure
        and quick (microseconds) and do no I/O. When a plugin raises, or answers something that is
        no number, the host ignores it for this link and logs it.
        """
