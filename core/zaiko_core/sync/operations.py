"""Runs operations: refreshing a shop's listings, bulk linking, cutting over. Each is idempotent:
one that died with its process is run again from the start by the next process that claims it."""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

from structlog.contextvars import bound_contextvars
from zaiko_sdk import ConnectorError, ListingRef, Skip

from zaiko_core import tracing
from zaiko_core.app import catalogue_reading, shops
from zaiko_core.app.bulk_link import (
    BulkLinkOrder,
    BulkLinkReport,
    catalogue,
    link_batch,
    matcher_for,
    meant,
)
from zaiko_core.app.cut_over import CutOverReport, candidates, switch_batch
from zaiko_core.app.links import CanSync
from zaiko_core.app.operations import BULK_LINK, CUT_OVER, REFRESH_LISTINGS
from zaiko_core.app.records import ChangeKind, ListingRecord, OperationRecord, OperationState
from zaiko_core.domain.errors import ServiceError
from zaiko_core.domain.problem import Problem
from zaiko_core.storage.database import Database
from zaiko_core.storage.jobs import OperationClaim
from zaiko_core.storage.uow import StorageUnitOfWork
from zaiko_core.sync import translation
from zaiko_core.sync.environment import Environment
from zaiko_core.sync.guard import GuardedConnector
from zaiko_core.sync.shop_access import ShopAccess

_BATCH = 500


class OperationCancelled(Exception):
    """A person asked the operation to stop."""


class OperationRunner:
    """One per process. `can_sync` says whether a connector's shops can be synced."""

    def __init__(
        self, db: Database, shops: ShopAccess, can_sync: CanSync, environment: Environment
    ) -> None:
        self._db, self._shops, self._can_sync = db, shops, can_sync
        self._log, self._tracer = environment.log, environment.tracer

    async def run(self, claim: OperationClaim) -> None:
        """Run one operation to its end and record it, in a trace of its own."""
        about = {"zaiko.merchant": claim.merchant, "zaiko.operation": claim.operation}
        with (
            tracing.span(self._tracer, "operation", about, root=True),
            bound_contextvars(merchant=claim.merchant, operation=claim.operation, **tracing.ids()),
        ):
            await self._run(claim)

    async def _run(self, claim: OperationClaim) -> None:
        work: dict[str, Callable[[str, OperationRecord], Awaitable[dict[str, Any]]]] = {
            REFRESH_LISTINGS: self._refresh,
            BULK_LINK: self._bulk_link,
            CUT_OVER: self._cut_over,
        }
        record = await self._save(claim, state=OperationState.RUNNING)
        if record is None:
            return
        try:
            result = await work[record.kind](claim.merchant, record)
        except OperationCancelled:
            await self._save(claim, state=OperationState.CANCELLED)
        except ConnectorError as error:
            await self._save(
                claim, state=OperationState.FAILED, problem=translation.problem_of(error)
            )
        except ServiceError as error:
            await self._save(
                claim,
                state=OperationState.FAILED,
                problem=Problem(error.reason, error.message, metadata=error.metadata),
            )
        except Exception as error:  # noqa: BLE001 - a fault of ours; repeating it would hide it
            self._log.error(
                "operation_crashed",
                operation=claim.operation,
                error=repr(error),
                trace=traceback.format_exc(),
            )
            message = (
                "the operation failed unexpectedly; tell the operator the incident "
                f"{claim.operation}"
            )
            await self._save(
                claim,
                state=OperationState.FAILED,
                problem=Problem("INTERNAL", message, metadata={"incident": claim.operation}),
            )
        else:
            await self._save(claim, state=OperationState.SUCCEEDED, result=result)

    async def _refresh(self, merchant: str, record: OperationRecord) -> dict[str, Any]:
        """Read the whole catalogue; listings that it did not deliver have vanished."""
        shop, started, seen, new, changed = record.shop, 0, 0, 0, 0
        async with self._shops.confirmed(merchant, shop) as connector:
            async for page in connector.list_listings(None):
                listings = [translation.listing_from(listing, shop) for listing in page.listings]
                moment, (added, altered) = await self._db.write(
                    merchant,
                    lambda uow, listings=listings: (
                        uow.now,
                        shops.take_listings(uow, shop, listings),
                    ),  # type: ignore[misc]
                )
                started = started or moment
                seen, new, changed = seen + len(listings), new + added, changed + altered
                await self._progress(merchant, record.operation, done=seen, total=0)

        def finish(uow: StorageUnitOfWork) -> int:
            vanished = uow.listings.vanish(shop, not_seen_since=started or uow.now)
            uow.changed(ChangeKind.SHOP, [shop])
            catalogue_reading.done(uow, shop, new=new, since=started, drawn=record.operation[-12:])
            return vanished

        vanished = await self._db.write(merchant, finish)
        return {"listings": seen, "new": new, "changed": changed, "vanished": vanished}

    async def _bulk_link(self, merchant: str, record: OperationRecord) -> dict[str, Any]:
        asked = BulkLinkOrder(shop=record.shop, **record.arguments)
        whole = await self._db.read(merchant, lambda uow: catalogue(uow, asked.shop))
        matcher, listings = matcher_for(whole, asked), meant(whole, asked)
        report = BulkLinkReport(dry_run=asked.dry_run)
        for first in range(0, len(listings), _BATCH):
            batch, so_far = listings[first : first + _BATCH], report
            report = await self._db.write(
                merchant,
                lambda uow, batch=batch, so_far=so_far: link_batch(  # type: ignore[misc]
                    uow, asked, matcher, batch, so_far, can_sync=self._can_sync
                ),
            )
            await self._progress(
                merchant, record.operation, done=first + len(batch), total=len(listings)
            )
        return asdict(report)

    async def _cut_over(self, merchant: str, record: OperationRecord) -> dict[str, Any]:
        """Read the shop's numbers batch by batch, and switch each batch after it was read."""
        shop, dry_run = record.shop, bool(record.arguments["dry_run"])
        wanted = await self._db.read(merchant, lambda uow: candidates(uow, shop))
        report, done = CutOverReport(dry_run), 0
        async with self._shops.confirmed(merchant, shop) as connector:
            while done < len(wanted):
                batch = wanted[done : done + connector.limits.read_batch]
                shown = await _numbers(connector, batch)
                so_far = report
                report = await self._db.write(
                    merchant,
                    lambda uow, shown=shown, so_far=so_far: switch_batch(  # type: ignore[misc]
                        uow, shop, shown, so_far, can_sync=self._can_sync
                    ),
                )
                done += len(batch)
                await self._progress(merchant, record.operation, done=done, total=len(wanted))
        return asdict(report)

    async def _progress(self, merchant: str, operation: str, *, done: int, total: int) -> None:
        def note(uow: StorageUnitOfWork) -> bool:
            record = uow.operations.get(operation)
            if record is None or record.cancel_asked:
                return False
            uow.operations.put(replace(record, done=done, total=total))
            uow.advance()
            return True

        if not await self._db.write(merchant, note):
            raise OperationCancelled

    async def _save(
        self,
        claim: OperationClaim,
        *,
        state: OperationState,
        result: dict[str, Any] | None = None,
        problem: Problem | None = None,
    ) -> OperationRecord | None:
        def store(uow: StorageUnitOfWork) -> OperationRecord | None:
            record = uow.operations.get(claim.operation)
            if record is None or record.ended_at is not None:
                return None
            ended = None if state is OperationState.RUNNING else uow.now
            changed = replace(
                record,
                state=state,
                result=result,
                problem=problem,
                started_at=record.started_at or uow.now,
                ended_at=ended,
            )
            if state is OperationState.RUNNING and record.cancel_asked:
                changed = replace(changed, state=OperationState.CANCELLED, ended_at=uow.now)
            uow.operations.put(changed)
            uow.advance()
            return (
                changed if changed.ended_at is None or state is not OperationState.RUNNING else None
            )

        return await self._db.write(claim.merchant, store)


async def _numbers(
    connector: GuardedConnector, batch: Sequence[ListingRecord]
) -> dict[str, int | Problem | None]:
    """Return what the shop shows, by listing, or why it cannot be read. A batch that is refused as
    a whole is read one by one."""
    refs = {ListingRef(listing.external_id, listing.data).external_id: listing for listing in batch}
    try:
        levels = await connector.read_inventory(
            [ListingRef(listing.external_id, listing.data) for listing in batch]
        )
    except Skip as error:
        if len(batch) == 1:
            return {batch[0].listing: translation.problem_of(error)}
        found: dict[str, int | Problem | None] = {}
        for listing in batch:
            found |= await _numbers(connector, [listing])
        return found
    return {
        refs[level.external_id].listing: level.quantity
        if level.error is None
        else translation.problem_of(level.error)
        for level in levels
    }
