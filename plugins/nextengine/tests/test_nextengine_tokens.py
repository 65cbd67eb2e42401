"""Tokens that Next Engine replaces without a request: the only copy of the new pair is in a reply,
and is never lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta

import pytest
from zaiko_nextengine.connector import NextEngineConnector
from zaiko_nextengine.simulator import NextEngineSimulator
from zaiko_sdk import (
    ContractBroken,
    CredentialsRejected,
    FindingLevel,
    InventoryWrite,
    ListingRef,
    MemoryState,
    PlatformDown,
    StateUnavailable,
    Throttled,
    Timeout,
    WriteOutcome,
)
from zaiko_sdk.testing.clock import FakeClock
from zaiko_sdk.testing.faults import Fault, FaultKind
from zaiko_sdk.testing.simulator import NewListing, SimulatorServer

Open = Callable[..., NextEngineConnector]

pytestmark = pytest.mark.anyio


def live(shop: NextEngineSimulator) -> str:
    assert shop.grants.live is not None
    return shop.grants.live.access


class Refusing(MemoryState):
    """A store that is away."""

    away = True

    async def save(self, values: Mapping[str, str]) -> None:
        if self.away:
            raise StateUnavailable("the store is away")
        await super().save(values)


async def test_a_renewed_pair_is_saved_with_the_reply_that_brought_it(
    connect: Open, shop: NextEngineSimulator, state: MemoryState
) -> None:
    connector = connect()
    await connector.read_orders(["1"])
    shop.switch("end_access", True)

    await connector.read_orders(["1"])

    assert shop.grants.renewals == 1
    assert state.values["access"] == live(shop)


async def test_a_restarted_process_goes_on_with_the_pair_that_was_saved(
    connect: Open, shop: NextEngineSimulator
) -> None:
    shop.switch("end_access", True)
    await connect().read_orders(["1"])

    assert (await connect().check())[0].level is FindingLevel.OK


async def test_a_pair_that_comes_with_an_error_is_kept(
    connect: Open, shop: NextEngineSimulator, state: MemoryState
) -> None:
    connector = connect()
    shop.switch("end_access", True)
    shop.switch("maintenance", True)

    with pytest.raises(PlatformDown):
        await connector.read_orders(["1"])

    assert state.values["access"] == live(shop)


async def test_a_pair_that_comes_with_an_error_status_is_kept(
    connect: Open, shop: NextEngineSimulator, state: MemoryState
) -> None:
    shop.switch("error_status", 400)
    shop.switch("end_access", True)
    shop.exhaust_quota()

    with pytest.raises(Throttled):
        await connect().read_orders(["1"])

    assert state.values["access"] == live(shop)


async def test_many_calls_with_an_ended_token_renew_it_once_and_all_succeed(
    connect: Open, shop: NextEngineSimulator
) -> None:
    connector = connect()
    shop.switch("end_access", True)

    await asyncio.gather(*(connector.read_orders(["1"]) for _ in range(8)))

    assert shop.grants.renewals == 1


async def test_a_pair_that_another_process_was_given_is_taken_over(
    connect: Open, shop: NextEngineSimulator
) -> None:
    first, second = connect(), connect()
    await first.read_orders(["1"])
    await second.read_orders(["1"])
    shop.switch("end_access", True)
    await first.read_orders(["1"])

    assert await second.read_orders(["1"]) == []


async def test_a_pair_that_another_process_is_about_to_save_is_waited_for(
    connect: Open, shop: NextEngineSimulator, state: MemoryState
) -> None:
    first = connect()
    await first.read_orders(["1"])
    stale = MemoryState(state.values)

    class Late(MemoryState):
        looks = 0

        async def load(self) -> Mapping[str, str]:
            self.looks += 1
            return dict((state if self.looks > 2 else stale).values)

    second = connect(remember=Late(state.values))
    shop.switch("end_access", True)
    await first.read_orders(["1"])

    assert await second.read_orders(["1"]) == []


async def test_a_login_elsewhere_holds_the_shop_and_says_what_to_do(
    connect: Open, shop: NextEngineSimulator
) -> None:
    connector = connect()
    await connector.check()
    shop.switch("log_in_elsewhere", True)

    (finding,) = await connector.check()
    with pytest.raises(CredentialsRejected, match="Log in again"):
        await connector.read_orders(["1"])

    assert (finding.level, finding.reason) == (FindingLevel.ERROR, "CREDENTIALS_REJECTED")


async def test_an_ended_login_holds_the_shop(connect: Open, shop: NextEngineSimulator) -> None:
    connector = connect()
    shop.switch("end_login", True)

    with pytest.raises(CredentialsRejected, match="002004"):
        await connector.read_orders(["1"])


async def test_a_pair_that_could_not_be_saved_is_no_failure_of_the_call_and_is_saved_before_the_next(  # noqa: E501
    connect: Open, shop: NextEngineSimulator
) -> None:
    memory = Refusing()
    connector = connect(remember=memory)
    assert await connector.read_orders(["1"]) == []
    calls = shop.counters()["rows"]
    with pytest.raises(StateUnavailable):
        await connector.read_orders(["1"])
    assert shop.counters()["rows"] == calls

    memory.away = False
    await connector.read_orders(["1"])

    assert memory.values["access"] == live(shop)


async def test_a_run_that_is_cancelled_while_the_pair_is_renewed_loses_no_token(
    connect: Open, server: SimulatorServer, shop: NextEngineSimulator, state: MemoryState
) -> None:
    shop.switch("end_access", True)
    server.inject(Fault(FaultKind.LATENCY, match="receiveorder_row", seconds=0.3))
    connector = connect()
    run = asyncio.ensure_future(connector.read_orders(["1"]))
    await server.faults_met()
    run.cancel()
    await asyncio.wait([run])

    await connector.aclose()

    assert run.cancelled()
    assert state.values["access"] == live(shop)
    assert await connect().read_orders(["1"]) == []


async def test_a_pair_that_ends_is_renewed_by_a_call_that_matters_to_nobody_before_an_upload(
    connect: Open, shop: NextEngineSimulator, server: SimulatorServer, clock: FakeClock
) -> None:
    shop.add_listings([NewListing("A", 5)])
    connector = connect()
    await connector.read_orders(["1"])
    clock.advance(2 * 86_400)
    shop.switch("end_access", True)
    server.inject(Fault(FaultKind.DROP_AFTER, match="/upload"))
    with pytest.raises(Timeout):
        await connector.set_inventory([InventoryWrite(ListingRef("A"), 4, 5)], "key")

    # Had the pair come with the reply that was lost, nothing could be read now.
    (level,) = await connector.read_inventory([ListingRef("A")])

    assert (level.quantity, shop.grants.renewals) == (4, 1)


async def test_a_pair_that_ends_is_renewed_before_a_read_that_may_take_too_long(
    connect: Open, shop: NextEngineSimulator, server: SimulatorServer, clock: FakeClock
) -> None:
    connector = connect()
    await connector.read_orders(["1"])
    clock.advance(2 * 86_400)
    shop.switch("end_access", True)
    server.inject(Fault(FaultKind.DROP_AFTER, match="receiveorder"))
    with pytest.raises(Timeout):
        await connector.read_orders(["1"])

    assert await connector.read_orders(["1"]) == []


async def test_a_fast_clock_of_ours_costs_one_call_more_and_not_each_twice(
    connect: Open, shop: NextEngineSimulator, clock: FakeClock
) -> None:
    connector = connect()
    await connector.read_orders(["1"])
    clock.advance(2 * 86_400)

    for _ in range(3):
        await connector.read_orders(["1"])

    assert (shop.counters()["shops"], shop.counters()["rows"], shop.grants.renewals) == (1, 4, 0)


async def test_an_upload_whose_renewing_call_gets_no_answer_was_not_sent(
    connect: Open, shop: NextEngineSimulator, server: SimulatorServer, clock: FakeClock
) -> None:
    shop.add_listings([NewListing("A", 5)])
    connector = connect()
    await connector.read_orders(["1"])
    clock.advance(2 * 86_400)
    server.inject(Fault(FaultKind.DROP, match="master_shop"))

    with pytest.raises(PlatformDown):
        await connector.set_inventory([InventoryWrite(ListingRef("A"), 4, 5)], "key")

    assert "upload" not in shop.counters()
    assert (await connector.set_inventory([InventoryWrite(ListingRef("A"), 4, 5)], "key"))[
        0
    ].outcome is WriteOutcome.APPLIED


async def test_uid_and_state_are_exchanged_once_and_never_needed_again(
    connect: Open, shop: NextEngineSimulator
) -> None:
    uid, given = shop.grants.redirect(shop.now())
    login = {"access_token": None, "refresh_token": None, "uid": uid, "state": given}
    await connect(**login).check()

    (finding,) = await connect(**login).check()

    assert finding.level is FindingLevel.OK
    assert shop.counters()["login"] == 1


async def test_a_state_that_is_too_old_holds_the_shop(
    connect: Open, shop: NextEngineSimulator
) -> None:
    uid, given = shop.grants.redirect(shop.now() - timedelta(minutes=6))

    (finding,) = await connect(access_token=None, refresh_token=None, uid=uid, state=given).check()

    assert (finding.level, finding.reason) == (FindingLevel.ERROR, "CREDENTIALS_REJECTED")


async def test_a_lost_reply_to_the_login_leaves_no_write_open(
    connect: Open, shop: NextEngineSimulator, server: SimulatorServer
) -> None:
    uid, given = shop.grants.redirect(shop.now())
    server.inject(Fault(FaultKind.DROP, match="neauth"))
    connector = connect(access_token=None, refresh_token=None, uid=uid, state=given)

    with pytest.raises(PlatformDown):
        await connector.set_inventory([InventoryWrite(ListingRef("A"), 4, 5)], "key")


async def test_the_finding_says_when_an_unused_login_ends_and_calls_nobody_to_renew_it(
    connect: Open,
) -> None:
    (finding,) = await connect().check()

    assert "3 days" in finding.message
    assert finding.expires_at is None


async def test_tokens_are_in_no_repr_and_no_error(
    connect: Open, server: SimulatorServer, shop: NextEngineSimulator
) -> None:
    connector = connect()
    await connector.check()
    shop.switch("end_access", True)
    await connector.check()
    quoted = '{"result":"error","code":"009999","message":"bad ' + live(shop) + '"}'
    server.inject(Fault(FaultKind.REFUSE, status=200, body=quoted))

    with pytest.raises(ContractBroken) as caught:
        await connector.read_orders(["1"])

    keeper = connector._client.tokens
    shown = f"{keeper!r} {await keeper.current()!r} {caught.value} {caught.value.platform_message}"
    assert live(shop) not in shown
    assert "[secret]" in caught.value.platform_message
