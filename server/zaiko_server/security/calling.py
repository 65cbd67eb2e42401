"""Remember the caller while its call runs. gRPC runs each call in its own task, so a context
variable holds it."""

from __future__ import annotations

from contextvars import ContextVar

from zaiko_core.domain.access import LOCAL, Principal
from zaiko_core.domain.errors import PermissionDenied

_principal: ContextVar[Principal] = ContextVar("zaiko_principal", default=LOCAL)


def caller() -> Principal:
    """Return the caller. Outside of a call it is the server itself."""
    return _principal.get()


def called_by(principal: Principal) -> None:
    """Set the caller of the current task."""
    _principal.set(principal)


def check_reach(merchant: str) -> None:
    """Raise PermissionDenied for a merchant out of the caller's reach, wherever its name came from.
    The error is the same whether the merchant exists or not. This is the second check; the first is
    of the names in the request."""
    if not caller().reaches(merchant):
        raise foreign(merchant)


def foreign(merchant: str) -> PermissionDenied:
    """Return the error for a merchant out of the caller's reach."""
    return PermissionDenied(
        "merchants.read",
        f"merchants/{merchant[:64]} is not in the token's reach; check its name, or ask the "
        "operator",
    )
