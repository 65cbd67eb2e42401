"""`zaiko doctor` against a real server, and against its database beside it."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from e2e.local_server import Local, Said, Zaiko, local_server
from sqlalchemy import create_engine


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Local]:
    with local_server(tmp_path) as running:
        yield running


@pytest.fixture
def zaiko(
    local: Local,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Zaiko:
    monkeypatch.delenv("ZAIKO_MERCHANT", raising=False)
    monkeypatch.chdir(tmp_path)
    zaiko = Zaiko(local.address, capsys)
    zaiko("merchants", "create", "acme")
    zaiko("warehouses", "create", "tokyo")
    return zaiko


def found(said: Said, check: str) -> list[dict[str, Any]]:
    return [finding for finding in said.json["findings"] if finding["check"] == check]


def test_a_server_that_is_well_is_0(zaiko: Zaiko) -> None:
    said = zaiko("doctor", "--output", "json", code=0)

    assert said.json["level"] == "OK"
    assert {finding["check"] for finding in said.json["findings"]} == {
        "packages",
        "server",
        "access",
        "version",
        "connectors",
        "sync",
    }


def test_trouble_ends_with_its_level_and_names_who_must_act(zaiko: Zaiko, local: Local) -> None:
    shop = local.shops["set"].shop
    shop.stock["CUP"] = 1
    order = shop.place({"CUP": 1})
    zaiko("products", "create", "CUP")
    zaiko("shops", "create", "s1", "--connector", "fake-set", "--set", "shop=set")
    zaiko("listings", "refresh", "s1")
    [warned] = zaiko("doctor", "--quiet", "--output", "json", code=1).json["findings"]
    assert "without a link" in warned["message"]
    zaiko("link", "bulk", "s1", "--enable-sync")
    zaiko("sync", "s1", "--wait")
    assert order in zaiko("orders", "list", "s1").out

    said = zaiko("doctor", "--output", "json", code=2)

    [trouble] = found(said, "stock")
    assert (trouble["level"], trouble["subject"], trouble["owner"]) == (
        "PROBLEM",
        "acme",
        "MERCHANT",
    )
    assert said.json["level"] == "PROBLEM"
    table = zaiko("doctor", "--quiet", code=2).out
    assert trouble["message"] in table
    assert trouble["do"] in table


def test_one_merchant_can_be_chosen(zaiko: Zaiko) -> None:
    zaiko("merchants", "create", "other")

    assert [one["subject"] for one in found(zaiko("doctor", "--output", "json"), "sync")] == [
        "acme",
        "other",
    ]
    assert [
        one["subject"]
        for one in found(zaiko("doctor", "--merchant", "other", "--output", "json"), "sync")
    ] == ["other"]
    assert found(zaiko("doctor", "--merchant", "none", "--output", "json", code=2), "merchants")


def test_no_server_is_2(capsys: pytest.CaptureFixture[str]) -> None:
    said = Zaiko("127.0.0.1:1", capsys)("doctor", "--output", "json", code=2)

    [server] = found(said, "server")
    assert "zaiko serve" in server["message"]


def test_the_database_is_looked_at_beside_its_server(zaiko: Zaiko, tmp_path: Path) -> None:
    before = sorted(file.name for file in tmp_path.iterdir())
    said = zaiko("doctor", "--db", "zaiko.db", "--output", "json", code=0)

    checks = {finding["check"] for finding in said.json["findings"]}
    assert checks == {
        "packages",
        "configuration",
        "connectors",
        "database",
        "clock",
        "disk",
        "keys",
        "witness",
        "webhooks",
        "sync",
    }
    assert sorted(file.name for file in tmp_path.iterdir()) == before, "nothing was made"


def test_a_database_with_a_lost_key_is_2(zaiko: Zaiko, tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/zaiko.db")
    zaiko("shops", "create", "s1", "--connector", "fake-set", "--set", "shop=set")
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE shops SET secrets = x'00'")
    engine.dispose()

    doctor_json = functools.partial(zaiko, "doctor", "--db", "zaiko.db", "--output", "json", code=2)

    [keys] = found(doctor_json(), "keys")
    assert "missing" in keys["message"]
    [shops] = found(doctor_json(), "shops")
    assert "CONNECTOR_NOT_LOADED" in shops["message"], "the toy connectors are the server's alone"
