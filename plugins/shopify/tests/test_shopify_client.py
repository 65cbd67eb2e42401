"""What becomes of replies: errors, waits, repeats, tokens, and what is never said."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from zaiko_sdk import (
    ConnectorError,
    ContractBroken,
    CredentialsRejected,
    InventoryWrite,
    PermissionMissing,
    PlanTooLow,
    PlatformDown,
    SettingsInvalid,
    ShopContext,
    Throttled,
    Timeout,
)
from zaiko_sdk.testing.clock import FakeClock
from zaiko_shopify.client import Client
from zaiko_shopify.documents import LOCATIONS, SET_STOCK
from zaiko_shopify.replies import Garbled, GraphqlRefused, TooDear
from zaiko_shopify.settings import ShopifySettings

if TYPE_CHECKING:
    from conftest import Open

pytestmark = pytest.mark.anyio

DATA = Path(__file__).parent / "data"
TOKEN = "shpat_very_secret"
Answer = Callable[[httpx.Request], httpx.Response]


class _Log:
    def __init__(self) -> None:
        self.text = ""

    def __getattr__(self, level: str) -> Any:
        def keep(event: str, **fields: Any) -> None:
            self.text += f"{event} {fields}\n"

        return keep


class Wire:
    """A client over a transport of canned answers; the last one is repeated."""

    def __init__(self, *answers: httpx.Response | Exception | Answer, **settings: Any) -> None:
        self.requests: list[httpx.Request] = []
        self._answers = list(answers)
        self.clock, self.log = FakeClock(), _Log()
        given = {"shop": "example.myshopify.com", **(settings or {"access_token": TOKEN})}
        transport = httpx.MockTransport(self._answer)
        context = ShopContext(
            "s", self.clock, self.log, lambda: httpx.AsyncClient(transport=transport), lambda: "id"
        )
        self.client = Client(context, ShopifySettings(**given))

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        # Other tasks send theirs meanwhile.
        await asyncio.sleep(0.001)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return (
            answer(request)
            if callable(answer)
            else httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)
        )

    async def error(self, *, writing: bool = False) -> ConnectorError:
        with pytest.raises(ConnectorError) as raised:
            await (self.client.mutate(SET_STOCK, {}) if writing else self.client.query(LOCATIONS))
        return raised.value


@pytest.fixture
async def wire() -> AsyncIterator[Callable[..., Wire]]:
    made: list[Wire] = []

    def make(*answers: Any, **settings: Any) -> Wire:
        made.append(Wire(*answers, **settings))
        return made[-1]

    yield make
    for each in made:
        await each.client.aclose()


def reply(status: int = 200, body: Any = None, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx.Response(
        status,
        content=content,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


def refused(code: str, message: str = "No.", **extensions: Any) -> httpx.Response:
    return reply(
        body={
            "data": None,
            "errors": [{"message": message, "extensions": {"code": code, **extensions}}],
        }
    )


GRANT = {"client_id": "c", "client_secret": "s"}
OK = reply(body={"data": {"locations": {"nodes": []}}})
HTML = b"<!DOCTYPE html><html>"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (
            reply(400, {"errors": {"query": "Required parameter missing or invalid"}}),
            ContractBroken,
        ),
        (reply(401, {"errors": "[API] Invalid API key or access token"}), CredentialsRejected),
        (reply(402, {"errors": "Unavailable Shop"}), PlanTooLow),
        (
            reply(
                402,
                {
                    "errors": [
                        {"message": "Unavailable Shop", "extensions": {"code": "PAYMENT_REQUIRED"}}
                    ]
                },
            ),
            PlanTooLow,
        ),
        (
            reply(
                403,
                {"errors": "[API] This action requires merchant approval for read_orders scope."},
            ),
            PermissionMissing,
        ),
        (reply(404, {"errors": "Not Found"}), SettingsInvalid),
        (reply(404, HTML), SettingsInvalid),
        (reply(301, HTML, location="https://other.example"), SettingsInvalid),
        (reply(423, {"errors": "This shop is unavailable"}), PlanTooLow),
        (reply(429, HTML, retry_after="60"), Throttled),
        (reply(430, HTML), Throttled),
        (reply(500, {"errors": "An unexpected error occurred"}), PlatformDown),
        (reply(502, HTML), PlatformDown),
        (reply(540, HTML), PlatformDown),
        (reply(200, HTML), Garbled),
        (reply(200, []), Garbled),
        (reply(200, {"data": None}), Garbled),
        (refused("SHOP_INACTIVE"), PlanTooLow),
        (refused("MAX_COST_EXCEEDED"), TooDear),
        (refused("INTERNAL_SERVER_ERROR"), PlatformDown),
        (refused("undefinedField"), GraphqlRefused),
        (reply(body={"errors": "in a text"}), GraphqlRefused),
        (reply(body={"errors": {"base": ["in an object"]}}), GraphqlRefused),
        (httpx.ConnectError("x"), PlatformDown),
        (httpx.ConnectTimeout("x"), Timeout),
        (httpx.ReadTimeout("x"), Timeout),
        (httpx.RemoteProtocolError("x"), Timeout),
    ],
)
async def test_each_refusal_becomes_the_error_that_says_what_to_do_next(
    wire: Any, answer: Any, kind: type[ConnectorError]
) -> None:
    assert type(await wire(answer).error()) is kind


async def test_a_missing_scope_is_named(wire: Any) -> None:
    answer = refused(
        "ACCESS_DENIED",
        "Access denied for orders field.",
        requiredAccess="`read_orders` access scope.",
    )

    error = await wire(answer).error()

    assert isinstance(error, PermissionMissing)
    assert "`read_orders` access scope" in error.message


async def test_a_missing_approval_for_protected_data_is_explained(wire: Any) -> None:
    error = await wire(
        refused("ACCESS_DENIED", "This app is not approved to access the Order object. See ..")
    ).error()

    assert isinstance(error, PermissionMissing)
    assert "protected customer data" in error.message


async def test_data_that_comes_with_an_error_is_not_used(wire: Any) -> None:
    body = {
        "data": {"locations": {"nodes": []}},
        "errors": [{"message": "x", "extensions": {"code": "ACCESS_DENIED"}}],
    }

    assert isinstance(await wire(reply(body=body)).error(), PermissionMissing)


@pytest.mark.parametrize(
    "answer",
    [
        reply(500),
        reply(504, HTML),
        reply(200, HTML),
        refused("INTERNAL_SERVER_ERROR"),
        httpx.ReadTimeout("x"),
        httpx.ReadError("x"),
    ],
)
async def test_a_write_without_a_usable_answer_is_repeated_with_the_same_bytes_then_unknown(
    wire: Any, answer: Any
) -> None:
    line = wire(answer)

    error = await line.error(writing=True)

    assert isinstance(error, Timeout)
    assert error.sent is None
    assert len(line.requests) == 4
    assert len({request.content for request in line.requests}) == 1


DENIED = [
    reply(401),
    reply(402),
    reply(403),
    reply(423),
    refused("ACCESS_DENIED"),
    refused("undefinedField"),
]


@pytest.mark.parametrize("answer", DENIED)
async def test_a_write_that_was_refused_is_not_repeated_and_not_in_doubt(
    wire: Any, answer: Any
) -> None:
    line = wire(answer)

    error = await line.error(writing=True)

    assert not isinstance(error, Timeout)
    assert len(line.requests) == 1


async def test_a_write_that_never_left_is_not_in_doubt(wire: Any) -> None:
    assert isinstance(await wire(httpx.ConnectError("x")).error(writing=True), PlatformDown)
    timeout = await wire(httpx.ConnectTimeout("x")).error(writing=True)
    assert isinstance(timeout, Timeout)
    assert timeout.sent is False


async def test_a_throttled_request_waits_for_the_points_that_are_missing(wire: Any) -> None:
    line = wire(reply(body=json.loads((DATA / "throttled.json").read_text())), OK)

    await line.client.query(LOCATIONS)

    assert line.clock.monotonic() == pytest.approx((640 - 120) / 100)


async def test_costs_are_learned_and_waited_for_before_sending(wire: Any) -> None:
    status = {"maximumAvailable": 100.0, "currentlyAvailable": 20, "restoreRate": 10.0}
    cost = {"requestedQueryCost": 50, "actualQueryCost": 50, "throttleStatus": status}
    line = wire(reply(body={"data": {}, "extensions": {"cost": cost}}))

    await line.client.query(LOCATIONS)
    await line.client.query(LOCATIONS)

    assert line.clock.monotonic() == pytest.approx(3.0)


async def test_the_answer_of_the_fact_sheet_is_a_success(wire: Any) -> None:
    line = wire(httpx.Response(200, content=(DATA / "set_success.json").read_bytes()))

    answer = await line.client.mutate(SET_STOCK, {})

    assert answer.data.inner("inventorySetQuantities").rows("userErrors") == []
    assert answer.doubtful is False


async def test_another_api_version_is_noticed(wire: Any) -> None:
    line = wire(reply(body={"data": {}}, x_shopify_api_version="2027-01"))

    await line.client.query(LOCATIONS)

    assert "shopify_api_version_differs" in line.log.text
    assert line.client.served_version == "2027-01"


async def test_nothing_that_is_logged_or_raised_holds_a_secret(wire: Any) -> None:
    grant = {"client_id": "c", "client_secret": "shpss_secret"}
    for settings in ({"access_token": TOKEN}, grant):
        for answer in (
            reply(401),
            reply(500),
            reply(403, {"errors": "no"}),
            httpx.ReadTimeout("x"),
            reply(200, HTML),
        ):
            line = wire(answer, **settings)
            error = await line.error(writing=True)
            said = (
                f"{error!r} {error.message} {error.platform_message} {line.log.text} "
                f"{error.__cause__!r} {vars(line.client)}"
            )
            assert TOKEN not in said
            assert "shpss_secret" not in said


# Tokens


def token_reply(number: int, life: float = 86_399) -> httpx.Response:
    return reply(
        body={"access_token": f"shpat_{number}", "scope": "read_orders", "expires_in": life}
    )


def granting(
    life: float = 86_399, refuse: frozenset[str] = frozenset()
) -> tuple[Answer, list[str]]:
    granted: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("access_token"):
            granted.append(request.content.decode())
            return token_reply(len(granted), life)
        return reply(401) if request.headers["x-shopify-access-token"] in refuse else OK

    return answer, granted


async def test_a_token_is_granted_once_for_many_tasks(wire: Any) -> None:
    answer, granted = granting()
    line = wire(answer, **GRANT)

    await asyncio.gather(*(line.client.query(LOCATIONS) for _ in range(5)))

    assert granted == ["grant_type=client_credentials&client_id=c&client_secret=s"]


async def test_a_token_is_renewed_at_four_fifths_of_its_life(wire: Any) -> None:
    answer, granted = granting(life=1000)
    line = wire(answer, **GRANT)

    for moment in (0, 799, 801):
        line.clock.advance(moment - line.clock.monotonic())
        await line.client.query(LOCATIONS)

    assert len(granted) == 2
    assert line.requests[-1].headers["x-shopify-access-token"] == "shpat_2"


async def test_a_refused_token_is_renewed_once_by_all_who_were_refused(wire: Any) -> None:
    answer, granted = granting(refuse=frozenset({"shpat_1"}))
    line = wire(answer, **GRANT)

    await asyncio.gather(*(line.client.query(LOCATIONS) for _ in range(5)))

    assert len(granted) == 2


async def test_tokens_that_are_all_refused_are_not_asked_for_without_end(wire: Any) -> None:
    answer, granted = granting(refuse=frozenset({"shpat_1", "shpat_2"}))

    assert isinstance(await wire(answer, **GRANT).error(), CredentialsRejected)
    assert len(granted) == 2


async def test_the_old_token_serves_while_a_new_one_cannot_be_had(wire: Any) -> None:
    answer, granted = granting(life=1000)
    line = wire(
        lambda request: reply(503) if granted and "oauth" in request.url.path else answer(request),
        **GRANT,
    )
    await line.client.query(LOCATIONS)

    line.clock.advance(900)
    await line.client.query(LOCATIONS)
    assert line.requests[-1].headers["x-shopify-access-token"] == "shpat_1"

    line.clock.advance(200)
    assert isinstance(await line.error(), PlatformDown)


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (reply(400, b"<html>Oauth error shop_not_permitted"), CredentialsRejected, "organisation"),
        (reply(400, {"error": "app_not_installed"}), CredentialsRejected, "install"),
        (reply(401, {"error": "invalid_client"}), CredentialsRejected, "client secret"),
        (reply(404, HTML), SettingsInvalid, "domain"),
        (reply(503), PlatformDown, "503"),
        (reply(200, HTML), PlatformDown, "JSON"),
        (reply(200, {"access_token": None}), ContractBroken, "expires_in"),
    ],
)
async def test_a_refused_grant_says_what_to_do(
    wire: Any, answer: Any, kind: type[ConnectorError], words: str
) -> None:
    error = await wire(answer, **GRANT).error()

    assert isinstance(error, kind)
    assert words in error.message


async def test_a_lost_request_for_a_token_leaves_no_write_in_doubt(wire: Any) -> None:
    error = await wire(httpx.ReadTimeout("x"), **GRANT).error(writing=True)

    assert isinstance(error, PlatformDown)


async def test_the_simulated_shop_grants_and_ends_tokens(open_bench: Open) -> None:
    async with open_bench({"A": 5}) as bench:
        bench.sim.switch("token_life", 100)
        listing = (await bench.listings())["A"]
        bench.sim.front.grants.clear()

        (result,) = await bench.connector.set_inventory([InventoryWrite(listing.ref, 6, 5)], "k")

        assert result.outcome == "APPLIED"
        assert bench.sim.counters()["access_token"] == 2


async def test_a_static_token_works_and_is_not_renewed(open_bench: Open) -> None:
    async with open_bench({"A": 5}, static=True) as bench:
        assert set(await bench.listings()) == {"A"}
        assert "access_token" not in bench.sim.counters()
