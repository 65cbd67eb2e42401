"""`zaiko stock deliver`: a delivery note from a file, recorded as a whole or not at all."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import grpc
import typer
from zaiko.v1 import stock_service_pb2

from zaiko_cli import find
from zaiko_cli.command import Command
from zaiko_cli.csv_file import opened
from zaiko_cli.failure import USAGE, Failed, Refused

COLUMNS = ("sku", "units", "warehouse", "note")
_NEEDED = ("sku", "units")


def deliver(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(help="CSV with a header; - is standard input.", allow_dash=True)
    ],
    cause: Annotated[
        str,
        typer.Option(
            metavar="KEY", help="Your own key of this delivery. Recording it again changes nothing."
        ),
    ],
    warehouse: Annotated[
        str, typer.Option(help="For lines that name none. Not needed if there is only one.")
    ] = "",
) -> None:
    """Record a delivery note from a CSV file, at most 1,000 lines, all or none.

    Columns: sku, units, and where they apply warehouse, note. A product may be on several lines. If
    one line is wrong, nothing is recorded.
    """
    command: Command = context.obj
    client = command.client
    with opened(file, COLUMNS, needed=_NEEDED) as table:
        lines = list(_read(table))
    if not lines:
        raise Failed("The file has no lines.", USAGE)
    products = find.products(client, [row["sku"] for _, row in lines])
    place = cache(lambda typed: find.warehouse(client, typed))
    receipts = [
        stock_service_pb2.RecordReceiptRequest(
            product=product,
            warehouse=place(row["warehouse"] or warehouse),
            quantity=_units(number, row["units"]),
            cause_key=f"{cause}/{number}",
            note=row["note"],
        )
        for product, (number, row) in zip(products, lines, strict=True)
    ]
    request = stock_service_pb2.BatchRecordReceiptsRequest(parent=client.parent, requests=receipts)
    try:
        reply = client.call(client.stocks.BatchRecordReceipts, request)
    except grpc.RpcError as error:
        index = Refused.of(error).metadata.get("index", "")
        if index.isdecimal():
            command.show.note(f"Line {lines[int(index)][0]} is refused, so nothing is recorded.")
        raise
    _show(command, reply, products)


def _read(table: csv.DictReader[str]) -> Iterator[tuple[int, dict[str, str]]]:
    for row in table:
        yield table.line_num, {name: (row.get(name) or "").strip() for name in COLUMNS}


def _units(number: int, typed: str) -> int:
    try:
        return int(typed)
    except ValueError:
        raise Failed(
            f"Line {number}: units are a whole number, not {typed[:50]!r}.", USAGE
        ) from None


def _show(command: Command, reply: Any, products: Sequence[str]) -> None:
    if command.show.as_json:
        command.show.done(reply, "")
        return
    codes = find.codes(command.client, products)
    rows = [
        (codes[stock.product], stock.physical, stock.free, stock.synced) for stock in reply.stocks
    ]
    command.show.table("", ["product", "physical#", "free#", "synced#"], rows)
    known = sum(result.already_recorded for result in reply.results)
    command.show.note(f"{len(reply.results) - known} recorded, {known} had been recorded before.")
