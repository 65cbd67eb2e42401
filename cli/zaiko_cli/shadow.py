"""`zaiko shops shadow` and `zaiko shops differences`: compute what would be sent, and send
nothing."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer
from zaiko.v1 import shop_pb2, shop_service_pb2

from zaiko_cli.command import Command
from zaiko_cli.show import last, optional, part, when


class Switch(StrEnum):
    """Whether shadow mode is on."""

    ON = "on"
    OFF = "off"


def shadow(
    context: typer.Context,
    shop: Annotated[str, typer.Argument(help="The shop's id.")],
    to: Annotated[Switch, typer.Argument(metavar="on|off", help="Switch shadow mode on or off.")],
) -> None:
    """Switch shadow mode on or off. In shadow mode zaiko does everything for a shop except writing
    to it. Switched off, each number is read before it is written."""
    command: Command = context.obj
    client, on = command.client, to is Switch.ON
    request = shop_service_pb2.UpdateShopRequest(
        shop=shop_pb2.Shop(name=client.name("shops", shop), shadow=on)
    )
    request.update_mask.paths.append("shadow")
    changed = client.call(client.shops.UpdateShop, request).shop
    said = (
        (
            f"{shop} is in shadow mode: nothing is sent to it. `zaiko shops differences {shop}` "
            "shows what would be."
        )
        if on
        else f"{shop} is written to again, each link as soon as its number was read."
    )
    command.show.done(changed, said)


def differences(
    context: typer.Context,
    shop: Annotated[str, typer.Argument(help="Only this shop.")] = "-",
    every: Annotated[
        bool, typer.Option("--all", help="Also show links that would not change.")
    ] = False,
) -> None:
    """List what shadow mode would change: what each shop shows, and what would be sent."""
    command: Command = context.obj
    client = command.client
    request = shop_service_pb2.ListShadowDifferencesRequest(parent=client.name("shops", shop))
    request.filter.include_equal = every
    command.show.items(
        "Differences",
        ["shop", "sku", "shows#", "would show#", "difference#", "read", "since"],
        client.pages(client.shops.ListShadowDifferences, request, "differences"),
        lambda d: (
            part(d.link, "shops"),
            d.sku or last(d.link),
            optional(d, "shown"),
            d.target,
            f"{d.difference:+d}",
            when(d.read_time),
            when(d.differ_time),
        ),
        empty=(
            "Nothing would change, or no shop is in shadow mode, or nothing was compared yet: "
            "`zaiko sync` compares now."
        ),
    )
