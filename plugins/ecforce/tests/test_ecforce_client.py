"""Credentials, pacing, and what each refusal becomes."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from zaiko_ecforce.auth import Credentials, shared_logins
from zaiko_ecforce.settings import EcforceSettings
from zaiko_ecforce.simulator import EcforceSimulator
from zaiko_ecforce.simulator.state import PASSWORD, TOKEN
from zaiko_sdk import (
    ContractBroken,
    CredentialsRejected,
    ListingRef,
    PermissionMissing,
    PlatformDown,
    SettingsInvalid,
    SystemClock,
    Throttled,
    Timeout,
)
from zaiko_sdk.testing.clock import FakeClock
from zaiko_sdk.testing.faults import Fault, FaultKind
from zaiko_sdk.testing.simulator import NewListing

pytestmark = pytest.mark.anyio

HTML = "<html><body><h1>refused</h1></body></html>"
A = [ListingRef("A")]


@pytest.fixture(autouse=True)
def _goods(shop: EcforceSimulator) -> None:
    shop.add_listings([NewListing("A", 5)])


async def test_a_login_is_turned_into_a_token_once_however_many_ask(shop, connect):
    shop.switch("auth", "sign_in")
    connector = connect()

    await asyncio.gather(*(connector.read_inventory(A) for _ in range(5)))

    assert shop.counters()["sign_in"] == 1


async def test_one_sign_in_serves_all_who_were_refused_the_same_token():
    tokens = iter(("first", "second", "third"))

    async def post(path, body):
        await asyncio.sleep(0)
        return httpx.Response(200, json={"authentication_token": next(tokens)})

    login = {"origin": "https://s.example.test", "email": "a@example.test", "password": "p"}
    shared_logins.clear()
    credentials = Credentials(EcforceSettings.model_validate(login), FakeClock(), post)

    assert await asyncio.gather(*(credentials.token() for _ in range(3))) == ["first"] * 3
    assert await asyncio.gather(*(credentials.renew("first") for _ in range(3))) == ["second"] * 3
    assert await credentials.token() == "second"


async def test_a_session_outlives_its_connector_so_that_checks_do_not_use_up_the_sign_ins(
    shop, connect
):
    shop.switch("auth", "sign_in")
    for _ in range(7):
        connector = connect()
        await connector.check()
        await connector.aclose()

    assert shop.counters()["sign_in"] == 1


async def test_another_password_begins_a_session_of_its_own(shop, connect):
    shop.switch("auth", "sign_in")
    await connect().check()

    with pytest.raises(CredentialsRejected):
        await connect(password="changed").read_inventory(A)


async def test_requests_never_run_side_by_side_also_from_two_connectors_of_a_shop(shop, connect):
    connectors = [connect(), connect()]
    running, most = 0, 0

    def counted(send):
        async def counting(*args):
            nonlocal running, most
            running += 1
            most = max(most, running)
            try:
                return await send(*args)
            finally:
                running -= 1

        return counting

    for connector in connectors:
        connector._client._authorised = counted(connector._client._authorised)
    await asyncio.gather(*(connector.read_inventory(A) for connector in connectors * 3))

    assert most == 1


async def test_the_pace_is_that_of_the_shop_not_of_each_connector(shop, connect, clock):
    connectors = [connect(requests_per_second=1.0, burst=1) for _ in range(3)]

    for connector in connectors:
        await connector.read_inventory(A)

    assert sum(clock.slept) == pytest.approx(2.0)


async def test_a_refused_session_is_renewed_once_and_the_request_goes_through(shop, connect):
    shop.switch("auth", "sign_in")
    connector = connect()
    await connector.read_inventory(A)
    shop.switch("session", "expired")

    levels = await connector.read_inventory(A)

    assert levels[0].quantity == 5
    assert shop.counters()["sign_in"] == 2


async def test_a_session_that_is_refused_right_after_a_sign_in_is_the_merchants_matter(
    server, shop, connect
):
    shop.switch("auth", "sign_in")
    server.inject(Fault(FaultKind.REFUSE, "stock_items", status=401, body="", times=2))

    with pytest.raises(CredentialsRejected):
        await connect().read_inventory(A)

    assert shop.counters()["sign_in"] == 2


async def test_the_sixth_sign_in_of_an_hour_is_not_even_tried(shop, connect, clock):
    shop.switch("auth", "sign_in")
    connector = connect()
    for _ in range(5):
        await connector.read_inventory(A)
        shop.switch("session", "expired")

    with pytest.raises(Throttled, match="five sign-ins") as caught:
        await connector.read_inventory(A)

    assert shop.counters()["sign_in"] == 5
    assert 3000 < caught.value.retry_after <= 3600
    clock.advance(3600)
    assert (await connector.read_inventory(A))[0].quantity == 5


async def test_sign_ins_used_up_by_another_system_throttle_the_shop(shop, connect):
    shop.switch("auth", "sign_in")
    connector = connect()
    shop.switch("quotas", True)
    shop.quotas.requests.rate = 1000
    for _ in range(5):
        assert shop.quotas.refuse_sign_in() is None

    with pytest.raises(Throttled):
        await connector.read_inventory(A)


async def test_a_wrong_password_is_the_merchants_matter(shop, connect):
    shop.switch("auth", "sign_in")

    with pytest.raises(CredentialsRejected, match="e-mail and password"):
        await connect(password="wrong-password").read_inventory(A)


async def test_a_replaced_static_token_is_not_tried_again(shop, connect):
    connector = connect()
    shop.switch("static_token", "another")

    with pytest.raises(CredentialsRejected):
        await connector.read_inventory(A)

    assert shop.counters()["list_stock_items"] == 1


async def test_nobody_is_ever_signed_out(shop, connect):
    connector = connect()
    await connector.check()
    await connector.aclose()

    assert "sign_out" not in shop.counters()


async def test_requests_keep_to_the_set_pace(shop, connect, clock):
    connector = connect(requests_per_second=1.0, burst=3)

    for _ in range(6):
        await connector.read_inventory(A)

    assert sum(clock.slept) == pytest.approx(3.0)


async def test_kept_to_its_pace_a_shop_is_never_refused_for_load(shop, connect):
    shop.switch("quotas", True)
    shop.switch("requests_per_second", 40)
    connector = connect(on=SystemClock(), requests_per_second=40, burst=3)

    # More than the shop's own burst, so that only the pace keeps it from refusing.
    for _ in range(25):
        await connector.read_inventory(A)

    assert shop.counters()["list_stock_items"] == 25
    assert shop.counters()["throttled"] == 0


@pytest.mark.parametrize(
    ("status", "body"),
    [(502, HTML), (503, ""), (504, HTML), (500, '{"errors":[{"code":"AOR9999","message":"x"}]}')],
)
async def test_a_read_is_tried_again_after_trouble_of_the_platform(
    server, shop, connect, clock, status, body
):
    server.inject(Fault(FaultKind.REFUSE, "stock_items", status=status, body=body, times=2))

    levels = await connect().read_inventory(A)

    assert levels[0].quantity == 5
    assert clock.slept == [3.0, 5.0]


@pytest.mark.parametrize(
    ("status", "body", "headers", "kind"),
    [
        (502, HTML, (), PlatformDown),
        (500, '{"errors":[{"code":"AOR9999","message":"x"}]}', (), PlatformDown),
        (429, HTML, (), Throttled),
        (429, "", (("retry-after", "7"),), Throttled),
        (403, HTML, (), PlatformDown),
        (403, '{"errors":[{"code":"AOR1003","message":"x"}]}', (), PermissionMissing),
        (404, HTML, (), SettingsInvalid),
        (301, "", (("location", "https://elsewhere.example.test/"),), SettingsInvalid),
        (422, '{"errors":[{"code":"ASI3001","message":"x"}]}', (), ContractBroken),
        (418, HTML, (), ContractBroken),
        (200, HTML, (), ContractBroken),
        (200, "[]", (), ContractBroken),
        (200, "", (), ContractBroken),
        (200, "[" * 100_000, (), ContractBroken),
    ],
)
async def test_each_refusal_of_a_read_becomes_what_the_host_is_to_do(
    server, shop, connect, status, body, headers, kind
):
    server.inject(
        Fault(FaultKind.REFUSE, "stock_items", status=status, body=body, headers=headers, times=9)
    )

    with pytest.raises(kind):
        await connect().read_inventory(A)


async def test_a_throttle_that_announces_nothing_asks_for_a_minute(server, shop, connect):
    server.inject(Fault(FaultKind.REFUSE, "stock_items", status=429, body="", times=9))

    with pytest.raises(Throttled) as caught:
        await connect().read_inventory(A)

    assert caught.value.retry_after == 60


async def test_a_connection_that_breaks_while_reading_is_tried_again(server, shop, connect):
    server.inject(Fault(FaultKind.DROP, "stock_items"))

    assert (await connect().read_inventory(A))[0].quantity == 5


async def test_a_reply_to_a_read_that_was_cut_short_is_asked_for_again(server, shop, connect):
    server.inject(Fault(FaultKind.MALFORMED, "stock_items"))

    assert (await connect().read_inventory(A))[0].quantity == 5


async def test_maintenance_is_the_platforms_matter(shop, connect):
    shop.switch("maintenance", True)

    with pytest.raises(PlatformDown):
        await connect().read_inventory(A)


async def test_a_shop_that_cannot_be_reached_is_down(connect):
    with pytest.raises(PlatformDown):
        await connect(origin="http://127.0.0.1:9").read_inventory(A)


async def test_a_shop_that_does_not_answer_times_out(server, shop, connect):
    server.inject(Fault(FaultKind.LATENCY, "stock_items", seconds=0.15))
    connector = connect()
    connector._client._http.timeout = 0.05

    with pytest.raises(Timeout):
        await connector.read_inventory(A)


async def test_no_secret_is_in_an_error_a_log_line_or_a_repr(server, shop, connect, log):
    shop.switch("auth", "sign_in")
    texts = []
    for connector in (
        connect(),
        connect(email=None, password=None, token=TOKEN),
        connect(password="wrong-password-1"),
    ):
        for fault in (
            Fault(
                FaultKind.REFUSE,
                "stock_items",
                status=401,
                body='{"errors":[{"message":"x"}]}',
                times=9,
            ),
            Fault(FaultKind.REFUSE, "stock_items", status=502, body=HTML, times=9),
            Fault(FaultKind.DROP, "stock_items", times=9),
        ):
            server.inject(fault)
            with pytest.raises((CredentialsRejected, PlatformDown, Timeout, Throttled)) as caught:
                await connector.read_inventory(A)
            server.clear_faults()
            texts += [
                repr(caught.value),
                str(caught.value.__cause__),
                str(caught.value.__context__),
            ]
        texts += [repr(connector), repr(connector._settings), str(connector._settings)]
    printed = " ".join(texts) + repr(log.lines)

    for secret in (TOKEN, PASSWORD, "wrong-password-1", "sim-session-token"):
        assert secret not in printed
