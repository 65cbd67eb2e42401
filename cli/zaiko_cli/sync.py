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


def sync(
    context: typer.Context,
    shops: Annotated[
        list[str] | None, typer.Argument(metavar="[SHOP]...", help="The shops.")
    ] = None,
    product: Annotated[
        str, typer.Option(metavar="SKU", help="Or: every shop that sells this product.")
    ] = "",
    all_: Annotated[bool, typer.Option("--all", help="Or: every shop.")] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait for the runs. Exits with 1 if one fails.")
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
    ended = [_ended(command, shop, revision) for shop, revision in scheduled.items()]
    _runs_table(command, ended)
    if any(word(run, "state") != "SUCCEEDED" for run in ended):
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
    counts = reply.link_counts
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
    unreadable = any(shop.unreadable_order_count for shop in reply.shop_statuses)
    if counts.failed or counts.held or held or unreadable or reply.oversold_product_count:
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
        ["shop", "listing", "cause", "expected#", "shown#", "held", "when"],
        found,
        lambda drift: (
            part(drift.link, "shops"),
            last(drift.link),
            word(drift, "cause"),
            drift.expected,
            drift.shown,
            "yes" if drift.held else "",
            drift.time,
        ),
        empty="No difference was found.",
    )
    show.note(
        f"{reply.verified_link_count} of {reply.enabled_link_count} enabled links "
        f"({reply.verified_share:.1%}) were read from "
        f"their shops within {hours:g} h."
    )


def _ended(command: Command, shop: str, revision: int) -> sync_run_pb2.SyncRun:
    """Return the first run of the shop that began at or after `revision`, once it has ended."""
    client = command.client
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        request = sync_service_pb2.ListSyncRunsRequest(parent=shop, page_size=20)
        found = [
            run
            for run in client.call(client.syncs.ListSyncRuns, request).sync_runs
            if run.start_revision >= revision
        ]
        if found and word(found[-1], "state") != "RUNNING":
            return found[-1]
        time.sleep(0.1)
    raise Failed(
        f"The run of {last(shop)} has not ended within two minutes. See `zaiko runs {last(shop)}`."
    )


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
