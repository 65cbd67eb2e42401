"""Sync now, runs, status and audit."""

from __future__ import annotations

import time
from typing import Annotated

import typer
from zaiko.v1 import shop_service_pb2, sync_run_pb2, sync_service_pb2

from zaiko_cli import find
from zaiko_cli.client import ApiClient
from zaiko_cli.command import Command
from zaiko_cli.failure import USAGE, Failed
from zaiko_cli.list_group import ListGroup
from zaiko_cli.show import expiring, last, part, trouble, word

_PATIENCE = 120.0
"""Seconds until `zaiko sync --wait` gives up."""
_RUN_ENDS = 2.0
"""Seconds until a run that goes on is shown as it is."""
_LONGEST = 20.0
"""Seconds that one call waits."""


class SyncGroup(ListGroup):
    """Runs `now` if no command is named: `zaiko sync SHOP` is `zaiko sync now SHOP`."""

    usual = "now"


sync = typer.Typer(
    cls=SyncGroup,
    help="Sync now, and wait until changes are in the shops. `zaiko sync [SHOP]…` syncs now.",
)


@sync.command("now")
def sync_now(
    context: typer.Context,
    shops: Annotated[
        list[str] | None, typer.Argument(metavar="[SHOP]...", help="The shops.")
    ] = None,
    product: Annotated[
        str, typer.Option(metavar="SKU", help="Or: every shop that sells this product.")
    ] = "",
    all_: Annotated[bool, typer.Option("--all", help="Or: every shop.")] = False,
    wait: Annotated[
        bool,
        typer.Option(
            "--wait", help="Wait until it is done. Exits with 1 if a number did not get there."
        ),
    ] = False,
) -> None:
    """Read orders and send numbers now, without waiting for the interval."""
    command: Command = context.obj
    client, show = command.client, command.show
    if sum((bool(shops), bool(product), all_)) != 1:
        raise Failed("Say what to sync: one or more shops, --product SKU, or --all.", USAGE)
    requests = []
    if product:
        requests.append(sync_service_pb2.SyncNowRequest(product=find.product(client, product)))
    elif all_:
        found = client.pages(
            client.shops.ListShops, shop_service_pb2.ListShopsRequest(parent=client.parent), "shops"
        )
        requests += [sync_service_pb2.SyncNowRequest(shop=shop.name) for shop in found]
    else:
        requests += [
            sync_service_pb2.SyncNowRequest(shop=client.name("shops", shop)) for shop in shops or []
        ]
    replies = [client.call(client.syncs.SyncNow, request) for request in requests]
    scheduled = {shop.shop: reply.revision for reply in replies for shop in reply.shops}
    if not wait:
        show.done(
            {"shops": sorted(scheduled)},
            (
                f"{len(scheduled)} shops will run: "
                f"{', '.join(map(last, sorted(scheduled))) or 'none'}."
            ),
        )
        return
    unsettled: list[sync_service_pb2.WaitSettledResponse.UnsettledShop] = []
    for shop, revision in scheduled.items():
        request = sync_service_pb2.WaitSettledRequest(
            shop=shop, revision=revision, include_orders=True
        )
        unsettled += _settled(client, request, _PATIENCE).unsettled_shops
    _runs_table(command, [run for shop in scheduled for run in _newest_run(client, shop)])
    if unsettled:
        command.show.note(" ".join(_unsettled_sentence(shop) for shop in unsettled))
        raise typer.Exit(1)


@sync.command("wait")
def sync_wait(
    context: typer.Context,
    shop: Annotated[str, typer.Argument(metavar="[SHOP]", help="The shop. Default: all.")] = "",
    product: Annotated[
        str, typer.Option(metavar="SKU", help="Or: every shop that sells this product.")
    ] = "",
    revision: Annotated[
        int, typer.Option(min=0, help="The revision of the change. Default: the newest.")
    ] = 0,
    timeout: Annotated[float, typer.Option(min=0, help="Seconds to wait at most.")] = _PATIENCE,
) -> None:
    """Wait until every change is in the shops. Exits with 1 if one is not, and says where and
    why."""
    command: Command = context.obj
    client = command.client
    if shop and product:
        raise Failed("Say one of a shop and --product SKU.", USAGE)
    request = sync_service_pb2.WaitSettledRequest(revision=revision)
    if product:
        request.product = find.product(client, product)
    elif shop:
        request.shop = client.name("shops", shop)
    else:
        request.merchant = client.parent
    reply = _settled(client, request, timeout)
    command.show.items(
        "Not in the shops yet",
        ["shop", "why", "links#", "one of them", "up to revision#", "problem"],
        list(reply.unsettled_shops),
        lambda shop: (
            last(shop.shop),
            word(shop, "cause"),
            shop.link_count,
            last(shop.link) if shop.link else "",
            shop.synced_revision,
            trouble(shop),
        ),
        empty="Every change is in the shops.",
    )
    if reply.unsettled_shops:
        raise typer.Exit(1)


runs = typer.Typer(cls=ListGroup, help="The runs of the shops. `zaiko runs [SHOP]` lists them.")


RunName = Annotated[
    str, typer.Argument(metavar="RUN", help="Its name, merchants/…/shops/…/runs/…, or SHOP/RUN.")
]


@runs.command("list")
def list_runs(
    context: typer.Context,
    shop: Annotated[str, typer.Argument(help="The shop's id. Default: all shops.")] = "-",
    limit: Annotated[int, typer.Option(min=0, help="Show at most this many; 0 = all.")] = 20,
) -> None:
    """List the runs of the shops, newest first."""
    command: Command = context.obj
    client = command.client
    request = sync_service_pb2.ListSyncRunsRequest(parent=client.name("shops", shop))
    _runs_table(
        command, list(client.pages(client.syncs.ListSyncRuns, request, "sync_runs", limit=limit))
    )


@runs.command("get")
def get_run(context: typer.Context, name: RunName) -> None:
    """Show one run."""
    command: Command = context.obj
    client = command.client
    request = sync_service_pb2.GetSyncRunRequest(name=_run_name(client, name))
    _show_run(command, client.call(client.syncs.GetSyncRun, request).sync_run)


@runs.command("cancel")
def cancel_run(
    context: typer.Context,
    name: RunName,
) -> None:
    """Ask a run to end before its next step. Finished work stays."""
    command: Command = context.obj
    client = command.client
    request = sync_service_pb2.CancelSyncRunRequest(name=_run_name(client, name))
    _show_run(command, client.call(client.syncs.CancelSyncRun, request).sync_run)


def _run_name(client: ApiClient, typed: str) -> str:
    """Return the name of the run that is given by its name or as SHOP/RUN."""
    shop, _, run = typed.partition("/")
    return typed if typed.startswith("merchants/") else f"{client.name('shops', shop)}/runs/{run}"


def _show_run(command: Command, run: sync_run_pb2.SyncRun) -> None:
    command.show.item(
        run,
        [
            ("run", f"{part(run.name, 'shops')}/{last(run.name)}"),
            ("state", word(run, "state")),
            ("because", word(run, "trigger")),
            ("began", run.start_time),
            ("ended", run.end_time),
            ("orders", f"{run.orders_fetched} read, {run.orders_changed} changed"),
            (
                "links",
                f"{run.links_computed} computed, {run.links_pushed} sent, "
                f"{run.links_confirmed} acknowledged, {run.links_failed} failed",
            ),
            ("problem", trouble(run)),
        ],
    )


def status(context: typer.Context) -> None:
    """Show the state of every shop. Exits with 1 if something needs a person."""
    command: Command = context.obj
    client, show = command.client, command.show
    request = sync_service_pb2.GetSyncStatusRequest(parent=client.parent)
    reply = client.call(client.syncs.GetSyncStatus, request)
    counts, behind = reply.link_counts, reply.clock_behind.seconds
    idle = sync_service_pb2.SAFETY_DEVICE_SHOP_RUNS in reply.devices_off
    held = [shop for shop in reply.shop_statuses if word(shop, "state") == "HELD"]
    if show.as_json:
        show.done(reply, "")
    else:
        rows = [
            (
                last(shop.shop),
                word(shop, "state"),
                shop.link_counts.synced,
                shop.link_counts.pending + shop.link_counts.syncing,
                shop.link_counts.failed,
                shop.link_counts.held,
                shop.last_success_time,
                shop.next_run_time,
                trouble(shop) or expiring(shop),
            )
            for shop in reply.shop_statuses
        ]
        show.table(
            "",
            [
                "shop",
                "state",
                "synced#",
                "waiting#",
                "failed#",
                "held#",
                "last success",
                "next run",
                "problem",
            ],
            rows,
        )
        show.note(
            f"{counts.synced} links synced, {counts.pending + counts.syncing} waiting, "
            f"{counts.failed} failed, {counts.held} held, "
            f"{counts.disabled} without sync. {reply.oversold_product_count} products "
            f"oversold, {reply.suspect_order_count} orders "
            f"to check, {reply.unlinked_order_count} orders with lines that are not linked."
        )
        if idle:
            show.note("The server that answers runs no shops: see `zaiko doctor`.")
        if behind:
            show.note(
                f"The clock is {behind} s behind the highest time that the database has seen. Let "
                "it follow the time by NTP."
            )
        if reply.committed_differ_count:
            show.note(
                f"For {reply.committed_differ_count} links the platform counts other open units "
                "than zaiko: see `zaiko audit`."
            )
        if reply.unshipped_order_count:
            show.note(
                f"{reply.unshipped_order_count} orders are shipped in their shops and not by the "
                "warehouse: `zaiko orders list --unshipped`."
            )
        if reply.unrestocked_order_count:
            show.note(
                f"{reply.unrestocked_order_count} orders were refunded without restocking: "
                "`zaiko orders list --unrestocked`."
            )
    unreadable = any(shop.unreadable_order_count for shop in reply.shop_statuses)
    needs_person = counts.failed or counts.held or held or behind or idle or unreadable
    if needs_person or reply.oversold_product_count:
        raise typer.Exit(1)


def audit(
    context: typer.Context,
    shop: Annotated[str, typer.Argument(help="The shop's id. Default: all shops.")] = "-",
    hours: Annotated[float, typer.Option(min=0.01, max=720, help="How far back to look.")] = 24,
    limit: Annotated[
        int, typer.Option(min=0, help="Show at most this many differences; 0 = all.")
    ] = 20,
) -> None:
    """Show how many numbers were compared with the shops, and why any differed."""
    command: Command = context.obj
    client, show = command.client, command.show
    asked = sync_service_pb2.GetAuditSummaryRequest(parent=client.name("shops", shop))
    asked.window.FromSeconds(int(hours * 3600))
    reply = client.call(client.syncs.GetAuditSummary, asked)
    request = sync_service_pb2.ListDriftsRequest(parent=client.name("shops", shop))
    found = list(client.pages(client.syncs.ListDrifts, request, "drifts", limit=limit))
    show.items(
        "Differences",
        ["shop", "listing", "cause", "expected#", "shown#", "held", "when", "owner", "what to do"],
        found,
        lambda drift: (
            part(drift.link, "shops"),
            last(drift.link),
            word(drift, "cause"),
            drift.expected,
            drift.shown,
            "yes" if drift.held else "",
            drift.time,
            word(drift, "owner"),
            drift.action_en,
        ),
        empty="No difference was found.",
    )
    show.note(
        f"{reply.verified_link_count} of {reply.enabled_link_count} enabled links "
        f"({reply.verified_share:.1%}) were read from "
        f"their shops within {hours:g} h."
    )


def _settled(
    client: ApiClient, request: sync_service_pb2.WaitSettledRequest, seconds: float
) -> sync_service_pb2.WaitSettledResponse:
    """Return what is not settled once waiting does not help, or after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        left = max(0.0, deadline - time.monotonic())
        request.timeout.FromMilliseconds(int(min(left, _LONGEST) * 1000))
        reply = client.call(client.syncs.WaitSettled, request, seconds=_LONGEST + 5)
        request.revision = request.revision or reply.revision
        waits = ("ON_ITS_WAY", "ORDERS_UNREAD")
        if left <= _LONGEST or not any(
            word(shop, "cause") in waits for shop in reply.unsettled_shops
        ):
            return reply


def _unsettled_sentence(shop: sync_service_pb2.WaitSettledResponse.UnsettledShop) -> str:
    return f"{last(shop.shop)} is not settled: {trouble(shop) or word(shop, 'cause')}."


def _newest_run(client: ApiClient, shop: str) -> list[sync_run_pb2.SyncRun]:
    """Return the shop's newest run, as it is when it has ended, or goes on."""
    deadline = time.monotonic() + _RUN_ENDS
    while True:
        request = sync_service_pb2.ListSyncRunsRequest(parent=shop, page_size=1)
        found = list(client.call(client.syncs.ListSyncRuns, request).sync_runs)
        ended = not found or word(found[0], "state") != "RUNNING"
        if ended or time.monotonic() > deadline:
            return found
        time.sleep(0.1)


def _runs_table(command: Command, found: list[sync_run_pb2.SyncRun]) -> None:
    command.show.items(
        "Runs",
        [
            "shop",
            "run",
            "state",
            "because",
            "began",
            "ms#",
            "orders#",
            "changed#",
            "pushed#",
            "acknowledged#",
            "failed#",
            "problem",
        ],
        found,
        lambda run: (
            part(run.name, "shops"),
            last(run.name),
            word(run, "state"),
            word(run, "trigger"),
            run.start_time,
            _milliseconds(run),
            run.orders_fetched,
            run.orders_changed,
            run.links_pushed,
            run.links_confirmed,
            run.links_failed,
            trouble(run),
        ),
        empty="No run yet.",
    )


def _milliseconds(run: sync_run_pb2.SyncRun) -> str:
    if not run.HasField("end_time"):
        return ""
    return str((run.end_time.ToNanoseconds() - run.start_time.ToNanoseconds()) // 1_000_000)
