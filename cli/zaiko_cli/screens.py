"""Keep what a watch delivers, and show it as lines or as a picture that fits a terminal."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from zaiko_cli import find
from zaiko_cli.client import ApiClient
from zaiko_cli.show import last, optional, part, text, trouble, when, withheld, word

_RECENT = 12


class WatchScreen(ABC):
    """The state that a watch has delivered, and its picture."""

    def __init__(self) -> None:
        self.known: dict[str, Any] = {}
        self._snapshot: set[str] | None = None
        self.revision = 0
        self.delivered_at: Any = None
        self.recent: list[str] = []
        self.interrupted = ""
        """Why no change arrives at present; empty while changes arrive."""

    def take(self, response: Any) -> list[str]:
        """Store a delivery and return the lines that describe it. None means that a snapshot
        begins."""
        if response is None:
            self._snapshot = set()
            return []
        self.interrupted = ""
        if response.WhichOneof("delivery") == "bookmark":
            self.revision, self.delivered_at = (
                response.bookmark.revision,
                response.bookmark.send_time,
            )
            if response.bookmark.snapshot_complete and self._snapshot is not None:
                # A resource that a second snapshot lacks was deleted meanwhile.
                self.known = {
                    name: state for name, state in self.known.items() if name in self._snapshot
                }
                self._snapshot = None
            return []
        changes = response.changes
        self.revision = changes.revision
        lines = []
        for name, state in self.states(changes):
            lines.append(f"{_clock()}  r{changes.revision}  {self.line(name, state)}")
            self.keep(name, state)
            if self._snapshot is not None:
                self._snapshot.add(name)
        for name in changes.deleted_names:
            self.known.pop(name, None)
            lines.append(f"{_clock()}  r{changes.revision}  gone   {name}")
        self.recent = (self.recent + lines)[-_RECENT:]
        return lines

    def keep(self, name: str, state: Any) -> None:
        """Store one change if the picture may need it."""
        self.known[name] = state

    @abstractmethod
    def states(self, changes: Any) -> Iterator[tuple[str, Any]]:
        """Return the changes of a delivery by name."""

    @abstractmethod
    def line(self, name: str, state: Any) -> str:
        """Return one change as a line."""

    @abstractmethod
    def picture(self, height: int) -> Group:
        """Return the picture in about `height` lines. Rows that do not fit are counted."""

    def head(self) -> Text:
        """Return how fresh the picture is. It stands above the rest, so that it is never cut
        off."""
        age = "reading" if self.delivered_at is None else f"as of {when(self.delivered_at)}"
        if self.interrupted:
            return Text(
                f"{age}. {self.interrupted}", style="yellow", no_wrap=True, overflow="ellipsis"
            )
        return Text(
            f"revision {self.revision}, {age}. Ctrl-C ends it.",
            style="dim",
            no_wrap=True,
            overflow="ellipsis",
        )


class SyncScreen(WatchScreen):
    """Shows shops, then links that need attention, then the latest events."""

    def keep(self, name: str, state: Any) -> None:
        # A merchant may have a hundred thousand links, so links in sync are not shown.
        if "/runs/" in name or (
            "/links/" in name and word(state, "state") in ("SYNCED", "DISABLED")
        ):
            self.known.pop(name, None)
        else:
            self.known[name] = state

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
            facts = f"should show {_shown(state)}, acknowledged {_number(state, 'confirmed')}" + (
                f", target {state.target} {kept}" if (kept := withheld(state)) else ""
            )
            return (
                f"link   {shop}/{state.sku or last(name)}  {word(state, 'state')}  {facts}  "
                f"{trouble(state)}"
            ).rstrip()
        if "/runs/" in name:
            facts = (
                f"{state.orders_fetched} orders, {state.links_pushed} pushed, "
                f"{state.links_failed} failed"
            )
            return (
                f"run    {shop}  {word(state, 'state')}  {word(state, 'trigger')}  {facts}  "
                f"{trouble(state)}"
            ).rstrip()
        counts = state.link_counts
        waiting = counts.pending + counts.syncing
        facts = (
            f"{counts.synced} synced, {waiting} waiting, {counts.failed} failed, {counts.held} held"
        )
        return f"shop   {shop}  {word(state, 'state')}  {facts}  {trouble(state)}".rstrip()

    def picture(self, height: int) -> Group:
        shops = [
            (name, state) for name, state in sorted(self.known.items()) if "/links/" not in name
        ]
        links = [(name, state) for name, state in sorted(self.known.items()) if "/links/" in name]
        room = max(8, height - 3)
        # Trouble comes first if not every row fits.
        shown = _first(shops, max(1, room // 2 - 2), lambda state: state.HasField("problem"))
        room -= len(shown) + 2
        odd = _first(links, max(0, min(_RECENT, room - 2)), lambda state: state.HasField("problem"))
        room -= len(odd) + 2 if odd else 0
        parts: list[Any] = [self.head(), _shops(shown, len(shops))]
        if odd:
            parts.append(_links(odd, len(links)))
        recent = "\n".join(self.recent[-room:] if room > 0 else [])
        return Group(*parts, Text(recent, style="dim", no_wrap=True, overflow="ellipsis"))


def _first(
    known: list[tuple[str, Any]], room: int, urgent: Callable[[Any], bool]
) -> list[tuple[str, Any]]:
    """Return as many rows as fit, in their order. Urgent rows are kept before others."""
    chosen = {name for name, _ in sorted(known, key=lambda pair: not urgent(pair[1]))[:room]}
    return [pair for pair in known if pair[0] in chosen]


def _shops(shown: list[tuple[str, Any]], total: int) -> Table:
    table = _table("Shops", len(shown), total)
    for column in (
        "shop",
        "state",
        "synced",
        "waiting",
        "failed",
        "held",
        "last success",
        "next run",
        "problem",
    ):
        table.add_column(
            column, justify="right" if column in ("synced", "waiting", "failed", "held") else "left"
        )
    for name, state in shown:
        counts = state.link_counts
        numbers = (counts.synced, counts.pending + counts.syncing, counts.failed, counts.held)
        times = (state.last_success_time, state.next_run_time)
        table.add_row(
            *map(text, (last(name), word(state, "state"), *numbers, *times, trouble(state)))
        )
    return table


def _links(shown: list[tuple[str, Any]], total: int) -> Table:
    table = _table("Links that need attention", len(shown), total)
    for column in (
        "shop",
        "sku",
        "state",
        "should show",
        "withheld",
        "acknowledged",
        "last success",
        "problem",
    ):
        table.add_column(
            column,
            justify="right" if column in ("should show", "withheld", "acknowledged") else "left",
        )
    for name, state in shown:
        numbers = (
            _shown(state),
            state.withheld or "",
            optional(state, "confirmed"),
        )
        row = (
            part(name, "shops"),
            state.sku or last(name),
            word(state, "state"),
            *numbers,
            state.last_success_time,
        )
        table.add_row(*map(text, (*row, trouble(state))))
    return table


def _table(title: str, shown: int, total: int) -> Table:
    more = f" ({total - shown} more)" if total > shown else ""
    return Table(
        title=f"{title}{more}", title_justify="left", title_style="bold", box=None, pad_edge=False
    )


class StockScreen(WatchScreen):
    """Shows one row per product."""

    def __init__(self, client: ApiClient) -> None:
        super().__init__()
        self._client, self._codes = client, dict[str, str]()

    def states(self, changes: Any) -> Iterator[tuple[str, Any]]:
        unknown = [stock.product for stock in changes.stocks if stock.product not in self._codes]
        self._codes |= find.codes(self._client, unknown)
        for stock in changes.stocks:
            yield stock.name, stock

    def line(self, name: str, state: Any) -> str:
        facts = (
            f"physical {state.physical}, ordered {state.ordered}, free {state.free}, reserve "
            f"{state.reserve}, sent {state.sent}"
        )
        oversold = f", OVERSOLD {state.oversold}" if state.oversold else ""
        return f"stock  {self._codes.get(state.product, last(state.product))}  {facts}{oversold}"

    def picture(self, height: int) -> Group:
        columns = ("physical", "allocated", "ordered", "free", "oversold", "reserve", "sent")
        known = sorted(self.known.items(), key=lambda pair: self._codes.get(pair[1].product, ""))
        shown = _first(known, max(1, height - 4), lambda stock: stock.oversold > 0)
        table = _table("Stocks", len(shown), len(known))
        table.add_column("product")
        for column in columns:
            table.add_column(column, justify="right")
        for _, state in shown:
            row = (
                self._codes.get(state.product, last(state.product)),
                *(str(getattr(state, column)) for column in columns),
            )
            table.add_row(*row, style="red" if state.oversold else "")
        return Group(self.head(), table)


def _shown(state: Any) -> str:
    """Return the number that a link's shop is to show now."""
    target = optional(state, "target")
    return "–" if target is None else str(max(0, target - state.withheld))


def _number(state: Any, field: str) -> str:
    value = optional(state, field)
    return "–" if value is None else str(value)


def _clock() -> str:
    return datetime.now(UTC).astimezone().strftime("%H:%M:%S.%f")[:-3]
