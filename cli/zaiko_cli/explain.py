"""Explain stock and oversells."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from zaiko.v1 import explanation_pb2, movement_pb2, oversell_pb2, stock_service_pb2

from zaiko_cli import find
from zaiko_cli.command import Command
from zaiko_cli.list_group import ListGroup
from zaiko_cli.show import Show, last, optional, part, withheld, word


def explain(
    context: typer.Context,
    product: Annotated[str, typer.Argument(metavar="SKU", help="Code or id of the product.")],
    at_revision: Annotated[
        int, typer.Option(min=0, help="Show the numbers at this revision; 0 = now.")
    ] = 0,
    limit: Annotated[
        int, typer.Option(min=1, max=1000, help="Show at most this many orders one by one.")
    ] = 20,
) -> None:
    """Show what a product's numbers are made of, and what each shop was sent because of them."""
    command: Command = context.obj
    client, show = command.client, command.show
    request = stock_service_pb2.ExplainStockRequest(
        product=find.product(client, product), at_revision=at_revision, promise_limit=limit
    )
    reply = client.call(client.stocks.ExplainStock, request)
    if show.as_json:
        show.done(reply, "")
        return
    for found in reply.stocks:
        _stock(show, found)
    show.table(
        "Shops",
        [
            "shop",
            "target#",
            "why another number",
            "sent#",
            "outcome",
            "when",
            "acknowledged#",
            "revision#",
        ],
        [_sent(link) for link in reply.links],
    )
    show.note(
        f"Revision {reply.revision}. Each `revision` above can be explained with --at-revision."
    )


oversells = typer.Typer(
    cls=ListGroup,
    help="Units that were sold and did not exist. `zaiko oversells [SKU]` lists them.",
)


@oversells.command("list")
def list_oversells(
    context: typer.Context,
    product: Annotated[str, typer.Argument(metavar="[SKU]", help="Only this product.")] = "",
    open_only: Annotated[bool, typer.Option("--open", help="Only what is oversold now.")] = False,
    limit: Annotated[int, typer.Option(min=0, help="Show at most this many; 0 = all.")] = 20,
) -> None:
    """List what was sold and did not exist: the order, the cause, and what would have prevented it.
    Newest first."""
    command: Command = context.obj
    client, show = command.client, command.show
    request = stock_service_pb2.ListOversellsRequest(parent=client.parent)
    if product:
        request.filter.product = find.product(client, product)
    request.filter.open = open_only
    found = list(client.pages(client.stocks.ListOversells, request, "oversells", limit=limit))
    codes = {} if show.as_json else find.codes(client, (item.product for item in found))
    show.items(
        "Oversells",
        [
            "oversell",
            "when",
            "product",
            "units#",
            "short#",
            "by",
            "cause",
            "setting",
            "cleared",
            "note",
        ],
        found,
        lambda item: (
            last(item.name),
            item.time,
            codes.get(item.product, last(item.product)),
            item.units,
            item.short_units,
            _whose(item.by.demand, item.by.order_number) or last(item.by.movement),
            word(item, "cause"),
            _setting(item),
            item.clear_time,
            f"{item.message}. {item.action_en}",
        ),
        empty="Nothing was oversold.",
    )


@oversells.command("get")
def get_oversell(
    context: typer.Context,
    oversell: Annotated[str, typer.Argument(help="Its id, as `list` shows it.")],
) -> None:
    """Show one oversell, with the sales that took the units before."""
    command: Command = context.obj
    client = command.client
    request = stock_service_pb2.GetOversellRequest(name=client.name("oversells", oversell))
    item = client.call(client.stocks.GetOversell, request).oversell
    codes = {} if command.show.as_json else find.codes(client, [item.product])
    command.show.item(
        item,
        [
            ("oversell", last(item.name)),
            ("product", codes.get(item.product, "")),
            ("when", item.time),
            ("units", item.units),
            ("short", item.short_units),
            ("by", _whose(item.by.demand, item.by.order_number) or last(item.by.movement)),
            ("cause", word(item, "cause")),
            ("setting", _setting(item)),
            ("cleared", item.clear_time),
            ("note", f"{item.message}. {item.action_en}"),
        ],
    )
    if command.show.as_json:
        return
    command.show.table(
        "What took units before",
        ["when", "by", "units#"],
        [
            (used.time, _whose(used.demand, used.order_number) or last(used.movement), used.units)
            for used in item.consumptions
        ],
    )
    command.show.table(
        "The shops just before",
        ["shop", "state", "showed at most#", "acknowledged#", "last success", "shop read"],
        [
            (
                part(link.link, "shops"),
                word(link, "state") if link.sync_enabled else "without sync",
                optional(link, "shown"),
                optional(link, "acknowledged"),
                link.last_success_time,
                link.shop_read_time,
            )
            for link in item.snapshots
        ],
    )


def _stock(show: Show, found: explanation_pb2.StockExplanation) -> None:
    shelves = [
        (
            last(shelf.warehouse),
            shelf.received,
            shelf.adjusted,
            shelf.shipped,
            shelf.transferred,
            shelf.physical,
            shelf.allocated,
        )
        for shelf in found.shelves
    ]
    columns = [
        "warehouse",
        "received#",
        "adjusted#",
        "shipped#",
        "transferred#",
        "physical#",
        "allocated#",
    ]
    show.table(f"Physical {found.stock.physical}", columns, shelves)
    promises: list[tuple[Any, ...]] = [
        (
            _whose(item.demand, item.order_number),
            item.since_time,
            item.ordered,
            item.allocated,
            item.unallocated,
        )
        for item in found.promises
    ]
    if found.rest.promise_count:
        rest = found.rest
        promises.append(
            (f"and {rest.promise_count} more", "", rest.ordered, rest.allocated, rest.unallocated)
        )
    columns = ["for", "since", "ordered#", "allocated#", "unallocated#"]
    show.table(f"Ordered {found.stock.ordered}", columns, promises)
    stock = found.stock
    show.note(
        f"free {stock.free} = physical {stock.physical} − ordered {stock.ordered} "
        f"= deliverable {stock.deliverable} − unallocated {stock.unallocated}"
    )
    show.note(
        f"synced {stock.synced} = free {stock.free} − reserve {stock.reserve}; a shop is to "
        f"show {stock.sent}"
    )


def _sent(link: explanation_pb2.LinkExplanation) -> tuple[Any, ...]:
    shop, acknowledged = part(link.link, "shops"), link.last_acknowledged_push
    shown = acknowledged.quantity if link.HasField("last_acknowledged_push") else ""
    if not link.HasField("last_push"):
        kept = withheld(link.status)
        return (shop, optional(link.status, "target"), kept, "", "", "", shown, "")
    push = link.last_push
    terms = ", ".join(f"{-term.units:+d} {term.label}" for term in push.terms)
    return (
        shop,
        push.target,
        terms,
        push.quantity,
        word(push, "outcome"),
        push.record_time,
        shown,
        push.revision,
    )


def _whose(demand: movement_pb2.Demand, number: str) -> str:
    if demand.WhichOneof("reference") == "order":
        return f"{part(demand.order.shop, 'shops')} {number or demand.order.external_order_id}"
    return demand.shipment


def _setting(item: oversell_pb2.Oversell) -> str:
    value = f" {item.setting_number}" if item.setting_number else ""
    return word(item, "setting") + value
