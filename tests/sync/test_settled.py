"""A run is not a clock: how far a shop has come is known while a run goes on, however long."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support.simulation import Simulation
from support.world import MERCHANT
from zaiko_core.app import runs, settling, shops
from zaiko_core.app.records import ChangeKind, Page, RunState, ShopRecord

SHOP = "set"
CHANGES = 8


class Busy(Simulation):
    """One shop under steady change: each write to it is followed by the next receipt, so its run
    goes on and on. `observe` is called after each write."""

    left = 0

    def observe(self) -> None:
        """Observe the shop in the middle of its run."""

    def interfere(self, name: str, moment: str, operation: str) -> None:
        self.clock.advance(1.1)
        if (moment, operation) == ("after", "set_inventory") and self.left:
            self.observe()
            self.left -= 1
            self.world.receive("tea", 1)

    def shop(self) -> ShopRecord:
        return self.world.db.read_sync(MERCHANT, lambda uow: uow.shops.get([SHOP]))[SHOP]


@pytest.fixture
def busy(sqlite_url: str) -> Iterator[Busy]:
    simulation = Busy(sqlite_url, seed=0)
    simulation.begin_alone(SHOP, units=5)
    simulation.settle(turns=3)
    yield simulation
    simulation.close()


def test_when_orders_were_read_is_known_while_a_run_goes_on(busy: Busy) -> None:
    seen: list[tuple[int, int]] = []

    def observe() -> None:
        shop = busy.shop()
        seen.append((shop.orders_read_at or 0, shop.last_success_at or 0))

    busy.observe, busy.left = observe, CHANGES  # type: ignore[method-assign]
    busy.world.receive("tea", 1)
    busy.clock.advance(1)
    busy.run_due()

    read, succeeded = zip(*seen, strict=True)
    assert len(seen) == CHANGES
    assert len(set(succeeded)) == 1, "it was one run"
    assert list(read) == sorted(set(read)), "each round's reading was stored when it had ended"


def test_a_fetch_that_broke_off_read_no_orders(busy: Busy) -> None:
    before = busy.shop().orders_read_at
    busy.chaos, busy.calm = 1.0, False
    busy.clock.advance(601)

    def broken(name: str, moment: str, operation: str) -> None:
        if (moment, operation) == ("after", "fetch_orders"):
            raise TimeoutError

    busy.interfere = broken  # type: ignore[method-assign]
    busy.run_due()

    newest = busy.world.db.read_sync(MERCHANT, lambda uow: uow.runs.page(Page(1), shop=SHOP))[0]
    assert newest.state is RunState.FAILED
    assert busy.shop().orders_read_at == before


def test_orders_were_read_when_the_fetch_began_not_when_it_ended(busy: Busy) -> None:
    busy.clock.advance(601)
    busy.world.db.write_sync(MERCHANT, lambda uow: uow.shops.save_audited(SHOP))
    began = int(busy.clock.now().timestamp() * 1_000_000)
    busy.run_due()

    assert busy.shop().orders_read_at == began


# How far the numbers are


def synced(busy: Busy) -> int:
    def read(uow: Any) -> int:
        return settling.synced_revisions(uow, [uow.shops.get([SHOP])[SHOP]])[SHOP]

    return busy.world.db.read_sync(MERCHANT, read)


def unsettled(busy: Busy, **question: Any) -> list[settling.UnsettledShop]:
    return busy.world.db.read_sync(
        MERCHANT,
        lambda uow: settling.unsettled(
            uow,
            settling.Question(**question),
            can_run=lambda connector: True,
            reads_orders=lambda connector: True,
        ),
    )


def test_whether_a_receipt_is_in_the_shops_is_one_comparison(busy: Busy) -> None:
    before = synced(busy)
    receipt = busy.world.receive("tea", 1).movement.revision
    assert before <= synced(busy) == receipt - 1

    busy.clock.advance(1)
    busy.run_due()

    assert busy.shops[SHOP].stock["tea"] == 6
    assert synced(busy) >= receipt


def test_a_newer_change_does_not_hide_that_an_older_one_is_not_sent(busy: Busy) -> None:
    receipt = busy.world.receive("tea", 1).movement.revision
    busy.world.receive("tea", 1)
    busy.world.reserve("tea", 1)

    assert synced(busy) == receipt - 1
    assert not unsettled(busy, revision=receipt - 1)
    assert unsettled(busy, revision=receipt)


def test_the_revision_moves_while_changes_come_and_a_run_goes_on(busy: Busy) -> None:
    seen: list[tuple[int, int]] = []
    busy.observe = lambda: seen.append((synced(busy), busy.shop().last_success_at or 0))  # type: ignore[method-assign]
    busy.left = CHANGES
    busy.world.receive("tea", 1)
    busy.clock.advance(1)
    busy.run_due()

    revisions, ended = zip(*seen, strict=True)
    assert len(set(ended)) == 1, "it was one run"
    assert list(revisions) == sorted(set(revisions))


def test_sync_now_is_done_after_one_round_of_a_shop_under_steady_change(busy: Busy) -> None:
    waited: list[bool] = []
    asked: list[int] = []

    def observe() -> None:
        if not asked:
            asked.append(busy.world.db.write_sync(MERCHANT, ask))
        waited.append(bool(unsettled(busy, revision=asked[0], shops=[SHOP], with_orders=True)))

    def ask(uow: Any) -> int:
        runs.sync_now(uow, shops=[SHOP])
        return int(uow.answer_revision)

    busy.observe, busy.left = observe, CHANGES  # type: ignore[method-assign]
    busy.world.receive("tea", 1)
    busy.clock.advance(1)
    ended = busy.shop().last_success_at
    busy.run_due()

    # Asked in the round of the first write; the second one is of the next round, and acknowledged
    # when the third is sent.
    assert waited == [True, True] + [False] * (CHANGES - 2)
    assert (busy.shop().last_success_at or 0) > (ended or 0) + 30_000_000, "the run went on"


def test_orders_that_were_not_read_since_are_waited_for_where_they_are_asked_for(
    busy: Busy,
) -> None:
    busy.clock.advance(1)
    now = busy.world.db.write_sync(
        MERCHANT, lambda uow: (uow.changed(ChangeKind.SHOP, [SHOP]), uow.revision)[1]
    )

    assert not unsettled(busy, revision=now)
    (shop,) = unsettled(busy, revision=now, with_orders=True)
    assert (shop.cause, shop.may_settle, shop.links) == (settling.Cause.ORDERS_UNREAD, True, 0)


def test_a_failed_link_holds_the_revision_and_says_so(busy: Busy) -> None:
    receipt = busy.world.receive("tea", 1).movement.revision
    del busy.shops[SHOP].stock["tea"]
    (shop,) = unsettled(busy, revision=receipt)
    assert shop.cause is settling.Cause.ON_ITS_WAY

    busy.clock.advance(1)
    busy.run_due()

    (shop,) = unsettled(busy, revision=receipt)
    assert (shop.cause, shop.may_settle, shop.settled_revision) == (
        settling.Cause.PROBLEM,
        False,
        receipt - 1,
    )
    assert shop.link is not None
    assert shop.link.problem is not None
    assert shop.link.problem.reason == "LISTING_GONE"
    assert synced(busy) == receipt - 1
    # A change that came after it failed is waited for: it is tried again.
    assert unsettled(busy, revision=busy.world.receive("tea", 1).movement.revision)[0].may_settle


def test_nothing_is_in_a_shop_in_shadow(busy: Busy) -> None:
    busy.world.db.write_sync(MERCHANT, lambda uow: shops.set_shadow(uow, SHOP, True))
    busy.settle(turns=1)

    (shop,) = unsettled(busy)
    assert (shop.cause, shop.may_settle) == (settling.Cause.SHADOW, False)
    assert synced(busy) == 0
