"""Which product a listing means, by code and then by barcode. Never a guess. Pure."""

from __future__ import annotations

import enum
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass


class MatchOutcome(enum.StrEnum):
    MATCHED = "MATCHED"
    AMBIGUOUS = "AMBIGUOUS"
    """More than one product fits, or more than one listing of the shop carries the same code."""
    UNMATCHED = "UNMATCHED"


class AutoLink(enum.StrEnum):
    """What becomes of a new listing of a shop whose code is that of exactly one product."""

    OFF = "OFF"
    LINK = "LINK"
    SYNC = "SYNC"
    """It is linked, and its number is synced."""


class MatchedBy(enum.StrEnum):
    CODE = "CODE"
    BARCODE = "BARCODE"


@dataclass(frozen=True, slots=True)
class Coded:
    """A listing or a product by what can be matched. Codes are compared exactly, apart from
    surrounding blanks."""

    id: str
    code: str
    barcode: str = ""


@dataclass(frozen=True, slots=True)
class Match:
    """What was found for one listing; `candidates` are product ids, exactly one when MATCHED."""

    listing: str
    outcome: MatchOutcome
    matched_by: MatchedBy | None = None
    candidates: tuple[str, ...] = ()


class Matcher:
    """Matches the listings of one shop. `listings` are all listings of the shop, linked or not: a
    code that two of them carry is ambiguous for both, also after a person has linked one."""

    def __init__(self, listings: Sequence[Coded], *, by_barcode: bool) -> None:
        self._by_barcode = by_barcode
        self._codes = Counter(listing.code.strip() for listing in listings)
        self._barcodes = Counter(listing.barcode.strip() for listing in listings)

    def match(self, listings: Sequence[Coded], products: Sequence[Coded]) -> list[Match]:
        """Return one match per listing, against products that have one of their codes or
        barcodes."""
        codes: dict[str, list[str]] = defaultdict(list)
        barcodes: dict[str, list[str]] = defaultdict(list)
        for product in products:
            codes[product.code.strip()].append(product.id)
            barcodes[product.barcode.strip()].append(product.id)
        return [self._match(listing, codes, barcodes) for listing in listings]

    def _match(
        self, listing: Coded, codes: dict[str, list[str]], barcodes: dict[str, list[str]]
    ) -> Match:
        code, barcode = listing.code.strip(), listing.barcode.strip()
        if code and codes.get(code):
            return self._decide(listing, MatchedBy.CODE, codes[code], self._codes[code])
        if self._by_barcode and barcode and barcodes.get(barcode):
            return self._decide(
                listing, MatchedBy.BARCODE, barcodes[barcode], self._barcodes[barcode]
            )
        return Match(listing.id, MatchOutcome.UNMATCHED)

    @staticmethod
    def _decide(listing: Coded, by: MatchedBy, products: list[str], twins: int) -> Match:
        sure = len(products) == 1 and twins <= 1
        return Match(
            listing.id,
            MatchOutcome.MATCHED if sure else MatchOutcome.AMBIGUOUS,
            by,
            tuple(sorted(products)),
        )
