"""What becomes of suspect demand: by the shop's policy, by hand, and what a policy would do (ADR
0022)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from zaiko_core.app import orders, shops
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import Page, StoredOrder
from zaiko_core.domain.demand import Demand, OrderRecord
from zaiko_core.domain.errors import NotFound, OrderNotOpen
from zaiko_core.domain.stock import MovementKind
from zaiko_core.domain.suspicion import DAY, SuspectPolicy, Suspicion, release_time

BY_HAND = "BY_HAND"
_BATCH = 200
_SOON = 7 * DAY


@dataclass(frozen=True, slots=True)
class Release:
    """An order that a policy releases at `at` (µs, maybe past): for what, and how many units of
    which product."""

    stored: StoredOrder
    suspicion: Suspicion
    at: int
    units: dict[str, int]


@dataclass(slots=True)
class Effect:
    """What a policy does to one product: units released now and within seven days, free now, and
    the links that show it."""

    now: int = 0
    soon: int = 0
    free: int = 0
    links: list[tuple[str, str]] = field(default_factory=list)


def apply_policy(uow: UnitOfWork, shop: str, token: int) -> int:
    """Release what the shop's policy no longer holds, as part of a run; return how many orders. A
    second call finds nothing."""
    uow.hold_lease(shop, token)
    policy = shops.get(uow, shop).suspect_policy
    due = [release for release in _releases(uow, shop, policy) if release.at <= uow.now]
    gone = [
        replace(r.stored.record, released_at=uow.now, released_for=r.suspicion.value) for r in due
    ]
    return orders.decide(uow, shop, gone, MovementKind.ORDER_WRITTEN_OFF) if gone else 0


def release(uow: UnitOfWork, shop: str, order: str) -> StoredOrder:
    """Promise the open units of an order no longer, until its shop says something new of it. What
    is so already changes nothing. Raises NotFound, OrderNotOpen when nothing is open."""
    record = _get(uow, shop, order).record
    if record.released_at is None:
        if not _is_open(uow, shop, record):
            raise OrderNotOpen(f"order {order} has no open units; nothing is to be released")
        gone = replace(record, released_at=uow.now, released_for=BY_HAND, kept=False)
        orders.decide(uow, shop, [gone], MovementKind.ORDER_WRITTEN_OFF)
    return _get(uow, shop, order)


def settle(uow: UnitOfWork, shop: str, order: str) -> StoredOrder:
    """Let the units of an order that were refunded without restocking be sold again, as a person
    has dealt with them. What is so already changes nothing. Raises NotFound, OrderNotOpen when
    there are none."""
    record = _get(uow, shop, order).record
    if not any(line.unrestocked for line in record.lines):
        raise OrderNotOpen(f"order {order} has no units that were refunded without restocking")
    if record.doubtful:
        lines = tuple(replace(line, settled=line.unrestocked) for line in record.lines)
        orders.recount(uow, shop, [replace(record, lines=lines)], MovementKind.ORDER_WRITTEN_OFF)
    return _get(uow, shop, order)


def hold(uow: UnitOfWork, shop: str, order: str) -> StoredOrder:
    """Promise the open units of an order, also again, whatever the policy says from now on. What is
    so already changes nothing. Raises NotFound, OrderNotOpen when nothing is open."""
    record = _get(uow, shop, order).record
    if not _is_open(uow, shop, record):
        raise OrderNotOpen(f"order {order} has no open units; nothing is to be held")
    if record.released_at is not None or not record.kept:
        held = replace(record, released_at=None, released_for="", kept=True)
        orders.decide(uow, shop, [held], MovementKind.ORDER_RESTORED)
    return _get(uow, shop, order)


def preview(
    uow: UnitOfWork, shop: str, policy: SuspectPolicy
) -> tuple[list[Release], dict[str, Effect]]:
    """Return what a policy would release now and within seven days, and what that does to each
    product. Changes nothing."""
    shops.get(uow, shop)
    found = [release for release in _releases(uow, shop, policy) if release.at <= uow.now + _SOON]
    effects: dict[str, Effect] = defaultdict(Effect)
    for item in found:
        for product, units in item.units.items():
            effects[product].now += units if item.at <= uow.now else 0
            effects[product].soon += units
    for product, stock in uow.stocks.get(effects).items():
        effects[product].free = stock.balance.free
    _add_links(uow, effects)
    return sorted(found, key=lambda item: (item.at, item.stored.record.order)), dict(effects)


def _releases(uow: UnitOfWork, shop: str, policy: SuspectPolicy) -> Iterator[Release]:
    after = ""
    while found := uow.orders.suspect(shop, limit=_BATCH, after=after):
        after = found[-1].record.order
        chosen = [
            (stored, when)
            for stored in found
            if (when := release_time(stored.record, policy, uow.now)) is not None
        ]
        demands: dict[str, dict[str, int]] = defaultdict(dict)
        for (order, product), demand in uow.demands.get(
            shop, [stored.record.order for stored, _ in chosen]
        ).items():
            if units := _released(demand):
                demands[order][product] = units
        for stored, (at, suspicion) in chosen:
            yield Release(stored, suspicion, at, demands[stored.record.order])


def _released(demand: Demand) -> int:
    """Units that become free: what the warehouse holds for it stays held."""
    return max(demand.open, demand.alloc) - demand.alloc


def _add_links(uow: UnitOfWork, effects: dict[str, Effect]) -> None:
    if not effects:
        return
    page = Page(1_000)
    while links := uow.links.page(
        page, shop="", products=list(effects), states=(), sync_enabled=True
    ):
        for link in links:
            for part in link.parts:
                if part.product in effects:
                    effects[part.product].links.append((link.shop, link.listing))
        page = Page(1_000, (links[-1].shop, links[-1].listing))


def _is_open(uow: UnitOfWork, shop: str, record: OrderRecord) -> bool:
    """Return whether the order may hold units by the shop's account or by ours."""
    return record.may_be_open or any(
        demand.open for demand in uow.demands.get(shop, [record.order]).values()
    )


def _get(uow: UnitOfWork, shop: str, order: str) -> StoredOrder:
    found = uow.orders.stored(shop, [order]).get(order)
    if found is None:
        raise NotFound(f"merchants/{uow.merchant}/shops/{shop}/orders/{order}")
    return found
