"""Why a number is what it is: the movements and demands behind a stock, and what was made of it for
each shop (ADR 0011)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zaiko_core.app import links
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import LinkRecord, Page, Promise, PushRecord, Shelf, StockSettings
from zaiko_core.domain.errors import NotFound, RevisionCompacted, RevisionInFuture
from zaiko_core.domain.stock import Balance, Delta, total

LINKS = 1_000
"""Links that one explanation lists at most."""


@dataclass(frozen=True, slots=True)
class StockExplained:
    """One product at one revision. By construction, shelves add up to `physical` and `allocated`,
    and the deltas of `promises` with `more` to `ordered`, `allocated` and `unallocated`."""

    product: str
    balance: Balance
    shelves: Sequence[Shelf]
    promises: Sequence[Promise]
    more_promises: int
    more: Delta
    settings: StockSettings

    def __post_init__(self) -> None:
        held = total([*(promise.delta for promise in self.promises), self.more])
        shelved = Delta(
            sum(shelf.physical for shelf in self.shelves),
            sum(shelf.allocated for shelf in self.shelves),
            held.ordered,
            held.unallocated,
        )
        kept = Delta(
            self.balance.physical,
            self.balance.allocated,
            self.balance.ordered,
            self.balance.unallocated,
        )
        if shelved != kept or held.allocated != kept.allocated:
            raise AssertionError(
                f"the explanation of {self.product} does not add up: {shelved} and {held} to {kept}"
            )


@dataclass(frozen=True, slots=True)
class LinkExplained:
    """What a link was sent up to the revision: the last push as it was known then, and the last one
    that the shop had acknowledged. `link` is the present link; it is of the revision only when that
    is the newest."""

    link: LinkRecord
    sent: PushRecord | None
    acknowledged: PushRecord | None


@dataclass(frozen=True, slots=True)
class Explained:
    """An explanation. `current` says whether `revision` is the newest one; `more_links` are left
    out."""

    revision: int
    current: bool
    stocks: Sequence[StockExplained]
    links: Sequence[LinkExplained]
    more_links: int = 0


def product(uow: UnitOfWork, name: str, *, at_revision: int = 0, limit: int) -> Explained:
    """Explain a product with every link that has it as a part, at a revision (0: the newest one),
    with up to `limit` (≥ 0) demands listed one by one. Raises NotFound, RevisionInFuture,
    RevisionCompacted."""
    if name not in uow.stocks.get([name]):
        raise NotFound(f"merchants/{uow.merchant}/products/{name}")
    revision = _revision(uow, at_revision)
    page = Page(size=LINKS)
    found = uow.links.page(page, shop="", products=[name], states=(), sync_enabled=None)
    more = uow.links.of_products([name]) - len(found)
    stocks = [_stock(uow, name, revision, limit)]
    return Explained(revision, revision == uow.revision, stocks, _links(uow, found, revision), more)


def link(
    uow: UnitOfWork, shop: str, listing: str, *, at_revision: int = 0, limit: int
) -> Explained:
    """Explain one link, with the products that it is made of, as `product` does."""
    record = links.get(uow, shop, listing)
    revision = _revision(uow, at_revision)
    stocks = [_stock(uow, part.product, revision, limit) for part in record.parts]
    return Explained(revision, revision == uow.revision, stocks, _links(uow, [record], revision))


def _revision(uow: UnitOfWork, asked: int) -> int:
    if asked > uow.revision:
        raise RevisionInFuture(
            f"revision {asked} is not there yet, the newest is {uow.revision}; ask for that one",
            currentRevision=str(uow.revision),
        )
    first = uow.ledger.known_from()
    if asked and asked < first:
        raise RevisionCompacted(
            (
                f"what was sent and reserved before revision {first} is no longer kept; ask "
                "for a later one, or read the journal"
            ),
            compactRevision=str(first),
        )
    return asked or uow.revision


def _stock(uow: UnitOfWork, name: str, revision: int, limit: int) -> StockExplained:
    shelves = uow.ledger.shelves(name, upto=revision)
    promises = uow.ledger.promises(name, upto=revision, limit=limit)
    count, held = uow.ledger.promised(name, upto=revision)
    settings = uow.ledger.settings(name, upto=revision)
    listed = total(promise.delta for promise in promises)
    more = Delta(
        0,
        held.allocated - listed.allocated,
        held.ordered - listed.ordered,
        held.unallocated - listed.unallocated,
    )
    balance = Balance(
        physical=sum(shelf.physical for shelf in shelves),
        allocated=held.allocated,
        ordered=held.ordered,
        unallocated=held.unallocated,
        reserve=settings.reserve,
        escrow_below=settings.escrow_below,
    )
    if revision == uow.revision and balance != uow.stocks.get([name])[name].balance:
        raise AssertionError(f"the journal of {name} does not add up to its balance")
    return StockExplained(name, balance, shelves, promises, count - len(promises), more, settings)


def _links(uow: UnitOfWork, records: Sequence[LinkRecord], revision: int) -> list[LinkExplained]:
    # What a listing was sent before it was linked as it is now belongs to another link.
    since = {(record.shop, record.listing): record.created_at for record in records}
    sent = uow.pushes.newest(since, upto=revision)
    acknowledged = uow.pushes.newest(since, upto=revision, acknowledged=True)
    keys = [(record.shop, record.listing) for record in records]
    return [
        LinkExplained(record, sent.get(key), acknowledged.get(key))
        for key, record in zip(keys, records, strict=True)
    ]
