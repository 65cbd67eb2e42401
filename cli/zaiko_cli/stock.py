"""Stock: physical, allocated, ordered and free units, the journal, and the reserve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer
from zaiko.v1 import movement_pb2, stock_pb2, stock_service_pb2

from zaiko_cli import find
from zaiko_cli.client import ApiClient
from zaiko_cli.command import Command
from zaiko_cli.count import AsOf, count, moment_of
from zaiko_cli.delivery import deliver
from zaiko_cli.failure import USAGE, Failed
from zaiko_cli.feed import feed
from zaiko_cli.show import last, part, word

stock = typer.Typer(no_args_is_help=True, help="Stock: what exists, what is promised, what moved.")
stock.command("feed")(feed)
stock.command("deliver")(deliver)
stock.add_typer(count, name="count")

Product = Annotated[str, typer.Argument(metavar="SKU", help="Code or id of the product.")]
Units = Annotated[int, typer.Argument(min=1, metavar="UNITS", help="Number of units.")]
Warehouse = Annotated[str, typer.Option(help="Not needed if there is only one.")]
Cause = Annotated[
    str,
    typer.Option(help="Your own key of this fact. Recording the same key again changes nothing."),
]
Note = Annotated[str, typer.Option(help="A remark for people.")]
Order = Annotated[
    str,
    typer.Option(
        "--order",
        metavar="SHOP/ORDER",
        help="The order that the units are for, by the platform's id or by its number.",
    ),
]
Shipment = Annotated[str, typer.Option(help="Or: the warehouse's own reference.")]

NUMBERS = (
    "physical",
    "allocated",
    "deliverable",
    "ordered",
    "free",
    "oversold",
    "reserve",
    "synced",
    "sent",
)


@stock.command("list")
def list_stocks(
    context: typer.Context,
    products: Annotated[
        list[str] | None, typer.Argument(metavar="[SKU]...", help="Only these products.")
    ] = None,
    oversold: Annotated[
        bool, typer.Option("--oversold", help="Only products with more units sold than exist.")
    ] = False,
) -> None:
    """List stocks: 実在庫 physical, 受注済 ordered, フリー在庫 free, 予備在庫 reserve, 同期 synced."""  # noqa: E501
    command: Command = context.obj
    client = command.client
    request = stock_service_pb2.ListStocksRequest(parent=client.parent)
    request.filter.oversold = oversold
    request.filter.products.extend(find.products(client, products or []))
    _table(command, list(client.pages(client.stocks.ListStocks, request, "stocks")))


@stock.command("get")
def get_stock(context: typer.Context, product: Product) -> None:
    """Show one stock, in total and per warehouse."""
    command: Command = context.obj
    client = command.client
    request = stock_service_pb2.GetStockRequest(name=find.product(client, product) + "/stock")
    found = client.call(client.stocks.GetStock, request).stock
    command.show.item(
        found, [("product", product), *((name, getattr(found, name)) for name in NUMBERS)]
    )
    if not command.show.as_json and found.warehouses:
        rows = [
            (last(w.warehouse), w.physical, w.allocated, w.deliverable) for w in found.warehouses
        ]
        command.show.table("", ["warehouse", "physical#", "allocated#", "deliverable#"], rows)


@stock.command()
def receive(
    context: typer.Context,
    product: Product,
    units: Units,
    warehouse: Warehouse = "",
    cause: Cause = "",
    note: Note = "",
) -> None:
    """Record that units arrived."""
    command: Command = context.obj
    client = command.client
    request = stock_service_pb2.RecordReceiptRequest(
        product=find.product(client, product),
        warehouse=find.warehouse(client, warehouse),
        quantity=units,
        cause_key=cause,
        note=note,
    )
    _moved(command, client.call(client.stocks.RecordReceipt, request))


@stock.command()
def adjust(
    context: typer.Context,
    product: Product,
    by: Annotated[
        int | None, typer.Option(help="Add this many units; a negative number removes them.")
    ] = None,
    counted: Annotated[
        int | None, typer.Option(min=0, help="Or: the number that was counted on the shelf.")
    ] = None,
    as_of: AsOf = "",
    warehouse: Warehouse = "",
    cause: Cause = "",
    note: Note = "",
) -> None:
    """Correct the physical stock: by a difference, or by what was counted as of a moment.

    A count that takes its time begins with `zaiko stock count begin`.
    """
    if (by is None) == (counted is None):
        raise Failed("Say either --by UNITS or --counted UNITS.", USAGE)
    if (counted is None) != (not as_of):
        raise Failed("--counted and --as-of go together.", USAGE)
    command: Command = context.obj
    client = command.client
    name = find.product(client, product)
    request = stock_service_pb2.AdjustStockRequest(
        product=name, warehouse=find.warehouse(client, warehouse), cause_key=cause, note=note
    )
    if by is not None:
        request.delta = by
    else:
        assert counted is not None
        request.MergeFrom(
            stock_service_pb2.AdjustStockRequest(counted=counted, **moment_of(client, as_of))
        )
    _moved(command, client.call(client.stocks.AdjustStock, request))


@stock.command()
def transfer(
    context: typer.Context,
    product: Product,
    units: Units,
    leaving: Annotated[str, typer.Option("--from", help="The warehouse that they leave.")],
    arriving: Annotated[str, typer.Option("--to", help="The warehouse where they arrive.")],
    cause: Cause = "",
    note: Note = "",
) -> None:
    """Move units to another warehouse. Shops see nothing of it."""
    command: Command = context.obj
    client = command.client
    request = stock_service_pb2.TransferStockRequest(
        product=find.product(client, product),
        from_warehouse=find.warehouse(client, leaving),
        to_warehouse=find.warehouse(client, arriving),
        quantity=units,
        cause_key=cause,
        note=note,
    )
    _moved(command, client.call(client.stocks.TransferStock, request))


@stock.command()
def allocate(
    context: typer.Context,
    product: Product,
    units: Units,
    order: Order = "",
    shipment: Shipment = "",
    warehouse: Warehouse = "",
    cause: Cause = "",
    note: Note = "",
) -> None:
    """Allocate units of a warehouse to an order or a shipment."""
    command: Command = context.obj
    fields = _binding(command.client, product, units, order, shipment, warehouse, cause, note)
    _moved(
        command,
        command.client.call(
            command.client.stocks.AllocateStock, stock_service_pb2.AllocateStockRequest(**fields)
        ),
    )


@stock.command()
def deallocate(
    context: typer.Context,
    product: Product,
    units: Units,
    order: Order = "",
    shipment: Shipment = "",
    warehouse: Warehouse = "",
    cause: Cause = "",
    note: Note = "",
) -> None:
    """Release units that are allocated to an order or a shipment."""
    command: Command = context.obj
    fields = _binding(command.client, product, units, order, shipment, warehouse, cause, note)
    request = stock_service_pb2.DeallocateStockRequest(**fields)
    _moved(command, command.client.call(command.client.stocks.DeallocateStock, request))


@stock.command()
def ship(
    context: typer.Context,
    product: Product,
    units: Units,
    order: Order = "",
    shipment: Shipment = "",
    warehouse: Warehouse = "",
    cause: Cause = "",
    note: Note = "",
) -> None:
    """Record that allocated units left the warehouse."""
    command: Command = context.obj
    fields = _binding(command.client, product, units, order, shipment, warehouse, cause, note)
    _moved(
        command,
        command.client.call(
            command.client.stocks.ShipStock, stock_service_pb2.ShipStockRequest(**fields)
        ),
    )


@stock.command()
def movements(
    context: typer.Context,
    product: Annotated[str, typer.Argument(metavar="[SKU]", help="Only this product.")] = "",
    limit: Annotated[int, typer.Option(min=0, help="Show at most this many; 0 = all.")] = 50,
) -> None:
    """List the journal, newest first."""
    command: Command = context.obj
    client = command.client
    request = stock_service_pb2.ListMovementsRequest(parent=client.parent)
    if product:
        request.filter.product = find.product(client, product)
    found = list(client.pages(client.stocks.ListMovements, request, "movements", limit=limit))
    codes = {} if command.show.as_json else find.codes(client, (item.product for item in found))
    command.show.items(
        "Movements",
        [
            "time",
            "product",
            "kind",
            "physical#",
            "allocated#",
            "ordered#",
            "for",
            "warehouse",
            "cause",
            "note",
        ],
        found,
        lambda m: (
            m.occur_time,
            codes.get(m.product, last(m.product)),
            word(m, "kind"),
            _signed(m.physical_delta),
            _signed(m.allocated_delta),
            _signed(m.ordered_delta),
            _demand(m),
            last(m.warehouse),
            m.cause_key,
            m.note,
        ),
        empty="Nothing has moved yet.",
    )


def reserve(
    context: typer.Context,
    product: Product,
    units: Annotated[
        int,
        typer.Argument(
            min=0, metavar="UNITS", help="Units to keep back from every shop; 0 = none."
        ),
    ],
) -> None:
    """Keep units of a product back from every shop (予備在庫)."""
    command: Command = context.obj
    client = command.client
    request = stock_service_pb2.SetReserveRequest(
        product=find.product(client, product), reserve=units
    )
    reply = client.call(client.stocks.SetReserve, request)
    _table(command, [reply.stock], message=reply)
    command.show.note(f"{reply.scheduled_link_count} links will be synced.")


def escrow(
    context: typer.Context,
    product: Product,
    below: Annotated[
        int,
        typer.Argument(
            min=0, metavar="UNITS", help="While this many units or fewer may be sold; 0 = never."
        ),
    ],
) -> None:
    """Give each shop units of its own while a product is scarce, so that two shops cannot sell the
    same unit."""
    command: Command = context.obj
    client = command.client
    request = stock_service_pb2.SetEscrowRequest(
        product=find.product(client, product), escrow_below=below
    )
    reply = client.call(client.stocks.SetEscrow, request)
    _table(command, [reply.stock], message=reply)
    command.show.note(f"{reply.scheduled_link_count} links will be synced.")


def _binding(
    client: ApiClient,
    product: str,
    units: int,
    order: str,
    shipment: str,
    warehouse: str,
    cause: str,
    note: str,
) -> dict[str, Any]:
    if bool(order) == bool(shipment):
        raise Failed(
            "Say whom they are for: either --order SHOP/ORDER or --shipment REFERENCE.", USAGE
        )
    shop, slash, number = order.partition("/")
    if order and not (slash and number):
        raise Failed(
            ("--order has the form SHOP/ORDER, with the shop's id and the order's id or number."),
            USAGE,
        )
    if order:
        reference = movement_pb2.Demand.OrderReference(
            shop=client.name("shops", shop), external_order_id=number
        )
        demand = movement_pb2.Demand(order=reference)
    else:
        demand = movement_pb2.Demand(shipment=shipment)
    return {
        "demand": demand,
        "product": find.product(client, product),
        "warehouse": find.warehouse(client, warehouse),
        "quantity": units,
        "cause_key": cause,
        "note": note,
    }


def _moved(command: Command, reply: Any) -> None:
    _table(command, [reply.stock], message=reply)
    if reply.already_recorded:
        command.show.note("This had been recorded before; nothing was changed.")


def _table(command: Command, stocks: Sequence[stock_pb2.Stock], *, message: Any = None) -> None:
    """Print stocks as a table, or the reply with them as JSON."""
    show = command.show
    if show.as_json and message is not None:
        show.done(message, "")
        return
    codes = {} if show.as_json else find.codes(command.client, (item.product for item in stocks))
    show.items(
        "",
        ["product", *(f"{name}#" for name in NUMBERS)],
        stocks,
        lambda s: (codes.get(s.product, last(s.product)), *(getattr(s, name) for name in NUMBERS)),
        empty="No stock: create a product with `zaiko products create CODE`.",
    )


def _signed(number: int) -> str:
    return f"{number:+d}" if number else ""


def _demand(movement: movement_pb2.Movement) -> str:
    if movement.demand.WhichOneof("reference") == "order":
        return (
            f"{part(movement.demand.order.shop, 'shops')}/{movement.demand.order.external_order_id}"
        )
    return movement.demand.shipment
