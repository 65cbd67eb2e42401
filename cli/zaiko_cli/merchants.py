"""`zaiko merchants`: who owns warehouses, products and shops."""

from __future__ import annotations

from typing import Annotated

import typer
from zaiko.v1 import merchant_pb2, merchant_service_pb2

from zaiko_cli.command import Command
from zaiko_cli.show import last, optional

merchants = typer.Typer(
    no_args_is_help=True, help="Merchants: who owns warehouses, products and shops."
)

Name = Annotated[str, typer.Option("--name", help="Name for people. Default: the id.")]


@merchants.command("create")
def create_merchant(
    context: typer.Context,
    merchant: Annotated[str, typer.Argument(help="Its id, such as acme.")],
    name: Name = "",
) -> None:
    """Create a merchant."""
    command: Command = context.obj
    client = command.client
    request = merchant_service_pb2.CreateMerchantRequest(
        merchant_id=merchant, merchant=merchant_pb2.Merchant(display_name=name or merchant)
    )
    made = client.call(client.merchants.CreateMerchant, request).merchant
    command.show.done(made, f"Created {made.name}.")


@merchants.command("list")
def list_merchants(context: typer.Context) -> None:
    """List merchants."""
    command: Command = context.obj
    client = command.client
    command.show.items(
        "Merchants",
        ["merchant", "name", "sync offered", "revision#"],
        client.pages(
            client.merchants.ListMerchants, merchant_service_pb2.ListMerchantsRequest(), "merchants"
        ),
        lambda m: (last(m.name), m.display_name, m.inventory_sync_available, m.revision),
        empty="There is no merchant yet. Create one with `zaiko merchants create ID`.",
    )


@merchants.command("get")
def get_merchant(context: typer.Context) -> None:
    """Show the merchant."""
    command: Command = context.obj
    client = command.client
    request = merchant_service_pb2.GetMerchantRequest(name=client.parent)
    _show_merchant(command, client.call(client.merchants.GetMerchant, request).merchant)


@merchants.command("update")
def update_merchant(
    context: typer.Context,
    name: Annotated[str | None, typer.Option("--name", help="Name for people.")] = None,
    sync: Annotated[
        bool | None,
        typer.Option("--sync/--no-sync", help="Offer inventory sync to it."),
    ] = None,
) -> None:
    """Rename the merchant, or offer or withdraw inventory sync."""
    command: Command = context.obj
    client = command.client
    changed = merchant_pb2.Merchant(
        name=client.parent, display_name=name or "", inventory_sync_available=sync
    )
    request = merchant_service_pb2.UpdateMerchantRequest(merchant=changed)
    _show_merchant(command, client.call(client.merchants.UpdateMerchant, request).merchant)


def _show_merchant(command: Command, merchant: merchant_pb2.Merchant) -> None:
    command.show.item(
        merchant,
        [
            ("merchant", last(merchant.name)),
            ("name", merchant.display_name),
            ("sync offered", optional(merchant, "inventory_sync_available")),
            ("created", merchant.create_time),
            ("revision", merchant.revision),
        ],
    )
