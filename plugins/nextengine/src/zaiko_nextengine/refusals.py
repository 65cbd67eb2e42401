"""What Next Engine's refusals mean (FACTS.md §2 and §8): its own come in a body with `result` and a
code of six digits, whatever the status (UNCONFIRMED: assumed 200); other statuses come from what
stands in front of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx
from zaiko_sdk import (
    ConnectorError,
    ContractBroken,
    CredentialsRejected,
    ItemRefused,
    PermissionMissing,
    PlatformDown,
    SettingsInvalid,
    Throttled,
    Timeout,
    announced_wait,
)

_TOKEN_CODES = frozenset({"002001", "002002", "002003", "002004"})
_WAITS = {"003001": 300.0, "003002": 60.0}
"""Seconds to wait when Next Engine is overloaded: 003001 refuses after Next Engine had waited,
003002 at once."""
_BUSY_WAIT = 300.0
"""Seconds to wait during maintenance, stocktaking and a running import, which last minutes."""
_UNANNOUNCED_WAIT = 60.0


@dataclass(frozen=True, slots=True)
class Reported:
    """What a reply's body says about its success; `result` is empty when it says nothing."""

    result: str = ""
    code: str = ""
    message: str = ""

    @property
    def refused_tokens(self) -> bool:
        """Whether the error is about the tokens: they were replaced, or have ended."""
        return self.result == "redirect" or (self.result == "error" and self.code in _TOKEN_CODES)


def reported(body: Any) -> Reported:
    """Return what this body says about its success."""
    if not isinstance(body, dict):
        return Reported()
    result, code, message = body.get("result"), body.get("code"), body.get("message")
    if isinstance(message, list):
        message = "; ".join(
            str(part.get("message", "")) for part in message if isinstance(part, dict)
        )
    return Reported(
        result if isinstance(result, str) else "",
        code if isinstance(code, str) else "",
        message if isinstance(message, str) else "",
    )


def refusal(
    reply: httpx.Response, error: Reported, *, path: str, words: str, writing: bool
) -> ConnectorError | None:
    """Return the error that a reply means, or None when it says success, or says nothing with a
    status of success. `words` are the platform's, without secrets."""
    where = f"Next Engine answered {error.code or error.result or reply.status_code} to {path}"
    if error.refused_tokens or (error.result == "error" and error.code.startswith("001")):
        return CredentialsRejected(
            f"{where}: the login has ended, or was replaced by another login of the same "
            "user. Log in again and enter the new uid and state (see README of zaiko-nextengine).",
            platform_message=words,
        )
    if error.result == "error":
        return _own(error, where, words, writing=writing)
    if reply.is_success:
        return None
    return _in_front(reply, where, words, writing=writing)


def _own(error: Reported, where: str, words: str, *, writing: bool) -> ConnectorError:
    if error.code.startswith("002"):
        message = (
            f"{where}: this app or this user may not do that. Give the app access to goods, "
            "stock, orders and queues."
        )
        return PermissionMissing(message, platform_message=words)
    if error.code in _WAITS:
        return Throttled(
            f"{where}: it is overloaded", retry_after=_WAITS[error.code], platform_message=words
        )
    if error.code.startswith("003"):
        return PlatformDown(where, retry_after=_BUSY_WAIT, platform_message=words)
    if writing:
        return ItemRefused(
            f"{where}: it does not take this change of stock", platform_message=words
        )
    return ContractBroken(where, platform_message=words)


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
        if writing:
            return Timeout(
                f"{where}; the change may have been taken", sent=True, platform_message=words
            )
        return PlatformDown(where, retry_after=announced_wait(reply), platform_message=words)
    if 300 <= status < 400 or status == 404:
        return SettingsInvalid(
            f"{where}: there is no API at this address. Check api_origin.", platform_message=words
        )
    return ContractBroken(f"{where}, which is not documented", platform_message=words)
