"""Are the causes true that the audit and the oversells name? A storm that knows what it did, and
the matrix of what was named against what was so.

    PYTHONPATH=tests python -m support.causes --seeds 200
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import DriftRecord, OversellRecord, Page
from zaiko_core.domain.drift import DriftCause as Named
from zaiko_core.domain.oversell import OversellCause
from zaiko_core.domain.stock import MovementKind
from zaiko_core.storage.database import Database
from zaiko_core.storage.migrate import migrate
from zaiko_core.sync.translation import micros
from zaiko_sdk import InventoryMode, InventoryWrite, WriteOutcome, WriteResult

from support.simulation import VISIBILITY, Killed
from support.storm import Storm
from support.world import MERCHANT

STEPS = 25
_NEVER = 10.0**6
_LATE = 60.0

TRUTH = {
    "edited": {Named.EDITED_IN_SHOP},
    "written again": {Named.EDITED_IN_SHOP},
    "write lost": {Named.PUSH_LOST},
    "write undone": {Named.NOT_APPLIED},
    "order hidden": {
        Named.ORDER_NOT_INGESTED,
        Named.DROPS_UNEXPLAINED,
        Named.COMMITTED_DIFFERS,
    },
    "part of a bundle": {Named.BUNDLE_PART},
    "reserved unsaid": {Named.DROPS_UNEXPLAINED},
}
"""What may be done to a number, and the causes that are true of it."""


@dataclass(frozen=True)
class Event:
    """What was done to a shop's number."""

    at: datetime
    shop: str
    what: str
    units: int


@dataclass(frozen=True)
class Sale:
    """An order, with the number that the shop showed when it was placed. `surplus`: units of that
    number that nobody had sent; `number_at`: when the shop's number had last been set."""

    at: datetime
    units: int
    shown: int
    surplus: int
    number_at: datetime | None


@dataclass
class CauseStorm(Storm):
    """A storm that records what it does. A third of the shops say what they reserve and commit."""

    events: list[Event] = field(default_factory=list)
    readings: dict[str, list[datetime]] = field(default_factory=dict)
    fetches: dict[str, list[datetime]] = field(default_factory=dict)
    troubles: list[tuple[datetime, str]] = field(default_factory=list)
    sales: dict[tuple[str, str], Sale] = field(default_factory=dict)
    computed: dict[str, datetime] = field(default_factory=dict)
    surplus: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        super().__post_init__()
        for shop in self.shops.values():
            shop.tells_states = self.seed % 3 == 0

    # What is done

    @property
    def meddling(self) -> bool:
        return False

    def shop_event(self, name: str) -> None:
        shop, choice = self.shops[name], self.random.random()
        self.clock.advance(1.1)
        kinds = [self._edit, self._write_again, self._hide, self._sell_bundle, self._reserve]
        if self.seed % 2 and choice < 0.12:
            self.random.choice(kinds)(name)
            return
        if self.seed % 5 == 4 and name == "adjust" and choice > 0.9:
            self._place(name, shop.stock["tea"] + 1 if shop.stock["tea"] > 0 else 1)
            return
        before = set(shop.orders)
        shown = shop.stock["tea"]
        super().shop_event(name)
        for order in set(shop.orders) - before:
            # When an order that cannot be read is counted is more than this storm knows.
            shop.understand(order)
            self._sold(name, order, shown)

    def step_clock(self) -> None:
        """Leave the clock right: a cause is a matter of what came before what."""

    def reserve(self, name: str) -> None:
        if self.shops[name].tells_states:
            super().reserve(name)

    def _edit(self, name: str) -> None:
        shown = self.shops[name].stock["tea"]
        self.shops[name].stock["tea"] = self.random.randint(0, 20)
        self._did(name, "edited", self.shops[name].stock["tea"] - shown)

    def _write_again(self, name: str) -> None:
        if self.replays:
            again, write = self.replays.pop()
            before = self.shops[again].stock["tea"]
            self._replay(again, write)
            self._did(again, "written again", self.shops[again].stock["tea"] - before)

    def _hide(self, name: str) -> None:
        if self.shops[name].stock["tea"] > 0:
            self._place(name, 1, visible_after=_NEVER)
            self._did(name, "order hidden", -1)

    def _sell_bundle(self, name: str) -> None:
        shop = self.shops[name]
        if shop.stock["tea"] > 1:
            shop.stock.setdefault("hamper", 100)
            shop.place({"hamper": 1})
            shop.stock["tea"] -= 2
            self._did(name, "part of a bundle", -2)

    def _reserve(self, name: str) -> None:
        shop = self.shops[name]
        if shop.stock["tea"] > 0 and not shop.tells_states:
            shop.stock["tea"] -= 1
            self._did(name, "reserved unsaid", -1)

    def _place(self, name: str, units: int, *, visible_after: float = 0) -> None:
        shown = self.shops[name].stock["tea"]
        self._sold(name, self.shops[name].place({"tea": units}, visible_after=visible_after), shown)

    def _did(self, name: str, what: str, units: int) -> None:
        self.events.append(Event(self.clock.now(), name, what, units))
        self.surplus[name] += units

    def _sold(self, name: str, order: str, shown: int) -> None:
        now = self.clock.now()
        placed = self.shops[name].orders[order].order
        units = sum(line.ordered for line in placed.lines)
        surplus = max(0, self.surplus[name])
        self.sales[name, order] = Sale(now, units, shown, surplus, self.computed.get(name))

    # What the engine does

    def interfere(self, name: str, moment: str, operation: str) -> None:
        now = self.clock.now()
        if moment == "after" and operation == "read_inventory":
            self.readings.setdefault(name, []).append(now)
        if moment == "after" and operation == "fetch_orders":
            self.fetches.setdefault(name, []).append(now)
        if moment == "after" and operation == "set_inventory" and self.shops[name].applied:
            self.computed[name] = now
            self.surplus[name] = 0
        try:
            super().interfere(name, moment, operation)
        except BaseException as error:
            self.troubles.append((now, name))
            if operation == "set_inventory" and not self.shops[name].applied:
                self.events.append(Event(now, name, "write lost", 0))
            raise error
        finally:
            self.shops[name].applied.clear()

    def _network(self, shop: str, send: Any) -> Any:
        inner = super()._network(shop, send)

        async def run(writes: Sequence[InventoryWrite], key: str) -> Any:
            known = self.shops[shop]
            undone = not self.calm and self.seed % 2 and self.random.random() < 0.04
            if undone and known.mode is not InventoryMode.COMPARE_AND_SET:
                self.events.append(Event(self.clock.now(), shop, "write undone", 0))
                return [
                    WriteResult(write.ref.external_id, WriteOutcome.APPLIED) for write in writes
                ]
            results = await inner(writes, key)
            if not results:
                self.events.append(Event(self.clock.now(), shop, "write lost", 0))
            return results

        return run

    def _mortal(self, what: str, work: Any) -> Any:
        inner = super()._mortal(what, work)

        async def run(*args: Any, **kwargs: Any) -> Any:
            try:
                return await inner(*args, **kwargs)
            except Killed:
                # It may have died between recording a write and sending it.
                now = self.clock.now()
                self.events += [Event(now, name, "write lost", 0) for name in self.shops]
                self.troubles += [(now, name) for name in self.shops]
                raise

        return run

    # What was so

    def judged_drifts(self) -> Iterator[tuple[str, str, bool]]:
        """Yield what was so, what was named, and whether that is true, for each drift."""
        for drift in self._drifts():
            found = {event.what for event in self._behind(drift)}
            true = set().union(*(TRUTH[what] for what in found)) if found else set()
            named = drift.difference.cause
            so = " and ".join(sorted(found)) or "nothing was done"
            yield so, named.value, named is Named.UNKNOWN or named in true

    def _behind(self, drift: DriftRecord) -> list[Event]:
        """Return what was done to the shop's number since the reading before the one that showed
        the drift first."""
        at = drift.at / 1_000_000
        seen = [moment for moment in self.readings.get(drift.shop, []) if moment.timestamp() <= at]
        first = at - (VISIBILITY + 5 if drift.difference.shown < drift.difference.expected else 0)
        if drift.difference.shown < drift.difference.expected:
            first -= 700
        earlier = [moment for moment in seen if moment.timestamp() < first]
        since = earlier[-3] if len(earlier) > 2 else datetime.min.replace(tzinfo=UTC)
        return [
            event
            for event in self.events
            if event.shop == drift.shop and since <= event.at and event.at.timestamp() <= at
        ]

    def judged_oversells(self) -> Iterator[tuple[str, str, bool]]:
        """The same for each oversell by an order."""
        for record in self._oversells():
            named = record.root_cause.cause
            so = self._so(record)
            true = named is OversellCause.UNKNOWN or named.value in so
            yield " or ".join(sorted(so)) or "nothing known", named.value, true

    def _so(self, record: OversellRecord) -> set[str]:
        """Return the causes that are true of an oversell."""
        if record.by.kind is not MovementKind.ORDER_PLACED:
            return {"ORDER_EDITED"} if record.by.shop else {"STOCK_CORRECTED"}
        sale, read_at = self.sales.get((record.by.shop, record.by.order)), record.at / 1_000_000
        if sale is None:
            return set()
        found = set()
        placed = sale.at.timestamp()
        if sale.units > sale.shown:
            found.add("SELLS_BELOW_ZERO")
        if sale.surplus > 0:
            found.add("SHOWED_TOO_MUCH")
        if self._others_sold(record.by.shop, sale):
            found.add("ORDER_READ_LATE" if read_at - placed > _LATE else "SOLD_TWICE")
        before = [at.timestamp() for at in self.fetches.get(record.by.shop, [])]
        last = max((at for at in before if at < read_at - 2), default=0.0)
        since = min(last - 10, placed - 1200)
        if any(
            name == record.by.shop and since <= at.timestamp() <= read_at
            for at, name in self.troubles
        ):
            found |= {"SHOP_FAILING", "LINK_FAILING"}
        if read_at - last > 1200:
            found.add("SHOP_NOT_READ")
        return found

    def _others_sold(self, shop: str, sale: Sale) -> bool:
        """Return whether another shop had sold units, before this sale, that were not counted when
        the number of its shop was set."""
        if sale.number_at is None:
            return True
        number_at = micros(sale.number_at)
        counted = self.world.db.read_sync(MERCHANT, _counted_at)
        return any(
            other.at <= sale.at and counted.get(key, number_at) >= number_at - 5_000_000
            for key, other in self.sales.items()
            if key[0] != shop
        )

    def _drifts(self) -> list[DriftRecord]:
        page = Page(1000)
        return self.world.db.read_sync(
            MERCHANT, lambda uow: uow.drifts.page(page, shop="", listing="", causes=())
        )

    def _oversells(self) -> list[OversellRecord]:
        page = Page(1000)
        return self.world.db.read_sync(
            MERCHANT, lambda uow: uow.oversells.page(page, product="", causes=(), open_only=False)
        )


def _counted_at(uow: UnitOfWork) -> dict[tuple[str, str], int]:
    """Return when each order was first read (µs), by shop and id."""
    found: dict[tuple[str, str], int] = {}
    page = Page(1000)
    while orders := uow.orders.page(page, shop="", states=(), suspect=False, uncounted=False):
        found |= {(item.shop, item.record.order): item.created_at for item in orders}
        page = Page(1000, (orders[-1].shop, orders[-1].record.order))
    return found


@dataclass
class Matrix:
    """How often what was named, by what was so."""

    drifts: Counter[tuple[str, str, bool]] = field(default_factory=Counter)
    oversells: Counter[tuple[str, str, bool]] = field(default_factory=Counter)

    def add(self, storm: CauseStorm) -> None:
        """Count the findings of one storm."""
        self.drifts.update(storm.judged_drifts())
        self.oversells.update(storm.judged_oversells())

    def shares(self) -> tuple[float, float]:
        """Return the share of findings that name a wrong cause, and that name none."""
        counts = self.drifts + self.oversells
        found = max(1, counts.total())
        wrong = sum(number for (_, _, true), number in counts.items() if not true)
        unknown = sum(number for (_, named, _), number in counts.items() if named == "UNKNOWN")
        return wrong / found, unknown / found

    def text(self) -> str:
        """Return both tables, and the shares."""
        lines = []
        for title, counts in (("drift", self.drifts), ("oversell", self.oversells)):
            lines += [f"| what was so | {title} cause | times | |", "|---|---|---|---|"]
            lines += [
                f"| {so} | {named} | {number} | {'' if true else 'wrong'} |"
                for (so, named, true), number in sorted(counts.items())
            ]
            lines.append("")
        wrong, unknown = self.shares()
        total = (self.drifts + self.oversells).total()
        return "\n".join([*lines, f"{total} findings: {wrong:.1%} wrong, {unknown:.1%} unknown"])


def run(seeds: Sequence[int], steps: int = STEPS) -> Matrix:
    """Go through these storms."""
    matrix = Matrix()
    shm = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shm if shm.is_dir() else None) as folder:
        template = Path(folder) / "template.db"
        _create(f"sqlite:///{template}")
        for seed in seeds:
            path = shutil.copy(template, Path(folder) / f"{seed}.db")
            storm = CauseStorm(f"sqlite:///{path}", seed, chaos=0.1)
            storm.calm = True
            storm.begin(units=20)
            storm.storm(steps, [5, VISIBILITY, 120, 600])
            storm.settle(turns=4)
            matrix.add(storm)
            storm.close()
    return matrix


def _create(url: str) -> None:
    database = Database(url)
    migrate(database.engine)
    database.close()


def main() -> None:
    """Print the matrix."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--steps", type=int, default=STEPS)
    asked = parser.parse_args()
    print(run(range(asked.seeds), asked.steps).text())


if __name__ == "__main__":
    main()
