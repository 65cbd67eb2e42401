"""Notifications of platforms, posted over HTTP to a real server; the shops are the platforms' own
simulators."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import structlog
from e2e.local_server import Zaiko, run
from support.waiting import until
from zaiko_core.bootstrap import Engine
from zaiko_core.plugin_host.loader import load
from zaiko_core.storage.secrets import SecretBox
from zaiko_sdk.testing.simulator import NewListing, SimulatorServer
from zaiko_server.config import Config
from zaiko_server.lifecycle import Server
from zaiko_server.webhooks import LARGEST_BODY

SKU = "TEA"
# Long enough that nothing in a test is found by polling.
HOUR = "3600"


@pytest.fixture(
    params=[
        "shopify",
        *(pytest.param(name, marks=pytest.mark.thorough) for name in ("ecforce", "rakuten")),
    ]
)
def platform(request: pytest.FixtureRequest) -> Iterator[SimulatorServer]:
    simulator = load().simulators()[request.param].create()
    simulator.add_listings([NewListing(SKU, 10)])
    if request.param == "shopify":
        simulator.switch("index_lag", 0)
    with SimulatorServer(simulator) as server:
        server.kind = request.param  # type: ignore[attr-defined]
        yield server


@pytest.fixture
def server(sqlite_url: str) -> Iterator[Server]:
    config = Config(
        listen="127.0.0.1:0",
        webhooks="127.0.0.1:0",
        database=sqlite_url,
        secret_keys=(SecretBox.new_key(),),
    )
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    started = Server(Engine(config.engine()), config)
    started.address = run(started.start())  # type: ignore[attr-defined]
    yield started
    run(started.stop(grace=1))
    structlog.configure(**before)


@pytest.fixture
def zaiko(
    server: Server,
    platform: SimulatorServer,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Zaiko:
    """The command line of a merchant whose shop has had its first runs."""
    monkeypatch.setenv("ZAIKO_MERCHANT", "acme")
    zaiko = Zaiko(server.address, capsys)  # type: ignore[attr-defined]
    zaiko("merchants", "create", "acme", "--name", "Acme")
    zaiko("warehouses", "create", "tokyo")
    zaiko(
        "shops",
        "create",
        "mall",
        "--connector",
        platform.kind,
        "--simulator",
        platform.base_url,
        "--interval",
        HOUR,
    )  # type: ignore[attr-defined]
    until(lambda: runs(zaiko) >= 1 and not running(zaiko))
    return zaiko


@pytest.fixture
def post(server: Server) -> Callable[..., httpx.Response]:
    def send(
        headers: dict[str, str], body: bytes, shop: str = "mall", merchant: str = "acme"
    ) -> httpx.Response:
        url = f"http://{server.webhooks}/webhooks/merchants/{merchant}/shops/{shop}"
        return httpx.post(url, headers=headers, content=body, timeout=60)

    return send


def runs(zaiko: Zaiko) -> int:
    return len(zaiko("runs", "mall", "--output", "json").json)


def running(zaiko: Zaiko) -> bool:
    return any(run["state"] == "RUNNING" for run in zaiko("runs", "mall", "--output", "json").json)


def order_units(zaiko: Zaiko) -> dict[str, list[int]]:
    """Units of each line that are still to leave, by order."""
    found = zaiko("orders", "list", "mall", "--output", "json").json
    return {order["name"]: [int(line.get("open", 0)) for line in order["lines"]] for order in found}


def test_a_notification_makes_its_order_known_at_once(
    zaiko: Zaiko, platform: SimulatorServer, post: Any
) -> None:
    order = platform.simulator.place_order({SKU: 2})

    reply = post(*platform.simulator.notification(order))

    assert reply.status_code == 200
    until(lambda: len(order_units(zaiko)) == 1)
    if platform.kind == "rakuten":  # type: ignore[attr-defined]
        assert b"N-000-000" in reply.content


@pytest.mark.parametrize("platform", ["shopify"], indirect=True)
def test_an_order_is_known_at_once_although_the_search_does_not_show_it_yet(
    zaiko: Zaiko, platform: SimulatorServer, post: Any
) -> None:
    platform.simulator.switch("index_lag", 600)
    order = platform.simulator.place_order({SKU: 2})

    post(*platform.simulator.notification(order))

    until(lambda: list(order_units(zaiko).values()) == [[2]])


def test_a_change_is_known_too_where_fetching_tells_of_none(
    zaiko: Zaiko, platform: SimulatorServer, post: Any
) -> None:
    order = platform.simulator.place_order({SKU: 5})
    post(*platform.simulator.notification(order))
    until(lambda: list(order_units(zaiko).values()) == [[5]])
    platform.simulator.cancel_order(order, restock=True)

    # A delivery of its own: Rakuten's is known by its body.
    headers, body = platform.simulator.notification(order)
    post(headers, body.replace(b"<seqId>1<", b"<seqId>2<"))

    def ended() -> bool:
        (found,) = zaiko("orders", "list", "mall", "--output", "json").json
        return found["state"] == "CANCELLED" or list(order_units(zaiko).values()) == [[0]]

    until(ended)


@pytest.mark.parametrize("platform", ["shopify"], indirect=True)
def test_a_delivery_that_comes_again_begins_no_run(
    zaiko: Zaiko, platform: SimulatorServer, post: Any
) -> None:
    order = platform.simulator.place_order({SKU: 2})
    headers, body = platform.simulator.notification(order)
    assert post(headers, body).status_code == 200
    until(lambda: len(order_units(zaiko)) == 1 and not running(zaiko))
    before = runs(zaiko)

    replies = [post(headers, body).status_code for _ in range(5)]

    time.sleep(0.5)
    assert (replies, runs(zaiko)) == ([200] * 5, before)


@pytest.mark.parametrize("platform", ["shopify"], indirect=True)
def test_a_notification_without_its_proof_does_nothing(
    zaiko: Zaiko, platform: SimulatorServer, post: Any
) -> None:
    order = platform.simulator.place_order({SKU: 2})
    _, body = platform.simulator.notification(order)
    before = runs(zaiko)

    forged = body.replace(b"sim-", b"not-")
    reply = post({"X-Shopify-Hmac-Sha256": "bm9wZQ==", "X-ECF-Event": "order_updated"}, forged)

    time.sleep(0.5)
    assert (reply.status_code, runs(zaiko)) == (401, before)


@pytest.mark.parametrize("platform", ["shopify"], indirect=True)
def test_nobody_learns_which_shops_there_are(zaiko: Zaiko, post: Any) -> None:
    replies = [
        post({}, b"{}", shop="other"),
        post({}, b"{}", merchant="other"),
        post({}, b"{}", shop="%2e%2e"),
        post({}, b"{}", shop="あ"),
    ]

    assert {(reply.status_code, reply.text) for reply in replies} == {(404, replies[0].text)}


@pytest.mark.parametrize("platform", ["shopify"], indirect=True)
def test_a_body_has_a_limit_whatever_it_says_of_itself(
    zaiko: Zaiko, server: Server, post: Any
) -> None:
    assert post({}, b"x" * (LARGEST_BODY + 1)).status_code == 413

    def endless() -> Iterator[bytes]:
        for _ in range(64):
            yield b"x" * 65_536

    url = f"http://{server.webhooks}/webhooks/merchants/acme/shops/mall"
    try:
        status = httpx.post(url, content=endless(), timeout=60).status_code
    except httpx.TransportError:
        status = 413  # it hung up while the rest was being sent

    assert status == 413
