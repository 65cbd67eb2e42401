"""The numbers that the shop shows: reading them, and setting them on condition of what they were.

Shopify applies a batch as a whole or not at all, and does not say which entry was stale. So after a
refusal the batch is read again, the entries that changed are reported, and the rest is sent under a
new key that is derived from the given one.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote

from zaiko_sdk import (
    ConnectorError,
    ContractBroken,
    InventoryLevel,
    InventoryWrite,
    ItemRefused,
    ListingGone,
    ListingRef,
    Skip,
    Timeout,
    WriteOutcome,
    WriteResult,
)

from zaiko_shopify.client import Answer, Client
from zaiko_shopify.documents import ACTIVATE, LEVELS, SET_STOCK, TRACK
from zaiko_shopify.levels import Level, level_of
from zaiko_shopify.listings import ITEM
from zaiko_shopify.locations import Locations
from zaiko_shopify.set_replies import BatchRefusal, refusal_of
from zaiko_shopify.settings import ShopifySettings

_KEYS = uuid.UUID("5f0c6a55-4f5e-5c1f-9a63-0d2f9f3f7a10")
"""The namespace of our idempotency keys."""
_CHECKED_FOR = 600.0
"""For so many seconds an item that was tracked and stocked is assumed to be so still. A number set
at a location where the item is not stocked would be accepted and never shown."""
_ATTEMPTS = 5
_BUSY_WAITS = (1.0, 2.0, 4.0)


class Stock:
    """The stock of one shop at the chosen location."""

    def __init__(self, client: Client, settings: ShopifySettings, locations: Locations) -> None:
        self._client, self._settings, self._locations = client, settings, locations
        self._fit: dict[str, float] = {}

    async def read(self, refs: Sequence[ListingRef]) -> list[InventoryLevel]:
        """See Connector.read_inventory."""
        items = {ref.external_id: ref.data.get(ITEM, "") for ref in refs}
        levels = await self._levels([item for item in items.values() if item])
        return [self._told(ref.external_id, items[ref.external_id], levels) for ref in refs]

    async def set(self, writes: Sequence[InventoryWrite], key: str) -> list[WriteResult]:
        """See Connector.set_inventory."""
        unchecked = [
            write.ref
            for write in writes
            if write.expected is None or not self._is_fit(write.ref.data.get(ITEM, ""))
        ]
        seen = (
            {level.external_id: level for level in await self.read(unchecked)} if unchecked else {}
        )
        results: list[WriteResult] = []
        ready: list[InventoryWrite] = []
        first: list[InventoryWrite] = []
        for write in writes:
            level = seen.get(write.ref.external_id)
            if level is not None and level.error is not None:
                results.append(_refused(write, level.error))
            elif level is not None and level.quantity != write.expected:
                results.append(_stale(write, level.quantity))
            elif write.expected is None:
                first.append(write)
            else:
                ready.append(write)
        if ready:
            results.extend(
                await _Batch(self, self._client, await self._locations.chosen(), key).send(ready)
            )
        for write in first:
            try:
                results.append(await self._begin(write, key))
            except ConnectorError as error:
                if not results:
                    raise
                # Something was already applied, so no error may be raised.
                results.append(_unsettled(write, error))
        return results

    async def levels_of(self, writes: Sequence[InventoryWrite]) -> dict[str, Level]:
        """Return the levels behind these writes by inventory item, without items that are gone."""
        return await self._levels([write.ref.data[ITEM] for write in writes])

    def _told(self, external_id: str, item: str, levels: Mapping[str, Level]) -> InventoryLevel:
        level = levels.get(item)
        if not item:
            return InventoryLevel(
                external_id,
                None,
                ItemRefused("Its inventory item is not known; refresh the shop's listings."),
            )
        if level is None:
            return InventoryLevel(
                external_id,
                None,
                ListingGone("Shopify no longer knows this variant's inventory item."),
            )
        if not level.tracked and self._settings.untracked == "report":
            return InventoryLevel(
                external_id,
                None,
                ItemRefused(
                    "Shopify does not track its quantity. Turn on «Track quantity», or set "
                    "`untracked` to `track`."
                ),
            )
        if level.available is None and self._settings.unstocked == "report":
            return InventoryLevel(
                external_id,
                None,
                ItemRefused(
                    "It is not stocked at the location. Stock it there in Shopify, or set "
                    "`unstocked` to `activate`."
                ),
            )
        if not level.tracked or level.available is None:
            # The first number makes it tracked and stocked.
            return InventoryLevel(external_id, None)
        self._fit[item] = self._client.clock.monotonic()
        return InventoryLevel(external_id, level.available)

    def _is_fit(self, item: str) -> bool:
        at = self._fit.get(item)
        return at is not None and self._client.clock.monotonic() - at < _CHECKED_FOR

    async def _levels(self, items: Sequence[str]) -> dict[str, Level]:
        if not items:
            return {}
        location = await self._locations.chosen()
        rows = (await self._client.query(LEVELS, {"ids": list(items), "location": location})).rows(
            "nodes"
        )
        if len(rows) != len(items):
            raise ContractBroken(
                f"Shopify answered {len(rows)} rows for {len(items)} inventory items"
            )
        read = [level_of(row, f"nodes[{index}]") for index, row in enumerate(rows)]
        return {level.item: level for level in read if level is not None}

    async def _begin(self, write: InventoryWrite, key: str) -> WriteResult:
        """Set the first number of an item that is not tracked or not stocked."""
        item = write.ref.data[ITEM]
        level = (await self._levels([item])).get(item)
        if level is None:
            return _refused(
                write, ListingGone("Shopify no longer knows this variant's inventory item.")
            )
        location = await self._locations.chosen()
        if not level.tracked:
            words = _user_errors(
                await self._client.mutate(TRACK, {"item": item}), "inventoryItemUpdate"
            )
            if words:
                return _refused(
                    write,
                    ItemRefused("Shopify does not let it be tracked.", platform_message=words),
                )
        if level.available is not None:
            # It already had a number, which counts from now on: the host compares with that one.
            return _stale(write, level.available)
        variables = {
            "item": item,
            "location": location,
            "available": write.quantity,
            "key": derived_key(key, f"activate/{item}"),
        }
        answer = await self._client.mutate(ACTIVATE, variables)
        words = _user_errors(answer, "inventoryActivate")
        if words and answer.doubtful:
            return WriteResult(write.ref.external_id, WriteOutcome.UNKNOWN)
        if "already active" in words:
            return _stale(write, None)
        if words:
            return _refused(
                write,
                ItemRefused(
                    "Shopify does not let it be stocked at the location.", platform_message=words
                ),
            )
        self._fit[item] = self._client.clock.monotonic()
        return WriteResult(write.ref.external_id, WriteOutcome.APPLIED)


class _Batch:
    """One call of set_inventory on its way to Shopify."""

    def __init__(self, stock: Stock, client: Client, location: str, key: str) -> None:
        self._stock, self._client, self._location, self._key = stock, client, location, key
        self._results: list[WriteResult] = []
        self._doubtful = False

    async def send(self, writes: Sequence[InventoryWrite]) -> list[WriteResult]:
        """Return exactly one result per write. Raises only while nothing was applied, except
        Timeout."""
        left = sorted(writes, key=lambda write: write.ref.data[ITEM])
        for attempt in range(_ATTEMPTS):
            self._doubtful = False
            refusal = await self._ask(left, attempt)
            if refusal is None:
                self._results += [
                    WriteResult(write.ref.external_id, WriteOutcome.APPLIED) for write in left
                ]
                return self._results
            if refusal.doubtful or (self._doubtful and not refusal.earlier_failed):
                # A refusal does not prove that an attempt whose reply was lost was not applied:
                # reading must decide.
                self._results += [
                    WriteResult(write.ref.external_id, WriteOutcome.UNKNOWN) for write in left
                ]
                return self._results
            if refusal.items:
                self._results += [
                    _refused(left[index], error) for index, error in refusal.items.items()
                ]
                left = [write for index, write in enumerate(left) if index not in refusal.items]
            elif refusal.whole is not None:
                raise refusal.whole
            else:
                left = await self._without_changed(left)
            if not left:
                return self._results
        # Refused again and again, although nothing was seen to change.
        self._results += [_stale(write, None) for write in left]
        return self._results

    async def _ask(self, writes: Sequence[InventoryWrite], attempt: int) -> BatchRefusal | None:
        key = derived_key(self._key, str(attempt))
        entries = [
            {
                "inventoryItemId": write.ref.data[ITEM],
                "locationId": self._location,
                "quantity": write.quantity,
                "changeFromQuantity": write.expected,
            }
            for write in writes
        ]
        document = f"gid://zaiko/Push/{quote(self._key, safe='')}"
        given = {
            "name": "available",
            "reason": "correction",
            "referenceDocumentUri": document,
            "quantities": entries,
        }
        for wait in (*_BUSY_WAITS, None):
            answer = await self._client.mutate(SET_STOCK, {"input": given, "key": key})
            self._doubtful = self._doubtful or answer.doubtful
            with _applied_unless_refused():
                refusal = refusal_of(answer.data.inner("inventorySetQuantities"), len(writes))
            if refusal is None or not refusal.busy:
                return refusal
            if wait is not None:
                await self._client.clock.sleep(wait)
        raise Timeout("Shopify says that the same request is still in progress", sent=None)

    async def _without_changed(self, writes: Sequence[InventoryWrite]) -> list[InventoryWrite]:
        """Read the batch again, report what changed, and return the rest."""
        levels = await self._stock.levels_of(writes)
        same = []
        for write in writes:
            level = levels.get(write.ref.data[ITEM])
            if level is None:
                self._results.append(
                    _refused(
                        write,
                        ListingGone("Shopify no longer knows this variant's inventory item."),
                    )
                )
            elif level.available == write.expected:
                same.append(write)
            else:
                self._results.append(_stale(write, level.available))
        return same


def derived_key(key: str, part: str) -> str:
    """Return the idempotency key of one request within the call that has `key`: the same request
    always gets the same."""
    return str(uuid.uuid5(_KEYS, f"{key}/{part}"))


@contextlib.contextmanager
def _applied_unless_refused() -> Iterator[None]:
    """Turn a reply that is not understood into Timeout: the change may have been applied."""
    try:
        yield
    except ContractBroken as error:
        raise Timeout(f"{error.message}; it may have been applied", sent=None) from error


def _user_errors(answer: Answer, mutation: str) -> str:
    with _applied_unless_refused():
        errors = answer.data.inner(mutation).each("userErrors")
        return "; ".join(error.text_or_empty("message") or "refused" for error in errors)


def _refused(write: InventoryWrite, error: Skip) -> WriteResult:
    return WriteResult(write.ref.external_id, WriteOutcome.REFUSED, error=error)


def _stale(write: InventoryWrite, quantity: int | None) -> WriteResult:
    return WriteResult(write.ref.external_id, WriteOutcome.STALE, quantity)


def _unsettled(write: InventoryWrite, error: ConnectorError) -> WriteResult:
    if isinstance(error, Skip):
        return _refused(write, error)
    if isinstance(error, Timeout) and error.sent is not False:
        return WriteResult(write.ref.external_id, WriteOutcome.UNKNOWN)
    return _stale(write, None)
