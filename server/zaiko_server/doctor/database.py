"""`zaiko doctor --db`: every check that needs no running server."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from zaiko_cli.doctor import merchant, served
from zaiko_cli.doctor.findings import DoctorFinding, Severity, worst
from zaiko_core.app.links import sync_refusal
from zaiko_core.domain.errors import ServiceError
from zaiko_core.plugin_host.loader import load
from zaiko_core.storage.database import Database
from zaiko_core.storage.system import SystemRows
from zaiko_sdk import Capability

from zaiko_server.commands.connectors import messages
from zaiko_server.commands.database import database_url
from zaiko_server.doctor import installation, store
from zaiko_server.services.sync import sync_status


def check(db: str, key_file: Path, chosen: str) -> Iterator[DoctorFinding]:
    """Check what a server would be started with and the database `db`. `chosen` is a merchant's id;
    if it is empty, every merchant is checked. Changes nothing."""
    yield from installation.configuration()
    registry = load()
    yield from served.connectors(messages(registry))

    def can_sync(connector: str) -> ServiceError | None:
        kind = registry.types.get(connector)
        can_set = kind is not None and Capability.SET_INVENTORY in kind.capabilities
        return sync_refusal(connector, loaded=kind is not None, can_set=can_set)

    database = Database(database_url(db))
    try:
        found = list(store.database(database))
        yield from found
        if worst(found) is Severity.PROBLEM:
            return
        kept = store.read(database)
        yield from store.clock(time.time(), kept.now / 1e6)
        yield from store.disk(database)
        yield from installation.high_water_mark(
            installation.record_path(db),
            database.system.read_sync(SystemRows.high_water_mark),
            database.system.read_sync(SystemRows.former_epochs),
        )
        given = [
            key for key in os.environ.get("ZAIKO_SECRET_KEYS", "").replace(",", " ").split() if key
        ]
        yield from installation.keys(key_file, given, kept.sealed)
        yield from store.notifications(kept)
        for name in kept.merchants:
            if chosen in ("", name):
                yield from merchant.check(
                    name, database.read_sync(name, lambda uow: sync_status(uow, can_sync))
                )
    finally:
        database.close()
