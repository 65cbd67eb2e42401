"""`zaiko doctor`: what is wrong with an installation, and what to do about it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from importlib.metadata import distributions, version
from pathlib import Path
from typing import Annotated

import grpc
import typer
from zaiko.v1 import (
    connector_service_pb2,
    merchant_service_pb2,
    merchant_service_pb2_grpc,
    sync_service_pb2,
)

from zaiko_server.cli.catalogue import installed
from zaiko_server.cli.client import Client
from zaiko_server.cli.command import Command
from zaiko_server.cli.failure import failed
from zaiko_server.cli.serve import database_url
from zaiko_server.cli.show import Show, last
from zaiko_server.doctor.findings import Finding, Level, ok, problem, worst

_PROBE = 5.0


def doctor(
    context: typer.Context,
    db: Annotated[
        str,
        typer.Option(
            "--db",
            metavar="PATH|URL",
            help="Look at this database, without a server; else at the server, by its RPCs.",
        ),
    ] = "",
    secret_key_file: Annotated[
        Path,
        typer.Option(
            envvar="ZAIKO_SECRET_KEY_FILE", help="With --db: the key that seals shops' credentials."
        ),
    ] = Path("zaiko.key"),
    quiet: Annotated[bool, typer.Option("--quiet", help="Only what is not well.")] = False,
) -> None:
    """Check an installation. Each finding says what to do. Ends with 0 when all is well, 1 with
    warnings, 2 with problems."""
    # Late, here and below: no other command needs them, and they take a second to load.
    from zaiko_server.doctor import installation

    command: Command = context.obj
    chosen = str(context.find_root().params.get("merchant") or "").removeprefix("merchants/")
    found = [*installation.versions(sys.version_info[:3], _installed())]
    found += _of_database(db, secret_key_file, chosen) if db else _of_server(command.client, chosen)
    _tell(
        command.show,
        [finding for finding in found if not quiet or finding.level is not Level.OK],
        worst(found),
    )
    raise typer.Exit(int(worst(found)))


def _of_server(client: Client, chosen: str) -> Iterator[Finding]:
    from zaiko_server.doctor import served

    alive = list(served.health(client))
    yield from alive
    if worst(alive) is not Level.OK:
        return
    yield from served.exposure(client.address, anonymous=_anonymous(client.address))
    yield from _asked(client, "connectors", lambda: _connectors(client))
    yield from _asked(client, "merchants", lambda: _merchants(client, chosen))


def _connectors(client: Client) -> Iterator[Finding]:
    from zaiko_server.doctor import installation, served

    request = connector_service_pb2.ListConnectorsRequest(page_size=1000)
    # Not `pages`: the first answer's trailer is wanted, and nobody has a thousand connectors.
    reply, call = client.call(client.connectors.ListConnectors.with_call, request)  # type: ignore[type-var]
    yield from served.version(served.told_version(call), version("zaiko"))
    yield from installation.connectors(reply.connectors)


def _merchants(client: Client, chosen: str) -> Iterator[Finding]:
    from zaiko_server.doctor import merchant

    if chosen:
        names = [f"merchants/{chosen}"]
    else:
        request = merchant_service_pb2.ListMerchantsRequest()
        names = [
            found.name
            for found in client.pages(client.merchants.ListMerchants, request, "merchants")
        ]
    if not names:
        yield ok("merchants", "there is none yet")
    for name in names:
        yield from merchant.check(
            last(name),
            client.call(
                client.syncs.GetSyncStatus, sync_service_pb2.GetSyncStatusRequest(parent=name)
            ),
        )


def _asked(client: Client, check: str, ask: Callable[[], Iterable[Finding]]) -> list[Finding]:
    """One refused question does not end the others."""
    try:
        return list(ask())
    except grpc.RpcError as error:
        return [
            problem(
                check,
                failed(error, client.address).sentence,
                "See docs/troubleshooting.md for the reason.",
            )
        ]


def _anonymous(address: str) -> bool:
    """Whether a caller without TLS and token is answered."""
    with grpc.insecure_channel(address) as channel:
        stub = merchant_service_pb2_grpc.MerchantServiceStub(channel)
        try:
            stub.ListMerchants(
                merchant_service_pb2.ListMerchantsRequest(page_size=1), timeout=_PROBE
            )
        except grpc.RpcError:
            return False
    return True


def _of_database(db: str, key_file: Path, chosen: str) -> Iterator[Finding]:
    # Late, as in `zaiko keys`: no other command needs them.
    from zaiko_core.app.links import sync_refusal
    from zaiko_core.domain.errors import ServiceError
    from zaiko_core.plugin_host.loader import load
    from zaiko_core.storage.engine import Database
    from zaiko_sdk import Capability

    from zaiko_server.doctor import installation, merchant, store
    from zaiko_server.services.sync import sync_status

    yield from installation.configuration(os.environ)
    registry = load()
    yield from installation.connectors(installed(registry))

    def can_sync(connector: str) -> ServiceError | None:
        kind = registry.types.get(connector)
        can_set = kind is not None and Capability.SET_INVENTORY in kind.capabilities
        return sync_refusal(connector, loaded=kind is not None, can_set=can_set)

    database = Database(database_url(db))
    try:
        found = list(store.database(database))
        yield from found
        if worst(found) is Level.PROBLEM:
            return
        kept = store.read(database)
        yield from store.clock(time.time(), kept.now / 1e6)
        yield from store.disk(database)
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


def _installed() -> dict[str, str]:
    return {found.name.lower(): found.version for found in distributions()}


def _tell(show: Show, found: list[Finding], level: Level) -> None:
    if show.as_json:
        plain = [{**asdict(finding), "level": finding.level.name} for finding in found]
        show.done({"level": level.name, "findings": plain}, "")
        return
    rows = [
        (
            finding.level.name,
            finding.check,
            finding.subject,
            finding.message,
            finding.owner,
            finding.do,
        )
        for finding in found
    ]
    show.table("", ["level", "check", "subject", "what is so", "owner", "what to do"], rows)
    counts = {
        each: sum(finding.level is each for finding in found)
        for each in (Level.PROBLEM, Level.WARNING)
    }
    show.note(f"{counts[Level.PROBLEM]} problems, {counts[Level.WARNING]} warnings.")
