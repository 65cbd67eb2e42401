"""Start the processes, play the story, stop the processes."""

from __future__ import annotations

import contextlib
import signal
import tempfile
import time
from pathlib import Path
from typing import Any

from zaiko_cli.client import ApiClient
from zaiko_cli.connection import ServerConnection
from zaiko_cli.failure import Failed
from zaiko_sdk.testing.simulator import SimulatorClient

from zaiko_server.demo.processes import DemoProcesses, NotStarted
from zaiko_server.demo.screen import DemoScreen
from zaiko_server.demo.shops import MERCHANT, CheckFailed, DemoShop, DemoShops
from zaiko_server.demo.story import play

SHOPS = ("shopify", "ecforce", "rakuten")


def run(*, plain: bool, keep: bool) -> int:
    """Play the story and return the exit code."""
    # SIGTERM stops the processes as Ctrl-C does.
    signal.signal(signal.SIGTERM, _interrupted)
    begun = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="zaiko-demo-") as folder,
        DemoScreen(plain=plain) as screen,
        contextlib.ExitStack() as stack,
    ):
        processes = stack.enter_context(DemoProcesses(Path(folder)))
        try:
            bench = _start(processes, screen, stack)
            play(bench)
        except (CheckFailed, NotStarted) as error:
            screen.wrong(str(error))
            for name in processes.dead():
                screen.line(
                    f"`{name}` stopped unexpectedly. The end of its log:\n{processes.log_end(name)}"
                )
            return 1
        except Failed as error:
            screen.wrong(error.sentence)
            return 1
        screen.title(f"All {bench.checks} checks hold. {time.monotonic() - begun:.1f} s.")
        if keep:
            _wait(bench, screen)
    return 0


def _start(processes: DemoProcesses, screen: DemoScreen, stack: contextlib.ExitStack) -> DemoShops:
    screen.title("Starting a server on SQLite and three simulated shops, each in its own process")
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
        shops.append(DemoShop(platform, platform, simulator))
        screen.line(f"{platform}: {url}")
    address = processes.address("server")
    screen.line(f"server:  {address}")
    client = ApiClient(ServerConnection(address), MERCHANT)
    stack.callback(client.close)
    return DemoShops(client, shops, screen)


def _wait(bench: DemoShops, screen: DemoScreen) -> None:
    screen.line(
        "Everything keeps running until Ctrl-C. Try `zaiko watch --address "
        f"{bench.client.address}`."
    )
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            bench.picture()
            time.sleep(0.5)


def _interrupted(*_: Any) -> None:
    raise KeyboardInterrupt
