"""What Prometheus reads of a real server."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
import structlog
from e2e.local_server import Zaiko, run
from prometheus_client.parser import text_string_to_metric_families
from support.waiting import until
from zaiko_core.bootstrap import Engine
from zaiko_core.plugin_host.loader import load
from zaiko_core.storage.secrets import SecretBox
from zaiko_sdk.testing.simulator import NewListing, SimulatorServer
from zaiko_server.config import Config
from zaiko_server.lifecycle import Server


@pytest.fixture
def server(sqlite_url: str) -> Iterator[Server]:
    config = Config(
        listen="127.0.0.1:0",
        metrics="127.0.0.1:0",
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


def scrape(server: Server) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample, by name and labels."""
    text = httpx.get(f"http://{server.metrics}/metrics", timeout=60).text
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_runs_pushes_calls_and_notifications_are_counted(
    server: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZAIKO_MERCHANT", "acme")
    zaiko = Zaiko(server.address, capsys)  # type: ignore[attr-defined]
    simulator = load().simulators()["shopify"].create()
    simulator.add_listings([NewListing("TEA", 3)])
    with SimulatorServer(simulator) as platform:
        zaiko("merchants", "create", "acme", "--name", "Acme")
        zaiko("warehouses", "create", "tokyo")
        zaiko(
            "shops",
            "create",
            "mall",
            "--connector",
            "shopify",
            "--simulator",
            platform.base_url,
            "--interval",
            "3600",
        )
        zaiko("products", "create", "TEA", "--name", "Tea")
        zaiko("stock", "receive", "TEA", "10")
        zaiko("listings", "refresh", "mall")
        zaiko("link", "bulk", "mall", "--enable-sync")
        until(lambda: simulator.stock()["TEA"] == 10)
        httpx.post(
            f"http://{server.webhooks}/webhooks/merchants/acme/shops/mall",
            content=b"{}",
            timeout=60,
        )
        pushed = ("zaiko_pushes_total", (("connector", "shopify"), ("outcome", "confirmed")))
        samples = until(lambda: (found := scrape(server)).get(pushed) and found)

    assert samples[pushed] == 1
    assert samples["zaiko_webhooks_total", (("status", "401"),)] == 1
    assert (
        samples[
            "zaiko_rpcs_total", (("code", "OK"), ("method", "/zaiko.v1.ShopService/CreateShop"))
        ]
        == 1
    )
    assert (
        samples["zaiko_rpc_seconds_count", (("method", "/zaiko.v1.ShopService/CreateShop"),)] == 1
    )
    assert sum(value for (name, _), value in samples.items() if name == "zaiko_runs_total") >= 1
    assert samples["zaiko_watches", ()] == 0


def test_how_well_numbers_are_verified_is_counted_again_and_again(server: Server) -> None:
    run(server.engine._gauges.count())

    samples = scrape(server)
    assert (samples["zaiko_oversells_open", ()], samples["zaiko_shops_overdue_seconds", ()]) == (
        0,
        0,
    )


def test_an_address_that_is_taken_is_told_and_nothing_is_left_running(
    server: Server, sqlite_url: str
) -> None:
    config = Config(
        listen="127.0.0.1:0",
        metrics=server.metrics,
        database=sqlite_url,
        secret_keys=(SecretBox.new_key(),),
    )

    with pytest.raises(RuntimeError, match="for metrics"):
        run(Server(Engine(config.engine()), config).start())
