"""The output of the demo: a live picture on a terminal, otherwise plain lines."""

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
    """Prints the lines of the story. On a terminal a table below them shows the numbers of zaiko
    and of the shops."""

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
        """Whether a live picture needs updates."""
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
        """Print the title of the next part."""
        self._print("")
        self._print(f"[bold]{escape(text)}[/]")

    def line(self, text: str) -> None:
        """Print a fact."""
        self._print(f"  {escape(text)}")

    def checked(self, text: str) -> None:
        """Print a check that holds."""
        self._print(f"  [green]✓[/] {escape(text)}")

    def wrong(self, text: str) -> None:
        """Print a check that failed."""
        self._print(f"  [bold red]✗ {escape(text)}[/]")

    def doing(self, text: str) -> None:
        """Show what the demo is waiting for, on a terminal only."""
        self._doing = text
        self._refresh()

    def numbers(
        self, shops: Sequence[str], rows: Mapping[str, tuple[Mapping[str, int], Mapping[str, int]]]
    ) -> None:
        """Show the table: by product, zaiko's numbers by name and what each shop shows."""
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
                # A shop's number is green once it is the number that zaiko wants.
                colour = "green" if shown == ours["sent"] else "yellow"
                cells.append("" if shown is None else f"[{colour}]{shown}[/]")
            table.add_row(product, *cells)
        return table
