"""From receiving-only to sync, shop by shop: both sides are read and compared before anything is
switched (ADR 0017)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from zaiko_core.app import links
from zaiko_core.app.links import CanSync
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import LinkRecord, ListingRecord, Page
from zaiko_core.domain.errors import ServiceError
from zaiko_core.domain.links import target
from zaiko_core.domain.problem import Problem
from zaiko_core.domain.stock import LARGEST

ROWS_KEPT = 1_000
"""Rows that a report shows; the counts are always complete."""
_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class CutOverReport:
    """The result so far. A row is one link: what the shop showed, what sync makes of it, and why it
    was not switched. Links that were not switched come first, then the largest differences."""

    dry_run: bool
    switched: int = 0
    differing: int = 0
    refused: int = 0
    rows: list[dict[str, object]] = field(default_factory=list)
    truncated: bool = False


def candidates(uow: UnitOfWork, shop: str) -> list[ListingRecord]:
    """Return the links of the shop that are not synced and have a product that is, or was,
    receiving-only."""
    found: list[LinkRecord] = []
    page = Page(_PAGE)
    while rows := uow.links.page(page, shop=shop, products=(), states=(), sync_enabled=False):
        modes = uow.additions.modes({part.product for link in rows for part in link.parts})
        found += [link for link in rows if any(part.product in modes for part in link.parts)]
        page = Page(_PAGE, (rows[-1].shop, rows[-1].listing))
    return list(uow.listings.get(shop, [link.listing for link in found]).values()) if found else []


def switch_batch(
    uow: UnitOfWork,
    shop: str,
    shown: Mapping[str, int | Problem | None],
    report: CutOverReport,
    *,
    can_sync: CanSync,
) -> CutOverReport:
    """Compare one batch of links with what was `shown` for them just before and, unless it is a dry
    run, enable their sync. Return the extended report; the given one stays as it was, so that the
    transaction may be run again. A link that was deleted or switched meanwhile is left out."""
    stored = uow.links.get(shop, list(shown))
    waiting = {listing: link for listing, link in stored.items() if not link.sync_enabled}
    stocks = uow.stocks.get({part.product for link in waiting.values() for part in link.parts})
    balances = {product: stock.balance for product, stock in stocks.items()}
    switched, differing, refused, rows = (
        report.switched,
        report.differing,
        report.refused,
        list(report.rows),
    )
    for listing, link in waiting.items():
        number, problem = shown[listing], None
        if isinstance(number, Problem):
            number, problem = None, number
        elif not report.dry_run:
            try:
                links.set_sync(uow, shop, listing, True, can_sync=can_sync)
            except ServiceError as error:
                problem = Problem(error.reason, error.message, metadata=error.metadata)
        wanted = target(link.parts, balances, maximum=LARGEST)
        refused += problem is not None
        switched += problem is None
        differing += problem is None and number != wanted
        rows.append(
            {
                "listing": listing,
                "shown": number,
                "target": wanted,
                "reason": problem.reason if problem else "",
                "message": problem.message if problem else "",
            }
        )
    rows.sort(key=_rank)
    return replace(
        report,
        switched=switched,
        differing=differing,
        refused=refused,
        rows=rows[:ROWS_KEPT],
        truncated=report.truncated or len(rows) > ROWS_KEPT,
    )


def _rank(row: dict[str, object]) -> tuple[bool, int]:
    shown, wanted = row["shown"], row["target"]
    apart = abs(shown - wanted) if isinstance(shown, int) and isinstance(wanted, int) else LARGEST
    return not row["reason"], -apart
