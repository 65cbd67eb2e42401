"""The commands, in the order in which help lists them."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from zaiko_cli import (
    connectors,
    contributions,
    explain,
    link,
    listings,
    merchants,
    operations,
    orders,
    products,
    receiving,
    shops,
    stock,
    sync,
    tokens,
    warehouses,
    watch,
)
from zaiko_cli.doctor import command as doctor

_START, _SEE, _KEEP, _LINK = "Start here", "See how it goes", "What there is", "Shops"

CONTRIBUTED = {
    "demo": "Show zaiko at work on this machine: a server, three simulated shops, and a story that checks every number.",  # noqa: E501
    "serve": "Run a server.",
    "simulate": "Run a simulated shop: the platform's own API over HTTP, and a control API under /_sim that plays buyers and staff.",  # noqa: E501
    "migrate": "Bring the database to this release, as a server does when it starts.",
    "restored": "Prepare a database that was restored from a back-up: nothing is sent to a shop until you end its shadow mode, and watches start from a snapshot.",  # noqa: E501
    "keys": "The keys that seal shops' credentials.",
    "new-connector": "Create a connector: a project that works against an invented platform, with its simulator and tests.",  # noqa: E501
}
"""The commands of the distribution `zaiko`, with what help says about them. Only the one that is
called is imported."""


class Commands(TyperGroup):
    """The group of all commands. It exchanges a contributed command's stand-in for the command when
    it is called, so that neither `zaiko --help` nor any other command imports the server."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the called command. Raises Failed if the distribution with it is missing."""
        name, found, rest = super().resolve_command(ctx, args)
        if name in CONTRIBUTED:
            found = contributed(str(name))
        return name, found, rest


def add_to(app: typer.Typer) -> None:
    """Add every command to `app`, whose class must be `Commands`."""
    for name in ("demo", "serve", "simulate", "migrate", "restored"):
        _contribute(app, name, _START)
    app.add_typer(tokens.tokens, name="tokens", rich_help_panel=_START)
    _contribute(app, "keys", _START)
    app.command(rich_help_panel=_SEE)(watch.watch)
    app.command(rich_help_panel=_SEE)(sync.status)
    app.command(rich_help_panel=_SEE)(doctor.doctor)
    app.add_typer(sync.runs, name="runs", rich_help_panel=_SEE)
    app.command(rich_help_panel=_SEE)(sync.audit)
    app.command(rich_help_panel=_SEE)(explain.explain)
    app.add_typer(explain.oversells, name="oversells", rich_help_panel=_SEE)
    app.add_typer(sync.sync, name="sync", rich_help_panel=_SEE)
    app.add_typer(operations.operations, name="operations", rich_help_panel=_SEE)
    app.add_typer(merchants.merchants, name="merchants", rich_help_panel=_KEEP)
    app.add_typer(warehouses.warehouses, name="warehouses", rich_help_panel=_KEEP)
    app.add_typer(products.products, name="products", rich_help_panel=_KEEP)
    app.add_typer(stock.stock, name="stock", rich_help_panel=_KEEP)
    app.command(rich_help_panel=_KEEP)(stock.reserve)
    app.command(rich_help_panel=_KEEP)(stock.escrow)
    app.command(rich_help_panel=_LINK)(connectors.connectors)
    _contribute(app, "new-connector", _LINK)
    app.add_typer(shops.shops, name="shops", rich_help_panel=_LINK)
    app.add_typer(listings.listings, name="listings", rich_help_panel=_LINK)
    app.add_typer(link.link, name="link", rich_help_panel=_LINK)
    app.add_typer(orders.orders, name="orders", rich_help_panel=_LINK)
    app.add_typer(receiving.receiving, name="receiving", rich_help_panel=_LINK)


def _contribute(app: typer.Typer, name: str, panel: str) -> None:
    """Add the stand-in of a contributed command: what help shows of it."""
    app.command(name, help=CONTRIBUTED[name], rich_help_panel=panel)(_stand_in)


def _stand_in() -> None:
    """Never run: `Commands.resolve_command` returns the command itself."""


def contributed(name: str) -> Any:
    """Import and return the command that the distribution `zaiko` contributes under `name`. Raises
    Failed if it is not installed."""
    found = contributions.load(contributions.COMMANDS, name, f"zaiko {name}")
    one = typer.Typer(
        rich_markup_mode="markdown", context_settings={"help_option_names": ["-h", "--help"]}
    )
    # A second command makes Typer build a group, from which the one that is wanted is taken.
    one.command("_")(_stand_in)
    if isinstance(found, typer.Typer):
        one.add_typer(found, name=name)
    else:
        one.command(name)(found)
    group: Any = typer.main.get_command(one)
    return group.commands[name]
