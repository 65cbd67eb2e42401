"""A shop is one account of its platform: it stays with it, and no other shop has it. In virtual
time, with shops in memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest
from support.simulation import Simulation
from support.world import MERCHANT
from zaiko_core.app import closing, shops, suspects
from zaiko_core.app.accounts import FoundAccount, confirm
from zaiko_core.app.records import ListingRecord, MerchantRecord, ShopRecord
from zaiko_core.domain.errors import AccountChanged, AccountTaken
from zaiko_core.domain.ids import listing_id
from zaiko_sdk import Account, CredentialsRejected, FindingLevel, InventoryMode, Timeout
from zaiko_sdk.testing.fakeshop import FakeShop

SHOP, CONNECTOR = "compare-and-set", "fake-compare-and-set"
TEST, LIVE = "test-1", "live-1"


@pytest.fixture
def simulation(store_url: str) -> Iterator[Simulation]:
    """A shop that is synced with the test account; `live` is the platform's other account, which
    numbers its orders from the same start."""
    simulation = Simulation(store_url, seed=0)
    simulation.shops["live"] = FakeShop(
        simulation.clock, InventoryMode.COMPARE_AND_SET, {"tea": 9}, account=Account(LIVE, "Live")
    )
    simulation.shops[SHOP].account = Account(TEST, "Test")
    simulation.calm = True
    simulation.world.begin(shops=())
    connect(simulation, SHOP)
    simulation.world.receive("tea", 10)
    simulation.world.link(SHOP, "tea")
    simulation.settle(turns=2)
    yield simulation
    simulation.close()


def connect(simulation: Simulation, shop: str, of: str = "") -> None:
    """Create a shop with the settings of the shop `of` the platform."""

    def create(uow) -> None:
        shops.create(uow, ShopRecord(shop, CONNECTOR, shop, {"shop": of or shop}, 600_000_000))
        uow.listings.upsert(shop, [ListingRecord(shop, listing_id("tea"), "tea", {}, sku="tea")])

    simulation.world.db.write_sync(MERCHANT, create)


def configure(simulation: Simulation, of: str, **changes: object) -> None:
    """Point the shop to another shop of the platform."""
    simulation.world.db.write_sync(
        MERCHANT,
        lambda uow: shops.update(
            uow,
            dataclasses.replace(shops.get(uow, SHOP), settings={"shop": of}, **changes),  # type: ignore[arg-type]
        ),
    )


def shop(simulation: Simulation, name: str = SHOP) -> ShopRecord:
    return simulation.world.db.read_sync(MERCHANT, lambda uow: shops.get(uow, name))


def reason(simulation: Simulation, name: str = SHOP) -> str:
    problem = shop(simulation, name).problem
    return problem.reason if problem is not None else ""


def test_a_shop_has_the_account_that_its_first_run_found(simulation: Simulation) -> None:
    assert (shop(simulation).account, shop(simulation).account_name) == (TEST, "Test")


def test_the_answer_of_another_account_is_refused_while_the_shop_has_links_or_orders(
    simulation: Simulation,
) -> None:
    asked = shop(simulation)

    with pytest.raises(AccountChanged) as refusal:
        simulation.world.db.write_sync(
            MERCHANT, lambda uow: confirm(uow, asked, FoundAccount(LIVE))
        )

    assert refusal.value.metadata == {"account": LIVE, "shopAccount": TEST}
    assert shop(simulation) == asked


def test_a_shop_whose_settings_lead_to_another_account_reads_nothing_and_sends_nothing(
    simulation: Simulation,
) -> None:
    simulation.shops[SHOP].place({"tea": 2})
    simulation.settle(turns=1)
    live = simulation.shops["live"]
    live.place({"tea": 6})

    configure(simulation, "live")
    simulation.settle(turns=2)

    assert reason(simulation) == "ACCOUNT_CHANGED"
    assert TEST in shop(simulation).problem.message
    assert simulation.world.stock("tea").balance.ordered == 2, "order 1 of the other account"
    assert (live.stock["tea"], live.applied) == (3, [])


def test_the_shops_own_settings_end_the_refusal(simulation: Simulation) -> None:
    configure(simulation, "live")
    simulation.settle(turns=1)

    configure(simulation, SHOP)
    simulation.shops[SHOP].place({"tea": 2})
    simulation.settle(turns=2)

    assert reason(simulation) == ""
    assert simulation.world.stock("tea").balance.ordered == 2


def test_a_shop_without_links_and_orders_may_become_another_account(
    simulation: Simulation,
) -> None:
    simulation.world.unlink(SHOP, "tea")
    simulation.shops["live"].place({"tea": 6})

    configure(simulation, "live")
    simulation.settle(turns=1)
    connect(simulation, "second", of=SHOP)
    simulation.settle(turns=1)

    assert shop(simulation).account == LIVE
    assert simulation.world.order(SHOP, "1") is not None, "read from the beginning"
    assert shop(simulation, "second").account == TEST, "the old account is free again"


def test_one_account_is_not_two_shops_of_a_merchant(simulation: Simulation) -> None:
    simulation.shops[SHOP].place({"tea": 3})

    connect(simulation, "second", of=SHOP)
    simulation.settle(turns=2)

    assert reason(simulation, "second") == "ACCOUNT_TAKEN"
    assert f"shops/{SHOP}" in shop(simulation, "second").problem.message
    assert reason(simulation) == ""
    assert simulation.world.stock("tea").balance.ordered == 3, "counted once"


def test_an_account_of_another_merchant_is_refused_without_naming_anybody(
    simulation: Simulation,
) -> None:
    db = simulation.world.db
    db.directory.write_sync(lambda directory: directory.create(MerchantRecord("other")))
    db.write_sync(
        "other",
        lambda uow: shops.create(
            uow, ShopRecord("theirs", CONNECTOR, "", {"shop": SHOP}, 600_000_000)
        ),
    )

    simulation.settle(turns=1)

    problem = db.read_sync("other", lambda uow: shops.get(uow, "theirs")).problem
    assert problem.reason == "ACCOUNT_TAKEN"
    assert MERCHANT not in problem.message + str(problem.metadata)
    assert f"shops/{SHOP}" not in problem.message + str(problem.metadata)


def test_the_account_of_a_deleted_shop_is_free(simulation: Simulation) -> None:
    simulation.world.unlink(SHOP, "tea")
    simulation.world.db.write_sync(MERCHANT, lambda uow: closing.delete(uow, SHOP))

    connect(simulation, "second", of=SHOP)
    simulation.settle(turns=1)

    assert (reason(simulation, "second"), shop(simulation, "second").account) == ("", TEST)


def test_the_account_of_a_deleted_shop_is_not_free_while_its_kept_orders_hold_stock(
    simulation: Simulation,
) -> None:
    db = simulation.world.db
    simulation.shops[SHOP].place({"tea": 2})
    simulation.settle(turns=1)
    simulation.world.unlink(SHOP, "tea")
    db.write_sync(MERCHANT, lambda uow: closing.delete(uow, SHOP, closing.OpenOrders.KEEP))

    connect(simulation, "second", of=SHOP)
    simulation.settle(turns=1)
    assert reason(simulation, "second") == "ACCOUNT_TAKEN"

    db.write_sync(MERCHANT, lambda uow: suspects.release(uow, SHOP, "1"))
    simulation.clock.advance(3_600)
    simulation.settle(turns=1)
    assert (reason(simulation, "second"), shop(simulation, "second").account) == ("", TEST)


def test_of_two_transactions_that_connect_one_account_one_is_refused(
    simulation: Simulation,
) -> None:
    db = simulation.world.db
    asked = shop(simulation)
    connect(simulation, "second", of=SHOP)
    second = shop(simulation, "second")
    db.write_sync(MERCHANT, lambda uow: confirm(uow, asked, FoundAccount(TEST)))
    with pytest.raises(AccountTaken):
        db.write_sync(MERCHANT, lambda uow: confirm(uow, second, FoundAccount(TEST)))


def test_an_answer_about_settings_that_were_replaced_meanwhile_counts_for_nothing(
    simulation: Simulation,
) -> None:
    asked = shop(simulation)
    configure(simulation, "live")

    simulation.world.db.write_sync(MERCHANT, lambda uow: confirm(uow, asked, FoundAccount(TEST)))

    assert shop(simulation).account_at is None, "the new settings were not asked about"


@pytest.mark.parametrize("error", [CredentialsRejected("no"), Timeout("lost", sent=False)])
def test_a_shop_that_cannot_say_which_account_it_is_reads_nothing(
    simulation: Simulation, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(self: object) -> None:
        raise error

    monkeypatch.setattr("zaiko_sdk.testing.fakeshop.FakeConnector.account", refuse)
    simulation.shops["live"].place({"tea": 6})

    configure(simulation, "live")
    simulation.run_due()

    assert reason(simulation) == error.reason  # type: ignore[attr-defined]
    assert simulation.world.order(SHOP, "1") is None


def test_the_account_is_asked_once_and_not_in_every_run(
    simulation: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    async def counted(self: object) -> Account:
        asked.append(1)
        return Account(TEST)

    monkeypatch.setattr("zaiko_sdk.testing.fakeshop.FakeConnector.account", counted)

    simulation.settle(turns=3)

    assert asked == []


def test_a_check_finds_an_account_that_changed_behind_the_settings(
    simulation: Simulation,
) -> None:
    simulation.shops[SHOP].account = Account("somebody-else")

    found = simulation.loop.run_until_complete(simulation.engine.check_shop(MERCHANT, SHOP))
    simulation.run_due()

    assert [item.reason for item in found if item.level is FindingLevel.ERROR] == [
        "ACCOUNT_CHANGED"
    ]
    assert reason(simulation) == "ACCOUNT_CHANGED"
