"""No credential leaves the server: not in a log line, a reply, a command's output, the database
file or the text of an exception.

A whole life of shops: a real `zaiko serve` that logs all that it can, three platforms over real
HTTP, good and wrong credentials, and platforms that misbehave and quote what they were sent. Then
everything that anybody could have read is searched.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, quote_plus

import grpc
import httpx
import pytest
from e2e.local_server import Zaiko
from google.protobuf import json_format
from google.protobuf.message import Message
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from support.waiting import until
from zaiko.v1 import (
    connector_service_pb2,
    link_service_pb2,
    operation_service_pb2,
    order_service_pb2,
    shop_pb2,
    shop_service_pb2,
    stock_service_pb2,
    sync_service_pb2,
)
from zaiko_cli.client import ApiClient
from zaiko_cli.connection import ServerConnection
from zaiko_core.plugin_host.loader import load
from zaiko_sdk import ConnectorError, ConnectorSettings, ConnectorType, ShopContext, SystemClock
from zaiko_sdk.testing.faults import Fault, FaultKind
from zaiko_sdk.testing.simulator import CONTROL, NewListing, SimulatorServer

PLATFORMS = ("shopify", "ecforce", "rakuten")
FAULTS = (401, 400, 500, 200, FaultKind.MALFORMED, FaultKind.DROP)
"""Statuses of replies that quote the request (with 200, an error in the body), and
worse."""
WRONG = tuple(f"{platform}-wrong" for platform in PLATFORMS)
"""Shops with credentials that their platforms do not know. Platforms of their own: what one quotes
is what that shop sent."""
PARENT = "merchants/acme"
TEA = "TEA-100"

SERVE = """
import logging, sys
logging.basicConfig(level=logging.DEBUG, stream=sys.stdout)
import asyncio
from zaiko_sdk import SystemClock
from zaiko_server import logs
from zaiko_cli import main

async def hasty(self, seconds):
    await asyncio.sleep(min(max(0.0, seconds), 0.02))

def everything(form, *, quiet, stream, configure=logs.configure):
    configure(form, quiet=False, stream=stream, level=logging.DEBUG)

logs.configure = everything
SystemClock.sleep = hasty
main(sys.argv[1:])
"""
"""A server that logs all that it and the libraries under it can say, as somebody does who looks for
a fault. It does not wait before it repeats what failed: a life has many faults."""

MADE_UP: Mapping[str, Mapping[str, str]] = {
    "shopify": {
        "client_secret": "shpss_wrong/4f+8c==%7a&b1",
        "previous_client_secret": "shpss_older/9d+2e==%1c&f6",
    },
    "ecforce": {"token": "wrong/token+61f0==%3d&a9", "webhook_secret": "wrong/hook+72e1==%4e&b8"},
    "rakuten": {
        "service_secret": "SP555001_wrong/83d2+%5f&c7",
        "license_key": "SL555001_wrong/94c3+%6a&d6",
        "notice_auth_key": "NA555001_wrong/a5b4+%7b&e5",
    },
}
"""Credentials that no platform knows, with characters that a URL, a form and JSON write in other
ways."""


@dataclass
class Seen:
    """All that anybody could read, by where it was."""

    texts: list[tuple[str, bytes]] = field(default_factory=list)

    def add(self, where: str, what: bytes | str) -> None:
        self.texts.append((where, what.encode() if isinstance(what, str) else what))

    def leaks(self, secrets: Mapping[str, str]) -> list[str]:
        """Each secret that stands somewhere, whole, cut off or in another writing; the text around
        it is not shown."""
        found = set()
        for where, text in self.texts:
            lowered = text.lower()
            for name, secret in secrets.items():
                found |= {
                    f"{name} ({way}) in {where}"
                    for way, needle in writings(secret)
                    if needle.lower() in lowered
                }
        return sorted(found)


def writings(secret: str) -> Iterator[tuple[str, bytes]]:
    """How a secret may be written: as it is, its first and last three quarters (a text that was cut
    before it was cleaned), and in the codings that requests, logs and databases use. Base64 at each
    place that it can have in a longer text."""
    raw = secret.encode()
    most = len(raw) * 3 // 4
    yield "as it is", raw
    yield "its beginning", raw[:most]
    yield "its end", raw[-most:]
    yield "in a URL", quote(secret, safe="").encode()
    yield "in a form", quote_plus(secret).encode()
    yield "in JSON", json.dumps(secret)[1:-1].encode()
    yield "in hex", raw.hex().encode()
    yield "reversed", raw[::-1]
    for shift in range(3):
        # What depends on the neighbours is cut off at both ends.
        skip, keep = (shift * 8 + 5) // 6, (shift + len(raw)) * 8 // 6
        coded = base64.b64encode(bytes(shift) + raw)[skip:keep]
        yield f"in base64, {shift} in", coded
        yield f"in base64 for URLs, {shift} in", coded.replace(b"+", b"-").replace(b"/", b"_")


class Stage:
    """The platforms, the server, and what was seen of them."""

    def __init__(
        self, folder: Path, servers: Mapping[str, SimulatorServer], zaiko: Zaiko, client: ApiClient
    ) -> None:
        self.folder, self.servers, self.zaiko, self.client = folder, servers, zaiko, client
        self.seen = Seen()
        self.secrets: dict[str, str] = {}

    def command(self, *arguments: str) -> None:
        """A command, as a table and as JSON; however it ends."""
        for way in ((), ("--output", "json")):
            said = self.zaiko(*way, *arguments, code=None)
            self.seen.add(f"output of `zaiko {' '.join(arguments[:2])}`", said.out + said.err)

    def call(self, method: Any, request: Message) -> Any:
        """A reply, or the whole of an error, is kept; None for an error."""
        name = type(request).__name__.removesuffix("Request")
        try:
            reply = method(request, timeout=30)
        except grpc.RpcError as error:
            self.seen.add(f"the error of {name}", repr(error))
            for _, value in error.trailing_metadata():  # type: ignore[misc, has-type]
                self.seen.add(f"the error details of {name}", value)
            return None
        self.seen.add(f"the reply of {name}", reply.SerializeToString())
        self.seen.add(f"the reply of {name}", json_format.MessageToJson(reply, ensure_ascii=False))
        return reply

    def create(
        self, shop: str, connector: str, settings: Mapping[str, Any], *, by_command: bool
    ) -> None:
        """Its credentials are secrets from now on."""
        kind = load().types[connector]
        self.secrets |= {
            f"{shop}.{name}": settings[name]
            for name in kind.settings.secret_fields() & settings.keys()
        }
        if by_command:
            file = self.folder / f"{shop}.json"
            file.write_text(json.dumps(settings))
            self.command(
                "shops",
                "create",
                shop,
                "--connector",
                connector,
                "--settings",
                str(file),
                "--interval",
                "3600",
            )
            file.unlink()
            return
        made = shop_pb2.Shop(connector=f"connectors/{connector}", display_name=shop)
        made.sync_interval.FromSeconds(3600)
        made.settings.update(dict(settings))  # the server knows which of them are secrets
        request = shop_service_pb2.CreateShopRequest(parent=PARENT, shop_id=shop, shop=made)
        assert self.call(self.client.shops.CreateShop, request) is not None

    def run_all(self, shops: Sequence[str]) -> dict[str, str]:
        """A run of each shop, ended; its state by shop."""
        before = {shop: self.runs(shop) for shop in shops}
        for shop in shops:
            # A shop that is held for its credentials runs when somebody asks.
            self.call(
                self.client.shops.ResumeShop,
                shop_service_pb2.ResumeShopRequest(name=f"{PARENT}/shops/{shop}"),
            )
        until(
            lambda: all(self.runs(shop) > before[shop] for shop in shops),
            "every shop has had a run",
        )
        return {shop: self.newest(shop) for shop in shops}

    def runs(self, shop: str) -> int:
        request = sync_service_pb2.ListSyncRunsRequest(
            parent=f"{PARENT}/shops/{shop}", page_size=1000
        )
        reply = self.call(self.client.syncs.ListSyncRuns, request)
        return sum(run.state not in (1, 5) for run in reply.sync_runs)

    def newest(self, shop: str) -> str:
        request = sync_service_pb2.ListSyncRunsRequest(
            parent=f"{PARENT}/shops/{shop}", page_size=1000
        )
        runs = self.client.call(self.client.syncs.ListSyncRuns, request).sync_runs
        return next(
            str(json_format.MessageToDict(run)["state"]) for run in runs if run.state not in (1, 5)
        )

    def read(self, shops: Sequence[str]) -> None:
        """Read everything that a person or a program can read."""
        client = self.client
        for shop in shops:
            name = f"{PARENT}/shops/{shop}"
            self.call(client.shops.GetShop, shop_service_pb2.GetShopRequest(name=name))
            self.call(client.shops.CheckShop, shop_service_pb2.CheckShopRequest(name=name))
            refresh = self.call(
                client.shops.RefreshListings, shop_service_pb2.RefreshListingsRequest(parent=name)
            )
            if refresh is not None:
                wait = operation_service_pb2.WaitOperationRequest(name=refresh.operation.name)
                wait.timeout.FromMilliseconds(500)
                self.call(client.operations.WaitOperation, wait)
        every = f"{PARENT}/shops/-"
        self.call(client.shops.ListShops, shop_service_pb2.ListShopsRequest(parent=PARENT))
        self.call(client.shops.ListListings, shop_service_pb2.ListListingsRequest(parent=every))
        self.call(client.orders.ListOrders, order_service_pb2.ListOrdersRequest(parent=every))
        self.call(client.links.ListLinks, link_service_pb2.ListLinksRequest(parent=every))
        self.call(
            client.syncs.ListLinkStatuses, sync_service_pb2.ListLinkStatusesRequest(parent=every)
        )
        self.call(client.syncs.ListDrifts, sync_service_pb2.ListDriftsRequest(parent=every))
        self.call(client.syncs.GetSyncStatus, sync_service_pb2.GetSyncStatusRequest(parent=PARENT))
        self.call(
            client.syncs.GetAuditSummary, sync_service_pb2.GetAuditSummaryRequest(parent=PARENT)
        )
        self.call(
            client.stocks.ListOversells, stock_service_pb2.ListOversellsRequest(parent=PARENT)
        )
        self.call(
            client.stocks.ExplainStock,
            stock_service_pb2.ExplainStockRequest(product=f"{PARENT}/products/tea"),
        )
        self.call(
            client.operations.ListOperations,
            operation_service_pb2.ListOperationsRequest(parent=PARENT),
        )
        self.call(client.connectors.ListConnectors, connector_service_pb2.ListConnectorsRequest())
        for platform in PLATFORMS:
            self.call(
                client.connectors.GetConnector,
                connector_service_pb2.GetConnectorRequest(name=f"connectors/{platform}"),
            )


class Quoting:
    """In front of a platform: while `status` is set, every request is refused with what it brought,
    in every form that a careless platform might repeat it in."""

    def __init__(self, app: ASGIApp) -> None:
        self._app, self.status = app, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self.status or scope["path"].startswith(CONTROL):
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        sent = (await request.body()).decode()
        given = [
            value
            for name, value in request.headers.items()
            if name in ("authorization", "x-shopify-access-token")
        ]
        given += [part for value in given for part in value.replace("=", " ", 1).split()[1:]]
        given += [
            part
            for value in given
            if value.startswith("ESA ")
            for part in base64.b64decode(value[4:]).decode().split(":")
        ]
        given += [value for _, value in request.query_params.multi_items()]
        # A form or a login; what else is sent holds no credential.
        given += (
            [value for values in parse_qs(sent).values() for value in values]
            if len(sent) < 300
            else []
        )
        given += [sent] if len(sent) < 300 else []
        words = " ".join(
            way
            for one in given
            for way in (one, base64.b64encode(one.encode()).decode(), quote(one, safe=""))
        )
        item = {
            "message": words,
            "code": words,
            "errorCode": "XX0001",
            "detail": words,
            "title": words,
            "extensions": {"code": "ODD"},
        }
        result = {"message": words}
        body = {
            "errors": [item],
            "error": words,
            "message": words,
            "MessageModelList": [item],
            "Results": result,
        }
        await JSONResponse(body, self.status)(scope, receive, send)


def quoter(server: SimulatorServer) -> Quoting:
    """What stands in front of this platform from now on."""
    standing = Quoting(server._faults._app)
    server._faults._app = standing
    return standing


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The address of a server process whose whole output is in `serve.log`."""
    port = folder / "port"
    arguments = [
        "serve",
        "--db",
        "zaiko.db",
        "--secret-key-file",
        "zaiko.key",
        "--listen",
        "127.0.0.1:0",
        "--port-file",
        str(port),
    ]
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("ZAIKO_")
    }
    with (folder / "serve.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", SERVE, *arguments],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
        )
        try:
            until(lambda: port.exists() or process.poll() is not None, "the server starts")
            assert process.poll() is None, (folder / "serve.log").read_text()
            yield port.read_text()
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise


@pytest.fixture
def platforms() -> Iterator[dict[str, SimulatorServer]]:
    kinds = load().simulators()
    with contextlib.ExitStack() as stack:
        servers = {}
        for shop in (*PLATFORMS, *WRONG):
            simulator = kinds[shop.removesuffix("-wrong")].create()
            simulator.switch("quotas", False)
            simulator.add_listings([NewListing(sku=TEA, quantity=3, title="tea")])
            servers[shop] = stack.enter_context(SimulatorServer(simulator))
        yield servers


def credentials(server: SimulatorServer, kind: ConnectorType) -> dict[str, str]:
    settings = server.settings()
    return {name: settings[name] for name in kind.settings.secret_fields() & settings.keys()}


def minted(servers: Mapping[str, SimulatorServer]) -> dict[str, str]:
    """What the platforms gave in exchange for the credentials: worth as much as they are."""
    shopify: Any = servers["shopify"].simulator
    return {f"shopify.granted-{number}": token for number, token in enumerate(shopify.front.grants)}


@pytest.mark.thorough
def test_no_secret_is_anywhere_after_a_life_with_faults(
    tmp_path: Path,
    platforms: dict[str, SimulatorServer],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ZAIKO_MERCHANT", "acme")
    good, wrong = PLATFORMS, WRONG
    with (
        serving(tmp_path) as address,
        contextlib.closing(ApiClient(ServerConnection(address), "acme")) as client,
    ):
        stage = Stage(tmp_path, platforms, Zaiko(address, capsys), client)
        stage.zaiko("merchants", "create", "acme", "--name", "A", code=0)
        stage.zaiko("warehouses", "create", "tokyo", code=0)
        stage.zaiko("products", "create", TEA, code=0)
        stage.zaiko("stock", "receive", TEA, "10", code=0)

        for number, platform in enumerate(PLATFORMS):
            settings = platforms[platform].settings()
            stage.create(platform, platform, settings, by_command=number % 2 == 0)
            made_up = platforms[f"{platform}-wrong"].settings() | dict(MADE_UP[platform])
            stage.create(f"{platform}-wrong", platform, made_up, by_command=number % 2 == 1)
            stage.zaiko("listings", "refresh", platform, code=0)
            stage.zaiko("link", "bulk", platform, "--enable-sync", code=0)
        refused_input(stage)
        until(
            lambda: all(platforms[shop].simulator.stock()[TEA] == 10 for shop in good),
            "every shop shows 10",
        )
        platforms["ecforce"].simulator.place_order({TEA: 2})
        states = stage.run_all([*good, *wrong])
        assert {states[shop] for shop in good} == {"STATE_SUCCEEDED"}, states
        assert {states[shop] for shop in wrong} == {"STATE_FAILED"}, states
        until(
            lambda: all(platforms[shop].simulator.stock()[TEA] == 8 for shop in good),
            "every shop shows 8",
        )
        stage.read([*good, *wrong])

        failed = 0
        quoters = {name: quoter(server) for name, server in platforms.items()}
        for shops, fault in (*((good, fault) for fault in FAULTS), (wrong, 400)):
            for shop in shops:
                if isinstance(fault, FaultKind):
                    platforms[shop].inject(Fault(fault, times=10_000))
                else:
                    quoters[shop].status = fault
            states = stage.run_all(shops)
            failed += sum(state == "STATE_FAILED" for state in states.values())
            stage.read(shops)
            for shop in shops:
                platforms[shop].clear_faults()
                quoters[shop].status = 0
        assert failed >= 9, "too few faults were felt"
        for arguments in (
            ("status",),
            ("shops", "list"),
            ("runs",),
            ("connectors",),
            ("orders", "list"),
            ("operations", "list"),
        ):
            stage.command(*arguments)
        for shop in (*good, *wrong):
            stage.command("shops", "get", shop)
            stage.command("shops", "check", shop)

        for name in ("zaiko.db", "zaiko.db-wal", "zaiko.db-shm"):
            if (tmp_path / name).exists():
                stage.seen.add(f"{name} while the server runs", (tmp_path / name).read_bytes())
    for file in sorted(tmp_path.glob("zaiko.db*")):
        stage.seen.add(f"{file.name} afterwards", file.read_bytes())
    log = (tmp_path / "serve.log").read_bytes()
    stage.seen.add("the server's output", log)
    assert b"DEBUG:httpcore" in log, "the server was to say all that it can"
    secrets = stage.secrets | minted(platforms)
    assert len(secrets) >= 12, sorted(secrets)
    leaks = stage.seen.leaks(secrets)
    assert not leaks, "\n".join([f"{len(leaks)} leaks:", *leaks[:100]])


def refused_input(stage: Stage) -> None:
    """Credentials in requests that are refused."""
    for platform in PLATFORMS:
        kind = load().types[platform]
        for number, name in enumerate(sorted(kind.settings.secret_fields())):
            bad = f"blank in{number} {platform} {name} ü-9c4e"
            stage.secrets[f"refused-{platform}.{name}"] = bad
            settings = stage.servers[platform].settings()
            made = shop_pb2.Shop(connector=f"connectors/{platform}", display_name="x")
            made.settings.update(
                {
                    key: value
                    for key, value in settings.items()
                    if key not in kind.settings.secret_fields()
                }
            )
            made.settings.update({"surplus": 1})
            made.secrets[name] = made.secrets["surplus"] = bad
            request = shop_service_pb2.CreateShopRequest(
                parent=PARENT, shop_id=f"refused-{platform}", shop=made
            )
            assert stage.call(stage.client.shops.CreateShop, request) is None


@pytest.mark.parametrize("platform", PLATFORMS)
def test_no_object_of_an_opened_shop_and_no_exception_shows_a_secret(
    platforms: dict[str, SimulatorServer], platform: str
) -> None:
    kind, server = load().types[platform], platforms[platform]
    given = server.settings()
    seen, settings = Seen(), kind.settings.model_validate(given)
    secrets = credentials(server, kind)
    for shown in (
        repr(settings),
        str(settings),
        repr(settings.model_dump()),
        settings.model_dump_json(),
    ):
        seen.add("the settings", shown)
    seen.add("what validation says", _refusal(kind.settings, given | {"surplus": "x"}))
    for name in secrets:
        seen.add("what validation says", _refusal(kind.settings, given | {name: [secrets[name]]}))

    standing = quoter(server)

    async def live() -> None:
        context = ShopContext(
            "merchants/m/shops/s", _Hasty(), _Lines(seen), httpx.AsyncClient, lambda: "id"
        )
        connector = kind.open(context, settings)
        try:
            for fault in (0, *FAULTS):
                server.clear_faults()
                standing.status = 0
                if isinstance(fault, FaultKind):
                    server.inject(Fault(fault, times=10_000))
                else:
                    standing.status = fault
                pages = (
                    lambda: _all(connector.fetch_orders(None)),
                    lambda: _all(connector.list_listings(None)),
                )
                for work in (connector.check, *pages):
                    try:
                        seen.add("an answer", repr(await work()))
                    except ConnectorError as error:
                        seen.add(
                            "an exception",
                            "".join(traceback.format_exception(error)) + repr(error) + str(error),
                        )
                        seen.add("an exception", repr(vars(error)) + error.platform_message)
                for thing in (context, connector):
                    seen.add("an object", repr(thing) + str(thing))
        finally:
            await connector.aclose()

    asyncio.run(live())
    assert any(where == "an exception" for where, _ in seen.texts)
    assert seen.leaks(secrets | (minted(platforms) if platform == "shopify" else {})) == []


def _in_header(secret: str) -> str:
    return base64.b64encode(f"SP1:{secret}".encode()).decode()


@pytest.mark.parametrize(
    "leak", [str, lambda s: s[:20], quote, _in_header, lambda s: s.encode().hex()]
)
def test_the_search_finds_a_secret_in_each_writing(leak: Any) -> None:
    secret, seen = "SL987001_sim/licence+key", Seen()
    seen.add("a log", f"token={leak(secret)};")

    assert seen.leaks({"key": secret, "other": "something-else-entirely"})


async def _all(pages: Any) -> list[Any]:
    return [page async for page in pages]


def _refusal(settings: type[ConnectorSettings], given: Mapping[str, Any]) -> str:
    try:
        return repr(settings.model_validate(given))
    except ValueError as error:
        return str(error) + repr(error) + "".join(traceback.format_exception(error))


class _Hasty(SystemClock):
    """Waits are not what is tested here."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.01))


class _Lines:
    """A log whose lines are kept."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen

    def debug(self, event: str, **fields: Any) -> None:
        self._seen.add("a log line", f"{event} {fields!r}")

    info = warning = error = debug
