"""Bulk linking: all unlinked listings of a shop are matched by code, batch by batch. A batch that
is repeated finds its listings linked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from zaiko_core.app.links import CanSync, LinkDraft, create
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import ListingRecord, Page
from zaiko_core.domain.errors import ServiceError
from zaiko_core.domain.links import Part
from zaiko_core.domain.matching import Coded, Match, Matcher, MatchOutcome

ROWS_KEPT = 1_000
"""Rows that a report shows; the counts are always complete."""


@dataclass(frozen=True, slots=True)
class BulkLinkOrder:
    """The arguments of a bulk linking."""

    shop: str
    match_barcode: bool
    enable_sync: bool
    dry_run: bool
    since: int = 0
    """Only listings that were first read at or after this time (µs since 1970): a listing that a
    person left unlinked stays so."""


@dataclass(slots=True)
class BulkLinkReport:
    """The result so far. A row is one listing: its outcome is MATCHED, AMBIGUOUS, UNMATCHED or
    REFUSED (with a reason)."""

    dry_run: bool
    matched: int = 0
    ambiguous: int = 0
    unmatched: int = 0
    refused: int = 0
    counted_units: int = 0
    rows: list[dict[str, object]] = field(default_factory=list)
    truncated: bool = False


def catalogue(uow: UnitOfWork, shop: str) -> list[ListingRecord]:
    """Return every listing of the shop that has not vanished, linked or not."""
    found: list[ListingRecord] = []
    page = Page(size=1000)
    while listings := uow.listings.page(page, shop=shop, linked=None, sku="", vanished=False):
        found += listings
        page = Page(size=1000, after=(listings[-1].shop, listings[-1].listing))
    return found


def matcher_for(listings: Sequence[ListingRecord], asked: BulkLinkOrder) -> Matcher:
    """Return a matcher that knows which codes occur more than once in the shop, whose whole
    catalogue these listings are."""
    return Matcher([_coded(listing) for listing in listings], by_barcode=asked.match_barcode)


def meant(listings: Sequence[ListingRecord], asked: BulkLinkOrder) -> list[ListingRecord]:
    """Return the listings of a catalogue that are to be linked."""
    return [item for item in listings if not item.linked and item.created_at >= asked.since]


def link_batch(
    uow: UnitOfWork,
    asked: BulkLinkOrder,
    matcher: Matcher,
    batch: Sequence[ListingRecord],
    report: BulkLinkReport,
    *,
    can_sync: CanSync,
) -> BulkLinkReport:
    """Match one batch of listings and, unless it is a dry run, link what matched. Return the
    extended report; the given one stays as it was, so that the transaction may be run again."""
    report = BulkLinkReport(
        report.dry_run,
        report.matched,
        report.ambiguous,
        report.unmatched,
        report.refused,
        report.counted_units,
        list(report.rows),
        report.truncated,
    )
    products = uow.products.match(
        {listing.sku.strip() for listing in batch},
        {listing.barcode.strip() for listing in batch} if asked.match_barcode else (),
    )
    coded = [Coded(product.product, product.code, product.barcode) for product in products]
    matches = matcher.match([_coded(listing) for listing in batch], coded)
    refusal: ServiceError | None = None
    drafts = [
        LinkDraft(asked.shop, match.listing, (Part(match.candidates[0]),), asked.enable_sync)
        for match in matches
        if match.outcome is MatchOutcome.MATCHED
    ]
    fresh = uow.listings.get(asked.shop, [draft.listing for draft in drafts])
    # Linked by somebody else since the listings were read: theirs stands.
    drafts = [
        draft for draft in drafts if draft.listing in fresh and not fresh[draft.listing].linked
    ]
    if drafts and not asked.dry_run:
        try:
            _, counted = create(uow, drafts, can_sync=can_sync)
            report.counted_units += sum(item.units for item in counted)
        except ServiceError as error:
            refusal = error
    linked = {draft.listing for draft in drafts}
    for listing, match in zip(batch, matches, strict=True):
        _add(report, listing, match, refusal if match.listing in linked else None)
    return report


def _add(
    report: BulkLinkReport, listing: ListingRecord, match: Match, refusal: ServiceError | None
) -> None:
    row: dict[str, object] = {
        "listing": listing.listing,
        "sku": listing.sku,
        "barcode": listing.barcode,
        "title": listing.title,
        "outcome": match.outcome.value,
        "matched_by": match.matched_by.value if match.matched_by else None,
        "candidates": list(match.candidates),
    }
    if refusal is not None:
        report.refused += 1
        row |= {"outcome": "REFUSED", "reason": refusal.reason, "message": refusal.message}
    elif match.outcome is MatchOutcome.MATCHED:
        report.matched += 1
    elif match.outcome is MatchOutcome.AMBIGUOUS:
        report.ambiguous += 1
    else:
        report.unmatched += 1
    if len(report.rows) < ROWS_KEPT:
        report.rows.append(row)
    else:
        report.truncated = True


def _coded(listing: ListingRecord) -> Coded:
    return Coded(listing.listing, listing.sku, listing.barcode)
