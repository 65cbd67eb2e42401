"""The command line as a person and a script use it, against a real server."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer
from e2e.local_server import Local, Zaiko, local_server
from support.waiting import until
from zaiko_cli.app import app, global_options
from zaiko_cli.commands import CONTRIBUTED, contributed


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    with local_server(tmp_path_factory.mktemp("cli")) as started:
        yield started


@pytest.fixture
def zaiko(
    local: Local, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Zaiko:
    monkeypatch.setenv("ZAIKO_MERCHANT", "acme")
    return Zaiko(local.address, capsys)


@pytest.fixture
def acme(zaiko: Zaiko) -> Zaiko:
    """A merchant with a warehouse."""
    if "acme" not in zaiko("merchants", "list").out:
        zaiko("merchants", "create", "acme", "--name", "Acme 商店")
        zaiko("warehouses", "create", "tokyo")
    return zaiko


def cells(out: str) -> list[list[str]]:
    """The cells of every line of a table."""
    return [re.split(r"\s{2,}", line.strip()) for line in out.splitlines()]


# Products and stock


def test_products_by_code_or_by_id(acme: Zaiko) -> None:
    acme("products", "create", "TEA-1", "--id", "tea-one", "--name", "緑茶")

    by_code = acme("products", "get", "TEA-1", "--output", "json").json
    by_id = acme("products", "get", "tea-one", "--output", "json").json

    assert by_code == by_id
    assert by_code["code"] == "TEA-1"
    assert "緑茶" in acme("products", "list", "TEA").out


def test_a_file_of_facts_is_fed_and_what_is_refused_is_listed(acme: Zaiko, tmp_path: Path) -> None:
    acme("products", "create", "F-1")
    acme("products", "create", "F-2")
    file = tmp_path / "facts.csv"
    file.write_text(
        "fact,sku,units,cause,warehouse,shipment,note\n"
        "receipt,F-1,10,f1,,,first\n"
        "receipt,F-2,5,f2,tokyo,,\n"
        "allocation,F-1,4,f3,,S-1,\n"
        "shipment,F-1,3,f4,,S-1,\n"
        "shipment,F-1,30,f5,,S-1,\n"
        "adjustment,F-2,-1,f6,,,\n"
        "receipt,NOWHERE,1,f7,,,\n"
        "receipt,F-2,many,f8,,,\n"
        "theft,F-2,1,f9,,,\n"
    )

    first = acme("stock", "feed", str(file), "--output", "json", code=1).json

    assert (first["recorded"], first["alreadyRecorded"]) == (5, 0)
    assert [(row["line"], row["cause"]) for row in first["refused"]] == [
        (6, "f5"),
        (8, "f7"),
        (9, "f8"),
        (10, "f9"),
    ]
    assert "holds 1" in first["refused"][0]["problem"]
    again = acme("stock", "feed", str(file), code=1)
    assert "0 recorded, 5 had been recorded before, 4 refused." in again.out
    assert acme("stock", "get", "F-1", "--output", "json").json["physical"] == "7"
    assert acme("stock", "get", "F-2", "--output", "json").json["physical"] == "4"


def test_a_delivery_note_is_recorded_as_a_whole_and_once(acme: Zaiko, tmp_path: Path) -> None:
    acme("products", "create", "D-1")
    file = tmp_path / "delivery.csv"
    file.write_text("sku,units,note\nD-1,10,pallet 7\nD-1,-5,\n")
    refused = acme("stock", "deliver", str(file), "--cause", "DN-1", code=1)
    assert "quantity" in refused.err

    file.write_text("sku,units,note\nD-1,10,pallet 7\nD-1,5,\n")
    first = acme("stock", "deliver", str(file), "--cause", "DN-1")
    again = acme("stock", "deliver", str(file), "--cause", "DN-1", "--output", "json").json

    assert "2 recorded, 0 had been recorded before." in first.out
    assert ["D-1", "15", "15", "15"] in cells(first.out)
    assert [result["movement"]["cause_key"] for result in again["results"]] == ["DN-1/2", "DN-1/3"]
    assert {result["already_recorded"] for result in again["results"]} == {True}
    file.write_text("sku,units\nD-1,1\nD-1,6\n")
    assert (
        "Line 2 is refused, so nothing is recorded."
        in acme("stock", "deliver", str(file), "--cause", "DN-1", code=1).out
    )


def test_a_file_with_other_columns_is_refused_before_anything_is_sent(
    acme: Zaiko, tmp_path: Path
) -> None:
    file = tmp_path / "facts.csv"
    file.write_text("fact,sku,units,price\n")

    assert "lacks cause" in acme("stock", "feed", str(file), code=2).err
    assert "has fact, price" in acme("stock", "deliver", str(file), "--cause", "DN-2", code=2).err


def test_stock_comes_and_goes(acme: Zaiko) -> None:
    acme("products", "create", "CUP-1")

    acme("stock", "receive", "CUP-1", "100", "--cause", "delivery-7")
    again = acme("stock", "receive", "CUP-1", "100", "--cause", "delivery-7")
    acme("stock", "adjust", "CUP-1", "--by", "-3")
    acme("stock", "adjust", "CUP-1", "--counted", "95", "--as-of", "now")
    acme("stock", "allocate", "CUP-1", "5", "--shipment", "S-1")
    acme("stock", "ship", "CUP-1", "5", "--shipment", "S-1")
    reserved = acme("reserve", "CUP-1", "10")

    assert "recorded before" in again.out
    # product, physical, allocated, deliverable, ordered, free, oversold, reserve, synced, sent
    assert ["CUP-1", "90", "0", "90", "0", "90", "0", "10", "80", "80"] in cells(reserved.out)
    kinds = [row[2] for row in cells(acme("stock", "movements", "CUP-1").out) if "CUP-1" in row]
    assert kinds == ["SHIP", "ALLOCATE", "ADJUST", "ADJUST", "RECEIVE"]
    assert ["tokyo", "90", "0", "90"] in cells(acme("stock", "get", "CUP-1").out)


def test_a_stock_take_goes_on_while_goods_leave_and_units_move_between_warehouses(
    zaiko: Zaiko, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zaiko("merchants", "create", "counting")
    monkeypatch.setenv("ZAIKO_MERCHANT", "counting")
    zaiko("warehouses", "create", "tokyo")
    zaiko("products", "create", "CNT-1")
    zaiko("stock", "receive", "CNT-1", "10")
    begun = tmp_path / "begun"
    revision = zaiko("stock", "count", "begin", "--save", str(begun)).out.splitlines()[0]
    zaiko("stock", "allocate", "CNT-1", "2", "--shipment", "S-7")
    zaiko("stock", "ship", "CNT-1", "2", "--shipment", "S-7")

    found = zaiko("stock", "count", "enter", "CNT-1", "10", "--as-of", revision)
    file = tmp_path / "counted.csv"
    file.write_text("sku,counted\nCNT-1,9\n")
    again = zaiko("stock", "count", "enter", "--file", str(file), "--begun", str(begun))

    assert ["CNT-1", "tokyo", "+0", "8", "8"] in cells(found.out)
    assert ["CNT-1", "tokyo", "-1", "7", "7"] in cells(again.out)
    assert "--as-of" in zaiko("stock", "count", "enter", "CNT-1", "10", code=2).err

    zaiko("warehouses", "create", "osaka")
    zaiko("stock", "transfer", "CNT-1", "3", "--from", "tokyo", "--to", "osaka")
    shown = zaiko("stock", "get", "CNT-1").out
    zaiko("stock", "transfer", "CNT-1", "3", "--from", "osaka", "--to", "tokyo")
    assert ["osaka", "3", "0", "3"] in cells(shown)
    assert ["tokyo", "4", "0", "4"] in cells(shown)


def test_json_has_zeros_too_and_nothing_but_json(acme: Zaiko) -> None:
    acme("products", "create", "BOX-1")

    stock = acme("--output", "json", "stock", "list", "BOX-1").json

    assert [(item["physical"], item["oversold"]) for item in stock] == [("0", "0")]


# Errors


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["stock", "receive", "NOPE", "1"], 1, "No product has the code or id 'NOPE'"),
        (["products", "create", "TEA-1"], 1, "[CODE_TAKEN]"),
        (["stock", "ship", "TEA-1", "5", "--shipment", "S-9"], 1, "[DEMAND_EXCEEDED]"),
        (["stock", "ship", "TEA-1", "5"], 2, "--order SHOP/ORDER or --shipment"),
        (["stock", "adjust", "TEA-1"], 2, "--by UNITS or --counted UNITS"),
        (
            ["shops", "create", "x1", "--connector", "nothing"],
            1,
            "connectors/nothing does not exist",
        ),
        (["shops", "get", "nowhere"], 1, "[RESOURCE_NOT_FOUND]"),
        (["sync"], 2, "Say what to sync"),
        (["link", "list", "--state", "ODD"], 2, "There is no state 'ODD'"),
        (["merchants", "create", "A"], 1, "[INVALID_FIELD]"),
        (["stock", "receive", "TEA-1"], 2, "UNITS"),
    ],
    ids=lambda value: "-".join(value[:2]) if isinstance(value, list) else "",
)
def test_errors_are_a_sentence_a_reason_and_an_exit_code(
    acme: Zaiko, arguments: list[str], code: int, words: str
) -> None:
    acme("products", "create", "TEA-1", code=None)

    said = acme(*arguments, code=code)

    assert words in said.err
    assert "Traceback" not in said.err
    assert said.out == ""


def test_no_server_is_told_with_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    said = Zaiko("127.0.0.1:1", capsys)("merchants", "list", code=3)

    assert "No zaiko server answers at 127.0.0.1:1" in said.err
    assert "zaiko serve" in said.err


def test_the_only_merchant_need_not_be_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ZAIKO_MERCHANT", raising=False)
    with local_server(tmp_path) as local:
        zaiko = Zaiko(local.address, capsys)
        none = zaiko("products", "list", code=1)
        zaiko("merchants", "create", "one")
        zaiko("products", "list")
        zaiko("merchants", "create", "two")
        several = zaiko("products", "list", code=2)

    assert "zaiko merchants create" in none.err
    assert "one, two" in several.err


# Shops and links


def test_from_a_new_shop_to_synced_links(acme: Zaiko, local: Local) -> None:
    shop = local.shops["compare-and-set"].shop
    shop.stock |= {"MUG-1": 3, "MUG-2": 4, "STRANGE": 1}
    for code in ("MUG-1", "MUG-2"):
        acme("products", "create", code)
    acme("stock", "receive", "MUG-1", "20")

    acme(
        "shops",
        "create",
        "s1",
        "--connector",
        "fake-compare-and-set",
        "--set",
        "shop=compare-and-set",
    )
    assert "3 listings were read" in acme("listings", "refresh", "s1").out
    dry = acme("link", "bulk", "s1", "--enable-sync", "--dry-run")
    assert "2 would be linked" in dry.out
    assert acme("link", "list", "s1", "--output", "json").json == []
    done = acme("link", "bulk", "s1", "--enable-sync")
    assert "2 linked, 0 ambiguous, 1 without a product" in done.out
    acme("sync", "s1", "--wait")

    until(lambda: (shop.stock["MUG-1"], shop.stock["MUG-2"]) == (20, 0))
    assert until(
        lambda: [
            row
            for row in cells(acme("link", "list", "s1").out)
            if "SYNCED" in row and "MUG-1" in row
        ]
    )
    order = shop.place({"MUG-1": 2})
    acme("sync", "s1", "--wait")
    assert ["s1", f"#{order}", order, "OPEN"] in [
        row[:4] for row in cells(acme("orders", "list", "s1").out)
    ]
    assert "1 × MUG-1" in acme("orders", "get", "s1", order).out
    assert acme("stock", "list", "MUG-1", "--output", "json").json[0]["free"] == "18"
    explained = acme("explain", "MUG-1").out
    assert "free 18 = physical 20 − ordered 2 = deliverable 20 − unallocated 2" in explained
    assert [row[0] for row in cells(explained) if row[0] == f"s1 #{order}"]
    first = acme("explain", "MUG-1", "--output", "json").json["links"][0]["last_acknowledged_push"][
        "revision"
    ]
    assert (
        "free 20 = physical 20 − ordered 0" in acme("explain", "MUG-1", "--at-revision", first).out
    )
    assert "Nothing was oversold." in acme("oversells").out
    acme("stock", "adjust", "MUG-1", "--counted", "1", "--as-of", "now")
    found = acme("oversells", "MUG-1", "--open").out
    assert "STOCK_CORRECTED" in found
    assert "RESERVE 1" in found
    acme("stock", "adjust", "MUG-1", "--counted", "20", "--as-of", "now")
    assert "Nothing was oversold." in acme("oversells", "--open").out
    acme("stock", "allocate", "MUG-1", "2", "--order", f"s1/{order}")
    assert acme("stock", "list", "MUG-1", "--output", "json").json[0]["free"] == "18"

    assert "SUCCEEDED" in acme("runs", "s1").out
    run = acme("runs", "s1", "--output", "json").json[-1]["name"]
    for name in (run, f"s1/{run.rpartition('/')[2]}"):
        assert "[OPERATION_DONE]" in acme("runs", "cancel", name, code=1).err
    assert "BULK_LINK" in acme("operations", "list").out
    acme("link", "disable", "s1", "MUG-2")
    assert (
        acme("link", "get", "s1", "MUG-2", "--output", "json").json["status"]["state"]
        == "STATE_DISABLED"
    )
    acme("link", "enable", "s1", "MUG-2")
    acme("link", "delete", "s1", "MUG-2")
    acme("link", "create", "s1", "MUG-2", "MUG-1:2", "--enable-sync")
    until(lambda: shop.stock["MUG-2"] == 9)
    acme("shops", "pause", "s1")
    assert "PAUSED" in acme("shops", "list").out
    acme("status", code=None)
    acme("shops", "resume", "s1")
    acme("shops", "check", "s1")
    acme("shops", "update", "s1", "--interval", "60", "--name", "Shop 一")
    assert "Shop 一" in acme("shops", "get", "s1").out
    assert "[SHOP_HAS_LINKS]" in acme("shops", "delete", "s1", code=1).err


def test_connectors_and_their_settings(acme: Zaiko) -> None:
    assert "COMPARE_AND_SET" in acme("connectors").out
    assert "shop" in acme("connectors", "fake-set").out


def test_watch_shows_what_there_is_and_ends(acme: Zaiko) -> None:
    acme("products", "create", "PEN-1")
    acme("stock", "receive", "PEN-1", "7")

    said = acme("watch", "--stocks", "--product", "PEN-1", "--once")
    acme("watch", "--once")

    assert "PEN-1  physical 7, ordered 0, free 7" in said.out


# The command line itself


def test_common_options_may_stand_anywhere() -> None:
    assert global_options(["stock", "list", "--merchant", "acme", "--output=json", "X"]) == [
        "--merchant",
        "acme",
        "--output=json",
        "stock",
        "list",
        "X",
    ]
    assert global_options(["stock", "--", "--merchant"]) == ["stock", "--", "--merchant"]


def _whole() -> Any:
    """Return the command line with the contributed commands in the place of their stand-ins."""
    zaiko: Any = typer.main.get_command(app)
    zaiko.commands |= {name: contributed(name) for name in CONTRIBUTED}
    return zaiko


def test_every_command_and_option_has_help() -> None:
    missing = []

    def visit(command: Any, path: str) -> None:
        if not (command.help or "").strip():
            missing.append(path)
        ours = [
            item
            for item in command.params
            if item.name not in ("help", "install_completion", "show_completion")
        ]
        missing.extend(f"{path} {item.name}" for item in ours if not getattr(item, "help", ""))
        for name, inner in getattr(command, "commands", {}).items():
            visit(inner, f"{path} {name}")

    visit(_whole(), "zaiko")

    assert missing == []


def test_every_command_and_option_in_the_documents_exists() -> None:
    root = Path(__file__).parents[2]
    documents = [
        root / "README.md",
        *(root / "docs").rglob("*.md"),
        *(root / "plugins").glob("*/README.md"),
    ]
    written = {
        line
        for path in documents
        for line in re.findall(r"(?:^    |`)(zaiko [a-z][^`\n#]*)", path.read_text(), re.MULTILINE)
    }
    wrong, zaiko = [], _whole()
    for line in sorted(written):
        command: Any = zaiko
        options = {"--help", *(name for item in command.params for name in item.opts)}
        for word in line.split()[1:]:
            if word in getattr(command, "commands", {}):
                command = command.commands[word]
            elif word.startswith("--"):
                known = {
                    name for item in command.params for name in (*item.opts, *item.secondary_opts)
                }
                if word.partition("=")[0].rstrip(".,") not in known | options:
                    wrong.append(f"{line}: {word}")
            elif hasattr(command, "commands"):
                wrong.append(f"{line}: {word}")

    assert len(written) > 15
    assert wrong == []


# The server as a process


def _serve(folder: Path, listen: str = "127.0.0.1:0") -> subprocess.Popen[bytes]:
    command = [
        sys.executable,
        "-m",
        "zaiko_cli",
        "serve",
        "--db",
        "zaiko.db",
        "--listen",
        listen,
        "--port-file",
        "port",
        "--quiet",
    ]
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(command, cwd=folder, stderr=log, stdout=log)


def test_serve_drains_on_sigterm_and_a_watch_goes_on_with_the_next_process(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    port = tmp_path / "port"
    server = _serve(tmp_path)
    watch = None
    try:
        until(port.exists)
        address = port.read_text()
        zaiko = Zaiko(address, capsys)
        zaiko("merchants", "create", "acme", "--merchant", "acme")
        zaiko("warehouses", "create", "tokyo", "--merchant", "acme")
        zaiko("products", "create", "TEA-1", "--merchant", "acme")
        seen = tmp_path / "seen"
        arguments = ["watch", "--stocks", "--address", address, "--merchant", "acme"]
        with seen.open("wb") as out:
            watch = subprocess.Popen(
                [sys.executable, "-m", "zaiko_cli", *arguments], stdout=out, stderr=out
            )
        until(lambda: "physical 0" in seen.read_text())

        os.kill(server.pid, signal.SIGTERM)
        assert server.wait(timeout=60) == 0
        assert not port.exists()
        server = _serve(tmp_path, address)
        until(port.exists)
        zaiko("stock", "receive", "TEA-1", "5", "--merchant", "acme")

        until(lambda: "physical 5" in seen.read_text())
        assert "the server is stopping" in seen.read_text()
        watch.send_signal(signal.SIGINT)
        assert watch.wait(timeout=60) in (0, 130)
    finally:
        for process in filter(None, (server, watch)):
            process.kill()
            process.wait()


def test_a_simulated_shop_is_connected_by_its_address_and_keeps_its_credentials_to_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [
        sys.executable,
        "-m",
        "zaiko_cli",
        "simulate",
        "shopify",
        "--listing",
        "TEA-1=3",
        "--port-file",
        "simulator",
    ]
    with (tmp_path / "log").open("ab") as log:
        simulator = subprocess.Popen(command, cwd=tmp_path, stderr=log, stdout=log)
    server = _serve(tmp_path)
    try:
        zaiko = Zaiko(
            until(lambda: (tmp_path / "port").exists() and (tmp_path / "port").read_text()), capsys
        )
        url = until(
            lambda: (tmp_path / "simulator").exists() and (tmp_path / "simulator").read_text()
        )
        zaiko("merchants", "create", "acme")
        zaiko("warehouses", "create", "tokyo")
        zaiko("products", "create", "TEA-1")
        zaiko("stock", "receive", "TEA-1", "12")

        zaiko("shops", "create", "main", "--connector", "shopify", "--simulator", url)
        zaiko("shops", "check", "main")
        zaiko("listings", "refresh", "main")
        zaiko("link", "bulk", "main", "--enable-sync")
        zaiko("sync", "main", "--wait")
        until(lambda: httpx.get(f"{url}/_sim/stock").json() == {"TEA-1": 12})

        settings = httpx.get(f"{url}/_sim/settings").json()
        shown = (
            zaiko("shops", "get", "main").out
            + zaiko("shops", "get", "main", "--output", "json").out
        )
        secret = settings.get("access_token") or settings["client_secret"]
        assert secret not in shown
        assert secret.encode() not in b"".join(
            path.read_bytes() for path in tmp_path.glob("zaiko.db*")
        )
        assert "secrets stored" in shown
    finally:
        for process in (server, simulator):
            process.terminate()
            process.wait(timeout=60)
    assert not (tmp_path / "simulator").exists()


def test_serve_says_when_the_address_is_taken(local: Local, tmp_path: Path) -> None:
    server = _serve(tmp_path, local.address)

    try:
        assert server.wait(timeout=120) != 0
    finally:
        # One that is left behind would fail a later test, in which it is noticed.
        server.kill()
        server.wait()
    assert "cannot be listened on" in (tmp_path / "log").read_text()


def test_a_shop_in_shadow_shows_what_would_change_and_is_not_written_to(
    acme: Zaiko, local: Local
) -> None:
    shop = local.shops["adjust"]
    shop.shop.stock["SHADOWED"] = 7
    acme("shops", "create", "later", "--connector", "fake-adjust", "--set", "shop=adjust")
    assert "in shadow mode" in acme("shops", "shadow", "later", "on").out
    acme("listings", "refresh", "later")
    acme("products", "create", "SHADOWED")
    acme("stock", "receive", "SHADOWED", "12")
    acme("link", "create", "later", "SHADOWED", "SHADOWED", "--enable-sync")

    row = until(
        lambda: [
            found
            for found in cells(acme("shops", "differences", "later").out)
            if "SHADOWED" in found
        ]
    )
    assert row[0][:5] == ["later", "SHADOWED", "7", "12", "+5"]
    assert shop.stock()["SHADOWED"] == 7

    acme("shops", "shadow", "later", "off")
    until(lambda: shop.stock()["SHADOWED"] == 12)
    assert "Nothing would change" in acme("shops", "differences", "later").out


def test_receipts_are_added_to_a_shop_until_it_is_cut_over_to_sync(
    acme: Zaiko, local: Local
) -> None:
    shop = local.shops["set"]
    shop.shop.stock["LEGACY"] = 7
    acme("shops", "create", "legacy", "--connector", "fake-set", "--set", "shop=set")
    acme("listings", "refresh", "legacy")
    acme("products", "create", "LEGACY")
    acme("link", "create", "legacy", "LEGACY", "LEGACY")
    assert "receiving-only is ON" in acme("receiving", "on", "LEGACY").out

    acme("stock", "receive", "LEGACY", "5")
    until(lambda: shop.stock()["LEGACY"] == 12)
    row = next(
        found
        for found in cells(acme("receiving", "list", "--product", "LEGACY").out)
        if "LEGACY" in found
    )
    assert row[1:4] == ["LEGACY", "legacy", "5"]
    assert "use one of" in acme("receiving", "list", "--state", "lost", code=2).err

    planned = acme("receiving", "cut-over", "legacy").out
    assert "1 links would be synced, 1 of them differ; 0 refused" in planned
    assert next(found for found in cells(planned) if "12" in found)[1:3] == ["12", "5"]
    assert shop.stock()["LEGACY"] == 12
    assert (
        "1 links are synced from now on" in acme("receiving", "cut-over", "legacy", "--apply").out
    )
    until(lambda: shop.stock()["LEGACY"] == 5)
    assert "RECEIVING_ONLY_ENDED" in acme("receiving", "on", "LEGACY", code=None).err


def test_a_policy_for_suspect_orders_is_looked_at_before_it_is_made(
    acme: Zaiko, local: Local
) -> None:
    shop = local.shops["set"]
    shop.shop.stock["SUSPECT"] = 9
    acme("shops", "create", "odd", "--connector", "fake-set", "--set", "shop=set")
    acme("products", "create", "SUSPECT")
    acme("stock", "receive", "SUSPECT", "9")
    acme("listings", "refresh", "odd")
    acme("link", "create", "odd", "SUSPECT", "SUSPECT", "--enable-sync")
    order = shop.place_order({"SUSPECT": 4})

    def free() -> int:
        return int(acme("stock", "get", "SUSPECT", "--output", "json").json["free"])

    until(lambda: acme("sync", "odd").code == 0 and free() == 5)
    assert (
        "Nothing would be released"
        in acme("shops", "suspects", "odd", "--archived", "1", "--unpaid", "3").out
    )
    assert "no longer holds stock" in acme("orders", "release", f"odd/{order}").out
    assert free() == 9
    assert "holds 4 units" in acme("orders", "hold", f"odd/{order}").out
    assert free() == 5
    assert "new policy" in acme("shops", "suspects", "odd", "--archived", "30", "--apply").out
    assert (
        acme("shops", "get", "odd", "--output", "json").json["suspect_policy"][
            "archived_release_days"
        ]
        == 30
    )
    assert "form SHOP/ORDER" in acme("orders", "release", "odd", code=2).err


def test_a_shop_is_closed_with_its_orders_kept(acme: Zaiko, local: Local) -> None:
    shop = local.shops["set"]
    acme("shops", "create", "closing", "--connector", "fake-set", "--set", "shop=set")
    acme("products", "create", "CLOSING")
    acme("stock", "receive", "CLOSING", "9")

    def ordered() -> int:
        return int(acme("stock", "get", "CLOSING", "--output", "json").json["ordered"])

    acme("shops", "update", "closing", "--auto-link", "link", "--shipped-frees", "never")
    # New listings are linked as they come.
    shop.shop.stock["CLOSING"] = 9
    order = shop.place_order({"CLOSING": 4})
    acme("listings", "refresh", "closing")
    until(lambda: acme("sync", "closing").code == 0 and ordered() == 4)
    assert "has been read" in acme("orders", "get", "closing", "#none", code=1).err
    assert "4" in acme("orders", "get", "closing", f"#{order}").out
    acme("link", "delete", "closing", "CLOSING")
    assert "[SHOP_HAS_OPEN_ORDERS]" in acme("shops", "delete", "closing", code=1).err
    acme("shops", "delete", "closing", "--open-orders", "keep")
    acme("stock", "allocate", "CLOSING", "4", "--order", f"closing/#{order}")
    acme("stock", "ship", "CLOSING", "3", "--order", f"closing/#{order}")
    assert ordered() == 1
    assert f"#{order}" in acme("orders", "list", "closing").out
    assert "[ORDER_LINE_NOT_ASSIGNABLE]" in acme("orders", "assign", f"closing/{order}", code=1).err
    acme("stock", "ship", "CLOSING", "1", "--order", f"closing/{order}")
    assert ordered() == 0


def test_a_listing_whose_code_has_a_colon_is_linked_to_the_product_of_that_code(
    acme: Zaiko, local: Local
) -> None:
    local.shops["set"].shop.stock["RED:10"] = 1
    for code in ("RED", "RED:10"):
        acme("products", "create", code)
    acme("shops", "create", "colon", "--connector", "fake-set", "--set", "shop=set")
    acme("listings", "refresh", "colon")

    made = acme("link", "create", "colon", "RED:10", "--output", "json").json["link"]

    product = acme("products", "get", "RED:10", "--output", "json").json
    assert made["product"] == product["name"]
