"""The catalogue: the variants of every product, one listing per SKU, with the stock record of each.

The API has no list of variants; they come included with their products.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zaiko_sdk import ContractBroken, Listing, ListingPage, ListingRef, ListingWarning, PageTrail

from zaiko_ecforce.client import PER, Client
from zaiko_ecforce.documents import Document, Resource
from zaiko_ecforce.settings import EcforceSettings
from zaiko_ecforce.stock_items import StockItem, StockItems

_MOST_PAGES = 5_000
_PART = 1_000
"""SKUs whose stock is read for one delivered part."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One variant under its SKU."""

    sku: str
    variant: str
    product: str
    title: str
    on_sale: bool


class Catalogue:
    """The listings of one shop."""

    def __init__(self, client: Client, settings: EcforceSettings) -> None:
        self._client, self._items, self._location = (
            client,
            StockItems(client),
            settings.location_code,
        )

    async def pages(self, cursor: str | None) -> AsyncIterator[ListingPage]:
        """See Connector.list_listings. Pages continue after the last product id, so a product that
        is deleted meanwhile hides no other. A shop that ignores that filter is read by page
        number."""
        after, number = _parse(cursor)
        variants: dict[str, str] = {}
        trail = PageTrail("ecforce's products", most=_MOST_PAGES)
        while True:
            filters = [] if number else [("q[id_gt]", str(after))]
            document = await self._client.list(
                "products", filters, page=number or 1, sort="id", include="variants"
            )
            ids = [int(row.id) for row in document.rows if row.id.isascii() and row.id.isdigit()]
            if not number and any(identifier <= after for identifier in ids):
                self._client.log.warning("product_filter_ignored")
                after, number = trail.follow((after, 1))
                continue
            last = document.is_last(number or 1, PER)
            if not ids and not number and not last:
                raise ContractBroken(
                    "no product of a full page has a number as its id, so the next page cannot be "
                    "asked for"
                )
            offers, here = self._offers(document, variants), _position(after, number)
            after, number = max([after, *ids]), number + 1 if number else 0
            # Products with many variants are delivered in parts. The cursor passes the page only
            # with its last part.
            for first in range(0, max(1, len(offers)), _PART):
                part = offers[first : first + _PART]
                whole = first + _PART >= len(offers)
                yield ListingPage(
                    await self._listings(part), _position(after, number) if whole else here
                )
            if last or not document.rows:
                return
            trail.follow((after, number))

    async def _listings(self, offers: Sequence[tuple[Offer, bool]]) -> list[Listing]:
        stock = await self._items.find([offer.sku for offer, _ in offers], location=self._location)
        return [listing_from(offer, stock[offer.sku], twice=twice) for offer, twice in offers]

    def _offers(self, document: Document, variants: dict[str, str]) -> list[tuple[Offer, bool]]:
        """Return one offer per SKU of the page, each with whether another variant has that SKU.
        `variants` remembers what was seen."""
        offers: dict[str, Offer] = {}
        twice: set[str] = set()
        for row in document.rows:
            try:
                found = offers_of(document, row)
            except ContractBroken as error:
                self._client.log.error("product_not_understood", product=row.id, problem=str(error))
                continue
            for offer in found:
                if not offer.sku:
                    self._client.log.info("variant_without_sku", variant=offer.variant)
                    continue
                if variants.setdefault(offer.sku, offer.variant) != offer.variant:
                    twice.add(offer.sku)
                offers.setdefault(offer.sku, offer)
        return [(offer, sku in twice) for sku, offer in offers.items()]


def offers_of(document: Document, row: Resource) -> list[Offer]:
    """Return the live variants of a product, and its master SKU where no variant has it. Raises
    ContractBroken."""
    product = row.fields
    if product.text_or_empty("deleted_at"):
        return []
    title = product.text_or_empty("name")
    on_sale = product.text_or_empty("state") in ("", "active") and product.flag_or("for_sale", True)
    found: list[Offer] = []
    for variant in document.linked(row, "variants") or []:
        fields = variant.fields
        if fields.text_or_empty("deleted_at"):
            continue
        sells = (
            on_sale
            and fields.text_or_empty("state") in ("", "active")
            and fields.flag_or("for_sale", True)
        )
        full = " ".join([title or fields.text_or_empty("name"), *_options(variant.attributes)])
        found.append(Offer(fields.text_or_empty("sku"), variant.id, row.id, full, sells))
    master = product.text_or_empty("master_sku")
    if master and master not in {offer.sku for offer in found}:
        found.append(Offer(master, f"master of {row.id}", row.id, title, on_sale))
    return found


def listing_from(offer: Offer, stock: Sequence[StockItem], *, twice: bool) -> Listing:
    """Return a listing with what a person should know about it before linking it."""
    warnings = set()
    if twice or len({item.variant for item in stock}) > 1:
        warnings.add(ListingWarning.DUPLICATE_SKU)
    if not stock:
        warnings.add(ListingWarning.NOT_STOCKED)
    if any(item.unlimited for item in stock):
        warnings.add(ListingWarning.UNTRACKED)
    if not offer.on_sale:
        warnings.add(ListingWarning.OFF_SALE)
    return Listing(
        ref=ListingRef(offer.sku),
        title=offer.title,
        sku=offer.sku,
        group_id=offer.product,
        quantity=stock[0].stock if len(stock) == 1 else None,
        warnings=frozenset(warnings),
    )


def _options(attributes: Mapping[str, Any]) -> list[str]:
    """Return the values that distinguish the variants of a product."""
    options = attributes.get("options")
    values = (
        [option.get("option_value") for option in options if isinstance(option, dict)]
        if isinstance(options, list)
        else []
    )
    return [value for value in values if isinstance(value, str) and value]


def _position(after: int, number: int) -> str:
    return json.dumps({"page": number} if number else {"after": after})


def _parse(cursor: str | None) -> tuple[int, int]:
    """Return the id of the last product delivered, or the number of the next page (0: not by
    pages)."""
    try:
        position = json.loads(cursor) if cursor else {}
        return int(position.get("after", 0)), int(position.get("page", 0))
    except (ValueError, TypeError, AttributeError):
        return 0, 0
