"""Keys, functions that are not enabled, every shape of a refusal, and what is never shown."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from zaiko_rakuten.client import KEY_GRACE
from zaiko_rakuten.connector import RakutenConnector
from zaiko_rakuten.functions import GET_STOCK, LICENCE_EXPIRY, SEARCH_ORDERS, SET_STOCK
from zaiko_rakuten.plugin import RAKUTEN
from zaiko_rakuten.refusals import is_access_refused, refusal
from zaiko_rakuten.replies import Reply, problems_in
from zaiko_rakuten.settings import RakutenSettings
from zaiko_rakuten.simulator import RakutenSimulator
from zaiko_sdk import (
    Capability,
    ConnectorError,
    CredentialsRejected,
    FindingLevel,
    InventoryWrite,
    ListingRef,
    PermissionMissing,
    PlatformDown,
    Timeout,
)
from zaiko_sdk.testing.faults import Fault, FaultKind
from zaiko_sdk.testing.simulator import SimulatorServer

pytestmark = pytest.mark.anyio

TEA = ListingRef("tea-100/TEA-100")
REFUSALS = json.loads(
    (Path(__file__).parent / "data" / "refusals.json").read_text(encoding="utf-8")
)


def reply(status: int, text: str) -> Reply:
    return Reply(status, text.encode(), problems=problems_in(status, text.encode()))


@pytest.mark.parametrize(
    ("status", "text", "wanted"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS]
)
async def test_every_shape_of_a_refusal_says_what_to_do(
    status: int, text: str, wanted: str
) -> None:
    got = reply(status, text)

    found = (
        "access"
        if is_access_refused(got)
        else type(refusal(got, SEARCH_ORDERS, busy_wait=60)).__name__
    )

    assert found == wanted


@pytest.mark.parametrize("status", [500, 502, 504])
async def test_a_write_that_ended_in_a_server_error_may_have_been_applied(status: int) -> None:
    error = refusal(reply(status, ""), SET_STOCK, busy_wait=60)

    assert isinstance(error, Timeout)
    assert error.sent is None


async def test_an_unreadable_error_shows_only_its_beginning() -> None:
    error = refusal(reply(502, "x" * 5000), GET_STOCK, busy_wait=60)

    assert len(error.platform_message) == 200


async def test_a_key_that_never_worked_here_may_be_too_new(
    connector: RakutenConnector, shop: RakutenSimulator, clock: Any
) -> None:
    shop.issue_key()

    with pytest.raises(PlatformDown, match="30 minutes") as raised:
        await connector.read_inventory([TEA])
    assert raised.value.retry_after is not None
    clock.advance(KEY_GRACE)
    with pytest.raises(CredentialsRejected, match="licence key"):
        await connector.read_inventory([TEA])


async def test_a_new_key_works_when_rms_knows_it(connect: Any, shop: RakutenSimulator) -> None:
    shop.issue_key(live_after=600)
    connector = connect()
    with pytest.raises(PlatformDown):
        await connector.read_inventory([TEA])

    shop.switch("clock_skew_seconds", 601)

    assert (await connector.read_inventory([TEA]))[0].quantity == 10


async def test_a_key_that_worked_and_is_refused_is_rejected(
    connector: RakutenConnector, shop: RakutenSimulator, clock: Any
) -> None:
    await connector.read_inventory([TEA])
    clock.advance(3600)
    shop.switch("license_days_left", -1)

    with pytest.raises(CredentialsRejected):
        await connector.read_inventory([TEA])


async def test_a_function_that_is_not_enabled_is_distinguished_from_a_dead_key(
    connector: RakutenConnector, shop: RakutenSimulator
) -> None:
    shop.switch("disabled_functions", ["inventories.bulk.get"])

    with pytest.raises(PermissionMissing, match=r"在庫API.*利用機能編集"):
        await connector.read_inventory([TEA])


async def test_it_is_distinguished_without_the_licence_function_too(
    connector: RakutenConnector, shop: RakutenSimulator
) -> None:
    shop.switch("disabled_functions", ["inventories.bulk.get", "licence.expiryDate"])
    assert [page async for page in connector.fetch_orders(None)]

    with pytest.raises(PermissionMissing):
        await connector.read_inventory([TEA])


async def test_check_finds_a_good_shop_connected(connector: RakutenConnector) -> None:
    connected, licence = await connector.check()

    assert (connected.level, connected.reason) == (FindingLevel.OK, "CONNECTED")
    assert (licence.level, licence.reason) == (FindingLevel.OK, "LICENSE_KEY_VALID")


@pytest.mark.parametrize(
    ("days", "level"),
    [(20, FindingLevel.OK), (14, FindingLevel.WARNING), (0.5, FindingLevel.WARNING)],
)
async def test_check_reports_how_long_the_licence_key_lives(
    connector: RakutenConnector, shop: RakutenSimulator, days: float, level: FindingLevel
) -> None:
    shop.switch("license_days_left", days + 0.01)

    licence = (await connector.check())[-1]

    assert licence.level is level
    assert licence.expires_at is not None
    assert abs(licence.expires_at - datetime.now(UTC) - timedelta(days=days)) < timedelta(hours=1)
    assert f"{int(days)} days left" in licence.message


async def test_check_says_that_a_dead_key_is_dead_at_once(
    connector: RakutenConnector, shop: RakutenSimulator
) -> None:
    shop.issue_key()

    [finding] = await connector.check()

    assert (finding.level, finding.reason) == (FindingLevel.ERROR, "CREDENTIALS_REJECTED")


async def test_check_names_the_function_that_is_not_enabled(
    connector: RakutenConnector, shop: RakutenSimulator
) -> None:
    shop.switch("disabled_functions", ["items.search"])

    findings = {finding.reason: finding for finding in await connector.check()}

    assert "商品API" in findings["PERMISSION_MISSING"].message
    assert "CONNECTED" not in findings


async def test_check_warns_when_the_end_of_the_key_cannot_be_read(
    connector: RakutenConnector, shop: RakutenSimulator
) -> None:
    shop.switch("disabled_functions", ["licence.expiryDate"])

    connected, licence = await connector.check()

    assert (connected.reason, licence.reason) == ("CONNECTED", "LICENSE_KEY_EXPIRY_UNKNOWN")


async def test_check_raises_only_when_nobody_answers(
    connector: RakutenConnector, shop: RakutenSimulator
) -> None:
    shop.switch("maintenance", "html")

    with pytest.raises(PlatformDown):
        await connector.check()


async def test_each_refusal_for_maintenance_asks_for_a_longer_wait(
    connector: RakutenConnector, shop: RakutenSimulator
) -> None:
    shop.switch("maintenance", "html")
    waits = []
    for _ in range(5):
        with pytest.raises(PlatformDown) as raised:
            await connector.read_inventory([TEA])
        waits.append(raised.value.retry_after)

    assert waits == [60, 120, 240, 300, 300]


async def test_a_read_is_repeated_after_a_passing_fault(
    connector: RakutenConnector, server: SimulatorServer
) -> None:
    server.inject(Fault(FaultKind.REFUSE, match="bulk-get", status=502, body=""))
    server.inject(Fault(FaultKind.DROP, match="bulk-get"))

    assert (await connector.read_inventory([TEA]))[0].quantity == 10


async def test_a_shop_that_cannot_be_reached_is_down(connect: Any) -> None:
    with pytest.raises(PlatformDown, match="could not connect"):
        await connect(origin="http://127.0.0.1:9").read_inventory([TEA])


async def test_no_secret_and_no_buyer_is_shown_anywhere(
    connect: Any,
    server: SimulatorServer,
    shop: RakutenSimulator,
    log: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    connector = connect(order_source="orders")
    shown: list[str] = []
    shop.place_order({"TEA-100": 9})
    for fault in (
        Fault(FaultKind.MALFORMED, match="getOrder", times=9),
        Fault(FaultKind.REFUSE, match="expiry-date", status=502, times=9),
        Fault(FaultKind.DROP, match="expiry-date", times=9),
        Fault(FaultKind.REFUSE, match="expiry-date", status=200, body="{}", times=9),
    ):
        server.clear_faults()
        server.inject(fault)
        for question in (connector.check, lambda: anext(connector.fetch_orders(None))):
            try:
                shown.append(repr(await question()))
            except ConnectorError as error:
                shown.append(
                    f"{error!r} {error.message} {error.platform_message} {error.__cause__!r}"
                )
    shop.issue_key()
    shown.append(repr(await connector.check()))
    shown.append(
        repr(await connector.set_inventory([InventoryWrite(ListingRef("x/y"), 1, 1)], "key"))
    )
    shown += [
        repr(vars(connector)),
        repr(server.settings() and RakutenSettings.model_validate(server.settings())),
    ]

    text = "\n".join([*shown, repr(log.lines), caplog.text])

    assert "expiry-date" in caplog.text
    for key in [SL.text for SL in shop.keys] + [shop.service_secret]:
        assert key not in text
    assert "ESA " not in text
    for private in ("購入者", "buyer-private", "私邸市"):
        assert private not in text
    assert len(shown) > 8


async def test_the_licence_key_is_sent_in_the_query_nevertheless(
    connector: RakutenConnector,
) -> None:
    await connector.check()

    assert LICENCE_EXPIRY.path.endswith("expiry-date")
    assert (await connector.check())[-1].expires_at is not None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"service_secret": "SP1:SL1"}, "apart"),
        ({"license_key": " "}, "copy the key"),
        ({"origin": "api.rms.rakuten.co.jp"}, "https://"),
        ({"origin": "https://api.rms.rakuten.co.jp/es/2.0"}, "without a path"),
        ({"origin": "http://api.rms.rakuten.co.jp"}, "https://"),
        ({"order_version": 6}, "7"),
        ({"licence_key": "misspelt"}, "not permitted"),
    ],
)
async def test_wrong_settings_say_what_to_do(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words) as raised:
        RakutenSettings.model_validate(
            {"service_secret": "SP1_secret", "license_key": "SL1_hidden"} | change
        )

    assert "SL1_hidden" not in str(raised.value)


async def test_settings_for_the_real_platform_need_the_two_keys_only() -> None:
    settings = RakutenSettings.model_validate(
        {"service_secret": " SP1_secret\n", "license_key": "SL1_hidden"}
    )

    assert settings.origin == "https://api.rms.rakuten.co.jp"
    assert settings.service_secret.get_secret_value() == "SP1_secret"
    assert RakutenSettings.secret_fields() == {"service_secret", "license_key", "notice_auth_key"}
    assert settings.notice_auth_key is None


async def test_what_the_platform_cannot_do_is_not_declared() -> None:
    assert {Capability.READ_ORDERS, Capability.SET_INVENTORY} < RAKUTEN.capabilities
    assert Capability.ORDER_UPDATES not in RAKUTEN.capabilities
    limits = RAKUTEN.limits
    assert (limits.write_batch, limits.read_batch, limits.order_batch, limits.max_quantity) == (
        400,
        1000,
        100,
        99_999,
    )
