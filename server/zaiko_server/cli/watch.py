"""`zaiko watch`: a live table on a terminal, a line per change elsewhere. Resumes after every interruption."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

import grpc
import typer
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text
from zaiko.v1 import stock_service_pb2, sync_service_pb2, watch_pb2

from zaiko_server.cli import find
from zaiko_server.cli.client import Client
from zaiko_server.cli.command import Command
from zaiko_server.cli.failure import Refused, failed
from zaiko_server.cli.show import console, last, optional, part, text, trouble, when, word

_BEGIN_AGAIN = frozenset({"RESUME_TOKEN_INVALID", "REVISION_COMPACTED", "HISTORY_REPLACED", "REVISION_IN_FUTURE"})
_RESUME = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.INTERNAL})
_RECENT = 12
_LONGEST_PAUSE = 5.0

Lost = Callable[[str], None]


def watch(
    context: typer.Context,
    shops: Annotated[list[str] | None, typer.Argument(metavar="[SHOP]...", help="Only these shops.")] = None,
    stocks: Annotated[bool, typer.Option("--stocks", help="Watch stocks instead of the sync.")] = False,
    products: Annotated[list[str] | None, typer.Option("--product", metavar="SKU", help="With --stocks: only these.")] = None,
    lines: Annotated[bool, typer.Option("--lines", help="A line per change, also on a terminal.")] = False,
    once: Annotated[bool, typer.Option("--once", help="End when everything there is has been shown once.")] = False,
) -> None:
    """Watch the sync as it goes on: shops, links and runs; or stocks. Ctrl-C ends it."""
    command: Command = context.obj
    client, show = command.client, command.show
    said = console(stderr=True)

    def lost(sentence: str) -> None:
        said.print(sentence, style="dim", soft_wrap=True)

    screen: _Screen
    responses: Iterator[Any]
    if stocks:
        names = find.products(client, products or [])
        screen, responses = _Stocks(client), _stock_responses(client, names, lost)
    else:
        chosen = [client.name("shops", shop) for shop in shops or []]
        screen, responses = _Sync(), _sync_responses(client, chosen, lost)
    live = show.console.is_terminal and not (lines or once or show.as_json)
    if show.as_json:
        _json_lines(command, responses, once=once)
        return
    if not live:
        for response in responses:
            for line in screen.take(response):
                # Flushed line by line, so that a pipe sees each as it happens.
                print(line, flush=True)
            if once and _complete(response):
                return
        return
    with contextlib.suppress(KeyboardInterrupt), Live(screen.picture(), console=show.console, refresh_per_second=8) as picture:
        for response in responses:
            screen.take(response)
            picture.update(screen.picture())


def _json_lines(command: Command, responses: Iterator[Any], *, once: bool) -> None:
    import json

    from google.protobuf.json_format import MessageToDict

    for response in responses:
        if response is None:
            continue
        print(json.dumps(MessageToDict(response, preserving_proto_field_name=True), ensure_ascii=False), flush=True)
        if once and _complete(response):
            return


def _sync_responses(client: Client, shops: list[str], lost: Lost) -> Iterator[sync_service_pb2.WatchSyncResponse]:
    def begin(start: watch_pb2.WatchStart) -> Any:
        request = sync_service_pb2.WatchSyncRequest(parent=client.parent, start=start)
        request.filter.shops.extend(shops)
        return client.syncs.WatchSync(request, metadata=client.connection.metadata)

    return _resuming(client, begin, lost)


def _stock_responses(client: Client, products: list[str], lost: Lost) -> Iterator[stock_service_pb2.WatchStocksResponse]:
    def begin(start: watch_pb2.WatchStart) -> Any:
        request = stock_service_pb2.WatchStocksRequest(parent=client.parent, start=start)
        request.filter.products.extend(products)
        return client.stocks.WatchStocks(request, metadata=client.connection.metadata)

    return _resuming(client, begin, lost)


def _resuming(client: Client, begin: Callable[[watch_pb2.WatchStart], Any], lost: Lost) -> Iterator[Any]:
    """Everything that a watch delivers, over as many calls as it takes: resumed with the last token after an interruption, begun
    again when there is no such token yet or it is of no use any more. None stands for the beginning of a snapshot."""
    token, pause, quiet = "", 0.0, False
    while True:
        if not token:
            yield None
        start = watch_pb2.WatchStart(resume_token=token) if token else watch_pb2.WatchStart(snapshot=watch_pb2.WatchSnapshot())
        call = begin(start)
        try:
            for response in call:
                # A client that has not got all of a snapshot does not know what it lacks.
                if token or _complete(response):
                    token = response.resume_token
                pause, quiet = 0.0, False
                yield response
        except grpc.RpcError as error:
            refused = Refused.of(error)
            if token and refused.reason in _BEGIN_AGAIN:
                lost(f"{refused.message} Starting again.")
                token = ""
                continue
            if refused.code not in _RESUME or not (token or refused.reason):
                raise failed(error, client.address) from None
            if not quiet:
                why = refused.message.rstrip(".") if refused.reason else f"{client.address} cannot be reached"
                lost(f"Interrupted: {why}. Resuming.")
            quiet = True
        finally:
            call.cancel()
        pause = min(_LONGEST_PAUSE, max(0.2, pause * 2))
        time.sleep(pause * (0.5 + random.random()))  # noqa: S311 - so that many watchers do not come back at once


def _complete(response: Any) -> bool:
    return response is not None and bool(response.WhichOneof("delivery") == "mark" and response.mark.snapshot_complete)


class _Screen:
    """What is known from a watch, and how it looks."""

    def __init__(self) -> None:
        self.known: dict[str, Any] = {}
        self._snapshot: set[str] | None = None
        self.revision = 0
        self.told: Any = None
        self.recent: list[str] = []

    def take(self, response: Any) -> list[str]:
        """Remember a delivery (None: a snapshot begins); the lines that tell of it."""
        if response is None:
            self._snapshot = set()
            return []
        if response.WhichOneof("delivery") == "mark":
            self.revision, self.told = response.mark.revision, response.mark.send_time
            if response.mark.snapshot_complete and self._snapshot is not None:
                # What a second snapshot did not bring has gone meanwhile.
                self.known = {name: state for name, state in self.known.items() if name in self._snapshot}
                self._snapshot = None
            return []
        changes = response.changes
        self.revision = changes.revision
        lines = []
        for name, state in self.states(changes):
            lines.append(f"{_clock()}  r{changes.revision}  {self.line(name, state)}")
            self.known[name] = state
            if self._snapshot is not None:
                self._snapshot.add(name)
        for name in changes.deleted_names:
            self.known.pop(name, None)
            lines.append(f"{_clock()}  r{changes.revision}  gone   {name}")
        self.recent = (self.recent + lines)[-_RECENT:]
        return lines

    def states(self, changes: Any) -> Iterator[tuple[str, Any]]:
        raise NotImplementedError

    def line(self, name: str, state: Any) -> str:
        raise NotImplementedError

    def picture(self) -> Group:
        raise NotImplementedError

    def footer(self) -> Text:
        """How fresh the picture is."""
        told = f"as of {when(self.told)}" if self.told is not None else "reading"
        return Text(f"revision {self.revision}, {told}. Ctrl-C ends it.", style="dim")


class _Sync(_Screen):
    """Shops above, what happened last below."""

    def states(self, changes: Any) -> Iterator[tuple[str, Any]]:
        for item in changes.items:
            kind = item.WhichOneof("item")
            if kind == "link_status":
                yield item.link_status.link, item.link_status
            elif kind == "shop_status":
                yield item.shop_status.shop, item.shop_status
            elif kind == "sync_run":
                yield item.sync_run.name, item.sync_run

    def line(self, name: str, state: Any) -> str:
        shop = part(name, "shops")
        if "/links/" in name:
            facts = f"should show {_number(state, 'target')}, acknowledged {_number(state, 'confirmed')}"
            return f"link   {shop}/{state.sku or last(name)}  {word(state, 'state')}  {facts}  {trouble(state)}".rstrip()
        if "/runs/" in name:
            facts = f"{state.orders_fetched} orders, {state.links_pushed} pushed, {state.links_failed} failed"
            return f"run    {shop}  {word(state, 'state')}  {word(state, 'trigger')}  {facts}  {trouble(state)}".rstrip()
        counts = state.link_counts
        waiting = counts.pending + counts.syncing
        facts = f"{counts.synced} synced, {waiting} waiting, {counts.failed} failed, {counts.held} held"
        return f"shop   {shop}  {word(state, 'state')}  {facts}  {trouble(state)}".rstrip()

    def picture(self) -> Group:
        shops = Table(title="Shops", title_justify="left", title_style="bold", box=None, pad_edge=False)
        for column in ("shop", "state", "synced", "waiting", "failed", "held", "last success", "next run", "problem"):
            shops.add_column(column, justify="right" if column in ("synced", "waiting", "failed", "held") else "left")
        links = Table(title="Links to look at", title_justify="left", title_style="bold", box=None, pad_edge=False)
        for column in ("shop", "sku", "state", "should show", "acknowledged", "problem"):
            links.add_column(column, justify="right" if column in ("should show", "acknowledged") else "left")
        for name, state in sorted(self.known.items()):
            if "/links/" in name:
                if word(state, "state") not in ("SYNCED", "DISABLED") and links.row_count < _RECENT:
                    row = (part(name, "shops"), state.sku, word(state, "state"), optional(state, "target"))
                    links.add_row(*map(text, (*row, optional(state, "confirmed"), trouble(state))))
            elif "/runs/" not in name:
                counts = state.link_counts
                waiting = counts.pending + counts.syncing
                numbers = (counts.synced, waiting, counts.failed, counts.held)
                times = (state.last_success_time, state.next_run_time)
                shops.add_row(*map(text, (last(name), word(state, "state"), *numbers, *times, trouble(state))))
        recent = Text("\n".join(self.recent), style="dim", no_wrap=True, overflow="ellipsis")
        return Group(shops, *([links] if links.row_count else []), recent, self.footer())


class _Stocks(_Screen):
    """One row per product."""

    def __init__(self, client: Client) -> None:
        super().__init__()
        self._client, self._codes = client, dict[str, str]()

    def states(self, changes: Any) -> Iterator[tuple[str, Any]]:
        unknown = [stock.product for stock in changes.stocks if stock.product not in self._codes]
        self._codes |= find.codes(self._client, unknown)
        for stock in changes.stocks:
            yield stock.name, stock

    def line(self, name: str, state: Any) -> str:
        facts = f"physical {state.physical}, ordered {state.ordered}, free {state.free}, reserve {state.reserve}, sent {state.sent}"
        oversold = f", OVERSOLD {state.oversold}" if state.oversold else ""
        return f"stock  {self._codes.get(state.product, last(state.product))}  {facts}{oversold}"

    def picture(self) -> Group:
        table = Table(title="Stocks", title_justify="left", title_style="bold", box=None, pad_edge=False)
        columns = ("physical", "allocated", "ordered", "free", "oversold", "reserve", "sent")
        table.add_column("product")
        for column in columns:
            table.add_column(column, justify="right")
        for state in sorted(self.known.values(), key=lambda stock: self._codes.get(stock.product, "")):
            style = "red" if state.oversold else ""
            row = (self._codes.get(state.product, last(state.product)), *(str(getattr(state, column)) for column in columns))
            table.add_row(*row, style=style)
        return Group(table, self.footer())


def _number(state: Any, field: str) -> str:
    value = optional(state, field)
    return "–" if value is None else str(value)


def _clock() -> str:
    return datetime.now(UTC).astimezone().strftime("%H:%M:%S.%f")[:-3]
