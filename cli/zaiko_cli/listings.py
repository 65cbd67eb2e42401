"""`zaiko listings`: what the shops sell, as last read from them."""

from __future__ import annotations

from typing import Annotated

import typer
from zaiko.v1 import listing_pb2, shop_service_pb2

from zaiko_cli.command import Command
from zaiko_cli.operations import follow
from zaiko_cli.show import last, optional, part, words

listings = typer.Typer(
    no_args_is_help=True, help="Listings: what a shop sells, as last read from it."
)

Shop = Annotated[str, typer.Argument(help="The shop's id.")]


@listings.command("list")
def list_listings(
    context: typer.Context,
    shop: Annotated[str, typer.Argument(help="The shop's id. Default: all shops.")] = "-",
    unlinked: Annotated[
        bool, typer.Option("--unlinked", help="Only listings without a link.")
    ] = False,
    prefix: Annotated[str, typer.Option(help="Only skus that begin with this.")] = "",
    limit: Annotated[int, typer.Option(min=0, help="Show at most this many; 0 = all.")] = 0,
) -> None:
    """List listings as last read. `zaiko listings refresh SHOP` reads them again."""
    command: Command = context.obj
    client = command.client
    request = shop_service_pb2.ListListingsRequest(parent=client.name("shops", shop))
    request.filter.query = prefix
    if unlinked:
        request.filter.linked = False
    command.show.items(
        "Listings",
        ["shop", "sku", "title", "shows#", "linked", "warnings", "id"],
        client.pages(client.shops.ListListings, request, "listings", limit=limit),
        lambda item: (
            part(item.name, "shops"),
            item.sku,
            item.title[:40],
            optional(item, "quantity"),
            bool(item.link),
            _warnings(item),
            last(item.name),
        ),
        empty="No listing. `zaiko listings refresh SHOP` reads a shop's catalogue.",
    )


@listings.command("refresh")
def refresh_listings(context: typer.Context, shop: Shop) -> None:
    """Read the whole catalogue of a shop, and wait for the result."""
    command: Command = context.obj
    client = command.client
    request = shop_service_pb2.RefreshListingsRequest(parent=client.name("shops", shop))
    done = follow(command, client.call(client.shops.RefreshListings, request).operation)
    report = done.refresh_listings_report
    news = [
        f"{number} {what}"
        for number, what in ((report.new_count, "new"), (report.changed_count, "changed"))
        if number
    ]
    facts = ", ".join([*news, f"{report.vanished_count} vanished"])
    command.show.done(done, f"{report.listing_count} listings were read: {facts}.")


def _warnings(listing: listing_pb2.Listing) -> str:
    found = words(listing, "warnings")
    return ", ".join([*found, "VANISHED"] if listing.vanished else found)
