"""Reading and writing the number that the shop shows at the chosen location."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from zaiko_sdk import (
    ConnectorError,
    InventoryLevel,
    InventoryWrite,
    ItemRefused,
    ListingGone,
    ListingRef,
    Skip,
    WriteOutcome,
    WriteResult,
)

from zaiko_ecforce.client import Client
from zaiko_ecforce.replies import body_of, refusal
from zaiko_ecforce.settings import EcforceSettings
from zaiko_ecforce.stock_items import StockItem, StockItems
from zaiko_ecforce.verdict import Verdict, verdict
from zaiko_ecforce.write_reply import WriteReply, read_write_reply

_INEFFECTIVE = 2
"""After this many acknowledged writes in a row that leave the number as it was, the item is
refused. A single one may have been a sale of exactly the difference."""


class Inventory:
    """The stock of one shop at one location."""

    def __init__(self, client: Client, settings: EcforceSettings) -> None:
        self._client, self._items = client, StockItems(client)
        self._location, self._batch = settings.location_code, settings.write_batch
        self._ineffective: dict[str, int] = {}

    async def read(self, refs: Sequence[ListingRef]) -> list[InventoryLevel]:
        """See Connector.read_inventory."""
        skus = [ref.external_id for ref in refs]
        here = await self._items.find(skus, location=self._location)
        missing = [sku for sku in skus if not here[sku]]
        elsewhere = await self._items.find(missing, location=None) if missing else {}
        return [self._level(sku, here[sku], elsewhere.get(sku, ())) for sku in skus]

    async def write(self, writes: Sequence[InventoryWrite]) -> list[WriteResult]:
        """See Connector.set_inventory. Every write is read back: ecforce answers 200 also when it
        did nothing."""
        results: list[WriteResult] = []
        sent: list[InventoryWrite] = []
        for first in range(0, len(writes), self._batch):
            part = writes[first : first + self._batch]
            try:
                reply = await self._put(part)
            except ConnectorError as error:
                if first == 0:
                    raise
                # The parts before were applied, so this must not be raised: it would say that
                # nothing was.
                self._client.log.warning(
                    "stock_write_stopped", reason=error.reason, unsettled=len(writes) - first
                )
                results += [
                    WriteResult(write.ref.external_id, WriteOutcome.UNKNOWN)
                    for write in writes[first:]
                ]
                break
            for write in part:
                problem = reply.problem(write.ref.external_id)
                if problem is None:
                    sent.append(write)
                else:
                    results.append(_refused(write, problem))
        return results + await self._verified(sent)

    async def _put(self, writes: Sequence[InventoryWrite]) -> WriteReply:
        rows = [
            {
                "variant_sku": write.ref.external_id,
                "stock_location_code": self._location,
                "stock": max(0, write.quantity),
            }
            for write in writes
        ]
        response = await self._client.put("stock_items", {"stock_items": rows})
        # A reply about single rows counts, whatever its status: the status when all rows fail
        # is not known.
        reply = read_write_reply(body_of(response))
        error = refusal(response, path="stock_items", writing=True, clock=self._client.clock)
        if error is not None and not reply.tells_of_rows:
            raise error
        return reply

    async def _verified(self, writes: Sequence[InventoryWrite]) -> list[WriteResult]:
        if not writes:
            return []
        try:
            found = await self._items.find(
                [write.ref.external_id for write in writes], location=self._location
            )
        except ConnectorError as error:
            self._client.log.warning("stock_not_read_back", reason=error.reason, writes=len(writes))
            return [WriteResult(write.ref.external_id, WriteOutcome.UNKNOWN) for write in writes]
        return [self._result(write, found) for write in writes]

    def _result(
        self, write: InventoryWrite, found: Mapping[str, Sequence[StockItem]]
    ) -> WriteResult:
        sku = write.ref.external_id
        level = self._level(sku, found[sku], ())
        if level.error is not None:
            return _refused(write, level.error)
        shown = level.quantity
        says = verdict(expected=write.expected, written=write.quantity, shown=shown)
        if says is not Verdict.UNCHANGED:
            self._ineffective.pop(sku, None)
            outcome = WriteOutcome.APPLIED if says is Verdict.APPLIED else WriteOutcome.UNKNOWN
            return WriteResult(sku, outcome, shown)
        self._ineffective[sku] = self._ineffective.get(sku, 0) + 1
        if self._ineffective[sku] < _INEFFECTIVE:
            return WriteResult(sku, WriteOutcome.UNKNOWN, shown)
        del self._ineffective[sku]
        return _refused(
            write,
            ItemRefused(f"ecforce accepted {write.quantity} for {sku!r} but still shows {shown}"),
            shown,
        )

    def _level(
        self, sku: str, here: Sequence[StockItem], elsewhere: Sequence[StockItem]
    ) -> InventoryLevel:
        error: Skip | None = None
        if not here and elsewhere:
            places = ", ".join(sorted({item.location for item in elsewhere}))
            error = ItemRefused(
                f"{sku!r} has no stock record at the location {self._location!r}, only at "
                f"{places}. Add one in ecforce, or "
                "change location_code."
            )
        elif not here:
            error = ListingGone(f"ecforce has no stock record of {sku!r}")
        elif len(here) > 1:
            error = ItemRefused(
                f"{len(here)} variants carry the SKU {sku!r}; give each its own, so that "
                "one can be addressed"
            )
        elif here[0].unlimited:
            error = ItemRefused(
                f"{sku!r} is set to unlimited stock (在庫無制限); switch that off in ecforce to "
                "have it synced"
            )
        elif here[0].problem:
            error = ItemRefused(here[0].problem)
        return InventoryLevel(sku, None if error else here[0].stock, error)


def _refused(write: InventoryWrite, error: Skip, shown: int | None = None) -> WriteResult:
    return WriteResult(write.ref.external_id, WriteOutcome.REFUSED, shown, error)
