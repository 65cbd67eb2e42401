"""What `zaiko watch` shows follows from what was delivered, and fits the terminal."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console
from zaiko.v1 import error_pb2, link_pb2, shop_pb2, sync_run_pb2, sync_service_pb2, watch_pb2
from zaiko_cli.screens import SyncScreen, WatchScreen

P = "merchants/acme/shops"


def link(sku: str, state: str = "STATE_PENDING", **fields: Any) -> Any:
    status = link_pb2.LinkStatus(link=f"{P}/mall/links/{sku}", state=state, sku=sku, **fields)
    return sync_service_pb2.SyncItem(link_status=status)


def shop(name: str, **fields: Any) -> Any:
    status = shop_pb2.ShopStatus(shop=f"{P}/{name}", state="STATE_IDLE", **fields)
    return sync_service_pb2.SyncItem(shop_status=status)


def trouble(message: str = "it is broken") -> error_pb2.Problem:
    return error_pb2.Problem(
        reason="ERROR_REASON_PLATFORM_DOWN", message=message, action_en="Wait for it."
    )


def changes(*items: Any, revision: int = 1, deleted: tuple[str, ...] = ()) -> Any:
    return sync_service_pb2.WatchSyncResponse(
        changes={"items": items, "revision": revision, "deleted_names": deleted}
    )


def complete() -> Any:
    return sync_service_pb2.WatchSyncResponse(
        bookmark=watch_pb2.WatchBookmark(revision=1, snapshot_complete=True)
    )


def drawn(screen: WatchScreen, *, width: int = 160, height: int = 40) -> str:
    out = io.StringIO()
    Console(file=out, width=width, height=height).print(screen.picture(height))
    return out.getvalue()


@pytest.fixture
def screen() -> SyncScreen:
    made = SyncScreen()
    made.take(None)
    return made


def test_a_link_shows_target_confirmed_last_success_problem_and_remedy(screen: SyncScreen) -> None:
    screen.take(
        changes(
            link(
                "TEA",
                "STATE_FAILED",
                target=7,
                confirmed=9,
                last_success_time={"seconds": 1_600_000_000},
                problem=trouble(),
            )
        )
    )

    [row] = [line for line in drawn(screen).splitlines() if line.startswith("mall")]
    assert row.split()[:5] == ["mall", "TEA", "FAILED", "7", "9"]
    assert "2020-09-13" in row
    assert "PLATFORM_DOWN: it is broken. Wait for it." in drawn(screen)


def test_a_number_that_is_not_known_is_not_shown_as_zero(screen: SyncScreen) -> None:
    [line] = screen.take(changes(link("TEA")))

    assert "should show –, acknowledged –" in line


def test_a_shop_shows_its_counts_and_its_trouble(screen: SyncScreen) -> None:
    screen.take(
        changes(
            shop(
                "mall",
                link_counts={"synced": 5, "pending": 1, "syncing": 2, "failed": 3, "held": 4},
                problem=trouble(),
            )
        )
    )

    [row] = [line for line in drawn(screen).splitlines() if line.startswith("mall")]
    assert row.split()[1:6] == ["IDLE", "5", "3", "3", "4"]
    assert "Wait for it." in row


def test_a_link_that_is_well_again_leaves_the_picture(screen: SyncScreen) -> None:
    screen.take(changes(link("TEA", "STATE_FAILED")))
    screen.recent.clear()
    assert "TEA" in drawn(screen)
    screen.take(changes(link("TEA", "STATE_SYNCED")))
    screen.recent.clear()

    assert "TEA" not in drawn(screen)


def test_what_is_deleted_leaves_the_picture_and_has_a_line(screen: SyncScreen) -> None:
    screen.take(changes(shop("mall")))
    [line] = screen.take(changes(deleted=(f"{P}/mall",), revision=2))
    screen.recent.clear()

    assert "r2  gone" in line
    assert "mall" not in drawn(screen)


def test_what_a_second_snapshot_does_not_bring_has_gone(screen: SyncScreen) -> None:
    screen.take(changes(shop("old"), shop("new")))
    screen.take(complete())
    screen.take(None)
    screen.take(changes(shop("new")))
    assert f"{P}/old" in screen.known, "nobody knows before the snapshot is complete"
    screen.take(complete())

    assert sorted(screen.known) == [f"{P}/new"]


def test_runs_have_lines_and_are_not_kept(screen: SyncScreen) -> None:
    run = sync_run_pb2.SyncRun(
        name=f"{P}/mall/runs/1", state="STATE_SUCCEEDED", trigger="TRIGGER_CHANGE", links_pushed=2
    )
    [line] = screen.take(changes(sync_service_pb2.SyncItem(sync_run=run)))

    assert "run    mall  SUCCEEDED  CHANGE  0 orders, 2 pushed, 0 failed" in line
    assert screen.known == {}


@pytest.mark.parametrize("height", [10, 24, 60])
def test_the_picture_fits_the_height(screen: SyncScreen, height: int) -> None:
    screen.take(
        changes(
            *(shop(f"shop-{number:03}") for number in range(50)),
            *(link(f"SKU-{number:03}") for number in range(500)),
        )
    )

    out = drawn(screen, height=height)

    assert len(out.splitlines()) <= height
    assert "more)" in out


def test_trouble_is_seen_where_not_everything_is(screen: SyncScreen) -> None:
    screen.take(
        changes(
            *(shop(f"a-{number:03}") for number in range(50)), shop("z-broken", problem=trouble())
        )
    )
    screen.take(
        changes(
            *(link(f"A-{number:03}") for number in range(500)), link("Z-BROKEN", problem=trouble())
        )
    )
    screen.recent.clear()

    out = drawn(screen, height=20)

    assert "z-broken" in out
    assert "Z-BROKEN" in out


def test_an_interruption_is_said_above_and_taken_back(screen: SyncScreen) -> None:
    screen.interrupted = "Interrupted: gone. Resuming."
    assert drawn(screen).startswith("reading. Interrupted: gone. Resuming.")

    screen.take(changes(shop("mall")))

    assert "Interrupted" not in drawn(screen)


def test_names_that_look_like_markup_are_shown_as_they_are(screen: SyncScreen) -> None:
    screen.take(changes(link("[red]X[/]", "STATE_FAILED")))

    assert "[red]X[/]" in drawn(screen)
