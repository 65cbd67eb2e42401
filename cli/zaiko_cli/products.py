"""`zaiko products`: what is stocked."""

from __future__ import annotations

from typing import Annotated

import typer
from zaiko.v1 import (
    product_pb2,
    product_service_pb2,
)

from zaiko_cli import find
from zaiko_cli.command import Command
from zaiko_cli.failure import USAGE, Failed
from zaiko_cli.show import last, word

products = typer.Typer(no_args_is_help=True, help="Products: what is stocked, known by its code.")

Name = Annotated[str, typer.Option("--name", help="Name for people. Default: the id.")]


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
