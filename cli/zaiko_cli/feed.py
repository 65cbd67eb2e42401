"""`zaiko stock feed`: send a file of facts as one stream, and resume it where it was
interrupted."""

from __future__ import annotations

import csv
import random
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import grpc
import typer
from zaiko.v1 import movement_pb2, stock_service_pb2

from zaiko_cli import find
from zaiko_cli.client import ApiClient
from zaiko_cli.command import Command
from zaiko_cli.csv_file import opened
from zaiko_cli.failure import Failed, Refused

COLUMNS = ("fact", "sku", "units", "warehouse", "cause", "order", "shipment", "note")
_NEEDED = ("fact", "sku", "units", "cause")
_TRIES, _LONGEST = 8, 10.0
_MANY = 50
_Request = stock_service_pb2.StreamMovementsRequest


@dataclass
class FeedRow:
    """One line of the file: its request, or why it cannot be sent."""

    number: int
    cause: str
    fact: dict[str, Any] = field(default_factory=dict)
    problem: str = ""


@dataclass
class FeedOutcome:
    """The result of the whole file."""

    recorded: int = 0
    known: int = 0
    refused: list[tuple[int, str, str]] = field(default_factory=list)


def feed(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(help="CSV with a header; - is standard input.", allow_dash=True)
    ],
) -> None:
    """Record many facts of a warehouse from a CSV file: receipt, adjustment, allocation,
    deallocation, shipment.

    Columns: fact, sku, units, cause (your own key, which makes a repeat harmless), and where they
    apply warehouse, order (SHOP/ORDER), shipment, note. A refused line does not stop the others.
    Refused lines are listed, and the command exits with 1.
    """
    command: Command = context.obj
    with opened(file, COLUMNS, needed=_NEEDED) as table:
        outcome = _send(command.client, table)
    _show(command, outcome)


def _send(client: ApiClient, table: csv.DictReader[str]) -> FeedOutcome:
    lines, outcome = _read(client, table), FeedOutcome()
    waiting: deque[FeedRow] = deque()
    tries = 0
    while True:
        before = outcome.recorded + outcome.known + len(outcome.refused)
        try:
            _stream(client, lines, waiting, outcome)
        except grpc.RpcError as error:
            tries = (
                1 if outcome.recorded + outcome.known + len(outcome.refused) > before else tries + 1
            )
            if Refused.of(error).code is not grpc.StatusCode.UNAVAILABLE or tries == _TRIES:
                raise
            # Starts at the first fact without an answer. Cause keys make a repeat harmless.
            time.sleep(min(_LONGEST, 0.2 * 2**tries) * (0.5 + random.random()))  # noqa: S311 - spreads clients
        else:
            return outcome


def _stream(
    client: ApiClient, lines: Iterator[FeedRow], waiting: deque[FeedRow], outcome: FeedOutcome
) -> None:
    """Make one call: send again what was not answered, then what follows."""
    parent = client.parent
    again = list(waiting)
    broken: list[Exception] = []

    def requests() -> Iterator[_Request]:
        sequence = 0
        for line in again:
            sequence += 1
            yield _Request(sequence=sequence, parent=parent, **line.fact)
        # gRPC reads the requests on its own thread and hides errors there.
        try:
            for line in lines:
                if line.problem:
                    outcome.refused.append((line.number, line.cause, line.problem))
                    continue
                sequence += 1
                waiting.append(line)
                yield _Request(sequence=sequence, parent=parent, **line.fact)
        except Exception as error:  # noqa: BLE001 - raised below, after the answers
            broken.append(error)

    for answer in client.stocks.StreamMovements(requests(), metadata=client.connection.metadata):
        line = waiting.popleft()
        if answer.HasField("problem"):
            outcome.refused.append((line.number, line.cause, answer.problem.message))
        elif answer.already_recorded:
            outcome.known += 1
        else:
            outcome.recorded += 1
    if broken:
        raise broken[0]


def _read(client: ApiClient, table: csv.DictReader[str]) -> Iterator[FeedRow]:
    product, warehouse = (
        cache(lambda sku: find.product(client, sku)),
        cache(lambda typed: find.warehouse(client, typed)),
    )
    for row in table:
        line = FeedRow(table.line_num, (row["cause"] or "").strip())
        try:
            line.fact = _fact(
                client,
                {name: (row.get(name) or "").strip() for name in COLUMNS},
                product,
                warehouse,
            )
        except Failed as error:
            line.problem = error.sentence
        yield line


def _fact(client: ApiClient, row: dict[str, str], product: Any, warehouse: Any) -> dict[str, Any]:
    try:
        units = int(row["units"])
    except ValueError:
        raise Failed(f"units are a whole number, not {row['units'][:50]!r}.") from None
    common = {
        "product": product(row["sku"]),
        "warehouse": warehouse(row["warehouse"]),
        "cause_key": row["cause"],
        "note": row["note"],
    }
    match row["fact"]:
        case "receipt":
            return {"receipt": stock_service_pb2.RecordReceiptRequest(quantity=units, **common)}
        case "adjustment":
            return {"adjustment": stock_service_pb2.AdjustStockRequest(delta=units, **common)}
        case "allocation":
            return {
                "allocation": stock_service_pb2.AllocateStockRequest(
                    quantity=units, demand=_demand(client, row), **common
                )
            }
        case "deallocation":
            return {
                "deallocation": stock_service_pb2.DeallocateStockRequest(
                    quantity=units, demand=_demand(client, row), **common
                )
            }
        case "shipment":
            return {
                "shipment": stock_service_pb2.ShipStockRequest(
                    quantity=units, demand=_demand(client, row), **common
                )
            }
        case other:
            raise Failed(
                f"{other[:50]!r} is not a fact: receipt, adjustment, allocation, deallocation, "
                "shipment."
            )


def _demand(client: ApiClient, row: dict[str, str]) -> movement_pb2.Demand:
    shop, slash, number = row["order"].partition("/")
    if bool(row["order"]) == bool(row["shipment"]) or (row["order"] and not (slash and number)):
        raise Failed("say whom the units are for: order as SHOP/ORDER, or shipment.")
    if row["shipment"]:
        return movement_pb2.Demand(shipment=row["shipment"])
    reference = movement_pb2.Demand.OrderReference(
        shop=client.name("shops", shop), external_order_id=number
    )
    return movement_pb2.Demand(order=reference)


def _show(command: Command, outcome: FeedOutcome) -> None:
    show, refused = command.show, sorted(outcome.refused)
    if show.as_json:
        rows = [
            {"line": number, "cause": cause, "problem": problem}
            for number, cause, problem in refused
        ]
        show.document(
            {"recorded": outcome.recorded, "alreadyRecorded": outcome.known, "refused": rows}
        )
    else:
        if refused:
            show.table("Refused", ["line#", "cause", "problem"], refused[:_MANY])
        more = (
            f" {len(refused) - _MANY} more are not shown; --output json has all."
            if len(refused) > _MANY
            else ""
        )
        show.note(
            f"{outcome.recorded} recorded, {outcome.known} had been recorded before, "
            f"{len(refused)} refused.{more}"
        )
    if refused:
        raise typer.Exit(1)
