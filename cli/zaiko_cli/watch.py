"""`zaiko watch`: a live table on a terminal, otherwise one line per change. Resumes after every
interruption."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import grpc
import typer
from rich.console import Console, Group
from rich.live import Live
from zaiko.v1 import stock_service_pb2, sync_service_pb2, watch_pb2

from zaiko_cli import find
from zaiko_cli.client import ApiClient
from zaiko_cli.command import Command
from zaiko_cli.failure import Refused, failed
from zaiko_cli.screens import StockScreen, SyncScreen, WatchScreen
from zaiko_cli.show import console

_BEGIN_AGAIN = frozenset(
    {"RESUME_TOKEN_INVALID", "REVISION_COMPACTED", "HISTORY_REPLACED", "REVISION_IN_FUTURE"}
)
_RESUME = frozenset(
    {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.INTERNAL}
)
_LONGEST_PAUSE = 5.0

Lost = Callable[[str], None]


def watch(
    context: typer.Context,
    shops: Annotated[
        list[str] | None, typer.Argument(metavar="[SHOP]...", help="Only these shops.")
    ] = None,
    stocks: Annotated[
        bool, typer.Option("--stocks", help="Watch stocks instead of the sync.")
    ] = False,
    products: Annotated[
        list[str] | None,
        typer.Option("--product", metavar="SKU", help="With --stocks: only these products."),
    ] = None,
    lines: Annotated[
        bool, typer.Option("--lines", help="Print a line per change, also on a terminal.")
    ] = False,
    once: Annotated[
        bool, typer.Option("--once", help="Exit when everything has been shown once.")
    ] = False,
) -> None:
    """Watch shops, links and runs, or stocks with --stocks. Ctrl-C ends it."""
    command: Command = context.obj
    client, show = command.client, command.show
    said = console(stderr=True)
    live = show.console.is_terminal and not (lines or once or show.as_json)

    def lost(sentence: str) -> None:
        if live:
            # The live picture fills the terminal.
            screen.interrupted = sentence
        else:
            said.print(sentence, style="dim", soft_wrap=True)

    screen: WatchScreen
    responses: Iterator[Any]
    if stocks:
        names = find.products(client, products or [])
        screen, responses = StockScreen(client), _stock_responses(client, names, lost)
    else:
        chosen = [client.name("shops", shop) for shop in shops or []]
        screen, responses = SyncScreen(), _sync_responses(client, chosen, lost)
    if show.as_json:
        _json_lines(command, responses, once=once)
    elif live:
        _live(show.console, screen, responses)
    else:
        _lines(screen, responses, once=once)


def _lines(screen: WatchScreen, responses: Iterator[Any], *, once: bool) -> None:
    for response in responses:
        for line in screen.take(response):
            # Flushed line by line, so that a pipe gets each line at once.
            print(line, flush=True)
        if once and _complete(response):
            return


def _live(terminal: Console, screen: WatchScreen, responses: Iterator[Any]) -> None:
    """Draw the screen eight times a second on a thread of rich, in the current size of the
    terminal."""
    lock = threading.Lock()

    def draw() -> Group:
        with lock:
            return screen.picture(terminal.size.height)

    with (
        contextlib.suppress(KeyboardInterrupt),
        Live(console=terminal, refresh_per_second=8, get_renderable=draw),
    ):
        for response in responses:
            with lock:
                screen.take(response)


def _json_lines(command: Command, responses: Iterator[Any], *, once: bool) -> None:
    import json

    from google.protobuf.json_format import MessageToDict

    for response in responses:
        if response is None:
            continue
        print(
            json.dumps(
                MessageToDict(response, preserving_proto_field_name=True), ensure_ascii=False
            ),
            flush=True,
        )
        if once and _complete(response):
            return


def _sync_responses(
    client: ApiClient, shops: list[str], lost: Lost
) -> Iterator[sync_service_pb2.WatchSyncResponse]:
    def begin(start: watch_pb2.WatchStart) -> Any:
        request = sync_service_pb2.WatchSyncRequest(parent=client.parent, start=start)
        request.filter.shops.extend(shops)
        return client.syncs.WatchSync(request, metadata=client.connection.metadata)

    return _resuming(client, begin, lost)


def _stock_responses(
    client: ApiClient, products: list[str], lost: Lost
) -> Iterator[stock_service_pb2.WatchStocksResponse]:
    def begin(start: watch_pb2.WatchStart) -> Any:
        request = stock_service_pb2.WatchStocksRequest(parent=client.parent, start=start)
        request.filter.products.extend(products)
        return client.stocks.WatchStocks(request, metadata=client.connection.metadata)

    return _resuming(client, begin, lost)


def _resuming(
    client: ApiClient, begin: Callable[[watch_pb2.WatchStart], Any], lost: Lost
) -> Iterator[Any]:
    """Yield everything that a watch delivers, over as many calls as needed. After an interruption
    it resumes from the last token. It starts from a snapshot if it has no token yet, or if the
    server rejects the token. None marks the start of a snapshot."""
    token, pause, quiet = "", 0.0, False
    while True:
        if not token:
            yield None
        start = (
            watch_pb2.WatchStart(resume_token=token)
            if token
            else watch_pb2.WatchStart(snapshot=watch_pb2.WatchSnapshot())
        )
        call = begin(start)
        try:
            for response in call:
                # Before a snapshot is complete, the client cannot know what it lacks.
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
                why = (
                    refused.message.rstrip(".")
                    if refused.reason
                    else f"{client.address} cannot be reached"
                )
                lost(f"Interrupted: {why}. Resuming.")
            quiet = True
        finally:
            call.cancel()
        pause = min(_LONGEST_PAUSE, max(0.2, pause * 2))
        time.sleep(pause * (0.5 + random.random()))  # noqa: S311 - spreads the calls of many watchers


def _complete(response: Any) -> bool:
    return response is not None and bool(
        response.WhichOneof("delivery") == "bookmark" and response.bookmark.snapshot_complete
    )
