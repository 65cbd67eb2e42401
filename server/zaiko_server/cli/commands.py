"""The commands, in the order in which help lists them."""

from __future__ import annotations

import typer

from zaiko_server.cli import (
    catalogue,
    doctor,
    explain,
    keys,
    link,
    migrate,
    new_connector,
    operations,
    receiving,
    restored,
    serve,
    shops,
    stock,
    sync,
    tokens,
    watch,
)
from zaiko_server.demo import demo

_START, _SEE, _KEEP, _LINK = "Start here", "See how it goes", "What there is", "Shops"


def add_to(app: typer.Typer) -> None:
    """Add every command to `app`."""
    app.command(rich_help_panel=_START)(demo)
    app.command(rich_help_panel=_START)(serve.serve)
    app.command(rich_help_panel=_START)(serve.simulate)
    app.command(rich_help_panel=_START)(migrate.migrate)
    app.command(rich_help_panel=_START)(restored.restored)
    app.add_typer(tokens.tokens, name="tokens", rich_help_panel=_START)
    app.add_typer(keys.keys, name="keys", rich_help_panel=_START)
    app.command(rich_help_panel=_SEE)(watch.watch)
    app.command(rich_help_panel=_SEE)(sync.status)
    app.command(rich_help_panel=_SEE)(doctor.doctor)
    app.add_typer(sync.runs, name="runs", rich_help_panel=_SEE)
    app.command(rich_help_panel=_SEE)(sync.audit)
    app.command(rich_help_panel=_SEE)(explain.explain)
    app.command(rich_help_panel=_SEE)(explain.oversells)
    app.command(rich_help_panel=_SEE)(sync.sync)
    app.add_typer(operations.operations, name="operations", rich_help_panel=_SEE)
    app.add_typer(catalogue.merchants, name="merchants", rich_help_panel=_KEEP)
    app.add_typer(catalogue.warehouses, name="warehouses", rich_help_panel=_KEEP)
    app.add_typer(catalogue.products, name="products", rich_help_panel=_KEEP)
    app.add_typer(stock.stock, name="stock", rich_help_panel=_KEEP)
    app.command(rich_help_panel=_KEEP)(stock.reserve)
    app.command(rich_help_panel=_KEEP)(stock.escrow)
    app.command(rich_help_panel=_LINK)(catalogue.connectors)
    app.command(rich_help_panel=_LINK)(new_connector.new_connector)
    app.add_typer(shops.shops, name="shops", rich_help_panel=_LINK)
    app.add_typer(shops.listings, name="listings", rich_help_panel=_LINK)
    app.add_typer(link.link, name="link", rich_help_panel=_LINK)
    app.add_typer(shops.orders, name="orders", rich_help_panel=_LINK)
    app.add_typer(receiving.receiving, name="receiving", rich_help_panel=_LINK)
