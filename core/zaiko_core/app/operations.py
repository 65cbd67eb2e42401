"""Asking for long-running operations, and asking them to stop. The engine runs them
(sync/operations.py)."""

from __future__ import annotations

from dataclasses import asdict, replace

from zaiko_core.app import shops
from zaiko_core.app.bulk_link import BulkLinkOrder
from zaiko_core.app.links import CanSync, check_sync_offered
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import OperationRecord, OperationState, ShopRecord
from zaiko_core.domain.errors import NotFound, OperationActive, OperationDone, ShopPaused

REFRESH_LISTINGS, BULK_LINK, CUT_OVER = "REFRESH_LISTINGS", "BULK_LINK", "CUT_OVER"


def operation_id(now: int, drawn: str) -> str:
    """Return an id that sorts by time. `drawn` is a fresh random text that makes it unique."""
    return f"{now:016d}-{drawn[:12]}"


def refresh_listings(
    uow: UnitOfWork, shop: str, *, drawn: str, can_sync: CanSync
) -> OperationRecord:
    """Ask for a full reading of a shop's catalogue, or return the one that is open. Raises
    NotFound, ShopPaused, ConnectorNotLoaded."""
    record = shops.get(uow, shop)
    check_runnable(uow, record, can_sync)
    return uow.operations.active(REFRESH_LISTINGS, shop) or begin(
        uow, REFRESH_LISTINGS, shop, {}, drawn
    )


def bulk_link(
    uow: UnitOfWork, asked: BulkLinkOrder, *, drawn: str, can_sync: CanSync
) -> OperationRecord:
    """Ask for a bulk linking. Raises NotFound, OperationActive, and where sync is to be enabled
    SyncNotOffered, ConnectorNotLoaded, ConnectorCannotSetInventory."""
    record = shops.get(uow, asked.shop)
    _check_only_one(uow, BULK_LINK, asked.shop, "linking")
    if asked.enable_sync:
        check_sync_offered(uow, record, can_sync)
    return begin_bulk_link(uow, asked, drawn)


def begin_bulk_link(uow: UnitOfWork, asked: BulkLinkOrder, drawn: str) -> OperationRecord:
    """Begin a bulk linking that nothing speaks against."""
    arguments = asdict(asked)
    del arguments["shop"]
    return begin(uow, BULK_LINK, asked.shop, arguments, drawn)


def cut_over(
    uow: UnitOfWork, shop: str, *, dry_run: bool, drawn: str, can_sync: CanSync
) -> OperationRecord:
    """Ask to move a shop from receiving-only to sync. Raises NotFound, ShopPaused, OperationActive,
    SyncNotOffered, ConnectorNotLoaded, ConnectorCannotSetInventory."""
    record = shops.get(uow, shop)
    check_runnable(uow, record, can_sync)
    check_sync_offered(uow, record, can_sync)
    _check_only_one(uow, CUT_OVER, shop, "cutting over")
    return begin(uow, CUT_OVER, shop, {"dry_run": dry_run}, drawn)


def cancel(uow: UnitOfWork, operation: str) -> OperationRecord:
    """Ask an operation to stop after its present batch; one that has not begun never will. Raises
    OperationDone when it has ended, unless it was cancelled."""
    record = get(uow, operation)
    if record.state is OperationState.CANCELLED or (
        record.cancel_asked and record.ended_at is None
    ):
        return record
    if record.ended_at is not None:
        raise OperationDone(
            f"the operation has ended as {record.state.value} and cannot be cancelled",
            operation=f"merchants/{uow.merchant}/operations/{operation}",
        )
    changed = replace(record, cancel_asked=True)
    if record.state is OperationState.QUEUED:
        changed = replace(changed, state=OperationState.CANCELLED, ended_at=uow.now)
    uow.operations.put(changed)
    uow.advance()
    return get(uow, operation)


def get(uow: UnitOfWork, operation: str) -> OperationRecord:
    """Return one operation. Raises NotFound."""
    record = uow.operations.get(operation)
    if record is None:
        raise NotFound(f"merchants/{uow.merchant}/operations/{operation}")
    return record


def check_runnable(uow: UnitOfWork, shop: ShopRecord, can_sync: CanSync) -> None:
    """Raise ShopPaused or ConnectorNotLoaded when nothing can run for this shop."""
    name = f"merchants/{uow.merchant}/shops/{shop.shop}"
    if shop.paused:
        raise ShopPaused(f"{name} is paused; resume it first", shop=name)
    refusal = can_sync(shop.connector)
    if refusal is not None and refusal.reason == "CONNECTOR_NOT_LOADED":
        raise refusal


def _check_only_one(uow: UnitOfWork, kind: str, shop: str, doing: str) -> None:
    active = uow.operations.active(kind, shop)
    if active is not None:
        name = f"merchants/{uow.merchant}/operations/{active.operation}"
        raise OperationActive(
            f"{name} is {doing} this shop already; wait for it or cancel it", operation=name
        )


def begin(
    uow: UnitOfWork, kind: str, shop: str, arguments: dict[str, object], drawn: str
) -> OperationRecord:
    """Begin an operation that nothing speaks against."""
    operation = operation_id(uow.now, drawn)
    uow.operations.put(OperationRecord(operation, kind, OperationState.QUEUED, shop, arguments))
    uow.due()
    uow.advance()
    return get(uow, operation)
