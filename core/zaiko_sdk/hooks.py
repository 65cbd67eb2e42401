"""The hooks of the pluggy project `zaiko`. Hooks are synchronous: they register and observe; work is async methods on the
objects that they return. Implementations may take fewer arguments than the specification, so arguments are only ever added.

A distribution names its plugin module under the entry-point group `zaiko.connectors`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

from zaiko_sdk.connector import ConnectorType

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
        """The connector types that this plugin brings. Called once when the host starts. Must not do I/O. Two plugins that
        bring the same id: the second is refused and listed as failed, with both distributions in the message."""

    @hookspec
    def zaiko_simulators(self) -> Iterable[SimulatorType]:  # type: ignore[empty-body]
        """The platform simulators that this plugin brings, for `zaiko simulate`, the demo and tests. Called only when a
        simulator is asked for, so import its dependencies inside the implementation."""
