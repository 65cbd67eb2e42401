"""Errors of calls, one class per reason. Each message says what is wrong and what to do; its
metadata has the values that vary.

`zaiko_server/status.py` maps them to gRPC, by the class's place in this tree:

    ServiceError
    ├── Unauthenticated  it is not known who calls; call again with a valid token
    ├── Denied           the caller may not do it, whether the resource exists or not
    ├── Invalid          the request is wrong, and will never succeed
    ├── NotFound         what the request names does not exist, or belongs to another merchant
    ├── Exists           what the request would create exists already
    ├── Conflict         another caller changed it meanwhile; read again, then decide
    ├── Precondition     the present state does not allow it
    ├── OutOfRange       a position that no longer exists, or does not exist yet
    └── Unavailable      the server cannot answer now; the same request may succeed soon
"""

from __future__ import annotations

from typing import ClassVar


class ServiceError(Exception):
    """Base of every error of a call. `reason` is UPPER_SNAKE and stable. Keys of the metadata are
    never removed."""

    reason: ClassVar[str]

    def __init__(self, message: str, **metadata: str) -> None:
        super().__init__(message)
        self.message, self.metadata = message, metadata


class Unauthenticated(ServiceError):
    """The caller is not known."""


class TokenMissing(Unauthenticated):
    reason = "TOKEN_MISSING"

    def __init__(self) -> None:
        super().__init__(
            "this server requires a token; send `authorization: Bearer <token>`, and get one "
            "from the operator"
        )


class TokenInvalid(Unauthenticated):
    """The token is unknown or revoked. The two are alike, so that nobody can find out which tokens
    existed."""

    reason = "TOKEN_INVALID"

    def __init__(self) -> None:
        super().__init__("the token is not valid here; get another one from the operator")


class TokenExpired(Unauthenticated):
    reason = "TOKEN_EXPIRED"

    def __init__(self) -> None:
        super().__init__("the token has expired; get another one from the operator")


class Denied(ServiceError):
    """The caller lacks a permission."""


class PermissionDenied(Denied):
    """The caller lacks a permission. The message does not reveal whether the resource exists."""

    reason = "PERMISSION_MISSING"

    def __init__(self, permission: str, message: str = "") -> None:
        text = (
            message or f"the token does not allow {permission}; ask the operator for one that does"
        )
        super().__init__(text, permission=permission)


class Invalid(ServiceError):
    """The request is wrong."""


class InvalidField(Invalid):
    """Fields break their rules. `violations` lists each as (path, rule, text)."""

    reason = "INVALID_FIELD"

    def __init__(self, violations: list[tuple[str, str, str]]) -> None:
        first = violations[0]
        more = f" (and {len(violations) - 1} more)" if len(violations) > 1 else ""
        super().__init__(f"{first[0]}: {first[2]}{more}", field=first[0])
        self.violations = violations


class InvalidPageToken(Invalid):
    reason = "INVALID_PAGE_TOKEN"


class ResumeTokenInvalid(Invalid):
    reason = "RESUME_TOKEN_INVALID"


class RequestIdReused(Invalid):
    reason = "REQUEST_ID_REUSED"


class CauseKeyReused(Invalid):
    reason = "CAUSE_KEY_REUSED"


class NotFound(ServiceError):
    """No resource has this full name."""

    reason = "RESOURCE_NOT_FOUND"

    def __init__(self, resource: str) -> None:
        super().__init__(
            f"{resource} does not exist; check the name, or list its parent", resource=resource
        )


class Exists(ServiceError):
    """What would be created exists already."""


class ResourceExists(Exists):
    reason = "RESOURCE_EXISTS"

    def __init__(self, resource: str) -> None:
        super().__init__(
            f"{resource} exists already; get it, or choose another id", resource=resource
        )


class CodeTaken(Exists):
    reason = "CODE_TAKEN"

    def __init__(self, code: str) -> None:
        super().__init__(
            f"the code {code!r} belongs to another product of this merchant; choose another code",
            code=code,
        )


class ListingAlreadyLinked(Exists):
    reason = "LISTING_ALREADY_LINKED"

    def __init__(self, link: str) -> None:
        super().__init__(
            f"{link} exists: a listing has at most one link; delete it first", link=link
        )


class AccountTaken(Exists):
    """An account of a platform is one shop only. Another merchant's shop is not named."""

    reason = "ACCOUNT_TAKEN"


class Conflict(ServiceError):
    """Another writer was faster."""


class EtagMismatch(Conflict):
    reason = "ETAG_MISMATCH"

    def __init__(self, current: str) -> None:
        super().__init__(
            "it has changed since it was read; read it again and decide", currentEtag=current
        )


class WriteConflict(Conflict):
    reason = "WRITE_CONFLICT"


class LeaseLost(Conflict):
    """A run tries to write after another replica claimed its shop. The run ends, so no client sees
    this."""

    reason = "WRITE_CONFLICT"


class Precondition(ServiceError):
    """The present state does not allow it."""


class SyncNotOffered(Precondition):
    reason = "SYNC_NOT_OFFERED"


class ConnectorCannotSetInventory(Precondition):
    reason = "CONNECTOR_CANNOT_SET_INVENTORY"


class ConnectorNotLoaded(Precondition):
    reason = "CONNECTOR_NOT_LOADED"


class ShopPaused(Precondition):
    reason = "SHOP_PAUSED"


class ProductArchived(Precondition):
    reason = "PRODUCT_ARCHIVED"


class ProductHasLinks(Precondition):
    reason = "PRODUCT_HAS_LINKS"


class ShopHasLinks(Precondition):
    reason = "SHOP_HAS_LINKS"


class AccountChanged(Precondition):
    """The settings lead to another account than the one that the shop's links and orders are of."""

    reason = "ACCOUNT_CHANGED"


class ShopHasOpenOrders(Precondition):
    reason = "SHOP_HAS_OPEN_ORDERS"


class OrderNumberAmbiguous(Precondition):
    reason = "ORDER_NUMBER_AMBIGUOUS"


class OrderLineNotAssignable(Precondition):
    reason = "ORDER_LINE_NOT_ASSIGNABLE"


class ListingVanished(Precondition):
    reason = "LISTING_GONE"


class SecretKeyMissing(Precondition):
    """The server does not have the key that sealed the stored credentials."""

    reason = "SECRET_KEY_MISSING"

    def __init__(self) -> None:
        super().__init__(
            "stored credentials cannot be decrypted: start the server with the key that sealed them"
        )


class InsufficientStock(Precondition):
    reason = "INSUFFICIENT_STOCK"


class StockLimitExceeded(Precondition):
    reason = "STOCK_LIMIT_EXCEEDED"


class OrderNotOpen(Precondition):
    reason = "ORDER_NOT_OPEN"


class ModeConflict(Precondition):
    reason = "MODE_CONFLICT"


class ReceivingOnlyEnded(Precondition):
    reason = "RECEIVING_ONLY_ENDED"


class AdditionSettled(Precondition):
    reason = "ADDITION_SETTLED"


class DemandExceeded(Precondition):
    reason = "DEMAND_EXCEEDED"


class OperationDone(Precondition):
    reason = "OPERATION_DONE"


class OperationActive(Precondition):
    reason = "OPERATION_ACTIVE"


class OutOfRange(ServiceError):
    """A position is outside of what is kept."""


class RevisionCompacted(OutOfRange):
    reason = "REVISION_COMPACTED"


class RevisionInFuture(OutOfRange):
    reason = "REVISION_IN_FUTURE"


class HistoryReplaced(OutOfRange):
    reason = "HISTORY_REPLACED"


class Unavailable(ServiceError):
    """The server cannot answer now; the caller may repeat the call."""


class StorageUnavailable(Unavailable):
    reason = "STORAGE_UNAVAILABLE"


class SchemaTooNew(StorageUnavailable):
    """A release that this one cannot run together with has migrated the database."""

    def __init__(self, current: str, ours: str, oldest: str) -> None:
        super().__init__(
            f"the database has schema {current}, which needs a release that knows {oldest}, "
            f"and this one knows {ours}; "
            "install the newer release",
            schema=current,
        )


class PlatformUnavailable(Unavailable):
    reason = "PLATFORM_UNAVAILABLE"
