"""What BASE's refusals mean (FACTS.md §2 and §8): every error of the application is a 400 with a
code; other statuses come from what stands in front of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx
from zaiko_sdk import (
    ConnectorError,
    ContractBroken,
    CredentialsRejected,
    ItemRefused,
    ListingGone,
    PermissionMissing,
    PlatformDown,
    SettingsInvalid,
    Throttled,
    Timeout,
    announced_wait,
    read_json,
)

from zaiko_base.budget import Budget

INVALID = "invalid_request"
_GONE = frozenset({"no_item", "no_item_id", "bad_item_id", "bad_variation_id"})
_NO_ORDER = frozenset({"no_order", "no_unique_key"})
_TROUBLE = frozenset({"db_error", "server_error", "search_error"})
_UNANNOUNCED_WAIT = 60.0
"""Seconds to wait after a refusal because of load that comes from in front of the API and announces
no wait."""


@dataclass(frozen=True, slots=True)
class Reported:
    """The error in a reply's body; without one, `code` is empty."""

    code: str = ""
    message: str = ""

    @property
    def words(self) -> str:
        """The code and the message, for people."""
        return f"{self.code} {self.message}".strip()


class GrantRefused(CredentialsRejected):
    """BASE refuses this code or refresh token."""


class NoOrder(ContractBroken):
    """There is no order with this key. Only reads of single orders raise it, and they catch it."""


def reported(reply: httpx.Response) -> Reported:
    """Return the error that a reply reports. A success reports none, whatever is in it."""
    if reply.is_success:
        return Reported()
    try:
        body: Any = read_json(reply.content)
    except ValueError:
        return Reported()
    if not isinstance(body, dict):
        return Reported()
    code, message = body.get("error"), body.get("error_description")
    return Reported(
        code if isinstance(code, str) else "", message if isinstance(message, str) else ""
    )


def refusal(
    reply: httpx.Response, error: Reported, *, path: str, writing: bool, budget: Budget
) -> ConnectorError | None:
    """Return the error that a reply to a call means, or None for a success."""
    if reply.is_success:
        return None
    where, words = f"BASE answered {error.code or reply.status_code} to {path}", error.words
    match error.code:
        case "hour_api_limit":
            return budget.used_up("hour", words)
        case "day_api_limit":
            return budget.used_up("day", words)
        case "invalid_scope":
            return PermissionMissing(
                "The owner's consent lacks a scope. Let the owner agree again, to read_items, "
                "read_orders and write_items.",
                platform_message=words,
            )
        case "access_denied":
            return SettingsInvalid(
                f"{where}: BASE wants https. Check api_origin.", platform_message=words
            )
        case code if code in _NO_ORDER:
            return NoOrder(where, platform_message=words)
        case code if code in _GONE:
            return ListingGone(where, platform_message=words)
        case code if code in _TROUBLE:
            return _trouble(reply, where, words, writing=writing)
        case code if code and reply.status_code == 400:
            if writing:
                return ItemRefused(
                    f"{where}: BASE does not let this stock be set", platform_message=words
                )
            if code == INVALID:
                return CredentialsRejected(
                    f"{where} even with a fresh token", platform_message=words
                )
            return ContractBroken(where, platform_message=words)
    return _in_front(reply, where, words, writing=writing)


def grant_refusal(reply: httpx.Response, *, budget: Budget) -> ConnectorError | None:
    """Return the error that a reply of the token URL means, or None for a success."""
    if reply.is_success:
        return None
    error = reported(reply)
    words = error.words
    match error.code:
        case "invalid_request" | "invalid_grant" | "access_denied":
            return GrantRefused("BASE refuses the code or refresh token", platform_message=words)
        case "unauthorized_client" | "invalid_client":
            return CredentialsRejected(
                "BASE does not know this app, or has suspended it: check client_id.",
                platform_message=words,
            )
    # The other errors of a call. Whether the refresh was done does not matter to the call that
    # needed it.
    return refusal(reply, error, path="the token URL", writing=False, budget=budget)


def _in_front(reply: httpx.Response, where: str, words: str, *, writing: bool) -> ConnectorError:
    status = reply.status_code
    if status == 401:
        return CredentialsRejected(where, platform_message=words)
    if status == 429:
        return Throttled(
            where, retry_after=announced_wait(reply) or _UNANNOUNCED_WAIT, platform_message=words
        )
    if status == 403:
        return PlatformDown(f"{where}, from in front of the API", retry_after=_UNANNOUNCED_WAIT)
    if status == 503:
        return PlatformDown(where, retry_after=announced_wait(reply), platform_message=words)
    if status >= 500 or status == 408:
        return _trouble(reply, where, words, writing=writing)
    if 300 <= status < 400 or status == 404:
        return SettingsInvalid(
            f"{where}: there is no API at this address. Check api_origin.", platform_message=words
        )
    return ContractBroken(f"{where}, which is not documented for it", platform_message=words)


def _trouble(reply: httpx.Response, where: str, words: str, *, writing: bool) -> ConnectorError:
    if writing:
        return Timeout(
            f"{where}; the change may have been applied", sent=True, platform_message=words
        )
    return PlatformDown(where, retry_after=announced_wait(reply), platform_message=words)
