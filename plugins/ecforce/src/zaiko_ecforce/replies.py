"""What a reply that is not a success means: the error of zaiko_sdk that it becomes (FACTS.md §3 and
§4)."""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

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
    read_json,
)
from zaiko_sdk.context import Clock

UNANNOUNCED_WAIT = 60.0
"""Seconds to wait after a 429 that announced no wait (the value that ecforce's users found to
work)."""


@dataclass(frozen=True, slots=True)
class ReportedError:
    """One entry of the error envelope, also within a row's error."""

    code: str
    message: str


def body_of(response: httpx.Response) -> Any:
    """Return the JSON of a reply, or None when it is something else (the CDN answers with HTML)."""
    try:
        return read_json(response.content)
    except ValueError:
        return None


def reported_errors(body: Any) -> list[ReportedError]:
    """Return the entries of `errors`, whatever else the body holds."""
    entries = body.get("errors") if isinstance(body, dict) else None
    found = []
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict):
            code, message = entry.get("code"), entry.get("message")
            found.append(
                ReportedError(
                    code if isinstance(code, str) else "",
                    message if isinstance(message, str) else "",
                )
            )
    return found


def announced_wait(response: httpx.Response, clock: Clock) -> float | None:
    """Return the seconds of `Retry-After`, given as seconds or as a date, or None when there is
    none."""
    text = response.headers.get("retry-after", "").strip()
    if not text:
        return None
    try:
        return min(86_400.0, max(0.0, float(text)))
    except ValueError:
        pass
    try:
        return min(86_400.0, max(0.0, (parsedate_to_datetime(text) - clock.now()).total_seconds()))
    except (ValueError, TypeError):
        return None


def refusal(
    response: httpx.Response, *, path: str, writing: bool, clock: Clock
) -> ConnectorError | None:
    """Return the error that this reply means, or None for a success. After a write, everything that
    may have been applied becomes Timeout."""
    status, body = response.status_code, body_of(response)
    if 200 <= status < 300:
        return None
    errors = reported_errors(body)
    words = " / ".join(f"{error.code} {error.message}".strip() for error in errors)
    where = f"ecforce answered {status} to {path}"
    if status == 401:
        return CredentialsRejected(
            "ecforce refused the token or login. Make a new API 認証トークン (設定 > "
            "メンバー管理) and enter it here.",
            platform_message=words,
        )
    if status == 402:
        return PlanTooLow(
            f"{where}: the shop's contract does not allow this", platform_message=words
        )
    if status == 403 and errors:
        return PermissionMissing(
            f"{where}: ask SUPER STUDIO whether 外部サービスAPI連携 covers this call and "
            "this sender",
            platform_message=words,
        )
    if status == 429:
        wait = announced_wait(response, clock)
        return Throttled(
            f"{where}: too many requests", retry_after=UNANNOUNCED_WAIT if wait is None else wait
        )
    if status == 403:
        # Without the API's envelope it comes from the CDN in front of the API, which answers bursts
        # this way.
        return PlatformDown(f"{where} from in front of the API", retry_after=UNANNOUNCED_WAIT)
    if status >= 500 or status == 408:
        if writing:
            return Timeout(
                f"{where}; the change may have been applied", sent=True, platform_message=words
            )
        return PlatformDown(
            where, retry_after=announced_wait(response, clock), platform_message=words
        )
    if 300 <= status < 400 or (
        status == 404 and not any(error.code[-4:-3] == "2" for error in errors)
    ):
        return SettingsInvalid(
            f"{where}: there is no API at this address. Enter the endpoint that SUPER "
            "STUDIO gave you as the origin, and check that 外部サービスAPI連携 is contracted.",
            platform_message=words,
        )
    if writing and status in (400, 404, 409, 413, 422):
        return ItemRefused(f"{where}: the rows were refused", platform_message=words)
    return ContractBroken(f"{where}, which is not documented for it", platform_message=words)
