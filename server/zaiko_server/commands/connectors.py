"""`zaiko connectors --local`: the connectors that are installed here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zaiko.v1 import connector_pb2

if TYPE_CHECKING:
    from zaiko_core.plugin_host.loader import Registry


def installed() -> list[connector_pb2.Connector]:
    """Load every connector of this installation and return them, those that failed as well."""
    # Late: connectors bring their platforms' libraries.
    from zaiko_core.plugin_host.loader import load

    return messages(load())


def messages(registry: Registry) -> list[connector_pb2.Connector]:
    """Return what a server would answer about these connectors, by name."""
    from zaiko_server.convert import connectors as convert

    found = [convert.failed(report) for report in registry.plugins if report.failure is not None]
    found += [convert.loaded(kind, registry.report_of(kind.id)) for kind in registry.types.values()]
    return sorted(found, key=lambda item: item.name)
