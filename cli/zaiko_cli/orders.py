"""`zaiko orders`: the orders of the shops, as last read from them."""

from __future__ import annotations

from typing import Annotated

import grpc
import typer
from zaiko.v1 import order_pb2, order_service_pb2

from zaiko_cli import find
from zaiko_cli.command import Command
from zaiko_cli.failure import Failed, Refused
from zaiko_cli.names import order_id
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
    limit: Annotated[int, typer.Option(min=0, help="Show at most this many; 0 = all.")] = 100,
) -> None:
    """List orders as last read from the shops."""
    command: Command = context.obj
    client = command.client
    request = order_service_pb2.ListOrdersRequest(parent=client.name("shops", shop))
    request.filter.suspect, request.filter.unlinked = suspect, unlinked
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
    order: Annotated[str, typer.Argument(help="The platform's own id of the order.")],
) -> None:
    """Show one order with its lines."""
    command: Command = context.obj
    client = command.client
    name = f"{client.name('shops', shop)}/orders/{order_id(order)}"
    try:
        found = client.call(
            client.orders.GetOrder, order_service_pb2.GetOrderRequest(name=name)
        ).order
    except grpc.RpcError as error:
        if Refused.of(error).reason != "RESOURCE_NOT_FOUND":
            raise
        raise Failed(
            f"No order {order!r} of {shop} has been read. See `zaiko orders list {shop}`."
        ) from None
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


orders.command("release")(release_order)
orders.command("hold")(hold_order)


def _suspicions(order: order_pb2.Order) -> str:
    found = words(order, "suspicions")
    return ", ".join([*found, "NOT LINKED"] if order.has_unlinked_lines else found)
