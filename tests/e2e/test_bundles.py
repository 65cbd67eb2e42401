"""A bundle as a person makes it on the command line, in a shop of each inventory mode, over a real
server."""

from __future__ import annotations

from pathlib import Path

import pytest
from e2e.local_server import Zaiko, local_server
from support.waiting import until


@pytest.mark.parametrize(
    "mode",
    [
        "set",
        *(pytest.param(mode, marks=pytest.mark.thorough) for mode in ("compare-and-set", "adjust")),
    ],
)
def test_a_bundle_follows_its_parts_and_an_order_for_it_takes_both(
    mode: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZAIKO_MERCHANT", "acme")
    with local_server(tmp_path) as local:
        zaiko, shop = Zaiko(local.address, capsys), local.shops[mode].shop
        zaiko("merchants", "create", "acme")
        zaiko("warehouses", "create", "tokyo")
        for code, units in (("TEA", "7"), ("POT", "5")):
            zaiko("products", "create", code)
            zaiko("stock", "receive", code, units)
        shop.stock |= {"SET": 0}
        zaiko("shops", "create", "s1", "--connector", f"fake-{mode}", "--set", f"shop={mode}")
        zaiko("listings", "refresh", "s1")

        made = zaiko("link", "create", "s1", "SET", "TEA:2", "POT", "--enable-sync").out
        assert "2 × TEA" in made
        assert "1 × POT" in made
        until(lambda: shop.stock["SET"] == 3)

        zaiko("stock", "receive", "TEA", "9")
        until(lambda: shop.stock["SET"] == 5)

        shop.place({"SET": 2})
        zaiko("sync", "s1", "--wait")
        free = {
            row["product"].rpartition("/")[2]: int(row["free"])
            for row in zaiko("stock", "list", "--output", "json").json
        }
        assert sorted(free.values()) == [3, 12]
        until(lambda: shop.stock["SET"] == 3)
