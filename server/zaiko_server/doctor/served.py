"""Checks of a server, by its RPCs alone: from any machine that may call it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from zaiko_server.cli.client import Client
from zaiko_server.cli.failure import failed
from zaiko_server.doctor.findings import Finding, ok, problem, warning
from zaiko_server.security.transport import is_local
from zaiko_server.services.connectors import VERSION_KEY

_SECONDS = 10.0


def health(client: Client) -> Iterator[Finding]:
    """Whether it answers, and serves."""
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
            "It starts or stops: try again in a minute.",
            client.address,
        )


def exposure(address: str, *, anonymous: bool) -> Iterator[Finding]:
    """`anonymous`: whether it answered a caller without credentials."""
    if not anonymous:
        yield ok("access", "asks who calls", address)
    elif is_local(address):
        yield ok("access", "answers everybody, on this machine only", address)
    else:
        yield problem(
            "access",
            "answers everybody who reaches it",
            (
                "Start it with --tls-cert, --tls-key and --auth tokens "
                "(docs/operations/deploy.md), unless a proxy protects it."
            ),
            address,
        )


def version(theirs: str, mine: str) -> Iterator[Finding]:
    """The server's release against this command's."""
    if not theirs:
        yield warning(
            "version",
            "the server does not say its release: it is older than 0.1.0 or no zaiko server",
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


def told_version(call: Any) -> str:
    """What a call's trailing metadata say of the server's release."""
    return next(
        (str(value) for key, value in call.trailing_metadata() or () if key == VERSION_KEY), ""
    )
