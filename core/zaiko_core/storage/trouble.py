"""What the errors of databases and drivers mean for the caller."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from zaiko_core.domain.errors import StorageUnavailable, WriteConflict

_RETRY_STATES = {"40001", "40P01"}  # serialization failure, deadlock
_STOPPING = {"57P01", "57P02", "57P03"}
_NOT_CONNECTED = {"08000", "08001", "08003", "08004", "08006"}
_FULL = "53100"
_EXHAUSTED = {"53000", "53200", "53300"}  # memory, connections
_WAITED = {"55P03", "25P03"}  # for a lock; with a transaction open
_STANDBY = {"25006"}
_LOST_STATES = _STOPPING | _NOT_CONNECTED | _EXHAUSTED | _WAITED | _STANDBY


def service_error_for(
    error: DBAPIError | PoolTimeout,
) -> tuple[StorageUnavailable | WriteConflict, bool] | None:
    """Return the error for the caller, and whether running the transaction again at once may help.
    None for a bug of ours."""
    if isinstance(error, PoolTimeout):
        return StorageUnavailable("every connection to the database is busy; try again"), False
    state = getattr(error.orig, "sqlstate", None)
    if state in _RETRY_STATES:
        return WriteConflict("the write lost a race again and again; try again"), True
    if state == _FULL:
        return StorageUnavailable("the database cannot be written: its disk is full"), False
    if error.connection_invalidated or state in _LOST_STATES:
        return StorageUnavailable("the database does not answer; try again"), True
    if isinstance(error, OperationalError):
        cause = str(error.orig)
        if "locked" in cause or "busy" in cause:
            return StorageUnavailable(
                "the database file is locked by another process; try again"
            ), True
        if state is None and "sqlite" not in type(error.orig).__module__:
            return StorageUnavailable("the database cannot be reached; try again"), True
        if any(words in cause for words in ("is full", "readonly", "disk I/O", "unable to open")):
            return StorageUnavailable(f"the database cannot be written: {cause}"), False
    return None
