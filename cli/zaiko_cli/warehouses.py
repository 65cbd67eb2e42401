"""`zaiko warehouses`: where stock is."""

from __future__ import annotations

from typing import Annotated

import typer
from zaiko.v1 import warehouse_pb2, warehouse_service_pb2

from zaiko_cli.command import Command
from zaiko_cli.show import last

warehouses = typer.Typer(no_args_is_help=True, help="Warehouses: where stock is.")

Name = Annotated[str, typer.Option("--name", help="Name for people. Default: the id.")]


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
