"""Each resource can be shown alone, and an operation can be watched until it ends."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from e2e.local_server import Local, Zaiko, local_server
from support.waiting import until
from zaiko.v1 import operation_pb2, operation_service_pb2
from zaiko_cli.client import ApiClient
from zaiko_cli.connection import ServerConnection


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    with local_server(tmp_path_factory.mktemp("get")) as started:
        yield started


@pytest.fixture
def acme(
    local: Local, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Zaiko:
    monkeypatch.setenv("ZAIKO_MERCHANT", "acme")
    zaiko = Zaiko(local.address, capsys)
    if "acme" not in zaiko("merchants", "list").out:
        zaiko("merchants", "create", "acme")
        zaiko("warehouses", "create", "tokyo", "--name", "東京")
    return zaiko


def facts(out: str) -> dict[str, str]:
    """Return a shown resource's facts by name."""
    pairs = [re.split(r"\s{2,}", line.strip(), maxsplit=1) for line in out.splitlines()]
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}


def test_a_warehouse_is_shown(acme: Zaiko) -> None:
    assert facts(acme("warehouses", "get", "tokyo").out)["name"] == "東京"
    assert "[RESOURCE_NOT_FOUND]" in acme("warehouses", "get", "nowhere", code=1).err


def test_a_products_code_barcode_and_name_are_changed_and_nothing_else(acme: Zaiko) -> None:
    acme("products", "create", "OLD-1", "--name", "Tea")

    acme("products", "update", "OLD-1", "--code", "NEW-1", "--barcode", "4901234567894")
    changed = acme("products", "get", "NEW-1", "--output", "json").json
    acme("products", "update", "NEW-1", "--barcode", "")

    assert (changed["barcode"], changed["display_name"]) == ("4901234567894", "Tea")
    assert acme("products", "get", "NEW-1", "--output", "json").json["barcode"] == ""
    assert "--code, --barcode or --name" in acme("products", "update", "NEW-1", code=2).err


def test_a_token_is_shown_without_its_secret(acme: Zaiko, tmp_path: Path) -> None:
    for where in ((), ("--db", str(tmp_path / "zaiko.db"))):
        secret = acme(
            "tokens", "create", "WMS", "--role", "reader", "--for", "acme", *where
        ).out.strip()
        listed = acme("tokens", "list", "--output", "json", *where).json
        token = listed[0]["name"].rpartition("/")[2]

        shown = acme("tokens", "get", token, *where).out

        assert (facts(shown)["who"], facts(shown)["merchants"]) == ("WMS", "acme")
        assert facts(shown)["state"] == "valid"
        assert secret not in shown


def test_a_run_an_order_and_an_oversell_are_shown(acme: Zaiko, local: Local) -> None:
    shop = local.shops["compare-and-set"].shop
    shop.stock["MUG-1"] = 3
    acme("products", "create", "MUG-1")
    acme("stock", "receive", "MUG-1", "5")
    create = ("shops", "create", "s1", "--connector", "fake-compare-and-set")
    acme(*create, "--set", "shop=compare-and-set")
    acme("listings", "refresh", "s1")
    acme("link", "bulk", "s1", "--enable-sync")
    acme("sync", "s1", "--wait")
    order = shop.place({"MUG-1": 2})
    acme("sync", "s1", "--wait")
    acme("stock", "adjust", "MUG-1", "--counted", "1", "--as-of", "now")

    run = acme("runs", "s1", "--output", "json").json[0]["name"]
    for name in (run, f"s1/{run.rpartition('/')[2]}"):
        assert facts(acme("runs", "get", name).out)["state"] == "SUCCEEDED"
    assert facts(acme("orders", "get", "s1", order).out)["number"] == f"#{order}"
    assert "No order '7-7' of s1" in acme("orders", "get", "s1", "7-7", code=1).err
    oversell = acme("oversells", "MUG-1", "--output", "json").json[0]["name"].rpartition("/")[2]
    shown = acme("oversells", "get", oversell).out
    assert facts(shown)["cause"] == "STOCK_CORRECTED"
    assert "s1" in shown
    document = acme("oversells", "get", oversell, "--output", "json").json
    assert document["snapshots"][0]["link"].startswith("merchants/acme/shops/s1/links/")


def test_an_addition_is_shown(acme: Zaiko, local: Local) -> None:
    shop = local.shops["set"]
    shop.shop.stock["LEGACY"] = 7
    acme("shops", "create", "legacy", "--connector", "fake-set", "--set", "shop=set")
    acme("listings", "refresh", "legacy")
    acme("products", "create", "LEGACY")
    acme("link", "create", "legacy", "LEGACY", "LEGACY")
    acme("receiving", "on", "LEGACY")
    acme("stock", "receive", "LEGACY", "5")
    until(lambda: shop.stock()["LEGACY"] == 12)
    listed = acme("receiving", "list", "--output", "json").json
    addition = listed[0]["name"].rpartition("/")[2]

    shown = facts(acme("receiving", "get", addition).out)

    # On this platform it is settled a minute later, when no order can come to light any longer.
    assert shown["state"] in ("SENT", "ADDED")
    assert (shown["sku"], shown["shop"], shown["units"]) == ("LEGACY", "legacy", "5")


def test_an_operation_is_watched_until_it_ends(acme: Zaiko) -> None:
    create = ("shops", "create", "s2", "--connector", "fake-adjust")
    acme(*create, "--set", "shop=adjust")
    acme("listings", "refresh", "s2")
    operation = acme("operations", "list", "--output", "json").json[0]["name"]

    assert acme("operations", "watch", operation).out.splitlines()[-1].startswith("SUCCEEDED")
    lines = acme("operations", "watch", operation, "--output", "json").out.splitlines()
    assert json.loads(lines[-1])["state"] == "STATE_SUCCEEDED"
    assert "[RESOURCE_NOT_FOUND]" in acme("operations", "watch", "nowhere", code=1).err


class Away(grpc.RpcError):
    def __init__(self, code: grpc.StatusCode) -> None:
        super().__init__()
        self._code = code

    def code(self) -> grpc.StatusCode:
        return self._code


class Calls:
    """WatchOperation of a server that goes away: each call ends as `ends` says."""

    def __init__(self, *ends: Any) -> None:
        self.ends = list(ends)

    def WatchOperation(self, request: Any, metadata: Any) -> Any:
        return _Call(self.ends.pop(0))


class _Call:
    def __init__(self, end: Any) -> None:
        self._end = end

    def __iter__(self) -> Iterator[Any]:
        if isinstance(self._end, grpc.RpcError):
            raise self._end
        operation = operation_pb2.Operation(state=self._end)
        yield operation_service_pb2.WatchOperationResponse(operation=operation)
        if self._end == operation_pb2.Operation.STATE_RUNNING:
            raise Away(grpc.StatusCode.UNAVAILABLE)

    def cancel(self) -> None: ...


def watched(monkeypatch: pytest.MonkeyPatch, *ends: Any) -> list[Any]:
    monkeypatch.setattr("zaiko_cli.client._PAUSE", 0.01)
    client = ApiClient(ServerConnection("localhost:1"))
    monkeypatch.setitem(client.__dict__, "operations", Calls(*ends))
    return [found.state for found in client.watch_operation("o", patience=0.02)]


def test_a_server_that_restarts_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = operation_pb2.Operation
    away = Away(grpc.StatusCode.UNAVAILABLE)

    states = watched(monkeypatch, kind.STATE_RUNNING, away, kind.STATE_SUCCEEDED)

    assert states == [kind.STATE_RUNNING, kind.STATE_SUCCEEDED]


def test_a_server_that_stays_away_or_refuses_ends_the_watch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(Away):
        watched(monkeypatch, *[Away(grpc.StatusCode.UNAVAILABLE)] * 5)
    with pytest.raises(Away):
        watched(monkeypatch, Away(grpc.StatusCode.NOT_FOUND), operation_pb2.Operation())
