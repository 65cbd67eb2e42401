"""Against a real HTTP receiver."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from zaiko_core.plugin_host.loader import load
from zaiko_notifier import plugin
from zaiko_notifier.webhook import SIGNATURE, Webhook, signature
from zaiko_sdk import Oversold, OversoldCleared, RunFinished, ShopHeld, Trouble

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Receiver(HTTPServer):
    """Answers with `statuses` in turn, then 200; keeps (signature, body)."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.statuses: list[int] = []
        self.got: list[tuple[str, bytes]] = []
        self.url = f"http://127.0.0.1:{self.server_port}/hook"


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.got.append((self.headers[SIGNATURE], body))
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else 200)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def configured(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Receiver:
    monkeypatch.setenv("ZAIKO_NOTIFIER_URL", receiver.url)
    monkeypatch.setenv("ZAIKO_NOTIFIER_SECRET", "s3cret")
    plugin._failing.clear()
    return receiver


def run(reason: str | None) -> RunFinished:
    trouble = None if reason is None else Trouble(reason, "PLATFORM", "…")
    state = "SUCCEEDED" if reason is None else "FAILED"
    return RunFinished(
        "merchants/m/shops/s", "fake", "r", "interval", state, NOW, NOW, 0, 0, 0, 0, trouble
    )


def test_the_plugin_loads() -> None:
    assert [report.failure for report in load([("notifier", plugin)], entry_points=[]).plugins] == [
        None
    ]


def test_a_held_shop_is_posted_and_signed(configured: Receiver) -> None:
    plugin.zaiko_shop_held(
        ShopHeld(
            "merchants/m/shops/s",
            "fake",
            Trouble("CREDENTIALS_REJECTED", "MERCHANT", "期限切れ"),
            NOW,
        )
    )

    [(signed, body)] = configured.got
    assert signed == signature("s3cret", body)
    assert signed != signature("other", body)
    document = json.loads(body)
    assert (document["kind"], document["trouble"]["reason"], document["at"]) == (
        "shop_held",
        "CREDENTIALS_REJECTED",
        "2026-01-01T00:00:00+00:00",
    )


def test_the_same_failure_is_posted_once_until_a_run_succeeds(configured: Receiver) -> None:
    for reason in ("TIMEOUT", "TIMEOUT", "THROTTLED", None, "THROTTLED"):
        plugin.zaiko_run_finished(run(reason))
    assert [json.loads(body)["trouble"]["reason"] for _, body in configured.got] == [
        "TIMEOUT",
        "THROTTLED",
        "THROTTLED",
    ]


def test_without_an_address_nothing_is_posted(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ZAIKO_NOTIFIER_URL", raising=False)
    plugin.zaiko_run_finished(run("TIMEOUT"))
    assert receiver.got == []


@pytest.mark.parametrize(
    ("statuses", "taken", "tries"),
    [([503, 429], True, 3), ([503] * 3, False, 3), ([400], False, 1), ([302], False, 1)],
)
def test_tries_are_bounded(
    receiver: Receiver, statuses: list[int], taken: bool, tries: int
) -> None:
    receiver.statuses, waits = list(statuses), []
    assert Webhook(receiver.url, "s", sleep=waits.append).post({}) is taken
    assert (len(receiver.got), waits) == (tries, [1.0, 4.0][: tries - 1])


def test_a_receiver_that_is_not_there_is_no_exception() -> None:
    waits: list[float] = []
    assert Webhook("http://127.0.0.1:9/", "s", sleep=waits.append, timeout=2).post({}) is False
    assert waits == [1.0, 4.0]


def test_an_oversell_and_its_end_are_posted(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZAIKO_NOTIFIER_URL", receiver.url)
    monkeypatch.setenv("ZAIKO_NOTIFIER_SECRET", "s3cret")
    product, name = "merchants/m/products/tea", "merchants/m/oversells/0000000000000007"

    plugin.zaiko_oversold(
        Oversold(
            name,
            product,
            2,
            2,
            "merchants/m/shops/a",
            "#1",
            "SOLD_TWICE",
            "ESCROW",
            "MERCHANT",
            "…",
            NOW,
        )
    )
    plugin.zaiko_oversold_cleared(OversoldCleared(product, (name,), NOW))

    kinds = [(json.loads(body)["kind"], json.loads(body)["product"]) for _, body in receiver.got]
    assert kinds == [("oversold", product), ("oversold_cleared", product)]
