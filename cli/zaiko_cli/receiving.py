"""`zaiko receiving`: receipts that are added to one shop's number, and the cut-over to sync."""

from __future__ import annotations

from typing import Annotated

import typer
from zaiko.v1 import addition_pb2, receiving_service_pb2

from zaiko_cli import find
from zaiko_cli.command import Command
from zaiko_cli.failure import USAGE, Failed
from zaiko_cli.operations import follow
from zaiko_cli.show import last, optional, part, trouble, when, word

receiving = typer.Typer(
    no_args_is_help=True,
    help="Receiving-only products: each receipt is added to one shop's number, instead of sync.",
)

Sku = Annotated[str, typer.Argument(metavar="SKU", help="The product's code.")]
Addition = Annotated[str, typer.Argument(help="The addition's id, as `list` shows it.")]
_OUTCOME = receiving_service_pb2.ResolveAdditionRequest


@receiving.command("on")
def switch_on(context: typer.Context, sku: Sku) -> None:
    """Add each later receipt of a product to the shop that it was linked in first."""
    _switch(context.obj, sku, True)


@receiving.command("off")
def switch_off(context: typer.Context, sku: Sku) -> None:
    """Stop adding later receipts of a product. Earlier receipts are still added."""
    _switch(context.obj, sku, False)


@receiving.command("list")
def list_additions(
    context: typer.Context,
    product: Annotated[str, typer.Option(metavar="SKU", help="Only this product.")] = "",
    shop: Annotated[str, typer.Option(help="Only this shop.")] = "",
    state: Annotated[
        list[str] | None,
        typer.Option(help="Only in this state, such as UNDECIDED; may be repeated."),
    ] = None,
    limit: Annotated[int, typer.Option(min=0, help="Show at most this many; 0 = all.")] = 0,
) -> None:
    """List the additions of receipts and their states."""
    command: Command = context.obj
    client = command.client
    request = receiving_service_pb2.ListAdditionsRequest(parent=client.parent)
    if product:
        request.filter.product = find.product(client, product)
    if shop:
        request.filter.shop = client.name("shops", shop)
    request.filter.states.extend(_state(name) for name in state or [])
    rows = list(client.pages(client.receiving.ListAdditions, request, "additions", limit=limit))
    codes = find.codes(client, [row.product for row in rows])
    command.show.items(
        "",
        ["addition", "sku", "shop", "units#", "state", "received", "settled", "problem"],
        rows,
        lambda row: (
            last(row.name),
            codes[row.product],
            part(row.listing, "shops") if row.listing else "",
            row.units,
            word(row, "state"),
            when(row.create_time),
            when(row.settle_time) if row.HasField("settle_time") else "",
            trouble(row),
        ),
        empty="No receipt of a receiving-only product yet.",
    )


@receiving.command("get")
def get_addition(context: typer.Context, addition: Addition) -> None:
    """Show one addition."""
    command: Command = context.obj
    client = command.client
    request = receiving_service_pb2.GetAdditionRequest(name=client.name("additions", addition))
    found = client.call(client.receiving.GetAddition, request).addition
    codes = {} if command.show.as_json else find.codes(client, [found.product])
    command.show.item(
        found,
        [
            ("addition", last(found.name)),
            ("sku", codes.get(found.product, "")),
            ("shop", part(found.listing, "shops")),
            ("listing", last(found.listing)),
            ("units", found.units),
            ("state", word(found, "state")),
            ("movement", last(found.movement)),
            ("received", found.create_time),
            ("settled", found.settle_time),
            ("problem", trouble(found)),
        ],
    )


@receiving.command("resolve")
def resolve(
    context: typer.Context,
    addition: Addition,
    added: Annotated[
        bool,
        typer.Option("--added/--not-added", help="Whether the shop's number contains the units."),
    ],
) -> None:
    """Resolve an UNDECIDED addition after looking at the shop. With --not-added, the units are
    added now."""
    command: Command = context.obj
    outcome = _OUTCOME.OUTCOME_ADDED if added else _OUTCOME.OUTCOME_NOT_ADDED
    request = receiving_service_pb2.ResolveAdditionRequest(
        name=command.client.name("additions", addition), outcome=outcome
    )
    decided = command.client.call(command.client.receiving.ResolveAddition, request).addition
    command.show.done(decided, f"{addition} is {word(decided, 'state')}.")


@receiving.command("cut-over")
def cut_over(
    context: typer.Context,
    shop: Annotated[str, typer.Argument(help="The shop's id.")],
    apply: Annotated[
        bool, typer.Option("--apply", help="Enable sync. Default: only compare both sides.")
    ] = False,
) -> None:
    """Compare a shop's receiving-only numbers with what may be sold. --apply switches them to
    sync."""
    command: Command = context.obj
    client, show = command.client, command.show
    request = receiving_service_pb2.CutOverRequest(
        parent=client.name("shops", shop), dry_run=not apply
    )
    done = follow(command, client.call(client.receiving.CutOver, request).operation)
    report = done.cut_over_report
    if show.as_json:
        show.done(done, "")
        return
    rows = [
        (last(row.link), optional(row, "shown"), row.target, trouble(row)) for row in report.rows
    ]
    if rows:
        show.table("", ["listing", "shown#", "sync would show#", "problem"], rows)
    would = "would be synced" if report.dry_run else "are synced from now on"
    show.note(
        f"{report.switched_count} links {would}, {report.differing_count} of them differ; "
        f"{report.refused_count} refused."
    )
    if report.dry_run and report.switched_count:
        show.note(f"`zaiko receiving cut-over {shop} --apply` switches them.")


def _switch(command: Command, sku: str, enabled: bool) -> None:
    client = command.client
    request = receiving_service_pb2.SetReceivingOnlyRequest(
        product=find.product(client, sku), enabled=enabled
    )
    product = client.call(client.receiving.SetReceivingOnly, request).product
    command.show.done(product, f"{sku}: receiving-only is {word(product, 'receiving_only')}.")


def _state(name: str) -> addition_pb2.Addition.State.ValueType:
    try:
        return addition_pb2.Addition.State.Value(f"STATE_{name.upper()}")
    except ValueError:
        known = ", ".join(
            key.removeprefix("STATE_") for key in addition_pb2.Addition.State.keys()[1:]
        )
        raise Failed(f"There is no state {name!r}; use one of {known}.", USAGE) from None
