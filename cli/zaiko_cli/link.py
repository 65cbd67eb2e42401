"""Links: which listing sells which product, and whether its number is synced."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer
from zaiko.v1 import bulk_link_pb2, link_pb2, link_service_pb2

from zaiko_cli import find
from zaiko_cli.client import ApiClient
from zaiko_cli.command import Command
from zaiko_cli.failure import USAGE, Failed
from zaiko_cli.operations import follow
from zaiko_cli.show import last, optional, part, trouble, withheld, word

link = typer.Typer(
    no_args_is_help=True,
    help="Links: which listing sells which product, and whether its number is synced.",
)

Shop = Annotated[str, typer.Argument(help="The shop's id.")]
Listing = Annotated[str, typer.Argument(metavar="LISTING", help="The listing's sku or id.")]
Release = Annotated[
    bool,
    typer.Option(
        "--release-orders", help="Also stop counting units that are ordered and not shipped."
    ),
]


@link.command("create")
def create_link(
    context: typer.Context,
    shop: Shop,
    listing: Listing,
    products: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SKU[:COUNT]]...",
            help="The product; several make a bundle. Without it, the one with the same code.",
        ),
    ] = None,
    enable_sync: Annotated[
        bool, typer.Option("--enable-sync", help="Sync the shop's number from now on.")
    ] = False,
) -> None:
    """Link one listing to a product, or to several as a bundle (セット商品)."""
    command: Command = context.obj
    client = command.client
    parent = client.name("shops", shop)
    made = link_pb2.Link(listing=find.listing(client, parent, listing), sync_enabled=enable_sync)
    # The listing's own code may contain colons.
    parts = [_part(typed) for typed in products] if products else [(listing, 1)]
    names = find.products(client, [sku for sku, _ in parts])
    if len(parts) == 1 and parts[0][1] == 1:
        made.product = names[0]
    else:
        made.bundle.parts.extend(
            link_pb2.Bundle.Part(product=name, count=count)
            for name, (_, count) in zip(names, parts, strict=True)
        )
    reply = client.call(
        client.links.CreateLink, link_service_pb2.CreateLinkRequest(parent=parent, link=made)
    )
    _table(command, [reply.link], message=reply)
    if reply.counted_units:
        command.show.note(
            f"{reply.counted_units} units of orders that were waiting for it are counted "
            "from now on."
        )


@link.command("bulk")
def bulk_link(
    context: typer.Context,
    shop: Shop,
    enable_sync: Annotated[
        bool, typer.Option("--enable-sync", help="Sync the shop's numbers from now on.")
    ] = False,
    barcode: Annotated[
        bool, typer.Option("--barcode", help="Match barcodes where no code matches.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be done.")
    ] = False,
    auto: Annotated[
        bool,
        typer.Option("--auto", help="Also link listings that come later, by exact codes."),
    ] = False,
    all_rows: Annotated[
        bool, typer.Option("--all", help="Also show the listings that matched.")
    ] = False,
) -> None:
    """Link every unlinked listing of a shop to the product whose code equals its SKU. Ambiguous
    listings are left unlinked."""
    command: Command = context.obj
    client = command.client
    request = link_service_pb2.BulkLinkRequest(
        parent=client.name("shops", shop),
        match_barcode=barcode,
        enable_sync=enable_sync,
        dry_run=dry_run,
        auto_link=auto,
    )
    done = follow(command, client.call(client.links.BulkLink, request).operation)
    report, show = done.bulk_link_report, command.show
    if show.as_json:
        show.done(done, "")
        return
    matched = bulk_link_pb2.BulkLinkReport.Row.OUTCOME_MATCHED
    rows = [row for row in report.rows if all_rows or dry_run or row.outcome != matched]
    if rows:
        codes = find.codes(
            client,
            [name for row in rows for name in ([row.product] if row.product else row.candidates)],
        )
        show.table(
            "",
            ["sku", "outcome", "by", "product", "title", "problem"],
            [
                (
                    row.sku,
                    word(row, "outcome"),
                    word(row, "matched_by"),
                    codes.get(row.product) or ", ".join(codes[name] for name in row.candidates),
                    row.title[:40],
                    trouble(row),
                )
                for row in rows
            ],
        )
    would = "would be linked" if report.dry_run else "linked"
    show.note(
        f"{report.matched_count} {would}, {report.ambiguous_count} ambiguous, "
        f"{report.unmatched_count} without a product, "
        f"{report.refused_count} refused; {report.counted_units} ordered units counted."
    )
    if not (auto or report.dry_run):
        show.note("With --auto, listings that come later are linked too, by exact codes.")


@link.command("list")
def list_links(
    context: typer.Context,
    shop: Annotated[str, typer.Argument(help="The shop's id. Default: all shops.")] = "-",
    product: Annotated[str, typer.Option(metavar="SKU", help="Only links to this product.")] = "",
    state: Annotated[
        list[str] | None, typer.Option(help="Only in this state, such as FAILED; may be repeated.")
    ] = None,
    limit: Annotated[int, typer.Option(min=0, help="Show at most this many; 0 = all.")] = 0,
) -> None:
    """List links with the state of their sync."""
    command: Command = context.obj
    client = command.client
    request = link_service_pb2.ListLinksRequest(parent=client.name("shops", shop))
    if product:
        request.filter.product = find.product(client, product)
    request.filter.states.extend(_state(name) for name in state or [])
    _table(command, list(client.pages(client.links.ListLinks, request, "links", limit=limit)))


@link.command("get")
def get_link(context: typer.Context, shop: Shop, listing: Listing) -> None:
    """Show one link."""
    command: Command = context.obj
    client = command.client
    found = client.call(
        client.links.GetLink, link_service_pb2.GetLinkRequest(name=_name(client, shop, listing))
    ).link
    status = found.status
    codes = find.codes(client, _products(found))
    command.show.item(
        found,
        [
            ("shop", part(found.name, "shops")),
            ("sku", status.sku),
            ("sells", _sells(found, codes)),
            ("sync", found.sync_enabled),
            ("state", word(status, "state")),
            ("target", optional(status, "target")),
            ("withheld", withheld(status)),
            ("open by the platform", optional(status, "committed")),
            ("open by zaiko", optional(status, "counted")),
            ("shop acknowledged", optional(status, "confirmed")),
            ("last success", status.last_success_time),
            ("last compared", status.last_compared_time),
            ("last attempt", status.last_attempt_time),
            ("next attempt", status.next_attempt_time),
            ("problem", trouble(status)),
            ("resource", found.name),
        ],
    )


@link.command("enable")
def enable(context: typer.Context, shop: Shop, listing: Listing) -> None:
    """Sync a listing's number from now on (在庫同期 有効)."""
    _switch(context.obj, shop, listing, enabled=True)


@link.command("disable")
def disable(context: typer.Context, shop: Shop, listing: Listing) -> None:
    """Stop syncing a listing's number. Its orders still count."""
    _switch(context.obj, shop, listing, enabled=False)


@link.command("delete")
def delete_link(
    context: typer.Context, shop: Shop, listing: Listing, release_orders: Release = False
) -> None:
    """Unlink a listing. The shop's number stays unchanged."""
    command: Command = context.obj
    client = command.client
    request = link_service_pb2.DeleteLinkRequest(
        name=_name(client, shop, listing), release_orders=release_orders
    )
    reply = client.call(client.links.DeleteLink, request)
    command.show.done(
        reply,
        (f"Unlinked {listing} of {shop}. {reply.released_units} ordered units no longer count."),
    )


def _switch(command: Command, shop: str, listing: str, *, enabled: bool) -> None:
    client = command.client
    changed = link_pb2.Link(name=_name(client, shop, listing), sync_enabled=enabled)
    reply = client.call(client.links.UpdateLink, link_service_pb2.UpdateLinkRequest(link=changed))
    _table(command, [reply.link], message=reply)


def _name(client: ApiClient, shop: str, listing: str) -> str:
    return find.link(client, client.name("shops", shop), listing)


def _part(typed: str) -> tuple[str, int]:
    """Split `SKU` or `SKU:COUNT`. A colon without a number after it belongs to the code."""
    sku, colon, count = typed.rpartition(":")
    return (sku, int(count)) if colon and sku and count.isdigit() and int(count) > 0 else (typed, 1)


def _state(name: str) -> link_pb2.LinkStatus.State.ValueType:
    known = [value.removeprefix("STATE_") for value in link_pb2.LinkStatus.State.keys()][1:]  # noqa: SIM118 - an enum wrapper
    if name.upper() not in known:
        raise Failed(f"There is no state {name!r}; there are {', '.join(known)}.", USAGE)
    return link_pb2.LinkStatus.State.Value(f"STATE_{name.upper()}")


def _products(found: link_pb2.Link) -> list[str]:
    return (
        [found.product]
        if found.WhichOneof("target") == "product"
        else [part.product for part in found.bundle.parts]
    )


def _sells(found: link_pb2.Link, codes: dict[str, str]) -> str:
    if found.WhichOneof("target") == "product":
        return codes.get(found.product, last(found.product))
    return " + ".join(
        f"{part.count} × {codes.get(part.product, last(part.product))}"
        for part in found.bundle.parts
    )


def _table(command: Command, links: Sequence[link_pb2.Link], *, message: Any = None) -> None:
    show = command.show
    if show.as_json and message is not None:
        show.done(message, "")
        return
    codes = (
        {}
        if show.as_json
        else find.codes(command.client, (name for found in links for name in _products(found)))
    )
    show.items(
        "Links",
        [
            "shop",
            "sku",
            "sells",
            "sync",
            "state",
            "target#",
            "withheld#",
            "acknowledged#",
            "last success",
            "last compared",
            "problem",
        ],
        links,
        lambda found: (
            part(found.name, "shops"),
            found.status.sku,
            _sells(found, codes),
            found.sync_enabled,
            word(found.status, "state"),
            optional(found.status, "target"),
            found.status.withheld or "",
            optional(found.status, "confirmed"),
            found.status.last_success_time,
            found.status.last_compared_time,
            trouble(found.status),
        ),
        empty="No link. `zaiko link bulk SHOP --dry-run` shows what can be linked.",
    )
