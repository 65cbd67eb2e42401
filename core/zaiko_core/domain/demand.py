"""Orders as demands: what one reading of an order means for the stock (docs/domain.md §2, ADR
0002). Pure."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from zaiko_core.domain.links import Part
from zaiko_core.domain.shop_word import FREES, ShopWord
from zaiko_core.domain.stock import Delta, DemandRef, Entry, MovementKind


class DemandState(enum.StrEnum):
    """The state of an order as a whole; all but OPEN release what is still open."""

    OPEN = "OPEN"
    SHIPPED = "SHIPPED"
    CANCELLED = "CANCELLED"
    DELETED = "DELETED"


@dataclass(frozen=True, slots=True)
class DemandLine:
    """One line of an order as last read, and the parts that it was counted as (None: not counted,
    its listing was not linked when it was read). `listing` is our listing id, empty when the shop
    does not say what was sold."""

    line: str
    listing: str
    ordered: int
    cancelled: int
    fulfilled: int
    sku: str = ""
    title: str = ""
    parts: tuple[Part, ...] | None = None
    unrestocked: int = 0
    """How many of `cancelled` the shop refunded without putting them back on the shelf."""
    settled: int = 0
    """How many of `unrestocked` a person has dealt with."""

    @property
    def wanted(self) -> int:
        """Units the buyer still wants or has got: ordered − cancelled, never below 0."""
        return max(0, self.ordered - self.cancelled)

    @property
    def doubtful(self) -> int:
        """Units that were refunded without restocking and that nobody has dealt with."""
        return max(0, self.unrestocked - self.settled)

    def names_what(self, other: DemandLine) -> bool:
        """Return whether both readings of this line name the same listing. Where one of them names
        none, the code decides."""
        if self.listing and other.listing:
            return self.listing == other.listing
        return self.sku == other.sku


@dataclass(frozen=True, slots=True)
class OrderRecord:
    """One order as stored: what was last read of it."""

    order: str
    number: str
    version: int
    """µs since 1970 of the platform's last change, or of the reading where the platform has no such
    time."""
    read_at: int
    state: DemandState
    placed_at: int
    lines: tuple[DemandLine, ...]
    state_known: bool = True
    platform_state: str = ""
    archived: bool = False
    paid: bool | None = None
    vanished_at: int | None = None
    applied: int = 0
    """How many readings have changed this order; makes the cause keys of its movements unique."""
    lines_known: bool = True
    """False only in a reading that could not read what is in the order; never in what is stored."""
    edited: bool | None = None
    """Whether lines may have been taken out of the order, as far as the platform says it; only in a
    reading, never in what is stored."""
    archived_at: int | None = None
    """When it was first read as archived (µs since 1970)."""
    released_at: int | None = None
    """When its open units were released although the shop's account says that they are open (ADR
    0022)."""
    released_for: str = ""
    """The suspicion, or BY_HAND."""
    kept: bool = False
    """A person said that its open units are promised."""
    unreadable_at: int | None = None
    """Since when (µs) what is in it cannot be read. None: its last reading was understood."""
    lines_missing_at: int | None = None
    """Since when (µs) the shop leaves out lines of it that nobody has removed; they are kept."""

    @property
    def was_read(self) -> bool:
        """Whether what is in it was ever understood."""
        return self.unreadable_at is None or bool(self.lines)

    def supersedes(self, stored: OrderRecord) -> bool:
        """Return whether this reading is newer than the stored one. Of equal versions (platforms
        count whole seconds) the later reading wins."""
        return (self.version, self.read_at) >= (stored.version, stored.read_at)

    def says_the_same(self, stored: OrderRecord) -> bool:
        """Return whether this reading changes nothing: all facts are equal, apart from when it was
        read."""
        mine = {line.line for line in self.lines}
        # A line that an earlier reading removed altogether is stored with no units left; its
        # absence is nothing new.
        theirs = [line for line in stored.lines if line.line in mine or line.wanted]
        # When it was archived, and what was decided about it here, is no part of what a shop says.
        ours: dict[str, Any] = {
            "archived_at": None,
            "released_at": None,
            "released_for": "",
            "kept": False,
        }
        left = replace(self, version=0, read_at=0, applied=0, lines=_facts(self.lines), **ours)
        return left == replace(
            stored, version=0, read_at=0, applied=0, lines=_facts(theirs), **ours
        )

    def settled(self, stored: OrderRecord | None) -> OrderRecord:
        """Return this reading as it counts. One that could not read the lines keeps all that was
        known, apart from being shown to a person, and counts nothing when nothing was known. It has
        no version, so that any later reading supersedes it. A line that the shop left out although
        nobody removed it is kept as it was."""
        if self.lines_known:
            return self._completed(stored)
        base = stored or replace(self, version=0, lines=(), lines_known=True, edited=None)
        if base.vanished_at is not None:
            # Found again, whatever is in it.
            base = replace(base, released_at=None, released_for="")
        since = base.unreadable_at or self.read_at
        return replace(
            base,
            read_at=self.read_at,
            state_known=False,
            vanished_at=None,
            unreadable_at=since if base.state is DemandState.OPEN else None,
        )

    def _completed(self, stored: OrderRecord | None) -> OrderRecord:
        before = {line.line: line for line in stored.lines} if stored else {}
        # A listing that was deleted in the shop is still what the line sold.
        lines = tuple(
            replace(line, listing=old.listing)
            if (old := before.get(line.line)) and not line.listing and line.names_what(old)
            else line
            for line in self.lines
        )
        here = {line.line for line in lines}
        lost = tuple(old for name, old in before.items() if old.wanted and name not in here)
        missing_at = None
        if stored is not None and lost and not self._removes_lines(stored):
            lines, missing_at = lines + lost, stored.lines_missing_at or self.read_at
        return replace(self, lines=lines, edited=None, lines_missing_at=missing_at)

    def _removes_lines(self, stored: OrderRecord) -> bool:
        """Return whether a line that this reading lacks was removed: the platform says that the
        order was edited, or that it changed at all. An order that is open has lines."""
        if self.state is not DemandState.OPEN:
            return True
        if self.edited is not None:
            return self.edited
        return self.version != stored.version and bool(self.lines)

    @property
    def is_unreadable(self) -> bool:
        """Whether it may hold units, and nobody knows which."""
        return self.unreadable_at is not None and self.released_at is None

    @property
    def is_uncounted(self) -> bool:
        """Whether it holds units, and has a line that counts for no product."""
        is_held = self.released_at is None and self.holds > 0
        return is_held and any(line.parts is None for line in self.lines)

    @property
    def may_be_open(self) -> bool:
        """Whether units of this order are open, or may be: it cannot be read."""
        return self.holds > 0 or self.unreadable_at is not None

    @property
    def holds(self) -> int:
        """Units of this order still open by the shop's own account."""
        if self.state is not DemandState.OPEN:
            return 0
        return sum(max(0, line.wanted - line.fulfilled) for line in self.lines)

    @property
    def doubtful(self) -> int:
        """Units of this order that were refunded without restocking and that nobody has dealt
        with."""
        return sum(line.doubtful for line in self.lines)


def _facts(lines: Sequence[DemandLine]) -> tuple[DemandLine, ...]:
    facts = (replace(line, parts=None, settled=0) for line in lines)
    return tuple(sorted(facts, key=lambda line: line.line))


@dataclass(frozen=True, slots=True)
class Demand:
    """One product in one order (or shipment). `wanted` and `fulfilled` are the shop's account,
    `shipped` and `alloc` the warehouse's; all ≥ 0. Of `fulfilled` the warehouse is expected to
    report `awaited` units, the first of them since `awaited_at` (µs since 1970); they are gone when
    it does, or at once where the shop's word `frees` them."""

    wanted: int = 0
    fulfilled: int = 0
    shipped: int = 0
    alloc: int = 0
    awaited: int = 0
    awaited_at: int = 0
    frees: bool = True

    @property
    def open(self) -> int:
        """Units promised and not gone: each counted once, whether the shop or the warehouse
        reported that it left."""
        left = self.fulfilled if self.frees else self.fulfilled - self.unshipped
        return max(0, self.wanted - max(self.shipped, left))

    @property
    def unshipped(self) -> int:
        """Units that the shop says are shipped, and whose shipment the warehouse owes."""
        return max(0, self.awaited - self.shipped)

    def after_reading(
        self, wanted: int, fulfilled: int, word: ShopWord, *, expected: bool
    ) -> Demand:
        """Return the demand after a reading of the shop. `expected`: what it says is shipped and
        was not before is for the warehouse to ship, if it reports shipments."""
        more = fulfilled - self.fulfilled if word.awaits and expected else 0
        awaited = min(fulfilled, max(0, self.awaited + more))
        new = replace(self, wanted=wanted, fulfilled=fulfilled, awaited=awaited, frees=word.frees)
        if not new.unshipped:
            return replace(new, awaited_at=0)
        return new if self.unshipped else replace(new, awaited_at=word.now)

    @property
    def delta(self) -> Delta:
        """What this demand contributes to the balance of its product."""
        return Delta(
            allocated=self.alloc,
            ordered=max(self.open, self.alloc),
            unallocated=max(0, self.open - self.alloc),
        )


def difference(old: Demand, new: Demand) -> Delta:
    """Return the delta that turns the contribution of `old` into that of `new`."""
    was, now = old.delta, new.delta
    return Delta(
        allocated=now.allocated - was.allocated,
        ordered=now.ordered - was.ordered,
        unallocated=now.unallocated - was.unallocated,
    )


@dataclass(frozen=True, slots=True)
class Sold:
    """What a reading of one order means for the number that the shop itself shows for one listing:
    `units` more were taken at the time `at` (µs since 1970, by the shop's clock); `released` units
    were cancelled or removed, which the shop may or may not have given back, as only a read can
    tell; `unshipped` of them had not left yet, which are those that most shops give back;
    `uncertain` when the number has to be read for another reason (a closed order or a cancelled
    unit was opened again, or an order was never seen open)."""

    listing: str
    units: int
    at: int
    released: int = 0
    uncertain: bool = False
    unshipped: int = 0

    def __add__(self, other: Sold) -> Sold:
        """Return both, of one listing at one time, as one."""
        return Sold(
            self.listing,
            self.units + other.units,
            self.at,
            self.released + other.released,
            self.uncertain or other.uncertain,
            self.unshipped + other.unshipped,
        )


@dataclass(frozen=True, slots=True)
class Reconciled:
    """The effect of one reading of one order."""

    record: OrderRecord
    demands: Mapping[str, Demand]
    """New values of the demands that changed, by product."""
    entries: Sequence[Entry] = ()
    sold: Sequence[Sold] = ()


def reconcile(
    reading: OrderRecord,
    stored: OrderRecord | None,
    demands: Mapping[str, Demand],
    parts_of: Mapping[str, tuple[Part, ...]],
    *,
    shop: str,
    kind: MovementKind | None = None,
    word: ShopWord = FREES,
) -> Reconciled:
    """Apply one reading of an order: the demands, movements and own sales that follow from it.

    `stored` is the order as last stored, `demands` its present demands by product, `parts_of` the
    parts of the linked listings that occur in it. A line keeps the parts that it was first counted
    as, whatever its listing is linked to later, for as long as it names that listing. The caller
    has already decided that the reading supersedes the stored one. `kind` names the movements when
    the reading is not the reason (linking); otherwise it follows from what changed. `word`
    says how far the shop's word counts.
    """
    before = {line.line: line for line in stored.lines} if stored else {}
    lines = tuple(_counted(line, before.get(line.line), parts_of) for line in reading.lines)
    gone = [line for key, line in before.items() if key not in {line.line for line in lines}]
    # A line that an edit removed altogether stays as a line of 0 units: its history is needed to
    # release what it held.
    lines += tuple(replace(line, cancelled=line.ordered) for line in gone)
    applied = (stored.applied if stored else 0) + 1
    record = replace(reading, lines=lines, applied=applied)
    wanted = _by_product(record, word)
    # What was shipped before the shop or the listing was known here is no matter of the warehouse.
    expected = kind is not MovementKind.ORDER_LINKED and (
        (stored is not None and stored.was_read) or record.placed_at >= word.known_since
    )
    changed: dict[str, Demand] = {}
    entries: list[Entry] = []
    for product in sorted(wanted.keys() | demands.keys()):
        old = demands.get(product, Demand())
        units, fulfilled = wanted.get(product, (0, 0))
        new = old.after_reading(units, fulfilled, word, expected=expected)
        if new == old:
            continue
        changed[product] = new
        delta = difference(old, new)
        if delta:
            entries.append(
                Entry(
                    product=product,
                    kind=kind or _kind(record, old, new, known=product in demands),
                    cause=f"order/{shop}/{record.order}/{applied}/{product}",
                    delta=delta,
                    demand=DemandRef(shop, record.order),
                    occurred_at=_happened_at(record, stored),
                )
            )
    return Reconciled(record, changed, entries, _sold(record, stored))


def _counted(
    line: DemandLine, stored: DemandLine | None, parts_of: Mapping[str, tuple[Part, ...]]
) -> DemandLine:
    parts = (
        stored.parts
        if stored is not None and stored.parts is not None and line.names_what(stored)
        else parts_of.get(line.listing)
    )
    settled = min(line.unrestocked, stored.settled if stored is not None else 0)
    if (line.parts, line.settled) == (parts, settled):
        return line
    return replace(line, parts=parts, settled=settled)


def _happened_at(record: OrderRecord, stored: OrderRecord | None) -> int:
    """Return when what a reading says happened: the first one that was understood says what was
    placed."""
    return record.version if stored is not None and stored.was_read else record.placed_at


def _by_product(record: OrderRecord, word: ShopWord) -> dict[str, tuple[int, int]]:
    """Units wanted and fulfilled per product. An order that was cancelled, deleted or released
    wants nothing any longer; one shipped as a whole has every unit fulfilled, whatever its lines
    say. Units refunded without restocking stay wanted where the shop keeps them off sale."""
    totals: dict[str, tuple[int, int]] = {}
    for line in record.lines:
        nothing = (
            record.state in (DemandState.CANCELLED, DemandState.DELETED)
            or record.released_at is not None
        )
        wanted = 0 if nothing else line.wanted
        fulfilled = (
            wanted if record.state is DemandState.SHIPPED else min(line.fulfilled, line.ordered)
        )
        for part in line.parts or ():
            units, done = totals.get(part.product, (0, 0))
            kept = wanted + (line.doubtful if word.keeps_unrestocked else 0)
            totals[part.product] = (units + kept * part.count, done + fulfilled * part.count)
    return totals


def _kind(record: OrderRecord, old: Demand, new: Demand, *, known: bool) -> MovementKind:
    if record.state is DemandState.DELETED:
        return MovementKind.ORDER_DELETED
    if record.state is DemandState.CANCELLED:
        return MovementKind.ORDER_CANCELLED
    if not known or (old.wanted == 0 and new.wanted > 0):
        return MovementKind.ORDER_PLACED
    if new.wanted == old.wanted and new.fulfilled > old.fulfilled:
        return MovementKind.ORDER_RELEASED
    return MovementKind.ORDER_EDITED


def _sold(record: OrderRecord, stored: OrderRecord | None) -> list[Sold]:
    """Return how the order moved the shop's own numbers, by listing. Shipping does not move them; a
    released order may or may not have been restocked. A line that names another listing than before
    gave back the old one and took the new one."""
    before = {line.line: line for line in stored.lines} if stored else {}
    at = _happened_at(record, stored)
    found: list[Sold] = []
    for line in record.lines:
        old = before.get(line.line)
        since = at
        if old is not None and old.listing != line.listing:
            if old.listing and stored is not None:
                found.append(_given_up(stored, old, at))
            elif line.names_what(old):
                # What it sold is known only now.
                since = record.placed_at
            old = None
        if line.listing:
            found.append(_taken(record, line, stored, old, since))
    moved: dict[tuple[str, int], Sold] = {}
    for sold in found:
        known = moved.get((sold.listing, sold.at))
        moved[sold.listing, sold.at] = sold if known is None else known + sold
    return [sold for sold in moved.values() if sold.units or sold.released or sold.uncertain]


_CLOSED = (DemandState.CANCELLED, DemandState.DELETED)


def _given_up(stored: OrderRecord, old: DemandLine, at: int) -> Sold:
    """Return what a line released when it came to name another listing."""
    released = 0 if stored.state in _CLOSED else old.wanted
    return Sold(old.listing, 0, at, released, unshipped=_left(stored, old, released))


def _taken(
    record: OrderRecord,
    line: DemandLine,
    stored: OrderRecord | None,
    old: DemandLine | None,
    at: int,
) -> Sold:
    closed = record.state in _CLOSED
    if closed and old is None:
        # Placed and closed before it was ever read: whether the number felt either is for a read to
        # tell.
        return Sold(line.listing, 0, at, uncertain=line.ordered > 0)
    was_closed = stored is not None and stored.state in _CLOSED
    reopened = was_closed and not closed
    grown = max(0, line.ordered - (old.ordered if old else 0))
    held = (old.wanted if old and not was_closed else 0) + grown
    wanted = 0 if closed else line.wanted
    released = 0 if reopened else max(0, held - wanted)
    fulfilled = replace(line, fulfilled=max(line.fulfilled, old.fulfilled if old else 0))
    return Sold(
        line.listing,
        grown,
        at,
        released,
        uncertain=(reopened and line.ordered > 0) or (not reopened and wanted > held),
        unshipped=min(released, _left(stored, fulfilled, held)),
    )


def _left(stored: OrderRecord | None, line: DemandLine, held: int) -> int:
    """Return how many of the `held` units of a line had not been shipped."""
    if stored is not None and stored.state is DemandState.SHIPPED:
        return 0
    return max(0, held - line.fulfilled)
