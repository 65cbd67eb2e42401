"""Checks of a server through its RPCs, from any machine that may call it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from zaiko.v1 import connector_pb2

from zaiko_cli.client import ApiClient
from zaiko_cli.connection import is_local
from zaiko_cli.doctor.findings import DoctorFinding, ok, problem, warning
from zaiko_cli.failure import failed
from zaiko_cli.show import last, word

_SECONDS = 10.0
VERSION_KEY = "zaiko-version"
"""Trailing metadata of ListConnectors: the server's release."""


def health(client: ApiClient) -> Iterator[DoctorFinding]:
    """Check that the server answers and serves."""
    try:
        stub = health_pb2_grpc.HealthStub(client.channel)
        reply = client.call(stub.Check, health_pb2.HealthCheckRequest(), seconds=_SECONDS)
    except grpc.RpcError as error:
        yield problem(
            "server",
            failed(error, client.address).sentence,
            "Start it, or name it with --address.",
            client.address,
        )
        return
    if reply.status == health_pb2.HealthCheckResponse.SERVING:
        yield ok("server", "answers and serves", client.address)
    else:
        yield problem(
            "server",
            "answers, and does not serve",
            "It is starting or stopping: try again in a minute.",
            client.address,
        )


def exposure(address: str, *, anonymous: bool) -> Iterator[DoctorFinding]:
    """Check who may call the server. `anonymous` says whether it answered a caller without
    credentials."""
    if not anonymous:
        yield ok("access", "requires credentials", address)
    elif is_local(address):
        yield ok("access", "answers every caller, on this machine only", address)
    else:
        yield problem(
            "access",
            "answers every caller that reaches it",
            (
                "Start it with --tls-cert, --tls-key and --auth tokens "
                "(docs/operations/deploy.md), unless a proxy protects it."
            ),
            address,
        )


def version(theirs: str, mine: str) -> Iterator[DoctorFinding]:
    """Compare the server's release with this command's."""
    if not theirs:
        yield warning(
            "version",
            "the server does not say its release: it is older than 0.1.0 or not a zaiko server",
            "Upgrade it.",
        )
    elif theirs != mine:
        yield warning(
            "version",
            f"the server is {theirs}, this command {mine}",
            "Install the same release on both.",
        )
    else:
        yield ok("version", f"server and command are {mine}")


def trailing_version(call: Any) -> str:
    """Return the server's release from a call's trailing metadata, or an empty text."""
    return next(
        (str(value) for key, value in call.trailing_metadata() or () if key == VERSION_KEY), ""
    )


def connectors(found: Iterable[connector_pb2.Connector]) -> Iterator[DoctorFinding]:
    """Report connectors that failed to load, and why."""
    loaded = []
    for connector in found:
        if connector.HasField("failure"):
            failure = connector.failure
            message = f"failed to load ({word(failure, 'stage')}): {failure.message}"
            remedy = failure.hint or f"Install {connector.distribution} again, or remove it."
            yield problem("connectors", message, remedy, last(connector.name))
        else:
            loaded.append(f"{last(connector.name)} {connector.version}".rstrip())
    if loaded:
        yield ok("connectors", ", ".join(loaded))
    else:
        yield problem(
            "connectors",
            "none is loaded, so no shop can run",
            "Install one, such as zaiko-shopify, and restart the server.",
        )
