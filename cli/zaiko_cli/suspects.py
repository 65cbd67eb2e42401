"""`zaiko orders release`, `zaiko orders hold` and `zaiko shops suspects`: orders whose open units
may no longer be needed."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from zaiko.v1 import order_pb2, order_service_pb2, shop_pb2, shop_service_pb2

from zaiko_cli import find
from zaiko_cli.command import Command
from zaiko_cli.show import last, part, when, word

Order = Annotated[
    str,
    typer.Argument(metavar="SHOP/ORDER", help="The shop's id, and the order's id or number."),
]
_UNSET = {
    "archived": "archived_release_days",
    "vanished": "vanished_release_days",
    "unpaid": "unpaid_release_days",
    "unpaid_after": "unpaid_suspect_days",
}


def release_order(
    context: typer.Context,
    order: Order,
    unrestocked: Annotated[
        bool,
        typer.Option(
            "--unrestocked",
            help="Only units refunded without restocking, once they are dealt with.",
        ),
    ] = False,
) -> None:
    """Release the open units of an order until its shop reports a change of it."""
    command: Command = context.obj
    request = order_service_pb2.ReleaseOrderRequest(
        name=find.order(command.client, order), only_unrestocked=unrestocked
    )
    released = command.client.call(command.client.orders.ReleaseOrder, request).order
    if unrestocked:
        command.show.done(released, f"The refunded units of {order} are dealt with.")
        return
    command.show.done(
        released, f"{order} no longer holds stock, except what a warehouse allocated to it."
    )


def hold_order(context: typer.Context, order: Order) -> None:
    """Make an order hold its open units, whatever the shop's policy says."""
    command: Command = context.obj
    request = order_service_pb2.HoldOrderRequest(name=find.order(command.client, order))
    held = command.client.call(command.client.orders.HoldOrder, request).order
    command.show.done(held, f"{order} holds {_open(held)} units.")


def suspects(
    context: typer.Context,
    shop: Annotated[str, typer.Argument(help="The shop's id.")],
    archived: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=365,
            metavar="DAYS",
            help="Release orders that were archived with open units.",
        ),
    ] = None,
    vanished: Annotated[
        int | None,
        typer.Option(
            min=1, max=365, metavar="DAYS", help="Release orders that the shop no longer knows."
        ),
    ] = None,
    unpaid: Annotated[
        int | None, typer.Option(min=1, max=365, metavar="DAYS", help="Release unpaid orders.")
    ] = None,
    unpaid_after: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=365,
            metavar="DAYS",
            help="Treat an unpaid order as suspect after this time. [default: 14]",
        ),
    ] = None,
    apply: Annotated[
        bool,
        typer.Option("--apply", help="Make it the shop's policy. Default: only show its effect."),
    ] = False,
) -> None:
    """Show what a policy for suspect orders would release, or apply it to the shop. Kinds of orders
    that are not given are held."""
    command: Command = context.obj
    client, show = command.client, command.show
    given = {
        "archived": archived,
        "vanished": vanished,
        "unpaid": unpaid,
        "unpaid_after": unpaid_after,
    }
    policy = shop_pb2.SuspectPolicy(
        **{_UNSET[name]: days for name, days in given.items() if days is not None}
    )
    name = client.name("shops", shop)
    if apply:
        request = shop_service_pb2.UpdateShopRequest(
            shop=shop_pb2.Shop(name=name, suspect_policy=policy)
        )
        request.update_mask.paths.append("suspect_policy")
        show.done(
            client.call(client.shops.UpdateShop, request).shop,
            f"{shop} has a new policy; its next run follows it.",
        )
        return
    asked = order_service_pb2.PreviewSuspectPolicyRequest(shop=name, policy=policy)
    found = client.call(client.orders.PreviewSuspectPolicy, asked)
    if show.as_json:
        show.done(found, "")
        return
    if not found.releases:
        show.note("Nothing would be released within seven days.")
        return
    rows = [
        (item.number or last(item.order), word(item, "suspicion"), when(item.release_time))
        for item in found.releases
    ]
    show.table("Would be released", ["order", "because", "when"], rows)
    effects = [
        (last(e.product), e.units_now, e.units_in_a_week, e.free, _shops(e.links))
        for e in found.effects
    ]
    show.table(
        "Which frees",
        ["product", "now#", "in a week#", "free now#", "shops that may show more"],
        effects,
    )
    if found.more_release_count or found.more_effect_count:
        show.note(
            f"{found.more_release_count} more orders and {found.more_effect_count} more products."
        )
    show.note(f"`zaiko shops suspects {shop} … --apply` applies it.")


def _open(order: order_pb2.Order) -> int:
    return sum(demand.open for demand in order.demands)


def _shops(links: Any) -> str:
    return ", ".join(sorted({part(link, "shops") for link in links}))
