"""What a reply means: the error of zaiko_sdk that it becomes (FACTS.md §8), and the quota that it
reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx
from zaiko_sdk import (
    ConnectorError,
    ContractBroken,
    CredentialsRejected,
    PermissionMissing,
    PlanTooLow,
    PlatformDown,
    SettingsInvalid,
    Throttled,
    Timeout,
    read_json,
)

_UNANNOUNCED_WAIT, _SECURITY_WAIT = 2.0, 60.0
_SHOWN = 300


class Garbled(ContractBroken):
    """The reply is not the JSON that it should be; often a broken connection, so it is worth asking
    again."""


class TooDear(ContractBroken):
    """One request asked for more than a request may cost; ask for fewer rows."""


class GraphqlRefused(ContractBroken):
    """Shopify refused the document or its variables; `code` is its own word for why."""

    def __init__(self, message: str, *, code: str, platform_message: str = "") -> None:
        super().__init__(message, platform_message=platform_message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Quota:
    """`throttleStatus` of a reply, and what the request cost."""

    available: float
    maximum: float
    restore_rate: float
    requested: float


def body_of(response: httpx.Response) -> Any:
    """Return the JSON of a reply, or None when it is something else (HTML from in front of the
    API)."""
    try:
        return read_json(response.content)
    except ValueError:
        return None


def quota_of(body: Any) -> Quota | None:
    """Return what a reply says about the quota, or None when it says nothing usable."""
    cost = _dig(body, "extensions", "cost")
    status = _dig(cost, "throttleStatus")
    numbers = [
        _dig(status, "currentlyAvailable"),
        _dig(status, "maximumAvailable"),
        _dig(status, "restoreRate"),
        _dig(cost, "requestedQueryCost"),
    ]
    if not all(
        isinstance(number, int | float) and not isinstance(number, bool) for number in numbers[:3]
    ):
        return None
    requested = numbers[3] if isinstance(numbers[3], int | float) else 0.0
    return Quota(float(numbers[0]), float(numbers[1]), float(numbers[2]), float(requested))


def announced_wait(response: httpx.Response) -> float | None:
    """Seconds of `Retry-After`, or None."""
    try:
        return min(3600.0, max(0.0, float(response.headers.get("retry-after", ""))))
    except ValueError:
        return None


def refusal_by_status(
    response: httpx.Response, *, what: str, writing: bool
) -> ConnectorError | None:
    """Return the error that the HTTP status means, or None for 2xx. After a write, everything that
    may have been applied becomes Timeout."""
    status = response.status_code
    if 200 <= status < 300:
        return None
    words = words_of(body_of(response))
    said = f"Shopify answered {status} to {what}"
    if status == 401:
        return CredentialsRejected(
            "Shopify does not accept the token: it is wrong, was revoked, or the app was "
            "uninstalled. Enter a valid one.",
            platform_message=words,
        )
    if status == 402:
        return PlanTooLow(
            "The shop is frozen, or its plan lacks this: settle it in Shopify's admin.",
            platform_message=words,
        )
    if status == 403:
        return PermissionMissing(
            f"{said}: the app lacks a scope or the merchant's approval, or the shop was closed.",
            platform_message=words,
        )
    if status == 423:
        return PlanTooLow(
            "Shopify has locked the shop; ask Shopify's support.", platform_message=words
        )
    if status in (429, 430):
        wait = announced_wait(response)
        unannounced = _UNANNOUNCED_WAIT if status == 429 else _SECURITY_WAIT
        return Throttled(
            said, retry_after=unannounced if wait is None else wait, platform_message=words
        )
    if status >= 500 or status == 408:
        if writing:
            return Timeout(f"{said}; it may have been applied", sent=None, platform_message=words)
        return PlatformDown(said, retry_after=announced_wait(response), platform_message=words)
    if status == 404 or 300 <= status < 400:
        return SettingsInvalid(
            f"{said}: there is no such shop. Check the domain in the settings.",
            platform_message=words,
        )
    return ContractBroken(said, platform_message=words)


def refusal_by_errors(body: dict[str, Any], *, what: str, writing: bool) -> ConnectorError | None:
    """Return the error that `errors` in a GraphQL reply means, or None when there are none. Data
    that comes with errors is not used."""
    errors = body.get("errors")
    if not errors:
        return None
    words = words_of(body)
    listed = (
        [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []
    )
    codes = [_code(error) for error in listed]
    if "THROTTLED" in codes:
        return Throttled(
            f"Shopify's quota is used up for {what}",
            retry_after=_wait_for_points(body),
            platform_message=words,
        )
    if "MAX_COST_EXCEEDED" in codes:
        return TooDear(f"{what} asks for more than one request may cost", platform_message=words)
    if "SHOP_INACTIVE" in codes or "PAYMENT_REQUIRED" in codes:
        return PlanTooLow(
            "The shop is not active: settle it in Shopify's admin.", platform_message=words
        )
    if "INTERNAL_SERVER_ERROR" in codes:
        if writing:
            return Timeout(
                f"Shopify failed during {what}; it may have been applied",
                sent=None,
                platform_message=words,
            )
        return PlatformDown(f"Shopify failed during {what}", platform_message=words)
    if "ACCESS_DENIED" in codes:
        return _denied(listed, words)
    code = next((code for code in codes if code), "")
    return GraphqlRefused(
        f"Shopify refused {what} ({code or 'no code'})", code=code, platform_message=words
    )


def search_warnings(body: dict[str, Any]) -> str:
    """Return what Shopify's search ignored, or an empty text. When Shopify does not know a filter
    it answers with *everything*."""
    blocks = _dig(body, "extensions", "search")
    found: list[str] = []
    for block in blocks if isinstance(blocks, list) else []:
        warnings = _dig(block, "warnings")
        rows = warnings if isinstance(warnings, list) else []
        found.extend(f"{_dig(row, 'field')}: {_dig(row, 'message')}" for row in rows)
    return "; ".join(found)[:_SHOWN]


def words_of(body: Any) -> str:
    """Shopify's own words: `errors` is a text, an object or a list."""
    errors = _dig(body, "errors")
    if isinstance(errors, str):
        return errors[:_SHOWN]
    if isinstance(errors, dict):
        return "; ".join(f"{name}: {text}" for name, text in errors.items())[:_SHOWN]
    if isinstance(errors, list):
        return "; ".join(str(_dig(error, "message") or error) for error in errors)[:_SHOWN]
    return ""


def _denied(errors: list[dict[str, Any]], words: str) -> PermissionMissing:
    if "not approved to access" in words:
        return PermissionMissing(
            "The app is not approved for protected customer data, without which Shopify shows no "
            "orders at all. Request access in the Dev Dashboard under API access; zaiko reads no "
            "customer fields.",
            platform_message=words,
        )
    wanted = next(
        (
            text
            for error in errors
            if isinstance(text := _dig(error, "extensions", "requiredAccess"), str)
        ),
        "",
    )
    needed = f": {wanted}" if wanted else ""
    return PermissionMissing(
        f"The app lacks a scope{needed}. Grant it and install the app again.",
        platform_message=words,
    )


def _wait_for_points(body: dict[str, Any]) -> float:
    quota = quota_of(body)
    if quota is None or quota.restore_rate <= 0:
        return _UNANNOUNCED_WAIT
    return min(60.0, max(0.1, (quota.requested - quota.available) / quota.restore_rate))


def _code(error: dict[str, Any]) -> str:
    code = _dig(error, "extensions", "code")
    return code if isinstance(code, str) else ""


def _dig(value: Any, *path: str) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value
