"""The drift audit in the transactions of a run (ADR 0013): which links are read again, and what is
known about a number that differs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import LinkRecord, ShopRecord
from zaiko_core.domain import drift
from zaiko_core.domain.decision import Observation, Perception
from zaiko_core.domain.drift import Circumstances

PERIOD = 24 * 3_600_000_000
"""µs in which every synced link is read at least once, where the shop's quota allows it."""

_SLACK = 60_000_000
"""µs that a reading may be later than the interval asks for."""


@dataclass(frozen=True, slots=True)
class Summary:
    """How well the numbers of shops were compared lately. `oldest` is the oldest of the last
    readings of all enabled links (0: one was never read; None: there are none)."""

    enabled: int
    verified: int
    oldest: int | None
    differences: Mapping[str, int]


def begin(uow: UnitOfWork, shop: str, token: int, *, least: int) -> int:
    """Make a slice of the shop's links due with a reading, at most once per interval of the shop.
    Return how many. Raises LeaseLost."""
    uow.hold_lease(shop, token)
    record = uow.shops.get([shop]).get(shop)
    if record is None or (
        record.audited_at is not None and uow.now - record.audited_at < record.interval
    ):
        return 0
    uow.shops.save_audited(shop)
    return uow.links.audit(shop, period=PERIOD, interval=record.interval, least=least)


def open_units(
    uow: UnitOfWork, shop: str, readings: Mapping[str, Observation]
) -> Mapping[str, int]:
    """Return the units of the shop's open orders, by listing, as far as its platform says what it
    counts itself."""
    listings = [listing for listing, seen in readings.items() if seen.committed is not None]
    return uow.orders.open_units(shop, listings) if listings else {}


def summary(uow: UnitOfWork, shop: str, *, since: int) -> Summary:
    """Return the summary of one shop, or of all shops of the merchant when `shop` is empty."""
    enabled, verified, oldest = uow.links.verified(shop, since=since)
    return Summary(enabled, verified, oldest, uow.drifts.counts(shop, since=since))


class CircumstanceReader:
    """Looks up what explains the differences that one transaction of a run finds. Differences are
    rare, so nothing is read before the first one."""

    def __init__(self, uow: UnitOfWork, shop: str, *, orders_until: int | None = None) -> None:
        """`orders_until`: until when (µs) this run made the shop's orders complete; None: as
        stored."""
        self._uow, self._name, self._orders_until = uow, shop, orders_until

    @cached_property
    def _shop(self) -> ShopRecord:
        return self._uow.shops.get([self._name])[self._name]

    @property
    def interval(self) -> int:
        """The shop's interval in µs."""
        return self._shop.interval

    def read(
        self, link: LinkRecord, perceived: Perception, seen: Observation | None, counted: int
    ) -> Circumstances:
        """Return the circumstances of a link's difference. `counted`: the open units of the shop's
        orders for the listing."""
        complete, sold_unlinked = True, False
        if perceived.dropped is not None:
            missed_at = perceived.dropped.unexplained_since
            upto = self._orders_until or self._shop.orders_complete_until
            complete = upto is None or upto >= missed_at
            sold_unlinked = self._uow.orders.sold_unlinked(
                self._name, since=missed_at - self._shop.interval - _SLACK
            )
        edits = self._uow.drifts.edits(
            self._name, [link.listing], since=self._uow.now - drift.WITHIN
        ).get(link.listing, 0)
        return Circumstances(
            committed_more=_committed_more(link, seen, counted),
            drops=self._uow.drifts.drops(self._name, since=self._uow.now - drift.WITHIN),
            orders_complete=complete,
            sold_unlinked=sold_unlinked,
            edits=edits,
            codes_differ=edits + 1 >= drift.EDITS and _codes_differ(self._uow, link),
            hold=self._shop.hold_drift,
        )


def _committed_more(link: LinkRecord, seen: Observation | None, counted: int) -> int:
    """Return the units that the platform counts in open orders more than we do, as it last said."""
    if seen is not None and seen.committed is not None:
        return max(0, seen.committed - counted)
    known = link.open_counts
    return 0 if known is None else max(0, known.committed - known.counted)


def _codes_differ(uow: UnitOfWork, link: LinkRecord) -> bool:
    sku = uow.listings.get(link.shop, [link.listing])[link.listing].sku
    parts = [part.product for part in link.parts]
    codes = {product.code for product in uow.products.get(parts).values()}
    return bool(sku) and len(parts) == 1 and sku not in codes
