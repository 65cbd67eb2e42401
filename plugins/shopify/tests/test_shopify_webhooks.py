"""Notifications: verified over the raw body, and hints only."""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import anyio
import pytest
from zaiko_sdk import CredentialsRejected, WebhookHint
from zaiko_shopify.settings import ShopifySettings
from zaiko_shopify.webhooks import hint_of

if TYPE_CHECKING:
    from conftest import Open

SETTINGS = ShopifySettings(
    shop="example.myshopify.com",
    access_token="shpat_1",
    client_secret="new-secret",
    previous_client_secret="old-secret",
)
BODY = (
    b'{"id": 801, "admin_graphql_api_id": "gid://shopify/Order/801", "email": "buyer@example.com"}'
)


def headers(
    body: bytes = BODY, *, secret: str = "new-secret", topic: str = "orders/updated", **more: str
) -> dict[str, str]:
    signature = base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()
    named = {
        "X-Shopify-Topic": topic,
        "X-Shopify-Hmac-Sha256": signature,
        "X-Shopify-Webhook-Id": "w1",
    }
    return {**named, "X-Shopify-Shop-Domain": "example.myshopify.com", **more}


def test_a_verified_order_is_a_hint() -> None:
    assert hint_of(SETTINGS, headers(), BODY) == WebhookHint(
        "w1", "orders/updated", ("gid://shopify/Order/801",)
    )


def test_names_of_headers_may_be_written_in_any_case() -> None:
    assert (
        hint_of(SETTINGS, {name.lower(): value for name, value in headers().items()}, BODY)
        is not None
    )


@pytest.mark.parametrize(
    ("topic", "body", "orders"),
    [
        ("orders/delete", b'{"id": 801}', ("gid://shopify/Order/801",)),
        ("refunds/create", b'{"id": 5, "order_id": 801}', ("gid://shopify/Order/801",)),
        ("app/uninstalled", b'{"id": 1}', ()),
        ("orders/create", b"not json", ()),
        ("orders/create", b"[]", ()),
        ("orders/create", b'{"id": true}', ()),
    ],
)
def test_a_hint_names_the_orders_that_it_can(
    topic: str, body: bytes, orders: tuple[str, ...]
) -> None:
    hint = hint_of(SETTINGS, headers(body, topic=topic), body)

    assert hint is not None
    assert hint.order_ids == orders


@pytest.mark.parametrize("topic", ["inventory_levels/update", "products/update", ""])
def test_what_our_own_writes_cause_is_not_followed(topic: str) -> None:
    assert hint_of(SETTINGS, headers(topic=topic), BODY) is None


def test_another_shops_notification_is_not_followed() -> None:
    assert (
        hint_of(SETTINGS, headers(**{"X-Shopify-Shop-Domain": "other.myshopify.com"}), BODY) is None
    )


def test_the_secret_before_a_rotation_still_verifies() -> None:
    assert hint_of(SETTINGS, headers(secret="old-secret"), BODY) is not None


@pytest.mark.parametrize(
    "given",
    [
        headers(secret="other"),
        {"X-Shopify-Topic": "orders/create"},
        headers(b"{}"),
        {"X-Shopify-Hmac-Sha256": "é"},
    ],
)
def test_a_wrong_signature_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(CredentialsRejected):
        hint_of(SETTINGS, given, BODY)


def test_without_a_secret_nothing_is_believed() -> None:
    settings = ShopifySettings(shop="example.myshopify.com", access_token="shpat_1")

    with pytest.raises(CredentialsRejected, match="client secret"):
        hint_of(settings, headers(secret=""), BODY)


@pytest.mark.anyio
async def test_what_the_simulated_shop_sends_is_verified(open_bench: Open) -> None:
    async with open_bench({"A": 5}) as bench:
        bench.sim.platform.webhooks.subscriptions.update(
            {"ORDERS_CREATE": "https://h", "INVENTORY_LEVELS_UPDATE": "https://h"}
        )
        placed = bench.sim.place_order({"A": 1})
        bench.sim.set_stock("A", 9)

        hints = [
            bench.connector.parse_webhook(sent.headers, sent.body)
            for sent in bench.sim.platform.webhooks.sent
        ]

    assert [hint and (hint.topic, hint.order_ids) for hint in hints] == [
        ("orders/create", (placed,)),
        None,
    ]


@dataclass
class Listener:
    """A server that receives every notification, and refuses the first `refusing` deliveries."""

    url: str = ""
    refusing: int = 0
    heard: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    settled: threading.Event = field(default_factory=threading.Event)
    wanted: int = 1


@pytest.fixture
def listener() -> Iterator[Listener]:
    found = Listener()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            refused = found.refusing > 0
            found.refusing -= refused
            found.heard.append((dict(self.headers.items()), body))
            self.send_response(500 if refused else 200)
            self.send_header("content-length", "0")
            self.end_headers()
            if len(found.heard) >= found.wanted:
                found.settled.set()

        def log_message(self, *arguments: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_port}/webhooks"
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
    )
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.anyio
async def test_the_simulated_shop_posts_duplicates_and_repeats_what_was_refused(
    open_bench: Open, listener: Listener
) -> None:
    async with open_bench({"A": 5}) as bench:
        for name, value in {
            "webhook_url": listener.url,
            "webhook_copies": 2,
            "webhook_retry_after": 0.01,
        }.items():
            bench.sim.switch(name, value)
        listener.refusing, listener.wanted = 1, 3

        placed = bench.sim.place_order({"A": 1})

        assert await anyio.to_thread.run_sync(listener.settled.wait, 10)
        hints = [bench.connector.parse_webhook(headers, body) for headers, body in listener.heard]
    assert [hint and (hint.topic, tuple(hint.order_ids)) for hint in hints] == [
        ("orders/create", (placed,))
    ] * 3
    assert len({hint.delivery_id for hint in hints if hint}) == 1, (
        "a retry and a duplicate are known by their id"
    )


@pytest.mark.anyio
async def test_lost_notifications_lose_no_order(open_bench: Open, listener: Listener) -> None:
    async with open_bench({"A": 5}) as bench:
        bench.sim.switch("webhook_url", listener.url)
        bench.sim.switch("webhook_copies", 0)
        placed = bench.sim.place_order({"A": 1})

        assert [order.external_id for order in await bench.orders()] == [placed]
    assert listener.heard == []
