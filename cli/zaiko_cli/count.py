"""`zaiko stock count`: a stock-take (棚卸), which takes its time while units come and go."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer
from zaiko.v1 import stock_service_pb2

from zaiko_cli import find
from zaiko_cli.client import ApiClient
from zaiko_cli.command import Command
from zaiko_cli.csv_file import opened
from zaiko_cli.failure import USAGE, Failed
from zaiko_cli.show import last

COLUMNS = ("sku", "counted", "warehouse", "note")
_NEEDED = ("sku", "counted")

count = typer.Typer(
    no_args_is_help=True,
    help="A stock-take (棚卸): begin it, count, and enter the numbers, while goods come and go.",
)

AsOf = Annotated[
    str,
    typer.Option(
        "--as-of",
        metavar="REVISION",
        help="What the count is as of: the revision that `zaiko stock count begin` printed, a time "
        "such as 2026-12-01T09:30, or now.",
    ),
]


@count.command()
def begin(
    context: typer.Context,
    save: Annotated[
        Path | None, typer.Option(help="Also write the revision into this file.")
    ] = None,
) -> None:
    """Print the revision that a count is as of. Nothing is locked: orders, receipts and shipments
    go on."""
    command: Command = context.obj
    reply = _newest(command.client)
    if save is not None:
        try:
            save.write_text(f"{reply.revision}\n", encoding="utf-8")
        except OSError as error:
            raise Failed(f"{save} cannot be written ({error.strerror}).", USAGE) from None
    if command.show.as_json:
        command.show.done(stock_service_pb2.ListStocksResponse(revision=reply.revision), "")
        return
    print(reply.revision)
    command.show.note(
        f"Count now, then: zaiko stock count enter SKU COUNTED --as-of {reply.revision}"
    )


@count.command()
def enter(
    context: typer.Context,
    product: Annotated[str, typer.Argument(metavar="[SKU]", help="Code or id of it.")] = "",
    counted: Annotated[
        int | None, typer.Argument(min=0, metavar="[COUNTED]", help="Units on the shelf.")
    ] = None,
    as_of: AsOf = "",
    begun: Annotated[
        Path | None, typer.Option(help="Or: the file that `count begin --save` has written.")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(help="Many at once: CSV with sku, counted, and if you like warehouse, note."),
    ] = None,
    warehouse: Annotated[str, typer.Option(help="Not needed if there is only one.")] = "",
    note: Annotated[str, typer.Option(help="A remark for people.")] = "",
) -> None:
    """Enter what was counted. Physical changes by the difference to what it was as the count began.

    Entering another number for the same shelf corrects the first one.
    """
    command: Command = context.obj
    client = command.client
    if (file is None) == (not product) or (counted is None) != (not product):
        raise Failed("Say either SKU and COUNTED, or --file FILE.", USAGE)
    moment = moment_of(client, _said(as_of, begun))
    lines = (
        [{"sku": product, "counted": str(counted), "warehouse": "", "note": note}]
        if file is None
        else _lines(file)
    )
    products = find.products(client, [line["sku"] for line in lines])
    place = cache(lambda typed: find.warehouse(client, typed))
    requests = [
        stock_service_pb2.AdjustStockRequest(
            product=name,
            warehouse=place(line["warehouse"] or warehouse),
            counted=int(line["counted"]),
            note=line["note"],
            **moment,
        )
        for name, line in zip(products, lines, strict=True)
    ]
    _show(command, [client.call(client.stocks.AdjustStock, request) for request in requests])


def moment_of(client: ApiClient, typed: str) -> dict[str, Any]:
    """Return the fields of a request for the moment of a count. Raises Failed when it is none."""
    if typed == "now":
        return {"as_of_revision": _newest(client).revision}
    if typed.isdecimal():
        return {"as_of_revision": int(typed)}
    try:
        return {"as_of_time": datetime.fromisoformat(typed).astimezone()}
    except ValueError:
        raise Failed(
            "Say --as-of REVISION, as `zaiko stock count begin` has printed it, a time such as "
            "2026-12-01T09:30, or now.",
            USAGE,
        ) from None


def _newest(client: ApiClient) -> Any:
    request = stock_service_pb2.ListStocksRequest(parent=client.parent, page_size=1)
    return client.call(client.stocks.ListStocks, request)


def _said(as_of: str, begun: Path | None) -> str:
    if bool(as_of) == (begun is not None):
        raise Failed("Say what the count is as of: either --as-of or --begun.", USAGE)
    if begun is None:
        return as_of
    try:
        return begun.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise Failed(f"{begun} cannot be read ({error.strerror}).", USAGE) from None


def _lines(file: Path) -> list[dict[str, str]]:
    with opened(file, COLUMNS, needed=_NEEDED) as table:
        lines = list(_read(table))
    if not lines:
        raise Failed("The file has no lines.", USAGE)
    return lines


def _read(table: csv.DictReader[str]) -> Iterator[dict[str, str]]:
    for row in table:
        line = {name: (row.get(name) or "").strip() for name in COLUMNS}
        if not line["counted"].isdecimal():
            raise Failed(
                f"Line {table.line_num}: counted is a whole number, not {line['counted'][:50]!r}; "
                "nothing was entered.",
                USAGE,
            )
        yield line


def _show(command: Command, replies: Sequence[Any]) -> None:
    codes = (
        {}
        if command.show.as_json
        else find.codes(command.client, (reply.movement.product for reply in replies))
    )
    command.show.items(
        "",
        ["product", "warehouse", "change#", "physical#", "free#"],
        replies,
        lambda reply: (
            codes.get(reply.movement.product, last(reply.movement.product)),
            last(reply.movement.warehouse),
            f"{reply.movement.physical_delta:+d}",
            reply.stock.physical,
            reply.stock.free,
        ),
        empty="",
    )
