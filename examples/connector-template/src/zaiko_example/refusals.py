"""What a reply that is not a success means: the error of zaiko_sdk that it becomes.

Ask for each reply what zaiko should do next: try later, wait for a person, set one item aside, or
stop.
"""

from __future__ import annotations

import httpx
from zaiko_sdk import (
    ConnectorError,
    ContractBroken,
    CredentialsRejected,
    ItemRefused,
    PermissionMissing,
    PlanTooLow,
    PlatformDown,
    SettingsInvalid,
    Throttled,
    Timeout,
    announced_wait,
    read_json,
)

_UNANNOUNCED_WAIT = 30.0
"""Seconds to wait after a 429 that announces no wait."""


def refusal(reply: httpx.Response, *, path: str, writing: bool) -> ConnectorError | None:
    """Return the error that this reply means, or None for a success. After a write, everything that
    may have been applied becomes Timeout."""
    status = reply.status_code
    if 200 <= status < 300:
        return None
    words, where = _words(reply), f"Example Shop answered {status} to {path}"
    match status:
        case 401:
            return CredentialsRejected(
                "The API token was refused. Make a new one and enter it here.",
                platform_message=words,
            )
        case 402:
            return PlanTooLow("The shop's plan does not include the API.", platform_message=words)
        case 403:
            return PermissionMissing(
                "The API token lacks a scope. Make one with all scopes.", platform_message=words
            )
        case 404:
            return SettingsInvalid(
                "There is no API at this address. Check the origin.", platform_message=words
            )
        case 429:
            return Throttled(
                where,
                retry_after=announced_wait(reply) or _UNANNOUNCED_WAIT,
                platform_message=words,
            )
        case 503:
            # Maintenance; the documentation promises that nothing was done.
            return PlatformDown(where, retry_after=announced_wait(reply), platform_message=words)
    if status >= 500:
        if writing:
            return Timeout(
                f"{where}; the change may have been applied", sent=True, platform_message=words
            )
        return PlatformDown(where, platform_message=words)
    if writing and status == 422:
        # One entry of the batch is refused and the reply does not name it: zaiko splits the batch
        # until it is alone.
        return ItemRefused(where, platform_message=words)
    if 300 <= status < 400:
        return SettingsInvalid(
            f"{reply.url.host} redirects. Enter the address that it redirects to as the origin."
        )
    return ContractBroken(f"{where}, which is not documented for it", platform_message=words)


def _words(reply: httpx.Response) -> str:
    """Return the platform's own message, or an empty text."""
    try:
        message = read_json(reply.content)["error"]["message"]
    except (ValueError, LookupError, TypeError):
        return ""
    return message if isinstance(message, str) else ""
