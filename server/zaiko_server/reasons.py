"""Who must act for every reason, and the status code that comes nearest: the list of `error.proto`,
as a table."""

from __future__ import annotations

from collections.abc import Mapping

from grpc import StatusCode

_M, _P, _S = "MERCHANT", "PLATFORM", "SYSTEM"

REASONS: Mapping[str, tuple[str, StatusCode]] = {
    "INVALID_FIELD": (_S, StatusCode.INVALID_ARGUMENT),
    "INVALID_NAME": (_S, StatusCode.INVALID_ARGUMENT),
    "INVALID_PAGE_TOKEN": (_S, StatusCode.INVALID_ARGUMENT),
    "FIELD_MASK_INVALID": (_S, StatusCode.INVALID_ARGUMENT),
    "REQUEST_ID_REUSED": (_S, StatusCode.INVALID_ARGUMENT),
    "CAUSE_KEY_REUSED": (_S, StatusCode.INVALID_ARGUMENT),
    "BATCH_TOO_LARGE": (_S, StatusCode.INVALID_ARGUMENT),
    "DUPLICATE_IN_BATCH": (_S, StatusCode.INVALID_ARGUMENT),
    "RESUME_TOKEN_INVALID": (_S, StatusCode.INVALID_ARGUMENT),
    "SEQUENCE_GAP": (_S, StatusCode.INVALID_ARGUMENT),
    "TOKEN_MISSING": (_S, StatusCode.UNAUTHENTICATED),
    "TOKEN_INVALID": (_S, StatusCode.UNAUTHENTICATED),
    "TOKEN_EXPIRED": (_S, StatusCode.UNAUTHENTICATED),
    # As a Problem of a shop it is the merchant's; a call that lacks a permission is refused with
    # owner SYSTEM (status.py).
    "PERMISSION_MISSING": (_M, StatusCode.PERMISSION_DENIED),
    "RESOURCE_NOT_FOUND": (_S, StatusCode.NOT_FOUND),
    "RESOURCE_EXISTS": (_S, StatusCode.ALREADY_EXISTS),
    "CODE_TAKEN": (_S, StatusCode.ALREADY_EXISTS),
    "LISTING_ALREADY_LINKED": (_S, StatusCode.ALREADY_EXISTS),
    "ETAG_MISMATCH": (_S, StatusCode.ABORTED),
    "WRITE_CONFLICT": (_S, StatusCode.ABORTED),
    "REQUEST_IN_FLIGHT": (_S, StatusCode.ABORTED),
    "SYNC_NOT_OFFERED": (_M, StatusCode.FAILED_PRECONDITION),
    "CONNECTOR_CANNOT_SET_INVENTORY": (_P, StatusCode.FAILED_PRECONDITION),
    "CONNECTOR_NOT_LOADED": (_S, StatusCode.FAILED_PRECONDITION),
    "SHOP_PAUSED": (_M, StatusCode.FAILED_PRECONDITION),
    "SHOP_CREDENTIALS_REJECTED": (_M, StatusCode.FAILED_PRECONDITION),
    "SHOP_HAS_LINKS": (_S, StatusCode.FAILED_PRECONDITION),
    "PRODUCT_ARCHIVED": (_S, StatusCode.FAILED_PRECONDITION),
    "PRODUCT_HAS_LINKS": (_S, StatusCode.FAILED_PRECONDITION),
    "MODE_CONFLICT": (_S, StatusCode.FAILED_PRECONDITION),
    "RECEIVING_ONLY_ENDED": (_S, StatusCode.FAILED_PRECONDITION),
    "OPERATION_DONE": (_S, StatusCode.FAILED_PRECONDITION),
    "OPERATION_ACTIVE": (_S, StatusCode.FAILED_PRECONDITION),
    "INSUFFICIENT_STOCK": (_S, StatusCode.FAILED_PRECONDITION),
    "ORDER_NOT_OPEN": (_S, StatusCode.FAILED_PRECONDITION),
    "ADDITION_SETTLED": (_S, StatusCode.FAILED_PRECONDITION),
    "SECRET_KEY_MISSING": (_S, StatusCode.FAILED_PRECONDITION),
    "DEMAND_EXCEEDED": (_S, StatusCode.FAILED_PRECONDITION),
    "STOCK_LIMIT_EXCEEDED": (_S, StatusCode.FAILED_PRECONDITION),
    "REVISION_COMPACTED": (_S, StatusCode.OUT_OF_RANGE),
    "REVISION_IN_FUTURE": (_S, StatusCode.OUT_OF_RANGE),
    "HISTORY_REPLACED": (_S, StatusCode.OUT_OF_RANGE),
    "RATE_LIMITED": (_S, StatusCode.RESOURCE_EXHAUSTED),
    "TOO_MANY_STREAMS": (_S, StatusCode.RESOURCE_EXHAUSTED),
    "SLOW_CONSUMER": (_S, StatusCode.RESOURCE_EXHAUSTED),
    "MESSAGE_TOO_LARGE": (_S, StatusCode.RESOURCE_EXHAUSTED),
    "SERVER_DRAINING": (_S, StatusCode.UNAVAILABLE),
    "STORAGE_UNAVAILABLE": (_S, StatusCode.UNAVAILABLE),
    "REPLICA_BEHIND": (_S, StatusCode.UNAVAILABLE),
    "PLATFORM_UNAVAILABLE": (_P, StatusCode.UNAVAILABLE),
    "DEADLINE_EXCEEDED": (_S, StatusCode.DEADLINE_EXCEEDED),
    "NOT_IMPLEMENTED": (_S, StatusCode.UNIMPLEMENTED),
    "INTERNAL": (_S, StatusCode.INTERNAL),
    "CONNECTOR_CONTRACT_BROKEN": (_S, StatusCode.INTERNAL),
    "CREDENTIALS_REJECTED": (_M, StatusCode.FAILED_PRECONDITION),
    "SETTINGS_INVALID": (_M, StatusCode.FAILED_PRECONDITION),
    "PLAN_TOO_LOW": (_M, StatusCode.FAILED_PRECONDITION),
    "PLATFORM_DOWN": (_P, StatusCode.UNAVAILABLE),
    "THROTTLED": (_P, StatusCode.RESOURCE_EXHAUSTED),
    "TIMEOUT": (_P, StatusCode.DEADLINE_EXCEEDED),
    "ITEM_REFUSED": (_M, StatusCode.FAILED_PRECONDITION),
    "CONTRACT_BROKEN": (_S, StatusCode.INTERNAL),
    "CONNECTOR_ERROR": (_S, StatusCode.UNKNOWN),
    "LISTING_GONE": (_M, StatusCode.FAILED_PRECONDITION),
    "LISTING_NOT_STOCKED": (_M, StatusCode.FAILED_PRECONDITION),
    "LISTING_UNTRACKED": (_M, StatusCode.FAILED_PRECONDITION),
    "LISTING_READ_ONLY": (_M, StatusCode.FAILED_PRECONDITION),
    "DIFFERENCE_UNEXPLAINED": (_M, StatusCode.ABORTED),
    "OUTCOME_UNKNOWN": (_P, StatusCode.UNKNOWN),
    "RUN_ABANDONED": (_S, StatusCode.ABORTED),
}


def owner_of(reason: str) -> str:
    """Who must act; a reason that is not in the list is for the operator."""
    return REASONS.get(reason, (_S, StatusCode.UNKNOWN))[0]


def code_of(reason: str) -> int:
    """The google.rpc.Code number that comes nearest."""
    number: int = REASONS.get(reason, (_S, StatusCode.UNKNOWN))[1].value[0]
    return number
