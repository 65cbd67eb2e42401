"""`zaiko shops`: the accounts on platforms, their credentials and settings."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Annotated, Any

import typer
from zaiko.v1 import (
    connector_service_pb2,
    shop_pb2,
    shop_service_pb2,
)

from zaiko_cli.client import ApiClient
from zaiko_cli.command import Command
from zaiko_cli.failure import USAGE, Failed
from zaiko_cli.shadow import differences, shadow
from zaiko_cli.show import expiring, last, trouble, when, word
from zaiko_cli.suspects import suspects

shops = typer.Typer(
    no_args_is_help=True,
    help="Shops: an account on a platform, its credentials and the state of its sync.",
)

Shop = Annotated[str, typer.Argument(help="The shop's id.")]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="A setting or credential. `zaiko connectors CONNECTOR` lists their names.",
    ),
]
SettingsFile = Annotated[
    Path | None,
    typer.Option(
        "--settings",
        exists=True,
        dir_okay=False,
        help="A JSON file with settings and credentials, so that no secret is on the command line.",
    ),
]
Simulator = Annotated[
    str,
    typer.Option(
        metavar="URL", help="Take settings and credentials from a shop that `zaiko simulate` runs."
    ),
]
Interval = Annotated[
    int,
    typer.Option(min=10, max=86400, help="Seconds between two readings of its orders, at most."),
]


@shops.command("create")
def create_shop(
    context: typer.Context,
    shop: Annotated[str, typer.Argument(help="Its id, such as rakuten-main.")],
    connector: Annotated[str, typer.Option(help="Its platform; see `zaiko connectors`.")],
    settings: SettingsFile = None,
    set_: Set = None,
    simulator: Simulator = "",
    name: Annotated[str, typer.Option("--name", help="Name for people. Default: the id.")] = "",
    interval: Interval = 600,
) -> None:
    """Create a shop. Settings that the connector marks as secret are stored encrypted and never
    shown again."""
    command: Command = context.obj
    client = command.client
    made = shop_pb2.Shop(
        connector=f"connectors/{connector.removeprefix('connectors/')}", display_name=name or shop
    )
    made.sync_interval.FromSeconds(interval)
    _fill(client, made, _given(settings, set_, simulator))
    request = shop_service_pb2.CreateShopRequest(parent=client.parent, shop_id=shop, shop=made)
    created = client.call(client.shops.CreateShop, request).shop
    command.show.done(created, f"Created {created.name}. Try it with `zaiko shops check {shop}`.")


@shops.command("update")
def update_shop(
    context: typer.Context,
    shop: Shop,
    settings: SettingsFile = None,
    set_: Set = None,
    simulator: Simulator = "",
    name: Annotated[str, typer.Option("--name", help="Name for people.")] = "",
    interval: Annotated[
        int | None,
        typer.Option(min=10, max=86400, help="Seconds between two readings of its orders."),
    ] = None,
    hold_drift: Annotated[
        bool | None,
        typer.Option(
            "--hold-drift/--heal-drift",
            help="Hold a number that was edited in the shop until a person decides.",
        ),
    ] = None,
    shipped_frees: Annotated[
        str,
        typer.Option(
            metavar="auto|always|never",
            help="Whether the shop's own «shipped» frees stock; auto: until the warehouse ships.",
        ),
    ] = "",
    keep_unrestocked: Annotated[
        bool | None,
        typer.Option(
            "--keep-unrestocked/--sell-unrestocked",
            help="Keep units off sale that were refunded without restocking.",
        ),
    ] = None,
    auto_link: Annotated[
        str,
        typer.Option(
            metavar="off|link|sync",
            help="What becomes of new listings whose sku is the code of one product.",
        ),
    ] = "",
) -> None:
    """Change a shop's name, interval, drift policy, settings or credentials. What is not given
    stays unchanged."""
    command: Command = context.obj
    client = command.client
    current = _get(client, shop)
    changed = shop_pb2.Shop(
        name=current.name, connector=current.connector, display_name=name, etag=current.etag
    )
    paths = ["display_name"] if name else []
    if interval is not None:
        changed.sync_interval.FromSeconds(interval)
        paths.append("sync_interval")
    if hold_drift is not None:
        changed.drift_policy = (
            shop_pb2.Shop.DRIFT_POLICY_HOLD if hold_drift else shop_pb2.Shop.DRIFT_POLICY_HEAL
        )
        paths.append("drift_policy")
    for field, word_ in (("shipped_frees", shipped_frees), ("auto_link", auto_link)):
        if word_:
            setattr(changed, field, _choice(field, word_))
            paths.append(field)
    if keep_unrestocked is not None:
        changed.keep_unrestocked = keep_unrestocked
        paths.append("keep_unrestocked")
    given = _given(settings, set_, simulator)
    if given:
        changed.settings.CopyFrom(current.settings)
        _fill(client, changed, given)
        paths += ["settings", "secrets"] if changed.secrets else ["settings"]
    if not paths:
        raise Failed(
            (
                "Nothing to change: give --name, --interval, --hold-drift, --shipped-frees, "
                "--keep-unrestocked, --auto-link, --set, --settings or --simulator."
            ),
            USAGE,
        )
    request = shop_service_pb2.UpdateShopRequest(shop=changed)
    request.update_mask.paths.extend(paths)
    _show(command, client.call(client.shops.UpdateShop, request).shop)


@shops.command("list")
def list_shops(context: typer.Context) -> None:
    """List shops with the state of their sync."""
    command: Command = context.obj
    client = command.client
    command.show.items(
        "Shops",
        [
            "shop",
            "connector",
            "state",
            "synced#",
            "waiting#",
            "failed#",
            "held#",
            "last success",
            "next run",
            "problem",
        ],
        client.pages(
            client.shops.ListShops, shop_service_pb2.ListShopsRequest(parent=client.parent), "shops"
        ),
        lambda s: (last(s.name), last(s.connector), *_status_row(s.status)),
        empty=(
            "There is no shop yet. Create one with `zaiko shops create ID --connector CONNECTOR`."
        ),
    )


@shops.command("get")
def get_shop(context: typer.Context, shop: Shop) -> None:
    """Show one shop, without its credentials."""
    command: Command = context.obj
    _show(command, _get(command.client, shop))


@shops.command("check")
def check_shop(context: typer.Context, shop: Shop) -> None:
    """Check a shop's credentials, permissions and settings. Exits with 1 if the shop cannot be
    synced."""
    command: Command = context.obj
    client = command.client
    request = shop_service_pb2.CheckShopRequest(name=client.name("shops", shop))
    reply = client.call(client.shops.CheckShop, request, seconds=60)
    command.show.items(
        "",
        ["", "about", "what is so", "ends"],
        reply.findings,
        lambda f: (word(f, "level"), f.reason, f.message, when(f.expire_time)),
        empty="Nothing was found.",
    )
    if any(word(finding, "level") == "ERROR" for finding in reply.findings):
        raise typer.Exit(1)


@shops.command("pause")
def pause_shop(context: typer.Context, shop: Shop) -> None:
    """Pause a shop: stop syncing it, and stop reading its orders."""
    command: Command = context.obj
    client = command.client
    request = shop_service_pb2.PauseShopRequest(name=client.name("shops", shop))
    paused = client.call(client.shops.PauseShop, request).shop
    command.show.done(paused, f"{shop} is paused. `zaiko shops resume {shop}` resumes it.")


@shops.command("resume")
def resume_shop(context: typer.Context, shop: Shop) -> None:
    """Resume a paused or held shop at once."""
    command: Command = context.obj
    client = command.client
    request = shop_service_pb2.ResumeShopRequest(name=client.name("shops", shop))
    resumed = client.call(client.shops.ResumeShop, request).shop
    command.show.done(resumed, f"{shop} is resumed.")


shops.command("shadow")(shadow)
shops.command("differences")(differences)
shops.command("suspects")(suspects)


@shops.command("delete")
def delete_shop(
    context: typer.Context,
    shop: Shop,
    open_orders: Annotated[
        str,
        typer.Option(
            metavar="keep|release",
            help="What becomes of orders that hold stock: still to be shipped, or sold again.",
        ),
    ] = "",
) -> None:
    """Delete a shop without links. Nothing changes on the platform."""
    command: Command = context.obj
    client = command.client
    request = shop_service_pb2.DeleteShopRequest(name=client.name("shops", shop))
    if open_orders:
        values = shop_service_pb2.DeleteShopRequest.OpenOrders
        request.open_orders = _value(values, "OPEN_ORDERS", "--open-orders", open_orders)
    reply = client.call(client.shops.DeleteShop, request)
    command.show.done(reply, f"Deleted {shop}.")


def _given(path: Path | None, pairs: list[str] | None, simulator: str) -> dict[str, Any]:
    """Return the settings and credentials from all sources; a later source wins."""
    given: dict[str, Any] = {}
    if simulator:
        given |= _simulator_settings(simulator)
    if path is not None:
        try:
            loaded = json.loads(path.read_text())
        except ValueError as error:
            raise Failed(f"{path} is not JSON: {error}.", USAGE) from None
        if not isinstance(loaded, dict):
            raise Failed(f"{path} must hold one JSON object with the settings by name.", USAGE)
        given |= loaded
    for pair in pairs or []:
        name, equals, value = pair.partition("=")
        if not equals:
            raise Failed(f"--set {pair!r} must have the form NAME=VALUE.", USAGE)
        try:
            given[name] = json.loads(value)
        except ValueError:
            given[name] = value
    return given


def _simulator_settings(url: str) -> dict[str, Any]:
    """Return the settings that reach the simulated shop at `url`."""
    if not url.startswith(("http://", "https://")):
        raise Failed(f"--simulator {url!r} must be a URL, such as http://127.0.0.1:8080.", USAGE)
    try:
        address = url.rstrip("/") + "/_sim/settings"
        with urllib.request.urlopen(address, timeout=5) as reply:  # noqa: S310 - http, see above
            settings: dict[str, Any] = json.load(reply)
    except (OSError, ValueError) as error:
        raise Failed(
            f"No simulated shop answers at {url}: {error}. Start one with `zaiko "
            "simulate PLATFORM`."
        ) from None
    return settings


def _fill(client: ApiClient, shop: shop_pb2.Shop, given: dict[str, Any]) -> None:
    """Put each setting into the shop's settings or secrets, as the connector's schema says."""
    request = connector_service_pb2.GetConnectorRequest(name=shop.connector)
    schema = json.loads(
        client.call(client.connectors.GetConnector, request).connector.settings_schema or "{}"
    )
    fields = schema.get("properties", {})
    for name, value in given.items():
        if fields.get(name, {}).get("writeOnly"):
            shop.secrets[name] = str(value)
        else:
            shop.settings.update({name: value})


def _choice(field: str, typed: str) -> Any:
    values: Any = {"shipped_frees": shop_pb2.Shop.ShippedFrees, "auto_link": shop_pb2.Shop.AutoLink}
    return _value(values[field], field.upper(), f"--{field.replace('_', '-')}", typed)


def _value(values: Any, prefix: str, option: str, typed: str) -> Any:
    """Return the value of an enum that a person typed. Raises Failed."""
    known = [name.removeprefix(f"{prefix}_") for name in values.keys()][1:]  # noqa: SIM118
    if typed.upper() not in known:
        raise Failed(f"{option} is one of {', '.join(known).lower()}, not {typed!r}.", USAGE)
    return values.Value(f"{prefix}_{typed.upper()}")


def _get(client: ApiClient, shop: str) -> shop_pb2.Shop:
    return client.call(
        client.shops.GetShop, shop_service_pb2.GetShopRequest(name=client.name("shops", shop))
    ).shop


def _show(command: Command, shop: shop_pb2.Shop) -> None:
    status = shop.status
    counts = ", ".join(
        f"{number} {field.name}" for field, number in status.link_counts.ListFields()
    )
    command.show.item(
        shop,
        [
            ("shop", last(shop.name)),
            ("name", shop.display_name),
            ("connector", last(shop.connector)),
            ("account", _account(shop)),
            ("state", word(status, "state")),
            ("problem", trouble(status)),
            ("links", counts),
            ("last success", status.last_success_time),
            ("next run", status.next_run_time),
            ("numbers sent again", status.next_send_time),
            ("orders last read", status.order_read_time),
            ("orders read until", status.order_cursor_time),
            ("credentials", word(status, "credentials_state")),
            ("credentials end", status.credentials_expire_time),
            ("interval", f"{shop.sync_interval.seconds} s"),
            ("shipped frees stock", word(shop, "shipped_frees")),
            ("unrestocked units", "kept off sale" if shop.keep_unrestocked else "sold again"),
            ("new listings", word(shop, "auto_link")),
            ("settings", json.dumps(dict(shop.settings.items()), ensure_ascii=False)),
            ("secrets stored", ", ".join(shop.secret_names)),
        ],
    )


def _account(shop: shop_pb2.Shop) -> str:
    name = shop.account_name
    return f"{name} ({shop.account})" if name and name != shop.account else shop.account


def _status_row(status: shop_pb2.ShopStatus) -> tuple[Any, ...]:
    counts = status.link_counts
    return (
        word(status, "state"),
        counts.synced,
        counts.pending + counts.syncing,
        counts.failed,
        counts.held,
        status.last_success_time,
        status.next_run_time,
        trouble(status) or expiring(status),
    )
