"""Tokens that rotate: nothing that the platform hands out once is ever lost or used twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import pytest
from zaiko_base.connector import BaseConnector
from zaiko_base.simulator import BaseSimulator
from zaiko_sdk import CredentialsRejected, FindingLevel, MemoryState, PlatformDown, StateUnavailable
from zaiko_sdk.testing.clock import FakeClock
from zaiko_sdk.testing.faults import Fault, FaultKind
from zaiko_sdk.testing.simulator import SimulatorServer

Open = Callable[..., BaseConnector]

pytestmark = pytest.mark.anyio


async def test_a_restarted_process_goes_on_with_the_token_that_was_saved(
    connect: Open, shop: BaseSimulator
) -> None:
    await connect().check()
    shop.grants.end_access()

    findings = await connect().check()

    assert findings[0].level is FindingLevel.OK
    assert shop.counters()["token"] == 2


async def test_an_access_token_that_still_lives_is_used_again_after_a_restart(
    connect: Open, shop: BaseSimulator
) -> None:
    await connect().check()
    await connect().check()

    assert shop.counters()["token"] == 1


async def test_a_new_token_is_saved_before_it_is_used(
    connect: Open, state: MemoryState, shop: BaseSimulator
) -> None:
    class Refusing(MemoryState):
        async def save(self, values: Mapping[str, str]) -> None:
            raise StateUnavailable("the store is away")

    with pytest.raises(StateUnavailable):
        await connect(remember=Refusing()).read_orders(["X"])

    assert "order" not in shop.counters()


async def test_a_token_that_could_not_be_saved_is_kept_and_saved_later(
    connect: Open, shop: BaseSimulator
) -> None:
    class Away(MemoryState):
        away = True

        async def save(self, values: Mapping[str, str]) -> None:
            if self.away:
                raise StateUnavailable("the store is away")
            await super().save(values)

    memory = Away()
    connector = connect(remember=memory)
    with pytest.raises(StateUnavailable):
        await connector.check()
    memory.away = False

    await connector.check()

    assert shop.counters()["token"] == 1
    assert memory.values["refresh"] in shop.grants.refresh


async def test_many_calls_with_an_ended_token_refresh_it_once(
    connect: Open, shop: BaseSimulator
) -> None:
    connector = connect()
    await connector.check()
    shop.grants.end_access()

    await asyncio.gather(*(connector.read_orders(["X"]) for _ in range(8)))

    assert shop.counters()["token"] == 2


async def test_a_token_is_replaced_before_it_ends(
    connect: Open, shop: BaseSimulator, clock: FakeClock
) -> None:
    connector = connect()
    await connector.read_orders(["X"])
    clock.advance(3590)

    await connector.read_orders(["X"])

    assert (shop.counters()["token"], shop.counters()["order"]) == (2, 2)


async def test_a_run_that_is_cancelled_while_refreshing_loses_no_token(
    connect: Open, server: SimulatorServer, shop: BaseSimulator
) -> None:
    server.inject(Fault(FaultKind.LATENCY, match="/oauth/token", seconds=0.3))
    connector = connect()
    run = asyncio.ensure_future(connector.check())
    await server.faults_met()
    run.cancel()
    await asyncio.wait([run])

    await connector.aclose()
    # BASE takes the old token, whether or not anybody listens.
    async with asyncio.timeout(60):
        while not shop.counters()["token"]:  # noqa: ASYNC110 - the server is in another thread
            await asyncio.sleep(0.005)

    assert run.cancelled()
    assert (await connect().check())[0].level is FindingLevel.OK


async def test_a_token_that_another_process_has_used_is_taken_over_from_it(
    connect: Open, shop: BaseSimulator
) -> None:
    first, second = connect(), connect()
    await first.check()
    await second.check()
    shop.grants.end_access()
    await first.check()

    assert (await second.check())[0].level is FindingLevel.OK


async def test_a_token_that_another_process_is_about_to_save_is_waited_for(
    connect: Open, shop: BaseSimulator, state: MemoryState, clock: FakeClock
) -> None:
    first = connect()
    await first.check()
    theirs = state.values
    shop.grants.end_access()
    stale = MemoryState(theirs)

    class Late(MemoryState):
        looks = 0

        async def load(self) -> Mapping[str, str]:
            self.looks += 1
            return dict((state if self.looks > 3 else stale).values)

    second = connect(remember=Late(theirs))
    await first.check()

    assert (await second.check())[0].level is FindingLevel.OK


async def test_a_withdrawn_consent_is_a_finding_and_holds_the_shop(
    connect: Open, shop: BaseSimulator
) -> None:
    connector = connect()
    await connector.check()
    shop.grants.withdraw()

    (finding,) = await connector.check()
    with pytest.raises(CredentialsRejected, match="agree again"):
        await connector.read_orders(["X"])

    assert (finding.level, finding.reason) == (FindingLevel.ERROR, "CREDENTIALS_REJECTED")


async def test_a_code_is_exchanged_once_and_never_needed_again(
    connect: Open, shop: BaseSimulator
) -> None:
    code = shop.grants.agree(shop.now())
    await connect(refresh_token=None, code=code).check()

    (finding,) = await connect(refresh_token=None, code=code).check()

    assert finding.level is FindingLevel.OK
    assert shop.grants.codes[code].used


@pytest.mark.parametrize("works", [True, False])
async def test_a_lost_reply_with_tokens_costs_the_consent_only_if_old_tokens_die(
    connect: Open, server: SimulatorServer, shop: BaseSimulator, works: bool
) -> None:
    shop.switch("old_refresh_works", works)
    server.inject(Fault(FaultKind.DROP_AFTER, match="/oauth/token"))
    connector = connect()
    with pytest.raises(PlatformDown):
        await connector.check()

    (finding,) = await connector.check()

    assert finding.level is (FindingLevel.OK if works else FindingLevel.ERROR)


async def test_tokens_are_in_no_repr_and_no_log(
    connect: Open, state: MemoryState, log: object, shop: BaseSimulator
) -> None:
    connector = connect()
    await connector.check()
    keeper = connector._client.tokens
    shown = f"{keeper!r} {await keeper.current()!r} {keeper.settings!r}"

    assert not [
        secret
        for secret in (state.values["access"], state.values["refresh"], "sim-client-secret-5d")
        if secret in shown
    ]


async def test_the_finding_says_when_an_unused_consent_ends_and_calls_nobody_to_renew_it(
    connect: Open,
) -> None:
    (finding,) = await connect().check()

    assert "30 days" in finding.message
    assert finding.expires_at is None


async def test_another_shop_than_the_one_meant_is_found(connect: Open) -> None:
    (finding,) = await connect(shop_id="another").check()

    assert (finding.level, finding.reason) == (FindingLevel.ERROR, "ANOTHER_SHOP")
