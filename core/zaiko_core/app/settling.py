"""What is settled: which changes each shop shows (ADR 0039). Each function reads one snapshot."""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection
from dataclasses import dataclass

from zaiko_core.app import catalogue
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import LinkRecord, LinkState, Page, ShopRecord
from zaiko_core.domain.errors import NotFound, RevisionInFuture

OfConnector = Callable[[str], bool]
"""Whether something holds for a connector."""
_MOST = 1_000


class Cause(enum.StrEnum):
    """Why a shop is not settled."""

    ON_ITS_WAY = "ON_ITS_WAY"
    """Its numbers are being computed or sent."""
    ORDERS_UNREAD = "ORDERS_UNREAD"
    """Its orders were not read since."""
    PROBLEM = "PROBLEM"
    """Its shop or a link has a problem, and was tried since or waits for a person."""
    SHADOW = "SHADOW"
    """Nothing is sent to it."""


@dataclass(frozen=True, slots=True)
class Question:
    """Whether every change up to `revision` (0: the newest) is in these shops (none: all of the
    merchant), in the links of `product` only if it is given. `with_orders`: the shops' orders must
    also have been read since then."""

    revision: int = 0
    shops: Collection[str] = ()
    product: str = ""
    with_orders: bool = False


@dataclass(frozen=True, slots=True)
class UnsettledShop:
    """A shop that lacks changes. `link` is one that does, with trouble if any has it."""

    shop: ShopRecord
    cause: Cause
    settled_revision: int
    links: int = 0
    link: LinkRecord | None = None

    @property
    def may_settle(self) -> bool:
        """Whether waiting may help."""
        return self.cause in (Cause.ON_ITS_WAY, Cause.ORDERS_UNREAD)


def synced_revisions(uow: UnitOfWork, shops: Collection[ShopRecord]) -> dict[str, int]:
    """Return for each shop the revision up to which every change is counted, computed and
    acknowledged by it; 0 in shadow mode, where nothing is sent. A link that has failed or is held
    holds its shop's revision: its number is not in the shop."""
    names = [record.shop for record in shops if not record.shadow]
    lacking = uow.links.unsettled(uow.revision, shops=names) if names else {}
    return {
        record.shop: 0
        if record.shadow
        else lacking[record.shop].settled_revision
        if record.shop in lacking
        else uow.revision
        for record in shops
    }


def unsettled(
    uow: UnitOfWork, question: Question, *, can_run: OfConnector, reads_orders: OfConnector
) -> list[UnsettledShop]:
    """Return the shops that are not settled, by id. Raises NotFound, and RevisionInFuture."""
    if question.revision > uow.revision:
        raise RevisionInFuture(
            f"revision {question.revision} is newer than the newest one, {uow.revision}"
        )
    if question.product:
        catalogue.product(uow, question.product)
    revision = question.revision or uow.revision
    shops = _shops(uow, question)
    shadows = [name for name, record in shops.items() if record.shadow]
    others = [name for name in shops if name not in shadows]
    lacking = (
        uow.links.unsettled(revision, shops=others, product=question.product) if others else {}
    )
    if shadows:
        lacking |= uow.links.unsettled(
            revision, shops=shadows, product=question.product, shadows=True
        )
    since = uow.feed.time_of(revision)
    found = []
    for name, record in shops.items():
        unread = (
            question.with_orders
            and reads_orders(record.connector)
            and (record.orders_read_at or 0) < since
        )
        lacks = lacking.get(name)
        if lacks is None and not unread:
            continue
        stuck = record.paused or not can_run(record.connector)
        stuck = stuck or (lacks is not None and not uow.merchants.sync_available)
        link = None if lacks is None else uow.links.get(name, [lacks.listing]).get(lacks.listing)
        found.append(
            UnsettledShop(
                record,
                _cause(record, link, since, unread=unread, stuck=stuck),
                uow.revision if lacks is None else 0 if record.shadow else lacks.settled_revision,
                0 if lacks is None else lacks.count,
                link,
            )
        )
    return found


def _cause(
    shop: ShopRecord, link: LinkRecord | None, since: int, *, unread: bool, stuck: bool
) -> Cause:
    if stuck or (shop.problem is not None and (shop.last_run_at or 0) > since):
        return Cause.PROBLEM
    if link is not None and shop.shadow:
        return Cause.SHADOW
    failed = link is not None and link.state in (LinkState.FAILED, LinkState.HELD)
    if link is not None and failed and (link.last_attempt_at or 0) > since:
        return Cause.PROBLEM
    return Cause.ON_ITS_WAY if link is not None else Cause.ORDERS_UNREAD


def _shops(uow: UnitOfWork, question: Question) -> dict[str, ShopRecord]:
    if question.shops:
        found = uow.shops.get(question.shops)
        for name in question.shops:
            if name not in found:
                raise NotFound(f"merchants/{uow.merchant}/shops/{name}")
        return found
    shops: dict[str, ShopRecord] = {}
    after: tuple[str, ...] | None = None
    while rows := uow.shops.page(Page(_MOST, after)):
        shops |= {row.shop: row for row in rows}
        after = (rows[-1].shop,)
    return shops
