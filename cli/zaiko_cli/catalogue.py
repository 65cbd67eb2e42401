"""Connectors, merchants, warehouses and products."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from zaiko.v1 import (
    connector_pb2,
    connector_service_pb2,
    merchant_pb2,
    merchant_service_pb2,
    product_pb2,
    product_service_pb2,
    warehouse_pb2,
    warehouse_service_pb2,
)

from zaiko_cli import contributions, find
from zaiko_cli.command import Command
from zaiko_cli.failure import USAGE, Failed
from zaiko_cli.show import last, optional, word, words

merchants = typer.Typer(
    no_args_is_help=True, help="Merchants: who owns warehouses, products and shops."
)
warehouses = typer.Typer(no_args_is_help=True, help="Warehouses: where stock is.")
products = typer.Typer(no_args_is_help=True, help="Products: what is stocked, known by its code.")

Name = Annotated[str, typer.Option("--name", help="Name for people. Default: the id.")]


def connectors(
    context: typer.Context,
    connector: Annotated[str, typer.Argument(help="Show one connector with its settings.")] = "",
    local: Annotated[
        bool,
        typer.Option(
            "--local",
            help=(
                "Show what is installed here, without a server. Exits with 1 if a connector "
                "failed to load."
            ),
        ),
    ] = False,
) -> None:
    """List the connectors of the server, including those that failed to load."""
    command: Command = context.obj
    client, show = command.client, command.show
    if not connector:
        request = connector_service_pb2.ListConnectorsRequest()
        known = (
            _installed()
            if local
            else list(client.pages(client.connectors.ListConnectors, request, "connectors"))
        )
        show.items(
            "Connectors",
            ["connector", "state", "version", "inventory", "distribution", "problem"],
            known,
            lambda c: (
                last(c.name),
                word(c, "state"),
                c.version,
                word(c, "inventory_mode"),
                c.distribution,
                _failure(c),
            ),
            empty=(
                "No connector is installed. Install one, such as the distribution "
                "zaiko-shopify, and restart the server."
            ),
        )
        if local and any(item.HasField("failure") for item in known):
            raise typer.Exit(1)
        return
    name = connector if connector.startswith("connectors/") else f"connectors/{connector}"
    if local:
        here = {item.name: item for item in _installed()}
        if name not in here:
            raise Failed(
                f"{last(name)} is not installed here; there are "
                f"{', '.join(map(last, here)) or 'none'}."
            )
        found = here[name]
    else:
        found = client.call(
            client.connectors.GetConnector, connector_service_pb2.GetConnectorRequest(name=name)
        ).connector
    facts = [
        ("connector", last(found.name)),
        ("platform", found.display_name),
        ("state", word(found, "state")),
        ("version", found.version),
        ("distribution", found.distribution),
        ("can", ", ".join(words(found, "capabilities"))),
        ("inventory", word(found, "inventory_mode")),
        ("problem", _failure(found)),
    ]
    show.item(found, facts)
    if not show.as_json and found.settings_schema:
        schema = json.loads(found.settings_schema)
        required = set(schema.get("required", []))
        show.table(
            "Settings (zaiko shops create … --set NAME=VALUE)",
            ["name", "needed", "secret", "default", "meaning"],
            [
                (
                    field,
                    field in required,
                    bool(facts.get("writeOnly")),
                    json.dumps(facts["default"]) if facts.get("default") is not None else "",
                    facts.get("description") or facts.get("title", ""),
                )
                for field, facts in schema.get("properties", {}).items()
            ],
        )


def _installed() -> list[connector_pb2.Connector]:
    found: list[connector_pb2.Connector] = contributions.load(
        contributions.ACTIONS, "connectors", "zaiko connectors --local"
    )()
    return found


def _failure(connector: connector_pb2.Connector) -> str:
    if not connector.HasField("failure"):
        return ""
    return (
        f"{word(connector.failure, 'stage')}: {connector.failure.message} {connector.failure.hint}"
    )


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


@warehouses.command("create")
def create_warehouse(
    context: typer.Context,
    warehouse: Annotated[str, typer.Argument(help="Its id, such as tokyo.")],
    name: Name = "",
) -> None:
    """Create a warehouse."""
    command: Command = context.obj
    client = command.client
    request = warehouse_service_pb2.CreateWarehouseRequest(
        parent=client.parent,
        warehouse_id=warehouse,
        warehouse=warehouse_pb2.Warehouse(display_name=name or warehouse),
    )
    made = client.call(client.warehouses.CreateWarehouse, request).warehouse
    command.show.done(made, f"Created {made.name}.")


@warehouses.command("list")
def list_warehouses(context: typer.Context) -> None:
    """List warehouses."""
    command: Command = context.obj
    client = command.client
    request = warehouse_service_pb2.ListWarehousesRequest(parent=client.parent)
    command.show.items(
        "Warehouses",
        ["warehouse", "name"],
        client.pages(client.warehouses.ListWarehouses, request, "warehouses"),
        lambda w: (last(w.name), w.display_name),
        empty="There is no warehouse yet. Create one with `zaiko warehouses create ID`.",
    )


@warehouses.command("get")
def get_warehouse(
    context: typer.Context, warehouse: Annotated[str, typer.Argument(help="Its id.")]
) -> None:
    """Show one warehouse."""
    command: Command = context.obj
    client = command.client
    request = warehouse_service_pb2.GetWarehouseRequest(name=client.name("warehouses", warehouse))
    found = client.call(client.warehouses.GetWarehouse, request).warehouse
    command.show.item(
        found,
        [
            ("warehouse", last(found.name)),
            ("name", found.display_name),
            ("created", found.create_time),
        ],
    )


@products.command("create")
def create_product(
    context: typer.Context,
    code: Annotated[
        str, typer.Argument(help="Its code. Bulk linking matches it with the SKUs of listings.")
    ],
    product: Annotated[
        str,
        typer.Option("--id", help="The last part of its name. Default: the server creates one."),
    ] = "",
    barcode: Annotated[str, typer.Option(help="JAN, EAN or UPC.")] = "",
    name: Annotated[str, typer.Option("--name", help="Name for people.")] = "",
) -> None:
    """Create a product, with a stock of zero."""
    command: Command = context.obj
    client = command.client
    request = product_service_pb2.CreateProductRequest(
        parent=client.parent,
        product_id=product,
        product=product_pb2.Product(code=code, barcode=barcode, display_name=name),
    )
    made = client.call(client.products.CreateProduct, request).product
    command.show.done(made, f"Created product {made.code} as {made.name}.")


@products.command("list")
def list_products(
    context: typer.Context,
    prefix: Annotated[str, typer.Argument(help="Only codes that begin with this.")] = "",
    archived: Annotated[
        bool, typer.Option("--archived", help="Include archived products.")
    ] = False,
    limit: Annotated[int, typer.Option(min=0, help="Show at most this many; 0 = all.")] = 0,
) -> None:
    """List products."""
    command: Command = context.obj
    client = command.client
    request = product_service_pb2.ListProductsRequest(parent=client.parent)
    request.filter.query = prefix
    if not archived:
        request.filter.states.append(product_pb2.Product.STATE_ACTIVE)
    command.show.items(
        "Products",
        ["code", "name", "barcode", "state", "id"],
        client.pages(client.products.ListProducts, request, "products", limit=limit),
        lambda p: (p.code, p.display_name, p.barcode, word(p, "state"), last(p.name)),
        empty="No product. Create one with `zaiko products create CODE`.",
    )


@products.command("get")
def get_product(
    context: typer.Context, product: Annotated[str, typer.Argument(help="Code or id.")]
) -> None:
    """Show one product."""
    command: Command = context.obj
    client = command.client
    request = product_service_pb2.GetProductRequest(name=find.product(client, product))
    _show_product(command, client.call(client.products.GetProduct, request).product)


@products.command("update")
def update_product(
    context: typer.Context,
    product: Annotated[str, typer.Argument(metavar="SKU", help="Code or id of the product.")],
    code: Annotated[str | None, typer.Option(help="Its new code.")] = None,
    barcode: Annotated[str | None, typer.Option(help="Its JAN, EAN or UPC. Empty: none.")] = None,
    name: Annotated[str | None, typer.Option("--name", help="Name for people.")] = None,
) -> None:
    """Change a product's code, barcode or name. Its links stay."""
    command: Command = context.obj
    client = command.client
    given = {"code": code, "barcode": barcode, "display_name": name}
    changes = [field for field, value in given.items() if value is not None]
    if not changes:
        raise Failed("Say what to change: --code, --barcode or --name.", USAGE)
    request = product_service_pb2.UpdateProductRequest(
        product=product_pb2.Product(
            name=find.product(client, product),
            code=code or "",
            barcode=barcode or "",
            display_name=name or "",
        )
    )
    request.update_mask.paths.extend(changes)
    changed = client.call(client.products.UpdateProduct, request).product
    command.show.done(changed, f"Changed product {changed.code}.")


@products.command("archive")
def archive_product(
    context: typer.Context, product: Annotated[str, typer.Argument(help="Code or id.")]
) -> None:
    """Archive a product that no listing is linked to. Its history stays."""
    command: Command = context.obj
    client = command.client
    request = product_service_pb2.ArchiveProductRequest(name=find.product(client, product))
    _show_product(command, client.call(client.products.ArchiveProduct, request).product)


def _show_product(command: Command, product: product_pb2.Product) -> None:
    command.show.item(
        product,
        [
            ("code", product.code),
            ("name", product.display_name),
            ("barcode", product.barcode),
            ("state", word(product, "state")),
            ("created", product.create_time),
            ("resource", product.name),
        ],
    )
