"""What the demo shows: a live picture on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from types import TracebackType

from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text
from zaiko_cli.show import console


class DemoScreen:
    """Lines as the story goes on, and on a terminal a table with what zaiko and the shops hold,
    below them."""

    def __init__(self, *, plain: bool = False) -> None:
        self._console: Console = console()
        self._started = time.monotonic()
        self._live: Live | None = None
        self._shops: Sequence[str] = ()
        self._rows: dict[str, tuple[Mapping[str, int], Mapping[str, int]]] = {}
        self._doing = ""
        if self._console.is_terminal and not plain:
            self._live = Live(console=self._console, refresh_per_second=12, transient=True)

    @property
    def live(self) -> bool:
        """Whether there is a picture to keep up to date."""
        return self._live is not None

    def __enter__(self) -> DemoScreen:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()
            if self._rows:
                self._console.print(self._table())

    def title(self, text: str) -> None:
        """A new part of the story."""
        self._print("")
        self._print(f"[bold]{escape(text)}[/]")

    def line(self, text: str) -> None:
        """Something that is so."""
        self._print(f"  {escape(text)}")

    def checked(self, text: str) -> None:
        """Something that was checked."""
        self._print(f"  [green]✓[/] {escape(text)}")

    def wrong(self, text: str) -> None:
        """What is not as it should be."""
        self._print(f"  [bold red]✗ {escape(text)}[/]")

    def doing(self, text: str) -> None:
        """What is being waited for; shown on a terminal only."""
        self._doing = text
        self._refresh()

    def numbers(
        self, shops: Sequence[str], rows: Mapping[str, tuple[Mapping[str, int], Mapping[str, int]]]
    ) -> None:
        """By product: zaiko's numbers by name, and what each shop shows."""
        self._shops, self._rows = shops, dict(rows)
        self._refresh()

    def _print(self, text: str) -> None:
        self._console.print(text)

    def _refresh(self) -> None:
        if self._live is not None:
            waiting = Text(f"{time.monotonic() - self._started:5.1f} s  {self._doing}", style="dim")
            self._live.update(Group(Text(""), self._table(), waiting) if self._rows else waiting)

    def _table(self) -> Table:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("product")
        names = list(next(iter(self._rows.values()))[0])
        for name in names:
            table.add_column(name, justify="right", style="cyan")
        for shop in self._shops:
            table.add_column(shop, justify="right")
        for product, (ours, theirs) in self._rows.items():
            cells = [str(ours[name]) for name in names]
            for shop in self._shops:
                shown = theirs.get(shop)
                # What a shop shows is green once it is what zaiko wants it to show.
                colour = "green" if shown == ours["sent"] else "yellow"
                cells.append("" if shown is None else f"[{colour}]{shown}[/]")
            table.add_row(product, *cells)
        return table
