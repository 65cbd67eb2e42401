"""`zaiko orders`: the orders of the shops, as last read from them."""

from __future__ import annotations

from typing import Annotated

import typer
from zaiko.v1 import order_pb2, order_service_pb2

from zaiko_cli import find
from zaiko_cli.command import Command
from zaiko_cli.show import part, word, words
from zaiko_cli.suspects import hold_order, release_order

orders = typer.Typer(no_args_is_help=True, help="Orders of the shops, as last read from them.")

Shop = Annotated[str, typer.Argument(help="The shop's id.")]


@orders.command("list")
def list_orders(
    context: typer.Context,
    shop: Annotated[str, typer.Argument(help="The shop's id. Default: all shops.")] = "-",
    open_: Annotated[
        bool, typer.Option("--open", help="Only orders that may still hold units.")
    ] = False,
    suspect: Annotated[
        bool, typer.Option("--suspect", help="Only orders whose open units a person should check.")
    ] = False,
    unlinked: Annotated[
        bool, typer.Option("--unlinked", help="Only orders with lines that are not linked.")
    ] = False,
    unshipped: Annotated[
        bool,
        typer.Option(
            "--unshipped", help="Only orders shipped in their shop, and not by the warehouse."
        ),
    ] = False,
    unrestocked: Annotated[
        bool,
        typer.Option("--unrestocked", help="Only orders refunded without restocking."),
    ] = False,
    limit: Annotated[int, typer.Option(min=0, help="Show at most this many; 0 = all.")] = 100,
) -> None:
    """List orders as last read from the shops."""
    command: Command = context.obj
    client = command.client
    request = order_service_pb2.ListOrdersRequest(parent=client.name("shops", shop))
    request.filter.suspect, request.filter.unlinked = suspect, unlinked
    request.filter.unshipped, request.filter.unrestocked = unshipped, unrestocked
    if open_:
        request.filter.states.append(order_pb2.Order.STATE_OPEN)
    command.show.items(
        "Orders",
        ["shop", "number", "order", "state", "placed", "open#", "held#", "suspicions"],
        client.pages(client.orders.ListOrders, request, "orders", limit=limit),
        lambda order: (
            part(order.name, "shops"),
            order.number,
            order.external_id,
            word(order, "state"),
            order.place_time,
            sum(line.open for line in order.lines),
            sum(demand.allocated for demand in order.demands),
            _suspicions(order),
        ),
        empty="No order.",
    )


@orders.command("get")
def get_order(
    context: typer.Context,
    shop: Shop,
    order: Annotated[str, typer.Argument(help="The order's id or number.")],
) -> None:
    """Show one order with its lines."""
    command: Command = context.obj
    client = command.client
    request = order_service_pb2.GetOrderRequest(name=find.order(client, f"{shop}/{order}"))
    found = client.call(client.orders.GetOrder, request).order
    command.show.item(
        found,
        [
            ("number", found.number),
            ("order", found.external_id),
            ("state", word(found, "state")),
            ("platform says", found.platform_state),
            ("placed", found.place_time),
            ("suspicions", _suspicions(found)),
        ],
    )
    if not command.show.as_json:
        codes = find.codes(client, (p.product for line in found.lines for p in line.products))
        rows = [
            (
                line.sku,
                line.ordered,
                line.cancelled,
                line.fulfilled,
                line.open,
                ", ".join(f"{p.count} × {codes[p.product]}" for p in line.products) or "not linked",
            )
            for line in found.lines
        ]
        command.show.table(
            "", ["sku", "ordered#", "cancelled#", "fulfilled#", "open#", "counts as"], rows
        )


@orders.command("assign")
def assign_lines(
    context: typer.Context,
    order: Annotated[
        str,
        typer.Argument(metavar="SHOP/ORDER", help="The shop's id, and the order's id or number."),
    ],
    line: Annotated[
        str, typer.Option(help="Only the line with this id. Default: all that can be assigned.")
    ] = "",
    product: Annotated[
        str,
        typer.Option(
            metavar="SKU", help="What was sold. Default: what has the line's sku as code."
        ),
    ] = "",
) -> None:
    """Count lines of an order that no link can count, because their listing is gone."""
    command: Command = context.obj
    client = command.client
    request = order_service_pb2.AssignOrderLinesRequest(
        name=find.order(client, order),
        line=line,
        product=find.product(client, product) if product else "",
    )
    reply = client.call(client.orders.AssignOrderLines, request)
    command.show.done(reply, f"{reply.counted_units} units of {order} are counted from now on.")


orders.command("release")(release_order)
orders.command("hold")(hold_order)


def _suspicions(order: order_pb2.Order) -> str:
    found = words(order, "suspicions")
    return ", ".join([*found, "NOT LINKED"] if order.has_unlinked_lines else found)
