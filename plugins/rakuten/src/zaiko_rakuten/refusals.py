"""From a reply that is not a success to what the host does next (FACTS.md §7)."""

from __future__ import annotations

from zaiko_sdk import (
    ConnectorError,
    ContractBroken,
    PlanTooLow,
    PlatformDown,
    SettingsInvalid,
    Throttled,
    Timeout,
)

from zaiko_rakuten.functions import Function
from zaiko_rakuten.replies import Reply

MAINTENANCE_WAIT = 300.0
"""Seconds to wait when RMS reports maintenance. Nightly maintenance lasts hours."""
_ACCESS = frozenset({"GA0001", "ES01-01", "ES04-01"})
_WRONG_CONTENT_TYPE = frozenset({"ES04-03", "GE0012"})
READ_ONLY, CONFLICT, NOT_MIGRATED = "GE0017", "CE0001", "IE1105"


def is_throttled(reply: Reply) -> bool:
    """Return whether calls came too fast: a 429, or the form of the older functions, a 403 that
    mentions QPS. Nothing was done."""
    return reply.status == 429 or (reply.status == 403 and b"QPS" in reply.body)


def is_access_refused(reply: Reply) -> bool:
    """Return whether access was refused: a wrong or expired key, or a function that is not enabled.
    RMS does not say which."""
    if is_throttled(reply):
        return False
    return reply.status in (401, 403) or (reply.status >= 400 and bool(reply.codes & _ACCESS))


def is_down(reply: Reply) -> bool:
    """Return whether RMS cannot serve now; a read may be repeated."""
    return (
        reply.status in (500, 502, 503, 504)
        or READ_ONLY in reply.codes
        or (reply.status == 409 or CONFLICT in reply.codes)
    )


def refusal(reply: Reply, function: Function, *, busy_wait: float) -> ConnectorError:
    """Return the error that this reply means, except for a refused access (see Client). `busy_wait`
    is for a 503 that announces no wait."""
    status, words = reply.status, reply.words()
    where = f"{function.name} was answered with status {status}"
    if is_throttled(reply):
        wait = reply.retry_after if reply.retry_after is not None else 2.0
        return Throttled(f"RMS limits {function.name}", retry_after=wait, platform_message=words)
    if READ_ONLY in reply.codes:
        return PlatformDown(
            "RMS is read-only for maintenance", retry_after=MAINTENANCE_WAIT, platform_message=words
        )
    if status == 503:
        wait = reply.retry_after if reply.retry_after is not None else busy_wait
        return PlatformDown(
            "RMS is overloaded or under maintenance", retry_after=wait, platform_message=words
        )
    if is_down(reply):
        if function.writes:
            return Timeout(
                f"{where}; whether it was applied is not known", sent=None, platform_message=words
            )
        return PlatformDown(where, platform_message=words)
    if NOT_MIGRATED in reply.codes:
        return PlanTooLow(
            "the shop has not been migrated to SKUs, and RMS offers the stock API to migrated "
            "shops only. Migrate it in RMS (SKU移行), then resume the shop",
            platform_message=words,
        )
    if reply.codes & _WRONG_CONTENT_TYPE or status == 415:
        return ContractBroken(
            f"{where}: RMS does not take the content type", platform_message=words
        )
    if (status == 404 and not reply.problems) or 300 <= status < 400:
        return SettingsInvalid(
            f"{where}: there is no RMS at this origin; clear the setting `origin`",
            platform_message=words,
        )
    if function.writes and not reply.problems:
        return Timeout(
            f"{where}, which is not documented for it; whether it was applied is not known",
            sent=None,
        )
    return ContractBroken(f"{where}, which is not documented for it", platform_message=words)
