"""Oversells are examined in the transaction that makes them, while what was known is still there
(ADR 0011)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import ClearedRecord, OversellRecord, PushRecord, ShownLink
from zaiko_core.domain import escrow, oversell
from zaiko_core.domain.oversell import Consumption, LinkSnapshot, OversellEvent
from zaiko_core.domain.stock import Balance, Movement

TAKERS = 20
"""Movements that an oversell names at most as having taken the units."""


def examine(uow: UnitOfWork, movements: Sequence[Movement]) -> list[OversellRecord]:
    """Record which products sank below zero, or further below it, by movements that were just
    posted, while beliefs are still as before them; mark cleared what is no longer oversold. Return
    the new records. It takes one statement when there is nothing of either."""
    changing: dict[str, list[Movement]] = defaultdict(list)
    for movement in movements:
        if movement.entry.delta.free:
            changing[movement.entry.product].append(movement)
    if not changing:
        return []
    balances = uow.oversells.concerned(changing)
    cleared = {
        product: changing[product][-1].seq
        for product, balance in balances.items()
        if balance.free >= 0
    }
    for product, ended in sorted(uow.oversells.clear(cleared).items()):
        uow.publish(ClearedRecord(product, ended, uow.now))
    events = [
        found
        for product, balance in balances.items()
        if balance.free < 0
        for found in _events(balance, changing[product])
    ]
    if not events:
        return []
    records = _examined(uow, events)
    uow.oversells.insert(records)
    for record in records:
        uow.publish(record)
    uow.advance()
    return records


def _events(balance: Balance, movements: Sequence[Movement]) -> list[OversellEvent]:
    """Return the last movements of the page that together account for the sinking of the
    product."""
    short = -balance.free
    missing = short - max(0, short + sum(movement.entry.delta.free for movement in movements))
    found: list[OversellEvent] = []
    for place in range(len(movements) - 1, -1, -1):
        movement = movements[place]
        taken = -movement.entry.delta.free
        if taken <= 0 or missing <= 0:
            continue
        by = _taken(movement)
        of_shop = sum(
            max(0, -earlier.entry.delta.free)
            for earlier in movements[: place + 1]
            if by.shop and earlier.entry.demand is not None and earlier.entry.demand.shop == by.shop
        )
        units = min(taken, missing)
        found.append(
            OversellEvent(
                movement.entry.product,
                by,
                units,
                short,
                of_shop or taken,
                movement.recorded_at,
                balance.reserve,
            )
        )
        missing -= units
        short -= units
    return found[::-1]


def _examined(uow: UnitOfWork, events: Sequence[OversellEvent]) -> list[OversellRecord]:
    links: dict[str, list[ShownLink]] = defaultdict(list)
    for link in uow.oversells.snapshot({found.product for found in events}):
        links[link.product].append(link)
    pushes = uow.pushes.newest(
        {
            (link.link.shop, link.link.listing): link.link.created_at
            for shown in links.values()
            for link in shown
        },
        upto=uow.revision,
        acknowledged=True,
    )
    since: dict[str, int] = {}
    snapshots: dict[str, list[LinkSnapshot]] = {}
    for product, shown in links.items():
        known = [pushes.get((link.link.shop, link.link.listing)) for link in shown]
        since[product] = min(
            (push.revision for push in known if push is not None), default=uow.revision
        )
        snapshots[product] = [
            _snapshot(
                link,
                None if push is None else push.quantity,
                None if push is None else push.settled_at,
            )
            for link, push in zip(shown, known, strict=True)
        ]
    taken = uow.oversells.taken(since, limit=TAKERS + len(events))
    orders = uow.oversells.orders(
        {(found.by.shop, found.by.order) for found in events if found.by.shop}
    )
    records = []
    for found in events:
        number, placed_at = orders.get((found.by.shop, found.by.order), ("", found.by.at))
        event = replace(found, by=replace(found.by, number=number, at=placed_at))
        others = _since_acknowledged(
            event, snapshots.get(found.product, ()), pushes, taken.get(found.product, ())
        )
        root_cause = oversell.examine(event, snapshots.get(found.product, ()), others)
        records.append(
            OversellRecord(
                product=found.product,
                at=uow.now,
                units=found.units,
                short=found.short,
                by=event.by,
                root_cause=root_cause,
                snapshots=tuple(snapshots.get(found.product, ())),
                consumptions=tuple(others[:TAKERS]),
                revision=uow.revision,
            )
        )
    return records


def _since_acknowledged(
    event: OversellEvent,
    snapshots: Sequence[LinkSnapshot],
    pushes: Mapping[tuple[str, str], PushRecord],
    taken: Sequence[tuple[int, Consumption]],
) -> list[Consumption]:
    """Return what others took after the revision that the selling shop's number was computed at;
    where no shop's movement is at fault, since the oldest number that a shop shows."""
    own = [
        pushes[key]
        for snapshot in snapshots
        if (key := (snapshot.shop, snapshot.listing)) in pushes and snapshot.shop == event.by.shop
    ]
    after = max((push.revision for push in own), default=0)
    return [other for revision, other in taken if other.seq < event.by.seq and revision > after]


def _taken(movement: Movement) -> Consumption:
    entry = movement.entry
    shop, order = (entry.demand.shop, entry.demand.order) if entry.demand else ("", "")
    return Consumption(
        movement.seq, entry.kind, -entry.delta.free, shop, order, "", entry.occurred_at
    )


def _snapshot(shown: ShownLink, acknowledged: int | None, since: int | None) -> LinkSnapshot:
    link = shown.link
    return LinkSnapshot(
        shop=link.shop,
        listing=link.listing,
        count=shown.count,
        sync_enabled=link.sync_enabled,
        state=link.state.value,
        problem=link.problem.reason if link.problem else "",
        shop_problem=shown.shop_problem,
        shown=escrow.exposed(link.belief),
        acknowledged=acknowledged,
        since=since,
        last_success_at=link.last_success_at,
        shop_read_at=shown.shop_read_at,
        interval=shown.interval,
        linked_at=link.created_at,
        sells_below_zero=shown.sells_below_zero,
        showed_more=acknowledged is not None
        and not link.belief.is_busy
        and (link.belief.expected or 0) > acknowledged,
    )
