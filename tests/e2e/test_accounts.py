"""Accounts of simulated platforms over real HTTP: a test shop that is pointed to the real one, and
one shop that is connected twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

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

SKU = "TEA"


@pytest.fixture(params=["ecforce", pytest.param("shopify", marks=pytest.mark.thorough)])
def platform(request: pytest.FixtureRequest) -> Iterator[tuple[SimulatorServer, SimulatorServer]]:
    """A test account and the real one; both number their orders from the same start."""

    def account() -> SimulatorServer:
        simulator = load().simulators()[request.param].create()
        simulator.add_listings([NewListing(SKU, 10)])
        return SimulatorServer(simulator)

    with account() as test, account() as live:
        test.kind = live.kind = request.param  # type: ignore[attr-defined]
        yield test, live


@pytest.fixture
def zaiko(
    sqlite_url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Zaiko]:
    config = Config(listen="127.0.0.1:0", database=sqlite_url, secret_keys=(SecretBox.new_key(),))
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    server = Server(Engine(config.engine()), config)
    address = run(server.start())
    monkeypatch.setenv("ZAIKO_MERCHANT", "acme")
    zaiko = Zaiko(address, capsys)
    zaiko("merchants", "create", "acme", "--name", "Acme")
    yield zaiko
    run(server.stop(grace=1))
    structlog.configure(**before)


def create(zaiko: Zaiko, shop: str, of: SimulatorServer, code: int = 0) -> str:
    options = ("--connector", of.kind, "--simulator", of.base_url)  # type: ignore[attr-defined]
    return zaiko("shops", "create", shop, *options, code=code).err


def got(zaiko: Zaiko, shop: str) -> dict[str, Any]:
    return zaiko("shops", "get", shop, "--output", "json").json


def reason(zaiko: Zaiko, shop: str) -> str:
    return got(zaiko, shop).get("status", {}).get("problem", {}).get("reason", "")


def orders(zaiko: Zaiko, shop: str) -> list[str]:
    return [row["name"] for row in zaiko("orders", "list", shop, "--output", "json").json]


def test_a_shop_that_is_pointed_to_another_account_takes_none_of_its_orders(
    zaiko: Zaiko, platform: tuple[SimulatorServer, SimulatorServer]
) -> None:
    test, live = platform
    test.simulator.place_order({SKU: 2})
    create(zaiko, "mall", test)
    until(lambda: len(orders(zaiko, "mall")) == 1)
    account = got(zaiko, "mall")["account"]
    live.simulator.place_order({SKU: 6})

    at_once = test.kind == "ecforce"  # type: ignore[attr-defined]
    update = ("shops", "update", "mall", "--simulator", live.base_url)
    error = zaiko(*update, code=1 if at_once else 0).err
    if at_once:
        assert "[ACCOUNT_CHANGED]" in error
        assert got(zaiko, "mall")["settings"]["origin"] == test.base_url
    else:
        until(lambda: reason(zaiko, "mall") == "ERROR_REASON_ACCOUNT_CHANGED")

    (order,) = zaiko("orders", "list", "mall", "--output", "json").json
    assert [int(line["ordered"]) for line in order["lines"]] == [2]
    assert got(zaiko, "mall")["account"] == account
    assert live.simulator.stock() == {SKU: 4}


def test_one_account_is_not_two_shops(
    zaiko: Zaiko, platform: tuple[SimulatorServer, SimulatorServer]
) -> None:
    test, _ = platform
    test.simulator.place_order({SKU: 3})
    create(zaiko, "mall", test)
    until(lambda: len(orders(zaiko, "mall")) == 1)

    if test.kind == "ecforce":  # type: ignore[attr-defined]
        error = create(zaiko, "again", test, code=1)
        assert "[ACCOUNT_TAKEN]" in error
        assert "shops/mall" in error
    else:
        create(zaiko, "again", test)
        until(lambda: reason(zaiko, "again") == "ERROR_REASON_ACCOUNT_TAKEN")
        assert orders(zaiko, "again") == []
        assert "shops/mall" in got(zaiko, "again")["status"]["problem"]["message"]


@pytest.mark.parametrize("platform", ["ecforce"], indirect=True)
def test_settings_that_lead_to_the_account_of_another_shop_are_refused(
    zaiko: Zaiko, platform: tuple[SimulatorServer, SimulatorServer]
) -> None:
    test, live = platform
    create(zaiko, "mall", test)
    create(zaiko, "other", live)

    error = zaiko("shops", "update", "other", "--simulator", test.base_url, code=1).err

    assert "[ACCOUNT_TAKEN]" in error
