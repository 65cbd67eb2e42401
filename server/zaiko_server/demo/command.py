"""The command: starts everything, tells the story, ends everything."""

from __future__ import annotations

import contextlib
import signal
import tempfile
import time
from pathlib import Path
from typing import Any

from zaiko_cli.client import Client
from zaiko_cli.connection import Connection
from zaiko_cli.failure import Failed
from zaiko_sdk.testing.simulator import SimulatorClient

from zaiko_server.demo.bench import MERCHANT, Bench, Shop, Wrong
from zaiko_server.demo.processes import NotStarted, Processes
from zaiko_server.demo.screen import Screen
from zaiko_server.demo.story import tell

SHOPS = ("shopify", "ecforce", "rakuten")


def run(*, plain: bool, keep: bool) -> int:
    """Tell the story; the exit code."""
    # Ended by another program, it ends its own programs as with Ctrl-C.
    signal.signal(signal.SIGTERM, _interrupted)
    begun = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="zaiko-demo-") as folder,
        Screen(plain=plain) as screen,
        contextlib.ExitStack() as stack,
    ):
        processes = stack.enter_context(Processes(Path(folder)))
        try:
            bench = _start(processes, screen, stack)
            tell(bench)
        except (Wrong, NotStarted) as error:
            screen.wrong(str(error))
            for name in processes.dead():
                screen.line(
                    f"`{name}` has ended by itself. The end of its log:\n{processes.log_end(name)}"
                )
            return 1
        except Failed as error:
            screen.wrong(error.sentence)
            return 1
        screen.title(f"All {bench.checks} checks hold. {time.monotonic() - begun:.1f} s.")
        if keep:
            _wait(bench, screen)
    return 0


def _start(processes: Processes, screen: Screen, stack: contextlib.ExitStack) -> Bench:
    screen.title("Starting a server on SQLite and three simulated shops, each a process of its own")
    processes.start(
        "server", ["serve", "--db", "zaiko.db", "--listen", "127.0.0.1:0", "--grace", "2"]
    )
    for platform in SHOPS:
        processes.start(platform, ["simulate", platform])
    screen.doing("waiting for them")
    shops = []
    for platform in SHOPS:
        url = processes.address(platform)
        simulator = SimulatorClient(url)
        stack.callback(simulator.close)
        shops.append(Shop(platform, platform, simulator))
        screen.line(f"{platform}: {url}")
    address = processes.address("server")
    screen.line(f"server:  {address}")
    client = Client(Connection(address), MERCHANT)
    stack.callback(client.close)
    return Bench(client, shops, screen)


def _wait(bench: Bench, screen: Screen) -> None:
    screen.line(
        f"Everything goes on until Ctrl-C. Try `zaiko watch --address {bench.client.address}`."
    )
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            bench.picture()
            time.sleep(0.5)


def _interrupted(*_: Any) -> None:
    raise KeyboardInterrupt
