"""`zaiko connectors`: the platforms that the server can connect to."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from zaiko.v1 import connector_pb2, connector_service_pb2

from zaiko_cli import contributions
from zaiko_cli.command import Command
from zaiko_cli.failure import Failed
from zaiko_cli.show import last, word, words


def connectors(
    context: typer.Context,
    connector: Annotated[str, typer.Argument(help="Show one connector with its settings.")] = "",
    local: Annotated[
        bool,
        typer.Option(
            "--local",
            help=(
                "Show what is installed here, without a server. Exits with 1 if a connector "
                "failed to load."
            ),
        ),
    ] = False,
) -> None:
    """List the connectors of the server, including those that failed to load."""
    command: Command = context.obj
    client, show = command.client, command.show
    if not connector:
        request = connector_service_pb2.ListConnectorsRequest()
        known = (
            _installed()
            if local
            else list(client.pages(client.connectors.ListConnectors, request, "connectors"))
        )
        show.items(
            "Connectors",
            ["connector", "state", "version", "inventory", "distribution", "problem"],
            known,
            lambda c: (
                last(c.name),
                word(c, "state"),
                c.version,
                word(c, "inventory_mode"),
                c.distribution,
                _failure(c),
            ),
            empty=(
                "No connector is installed. Install one, such as the distribution "
                "zaiko-shopify, and restart the server."
            ),
        )
        if local and any(item.HasField("failure") for item in known):
            raise typer.Exit(1)
        return
    name = connector if connector.startswith("connectors/") else f"connectors/{connector}"
    if local:
        here = {item.name: item for item in _installed()}
        if name not in here:
            raise Failed(
                f"{last(name)} is not installed here; there are "
                f"{', '.join(map(last, here)) or 'none'}."
            )
        found = here[name]
    else:
        found = client.call(
            client.connectors.GetConnector, connector_service_pb2.GetConnectorRequest(name=name)
        ).connector
    facts = [
        ("connector", last(found.name)),
        ("platform", found.display_name),
        ("state", word(found, "state")),
        ("version", found.version),
        ("distribution", found.distribution),
        ("can", ", ".join(words(found, "capabilities"))),
        ("inventory", word(found, "inventory_mode")),
        ("problem", _failure(found)),
    ]
    show.item(found, facts)
    if not show.as_json and found.settings_schema:
        schema = json.loads(found.settings_schema)
        required = set(schema.get("required", []))
        show.table(
            "Settings (zaiko shops create … --set NAME=VALUE)",
            ["name", "needed", "secret", "default", "meaning"],
            [
                (
                    field,
                    field in required,
                    bool(facts.get("writeOnly")),
                    json.dumps(facts["default"]) if facts.get("default") is not None else "",
                    facts.get("description") or facts.get("title", ""),
                )
                for field, facts in schema.get("properties", {}).items()
            ],
        )


def _installed() -> list[connector_pb2.Connector]:
    found: list[connector_pb2.Connector] = contributions.load(
        contributions.ACTIONS, "connectors", "zaiko connectors --local"
    )()
    return found


def _failure(connector: connector_pb2.Connector) -> str:
    if not connector.HasField("failure"):
        return ""
    return (
        f"{word(connector.failure, 'stage')}: {connector.failure.message} {connector.failure.hint}"
    )
