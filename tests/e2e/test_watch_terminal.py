"""`zaiko watch` on a real terminal, in a pipe, and as JSON, while the server changes and goes
away."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e.local_server import Local, Zaiko, local_server
from support.waiting import until

WATCH = [sys.executable, "-m", "zaiko_cli", "watch"]
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """A command on a pseudo terminal of a size, and what it has drawn since the last `clear`."""

    def __init__(self, *arguments: str, width: int, height: int) -> None:
        self._ours, theirs = pty.openpty()
        self.resize(width, height)
        environment = {
            name: value
            for name, value in os.environ.items()
            if name not in ("COLUMNS", "LINES", "NO_COLOR")
        }
        environment["TERM"] = "xterm-256color"
        self.process = subprocess.Popen(
            [*WATCH, *arguments], stdin=theirs, stdout=theirs, stderr=theirs, env=environment
        )
        os.close(theirs)
        self._raw = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def resize(self, width: int, height: int) -> None:
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def clear(self) -> None:
        self._raw = ""

    @property
    def lines(self) -> list[str]:
        """Without the codes that move and colour. Lines that were drawn whole."""
        return re.split(r"[\r\n]+", _CONTROL.sub("", self._raw))[1:-1]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def close(self) -> int:
        self.process.send_signal(signal.SIGINT)
        try:
            code = self.process.wait(timeout=60)
        finally:
            self.process.kill()
        self._reader.join(timeout=5)
        os.close(self._ours)
        return code

    def _read(self) -> None:
        while True:
            try:
                new = os.read(self._ours, 65536).decode(errors="replace")
            except OSError:
                return
            self._raw += new


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Local]:
    with local_server(tmp_path) as running:
        yield running


@pytest.fixture
def zaiko(
    local: Local, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Zaiko:
    """A merchant with a shop and a link that is synced at 10."""
    monkeypatch.setenv("ZAIKO_MERCHANT", "acme")
    zaiko = Zaiko(local.address, capsys)
    local.shops["set"].shop.stock["CUP"] = 1
    zaiko("merchants", "create", "acme")
    zaiko("warehouses", "create", "tokyo")
    zaiko("products", "create", "CUP")
    zaiko("stock", "receive", "CUP", "10")
    zaiko("shops", "create", "mall", "--connector", "fake-set", "--set", "shop=set")
    zaiko("listings", "refresh", "mall")
    zaiko("link", "bulk", "mall", "--enable-sync")
    until(lambda: local.shops["set"].stock()["CUP"] == 10)
    return zaiko


def test_a_terminal_shows_a_table_that_lives_and_follows_the_size(
    zaiko: Zaiko, local: Local
) -> None:
    terminal = Terminal("--address", local.address, width=180, height=30)
    try:
        until(lambda: "last success" in terminal.text and "mall" in terminal.text)
        zaiko("stock", "receive", "CUP", "5")
        until(lambda: "should show 15" in terminal.text)
        assert max(map(len, terminal.lines)) > 60

        terminal.resize(60, 12)
        until(
            lambda: _redrawn(terminal) and max(map(len, terminal.lines)) <= 60,
            "the table is as wide as the terminal",
        )
    finally:
        code = terminal.close()
    assert code in (0, 130)


def _redrawn(terminal: Terminal) -> bool:
    terminal.clear()
    time.sleep(0.5)
    return "mall" in terminal.text


def test_a_table_says_that_the_server_is_away(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with local_server(tmp_path) as local:
        Zaiko(local.address, capsys)("merchants", "create", "acme")
        terminal = Terminal("--address", local.address, "--merchant", "acme", width=100, height=20)
        until(lambda: "as of" in terminal.text)
    try:
        until(lambda: re.search(r"as of \d\d:\d\d:\d\d\. Interrupted: ", terminal.text))
        assert "Traceback" not in terminal.text
    finally:
        terminal.close()


def test_json_is_one_document_per_delivery(zaiko: Zaiko) -> None:
    documents = [
        json.loads(line) for line in zaiko("--output", "json", "watch", "--once").out.splitlines()
    ]

    assert all({"changes", "bookmark"} & set(document) for document in documents)
    assert documents[-1]["bookmark"]["snapshot_complete"] is True
    items = [item for one in documents for item in one.get("changes", {}).get("items", [])]
    names = {item["shop_status"]["shop"] for item in items if "shop_status" in item}
    assert names == {"merchants/acme/shops/mall"}


def test_a_pipe_gets_a_line_per_change_without_codes_for_terminals(
    zaiko: Zaiko, local: Local, tmp_path: Path
) -> None:
    seen = tmp_path / "seen"
    with seen.open("wb") as out:
        watch = subprocess.Popen([*WATCH, "--address", local.address], stdout=out, stderr=out)
    try:
        until(
            lambda: "link   mall/CUP  SYNCED  should show 10, acknowledged 10" in seen.read_text()
        )
        zaiko("stock", "receive", "CUP", "5")
        until(
            lambda: "link   mall/CUP  SYNCED  should show 15, acknowledged 15" in seen.read_text()
        )
    finally:
        watch.send_signal(signal.SIGINT)
        assert watch.wait(timeout=60) in (0, 130)
    assert "\x1b" not in seen.read_text()
    assert all(
        re.match(r"\d\d:\d\d:\d\d\.\d{3}  r\d+  (shop|link|run|gone) ", line)
        for line in seen.read_text().splitlines()
    )


def test_only_the_chosen_shop_is_watched(zaiko: Zaiko, local: Local) -> None:
    zaiko(
        "shops",
        "create",
        "other",
        "--connector",
        "fake-compare-and-set",
        "--set",
        "shop=compare-and-set",
    )

    out = zaiko("watch", "other", "--once").out

    assert "other" in out
    assert "mall" not in out
