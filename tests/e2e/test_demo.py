"""The demo: its story over shops in memory (quick, any number can be made wrong), and the command
as a person runs it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e.local_server import Local, LocalShop, local_server
from support.waiting import until
from zaiko_cli.client import ApiClient
from zaiko_cli.connection import ServerConnection
from zaiko_server.demo import shops as demo_shops
from zaiko_server.demo.screen import DemoScreen
from zaiko_server.demo.shops import MERCHANT, CheckFailed, DemoShop, DemoShops
from zaiko_server.demo.story import BOX, CUP, TEA, play


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Local]:
    with local_server(tmp_path) as started:
        yield started


@pytest.fixture
def bench(local: Local) -> Iterator[DemoShops]:
    client = ApiClient(ServerConnection(local.address), MERCHANT)
    with DemoScreen(plain=True) as screen:
        yield DemoShops(
            client,
            [DemoShop(shop.name, shop.connector, shop) for shop in local.shops.values()],
            screen,
        )  # type: ignore[arg-type]
    client.close()


def test_the_story_holds_in_every_inventory_mode(
    bench: DemoShops, local: Local, capsys: pytest.CaptureFixture[str]
) -> None:
    play(bench)

    printed = capsys.readouterr().out
    assert bench.checks > 40
    assert "free is −2, oversold 2" in printed
    assert len(re.findall(r"shows 8 after \d+ ms from the sale", printed)) == 2
    for shop in local.shops.values():
        assert shop.stock() == {TEA: 8, CUP: 90, BOX: 0}


def test_a_shop_that_lies_is_named_with_its_number(
    bench: DemoShops, local: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_shops, "_PATIENCE", 3.0)
    liar = local.shops["set"]
    honest = liar.stock
    monkeypatch.setattr(
        LocalShop,
        "stock",
        lambda shop: honest() | {TEA: 9} if shop is liar else dict(shop.shop.stock),
    )

    with pytest.raises(CheckFailed, match="set shows 9 × TEA-100, not 10"):
        play(bench)


def test_a_wrong_number_of_zaiko_is_named(bench: DemoShops) -> None:
    bench.create({TEA: 10})

    with pytest.raises(CheckFailed, match=r"zaiko says free = 10 of TEA-100, not 11"):
        bench.expect_stock(TEA, physical=10, free=11)


def _children(process: subprocess.Popen[str]) -> list[int]:
    """Processes that this one started and that still run."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rsplit(")", 1)[1].split()[:2]
        except OSError:
            continue
        if int(parent) == process.pid and state != "Z":
            found.append(int(stat.parent.name))
    return found


@pytest.mark.thorough
def test_zaiko_demo_checks_every_number_and_ends_with_zero() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "zaiko_cli", "demo"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"All \d+ checks hold", done.stdout)
    assert done.stdout.count("✓") >= 12
    assert "\x1b" not in done.stdout


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks for child processes in /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_zaiko_demo_that_is_interrupted_leaves_nothing_running(number: signal.Signals) -> None:
    demo = subprocess.Popen(
        [sys.executable, "-m", "zaiko_cli", "demo"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        started = until(
            lambda: len(found := _children(demo)) == 4 and found,
            "the server and three simulators run",
        )
        demo.send_signal(number)
        demo.communicate(timeout=60)
    finally:
        demo.kill()
        demo.wait()

    assert demo.returncode != 0
    assert not [child for child in started if Path(f"/proc/{child}").exists()]
