"""Stock records as ecforce lists them: one per variant and location."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from zaiko_sdk import ContractBroken
from zaiko_sdk.fields import whole

from zaiko_ecforce.client import PER, Client
from zaiko_ecforce.documents import Resource

_QUERY_BYTES = 5_000
"""The longest filter of one request: web servers commonly stop at 8 kB for the whole request
line."""
_PAGES = 100
"""Pages read when the shop ignores the SKU filter. A larger shop cannot be read in time without the
filter."""


@dataclass(frozen=True, slots=True)
class StockItem:
    """One record. `stock` is None when the record holds no readable number; `problem` then says
    why."""

    sku: str
    location: str
    variant: str
    stock: int | None
    unlimited: bool = False
    problem: str = ""
    location_id: str = ""


def stock_item(row: Resource) -> StockItem | None:
    """Return a record from its row, or None for a deleted one. Raises ContractBroken when the row
    does not say which record it is."""
    fields = row.fields
    if fields.text_or_empty("deleted_at"):
        return None
    sku, location = fields.text_or_empty("variant_sku"), fields.text_or_empty("stock_location_code")
    if not (fields.names("variant_sku") and fields.names("stock_location_code")):
        raise ContractBroken(f"{fields.where} has no variant_sku or no stock_location_code")
    variant, location_id = (
        fields.text_or_empty("variant_id"),
        fields.text_or_empty("stock_location_id"),
    )
    unlimited = fields.flag_or("stock_unlimited", False)
    try:
        return StockItem(
            sku,
            location,
            variant,
            fields.whole_or_none("stock"),
            unlimited,
            location_id=location_id,
        )
    except ContractBroken as error:
        return StockItem(sku, location, variant, None, unlimited, str(error), location_id)


class StockItems:
    """Reads stock records by SKU."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def find(
        self, skus: Sequence[str], *, location: str | None
    ) -> dict[str, list[StockItem]]:
        """Return the live records of these SKUs, by SKU. An SKU without any has an empty list."""
        found: dict[str, list[StockItem]] = {sku: [] for sku in skus}
        for part in _parts(list(found)):
            await self._find(part, location, found)
        return found

    async def first(self, location: str | None = None) -> tuple[list[StockItem], bool]:
        """Return one page of records, and whether there are no others."""
        document = await self._client.list("stock_items", _filters((), location), page=1, sort="id")
        return [
            item for item in map(self._item, document.rows) if item is not None
        ], document.is_last(1, PER)

    async def _find(
        self, skus: Sequence[str], location: str | None, found: dict[str, list[StockItem]]
    ) -> None:
        filters, wanted, seen = _filters(skus, location), set(skus), set[str]()
        for page in range(1, _PAGES + 1):
            document = await self._client.list("stock_items", filters, page=page, sort="id")
            for row in document.rows:
                # A record that moved while paging comes twice.
                item = None if row.id in seen else self._item(row)
                seen.add(row.id)
                # Checked again here: an ignored filter returns every record of the shop.
                if (
                    item is not None
                    and item.sku in wanted
                    and (location is None or item.location == location)
                ):
                    found[item.sku].append(item)
            # When a full page has exactly what was requested, no second page is needed to prove
            # that it was all.
            complete = all(found[sku] for sku in skus) and len(seen) == whole(
                document.meta.get("total_count")
            )
            if complete or document.is_last(page, PER):
                return
        raise ContractBroken(
            f"ecforce returned more than {_PAGES * PER} stock records for {len(skus)} SKUs: "
            "it ignores the filter"
        )

    def _item(self, row: Resource) -> StockItem | None:
        try:
            return stock_item(row)
        except ContractBroken as error:
            self._client.log.error("stock_record_not_understood", problem=str(error))
            return None


def _filters(skus: Sequence[str], location: str | None) -> list[tuple[str, str]]:
    filters = [("q[variant_sku_in][]", sku) for sku in skus]
    return filters if location is None else [*filters, ("q[stock_location_code_eq]", location)]


def _parts(skus: Sequence[str]) -> Iterator[Sequence[str]]:
    """Split a list of SKUs so that each part fits into one address."""
    part: list[str] = []
    size = 0
    for sku in skus:
        needs = len(urlencode([("q[variant_sku_in][]", sku)])) + 1
        if part and (size + needs > _QUERY_BYTES or len(part) == PER):
            yield part
            part, size = [], 0
        part.append(sku)
        size += needs
    if part:
        yield part
