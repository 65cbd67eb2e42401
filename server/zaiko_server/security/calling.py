"""The one who calls, for whatever runs for the call: each call is a task of its own, so that a
context variable holds it."""

from __future__ import annotations

from contextvars import ContextVar

from zaiko_core.domain.access import LOCAL, Principal
from zaiko_core.domain.errors import PermissionDenied

_principal: ContextVar[Principal] = ContextVar("zaiko_principal", default=LOCAL)


def caller() -> Principal:
    """Who calls. Outside of a call: the server itself."""
    return _principal.get()


def called_by(principal: Principal) -> None:
    """From here on this task works for `principal`."""
    _principal.set(principal)


def check_reach(merchant: str) -> None:
    """The second lock: refuse a merchant that the caller does not reach, wherever its name came
    from. Raises PermissionDenied, with the same words whether there is such a merchant or not."""
    if not caller().reaches(merchant):
        raise foreign(merchant)


def foreign(merchant: str) -> PermissionDenied:
    """The refusal of a merchant that is not the caller's."""
    return PermissionDenied(
        "merchants.read",
        f"the token is not good for merchants/{merchant[:64]}; check the name, or ask the operator",
    )
