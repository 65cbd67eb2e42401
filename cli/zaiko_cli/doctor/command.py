"""`zaiko doctor`: find what is wrong with an installation, and say what to do about it."""

from __future__ import annotations

import sys
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

from zaiko_cli import contributions
from zaiko_cli.client import ApiClient
from zaiko_cli.command import Command
from zaiko_cli.doctor import merchant, packages, served
from zaiko_cli.doctor.findings import DoctorFinding, Severity, ok, problem, worst
from zaiko_cli.failure import failed
from zaiko_cli.show import Show, last

_PROBE = 5.0


def doctor(
    context: typer.Context,
    db: Annotated[
        str,
        typer.Option(
            "--db",
            metavar="PATH|URL",
            help="Check this database, without a server. Default: ask the server.",
        ),
    ] = "",
    secret_key_file: Annotated[
        Path,
        typer.Option(
            envvar="ZAIKO_SECRET_KEY_FILE", help="With --db: the key that seals shops' credentials."
        ),
    ] = Path("zaiko.key"),
    quiet: Annotated[
        bool, typer.Option("--quiet", help="Show only warnings and problems.")
    ] = False,
) -> None:
    """Check an installation. Each finding says what to do. Exits with 0 if all is well, 1 with
    warnings, 2 with problems."""
    command: Command = context.obj
    chosen = str(context.find_root().params.get("merchant") or "").removeprefix("merchants/")
    found = [*packages.versions(sys.version_info[:3], _installed())]
    if db:
        check = contributions.load(contributions.ACTIONS, "doctor", "zaiko doctor --db")
        found += check(db, secret_key_file, chosen)
    else:
        found += _of_server(command.client, chosen)
    _tell(
        command.show,
        [finding for finding in found if not quiet or finding.level is not Severity.OK],
        worst(found),
    )
    raise typer.Exit(int(worst(found)))


def _of_server(client: ApiClient, chosen: str) -> Iterator[DoctorFinding]:
    alive = list(served.health(client))
    yield from alive
    if worst(alive) is not Severity.OK:
        return
    yield from served.exposure(client.address, anonymous=_anonymous(client.address))
    yield from _asked(client, "connectors", lambda: _connectors(client))
    yield from _asked(client, "merchants", lambda: _merchants(client, chosen))


def _connectors(client: ApiClient) -> Iterator[DoctorFinding]:
    request = connector_service_pb2.ListConnectorsRequest(page_size=1000)
    # Not `pages`: the release is in the trailer of the first answer, and one page has them all.
    reply, call = client.call(client.connectors.ListConnectors.with_call, request)  # type: ignore[type-var]
    yield from served.version(served.trailing_version(call), version("zaiko-cli"))
    yield from served.connectors(reply.connectors)


def _merchants(client: ApiClient, chosen: str) -> Iterator[DoctorFinding]:
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


def _asked(
    client: ApiClient, check: str, ask: Callable[[], Iterable[DoctorFinding]]
) -> list[DoctorFinding]:
    """Return the findings of one question. A refusal is a finding too, so that the other questions
    are still asked."""
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
    """Return whether the server answers a caller without TLS and token."""
    with grpc.insecure_channel(address) as channel:
        stub = merchant_service_pb2_grpc.MerchantServiceStub(channel)
        try:
            stub.ListMerchants(
                merchant_service_pb2.ListMerchantsRequest(page_size=1), timeout=_PROBE
            )
        except grpc.RpcError:
            return False
    return True


def _installed() -> dict[str, str]:
    return {found.name.lower(): found.version for found in distributions()}


def _tell(show: Show, found: list[DoctorFinding], level: Severity) -> None:
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
        for each in (Severity.PROBLEM, Severity.WARNING)
    }
    show.note(f"{counts[Severity.PROBLEM]} problems, {counts[Severity.WARNING]} warnings.")
