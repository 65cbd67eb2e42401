"""Every refusal says what zaiko is to do next."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import httpx
import pytest
from zaiko_nextengine.connector import NextEngineConnector
from zaiko_nextengine.refusals import refusal, reported
from zaiko_nextengine.simulator import NextEngineSimulator
from zaiko_sdk import (
    ConnectorError,
    ContractBroken,
    CredentialsRejected,
    FindingLevel,
    InventoryWrite,
    ItemRefused,
    ListingRef,
    PermissionMissing,
    PlatformDown,
    SettingsInvalid,
    Throttled,
    Timeout,
)
from zaiko_sdk.testing.faults import Fault, FaultKind
from zaiko_sdk.testing.simulator import NewListing, SimulatorServer

Open = Callable[..., NextEngineConnector]


def _refused(
    status: int, body: object, *, writing: bool, headers: dict[bytes, bytes] | None = None
) -> ConnectorError | None:
    reply = httpx.Response(status, json=body, headers=headers)
    return refusal(reply, reported(body), path="/x", words="words", writing=writing)


@pytest.mark.parametrize(
    ("result", "code", "reading", "writing"),
    [
        ("error", "001001", CredentialsRejected, CredentialsRejected),
        ("error", "002001", CredentialsRejected, CredentialsRejected),
        ("error", "002002", CredentialsRejected, CredentialsRejected),
        ("redirect", "002004", CredentialsRejected, CredentialsRejected),
        ("redirect", "", CredentialsRejected, CredentialsRejected),
        ("error", "002050", PermissionMissing, PermissionMissing),
        ("error", "003001", Throttled, Throttled),
        ("error", "003002", Throttled, Throttled),
        ("error", "003003", PlatformDown, PlatformDown),
        ("error", "020100", ContractBroken, ItemRefused),
    ],
)
@pytest.mark.parametrize("status", [200, 400, 503])
def test_a_code_says_what_to_do_whatever_the_status(
    status: int,
    result: str,
    code: str,
    reading: type[ConnectorError],
    writing: type[ConnectorError],
) -> None:
    body = {"result": result, "code": code, "message": "m"}

    assert type(_refused(status, body, writing=False)) is reading
    assert type(_refused(status, body, writing=True)) is writing


def test_each_overload_has_its_own_wait() -> None:
    waits = []
    for code in ("003002", "003001"):
        error = _refused(200, {"result": "error", "code": code}, writing=False)
        assert isinstance(error, Throttled)
        waits.append(error.retry_after)

    assert waits == [60, 300]


@pytest.mark.parametrize(
    ("status", "reading", "writing"),
    [
        (302, SettingsInvalid, SettingsInvalid),
        (401, CredentialsRejected, CredentialsRejected),
        (403, PlatformDown, PlatformDown),
        (404, SettingsInvalid, SettingsInvalid),
        (408, PlatformDown, Timeout),
        (418, ContractBroken, ContractBroken),
        (429, Throttled, Throttled),
        (500, PlatformDown, Timeout),
        (502, PlatformDown, Timeout),
        (503, PlatformDown, PlatformDown),
    ],
)
def test_a_status_from_in_front_of_the_api_says_what_to_do(
    status: int, reading: type[ConnectorError], writing: type[ConnectorError]
) -> None:
    assert type(_refused(status, None, writing=False)) is reading
    assert type(_refused(status, None, writing=True)) is writing


@pytest.mark.parametrize(
    ("text", "wait"),
    [("7", 7), ("soon", 60), ("", 60), ("99999999", 86_400), ("-3", 60), ("²", 60)],
)
def test_the_announced_wait_is_kept_within_a_day(text: str, wait: float) -> None:
    error = _refused(429, None, writing=False, headers={b"retry-after": text.encode("latin-1")})

    assert isinstance(error, Throttled)
    assert error.retry_after == wait


def test_success_is_no_refusal() -> None:
    assert _refused(200, {"result": "success"}, writing=True) is None


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"result": "error", "message": [{"message": "a"}, {"message": "b"}, "c"]}, "a; b"),
        ({"result": "error", "message": "a"}, "a"),
        ({"result": "error", "message": None}, ""),
        ({"result": 1, "code": 2, "message": 3}, ""),
        ([], ""),
        (None, ""),
    ],
)
def test_a_message_may_be_text_or_a_list(body: object, message: str) -> None:
    assert reported(body).message == message


@pytest.mark.anyio
@pytest.mark.parametrize(
    "body",
    [
        "",
        "null",
        "[]",
        "{}",
        '{"result":"success"}',
        '{"result":"success","data":{}}',
        "[" * 100_000,
    ],
)
async def test_a_read_without_result_and_rows_is_not_believed(
    connect: Open, server: SimulatorServer, body: str
) -> None:
    server.inject(Fault(FaultKind.REFUSE, status=200, body=body))

    with pytest.raises(ContractBroken):
        await connect().read_inventory([ListingRef("A")])


@pytest.mark.anyio
@pytest.mark.parametrize("queue", [None, "", "x", True, {}, "12 "])
async def test_an_upload_without_a_queue_is_left_open(
    connect: Open, server: SimulatorServer, shop: NextEngineSimulator, queue: object
) -> None:
    shop.add_listings([NewListing("A", 5)])
    server.inject(
        Fault(
            FaultKind.REFUSE_AFTER,
            match="/upload",
            status=200,
            body=json.dumps({"result": "success", "que_id": queue}),
        )
    )

    with pytest.raises(Timeout) as caught:
        await connect().set_inventory([InventoryWrite(ListingRef("A"), 6, 5)], "key")

    assert caught.value.sent is True


@pytest.mark.anyio
async def test_check_lets_an_overload_pass_and_reports_a_missing_permission(
    connect: Open, server: SimulatorServer
) -> None:
    server.inject(
        Fault(
            FaultKind.REFUSE, status=200, body='{"result":"error","code":"003002","message":"busy"}'
        )
    )
    with pytest.raises(Throttled):
        await connect().check()

    body = '{"result":"error","code":"002099","message":"no"}'
    server.inject(Fault(FaultKind.REFUSE, match="receiveorder", status=200, body=body))
    (finding,) = await connect().check()

    assert (finding.level, finding.reason) == (FindingLevel.ERROR, "PERMISSION_MISSING")


@pytest.mark.anyio
async def test_calls_take_turns(
    connect: Open, server: SimulatorServer, shop: NextEngineSimulator
) -> None:
    """The vendor advises against parallel calls for one user."""
    server.inject(Fault(FaultKind.LATENCY, match="receiveorder", seconds=0.3))
    connector = connect()
    slow = asyncio.ensure_future(connector.read_orders(["1"]))
    await server.faults_met()
    quick = asyncio.ensure_future(connector.read_inventory([ListingRef("A")]))
    await asyncio.wait([quick])

    assert slow.done()
