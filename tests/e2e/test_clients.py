"""A client in each language does the same with a real server and a simulated shop, and says the
same, through a restart.

What is built and run are the commands that docs/clients.md shows, so that they cannot go stale.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from zaiko.v1 import error_pb2
from zaiko_cli.client import ApiClient
from zaiko_cli.connection import ServerConnection
from zaiko_cli.watch import _BEGIN_AGAIN as BEGIN_AGAIN
from zaiko_core.plugin_host.loader import load
from zaiko_sdk.testing.simulator import NewListing, SimulatorClient, SimulatorServer
from zaiko_server.demo.processes import DemoProcesses
from zaiko_server.demo.screen import DemoScreen
from zaiko_server.demo.shops import DemoShop, DemoShops

ROOT = Path(__file__).parents[2]
CLIENTS = ROOT / "examples" / "clients"
GUIDE = ROOT / "docs" / "clients.md"
TOOLS = {
    "python": ("buf",),
    "go": ("go", "buf"),
    "typescript": ("node", "npm", "buf"),
    "java": ("java", "mvn"),
}
SOURCES = {
    "python": "python/client.py",
    "go": "go/main.go",
    "typescript": "typescript/client.ts",
    "java": "java/src/main/java/Client.java",
}
SHOWN = ("localhost:50051", "merchants/acme/shops/main", "TEA-100")
"""The address, the shop and the sku of the guide's commands."""
REASONS = {
    name.removeprefix("ERROR_REASON_") for name in error_pb2.ErrorReason.DESCRIPTOR.values_by_name
}
BUILD_SECONDS, RUN_SECONDS = 600, 60


class Stage:
    """A shop that lives on, and a server for it that can be stopped and started again at the same
    address."""

    def __init__(self, folder: Path, shop: DemoShop) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        self.folder, self.shop, self.starts = folder, shop, 0

    @contextlib.contextmanager
    def serving(self) -> Iterator[DemoShops]:
        """A server for as long as the block lasts; then it is asked to end by SIGTERM, and must end
        in order."""
        self.starts += 1
        with DemoProcesses(self.folder) as processes:
            arguments = [
                "serve",
                "--db",
                "zaiko.db",
                "--secret-key-file",
                "zaiko.key",
                "--listen",
                self.address,
            ]
            process = processes.start(f"serve-{self.starts}", arguments)
            with contextlib.closing(
                ApiClient(ServerConnection(processes.address(f"serve-{self.starts}")))
            ) as client:
                yield DemoShops(client, [self.shop], DemoScreen(plain=True))
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=60) == 0


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    simulator = load().simulators()["shopify"].create()
    simulator.add_listings(
        [
            NewListing(sku="CUP-200", quantity=4, title="cup"),
            NewListing(sku="TEA-100", quantity=3, title="tea"),
        ]
    )
    with (
        SimulatorServer(simulator) as server,
        contextlib.closing(SimulatorClient(server.base_url)) as client,
    ):
        yield Stage(tmp_path, DemoShop("mall", "shopify", client))


def block(section: str) -> str:
    """The commands that a section of the guide shows."""
    found = re.search(
        rf"^## {section}\n(?:(?!^## ).)*?^```sh\n(.*?)^```",
        GUIDE.read_text(),
        re.DOTALL | re.MULTILINE | re.IGNORECASE,
    )
    assert found, f"docs/clients.md shows no commands in «{section}»"
    return found[1].strip()


def commands(language: str) -> list[str]:
    """Those that build the client, and as the last one that which runs it."""
    first, *others = block(language).splitlines()
    assert first == f"cd examples/clients/{language}"
    return others


def environment() -> dict[str, str]:
    """Where `buf` is found, and our own packages are not."""
    ours = {"PYTHONPATH", "VIRTUAL_ENV", "PYTHONHOME"}
    return {name: value for name, value in os.environ.items() if name not in ours} | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    }


@pytest.mark.parametrize("language", TOOLS)
def test_a_client_in_any_language_says_the_same_through_a_restart(
    language: str, stage: Stage, request: pytest.FixtureRequest
) -> None:
    if not request.config.getoption("--clients"):
        pytest.skip(
            "builds a client with its language's own tools, which takes minutes: run with "
            "--clients, as .ci/run does"
        )
    needs(*TOOLS[language])
    *build, run = commands(language)
    for command in build:
        shell(command, CLIENTS / language)

    said = stage.folder / "said.txt"
    with contextlib.ExitStack() as ended:
        with stage.serving() as bench:
            bench.create({"TEA-100": 100, "CUP-200": 0})
            bench.open_shop(stage.shop)
            name, product = bench.name(stage.shop), bench.product("TEA-100")
            words = dict(zip(SHOWN, (stage.address, name, "TEA-100"), strict=True))
            assert all(word in run for word in words), (
                f"the last command for {language} must run the client: {run}"
            )
            arguments = [words.get(word, word) for word in shlex.split(run)]
            with said.open("w") as out:
                client = subprocess.Popen(
                    arguments,
                    cwd=CLIENTS / language,
                    env=environment(),
                    stdout=out,
                    stderr=out,
                    start_new_session=True,
                )
            ended.callback(end, client)
            until(lambda: "SYNCED at 90" in said.read_text(), client, said)
        # While no server is there, five are sold; the client has to learn it from the next one.
        stage.shop.simulator.place_order({"TEA-100": 5})
        with stage.serving() as bench:
            until(lambda: "resumed" in said.read_text(), client, said)
            bench.notify(stage.shop)
            assert client.wait(timeout=RUN_SECONDS) == 0, said.read_text()

    expected = (CLIENTS / "transcript.txt").read_text().format(shop=name, product=product)
    assert said.read_text() == expected


@pytest.mark.parametrize("language", TOOLS)
def test_a_client_takes_at_most_a_hundred_and_thirty_lines(language: str) -> None:
    """Of its own code: blank lines, comments, imports and the name of the package are not
    counted."""
    code = (CLIENTS / SOURCES[language]).read_text()
    code = re.sub(
        r'^import \(\n.*?^\)|^(package|import|from|#|\s*//|\s*/?\*) .*?$|^""".*?"""$',
        "",
        code,
        flags=re.DOTALL | re.MULTILINE,
    )
    assert 60 < len([line for line in code.splitlines() if line.strip()]) <= 130


@pytest.mark.parametrize("language", SOURCES)
def test_a_client_begins_again_for_the_same_reasons_as_zaiko_watch(language: str) -> None:
    code = (CLIENTS / SOURCES[language]).read_text()
    assert {reason for reason in REASONS if f'"{reason}"' in code} == BEGIN_AGAIN


def test_every_reason_that_the_guide_names_exists() -> None:
    named = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)`", GUIDE.read_text()))
    assert named > BEGIN_AGAIN
    assert named <= REASONS


def test_the_calls_from_a_shell_need_no_proto(stage: Stage) -> None:
    needs("buf", "bash")
    define, *calls = block("From a shell").splitlines()
    with stage.serving() as bench:
        bench.create({"TEA-100": 100})
        said = []
        for call in calls:
            command = f"{define}\n{call}".replace(SHOWN[0], stage.address).replace(
                "merchants/acme", bench.parent
            )
            # A watch does not end without a reason.
            said.append(first_mark(command) if "Watch" in call else shell(command, stage.folder))
        assert bench.stock("TEA-100").reserve == 10
    methods, products, stock, bookmark = said
    assert "zaiko.v1.StockService/SetReserve" in methods
    assert json.loads(products)["products"][0]["code"] == "TEA-100"
    assert json.loads(stock)["stock"]["synced"] == "90"
    assert '"snapshotComplete": true' in bookmark


def first_mark(command: str) -> str:
    """What a watch prints up to the end of its snapshot."""
    watch = subprocess.Popen(
        ["bash", "-c", command],
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert watch.stdout is not None
        said = ""
        for line in watch.stdout:
            said += line
            if "snapshotComplete" in line:
                break
        return said
    finally:
        end(watch)
        if watch.stdout is not None:
            watch.stdout.close()


def needs(*tools: str) -> None:
    """Skip where a toolchain is absent."""
    for tool in tools:
        if shutil.which(tool, path=environment()["PATH"]) is None:
            pytest.skip(f"needs {tool}")


def shell(command: str, folder: Path, **variables: str) -> str:
    """What a command printed; it must succeed."""
    done = subprocess.run(
        command,
        shell=True,
        cwd=folder,
        env=environment() | variables,
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def until(condition: Callable[[], bool], client: subprocess.Popen[bytes], said: Path) -> None:
    deadline = time.monotonic() + RUN_SECONDS
    while not condition():
        assert client.poll() is None, (
            f"the client has ended with {client.returncode}; it said:\n{said.read_text()}"
        )
        assert time.monotonic() < deadline, f"the client said only:\n{said.read_text()}"
        time.sleep(0.05)


def end(client: subprocess.Popen[Any]) -> None:
    """With what it has started itself, as launchers do."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(client.pid, signal.SIGKILL)
    client.wait()
