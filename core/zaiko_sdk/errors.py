"""How a connector says what went wrong: by what the host does next.

ConnectorError
├── Retry                    the same call may succeed later; the host backs off
│   ├── Throttled            the platform refused because of load; the host waits `retry_after`
│   ├── PlatformDown         5xx, maintenance, connection refused: certainly not applied
│   ├── Timeout              no reply; `sent` says whether it may have been applied
│   └── StateUnavailable     raised by the host; let it pass
├── Pause                    a person must act; the host pauses this shop only
│   ├── CredentialsRejected  the key or token is expired, revoked or wrong
│   ├── PermissionMissing    a scope or function is not granted
│   └── PlanTooLow           the shop is frozen, or its plan does not include the API
├── Skip                     this item cannot be done; the host sets it aside
│   ├── ItemRefused          the platform refuses the item for a reason of its own
│   └── ListingGone          the listing no longer exists in the shop
└── Stop                     our fault; the host stops this shop's runs
    ├── ContractBroken       the reply is not what the platform documents
    └── SettingsInvalid      the settings cannot work (wrong domain, unknown location)
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import ClassVar


class Owner(enum.StrEnum):
    """Who must act. A merchant reads this to learn whether to do anything."""

    MERCHANT = "MERCHANT"
    PLATFORM = "PLATFORM"
    SYSTEM = "SYSTEM"


class ConnectorError(Exception):
    """Base of everything that a connector raises on purpose. Any other exception is a bug of the
    connector.

    `reason` is stable UPPER_SNAKE text. `owner` says who must act. `platform_message` is the
    platform's own words, cut to 500 characters, never with a secret in it; or empty.
    """

    reason: ClassVar[str] = "CONNECTOR_ERROR"
    owner: ClassVar[Owner] = Owner.SYSTEM

    def __init__(self, message: str, *, platform_message: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.platform_message = platform_message[:500]


class Retry(ConnectorError):
    """The host repeats the work later, with growing delays. Nothing was applied, unless it is
    Timeout."""

    owner = Owner.PLATFORM


class Throttled(Retry):
    """The platform refused because of load. The host waits at least `retry_after` seconds before
    the next call to this shop."""

    reason = "THROTTLED"

    def __init__(self, message: str, *, retry_after: float, platform_message: str = "") -> None:
        super().__init__(message, platform_message=platform_message)
        self.retry_after = retry_after


class PlatformDown(Retry):
    """The platform says that it cannot serve, or refused the connection. The request was not
    applied.

    `retry_after` is the wait in seconds that the platform announced (a maintenance window), or
    None.
    """

    reason = "PLATFORM_DOWN"

    def __init__(
        self, message: str, *, retry_after: float | None = None, platform_message: str = ""
    ) -> None:
        super().__init__(message, platform_message=platform_message)
        self.retry_after = retry_after


class Timeout(Retry):
    """No usable reply came.

    `sent` is False when the request certainly never left. It is True or None when the request may
    have been applied, also after a 5xx that leaves this open. After a write with `sent` other than
    False the host reads to settle the outcome, and never resends blindly.
    """

    reason = "TIMEOUT"

    def __init__(self, message: str, *, sent: bool | None, platform_message: str = "") -> None:
        super().__init__(message, platform_message=platform_message)
        self.sent = sent


class StateUnavailable(Retry):
    """The host cannot read or write the shop's `ConnectorState`. The host raises it into the
    connector, which lets it pass."""

    reason = "STORAGE_UNAVAILABLE"
    owner = Owner.SYSTEM


class Pause(ConnectorError):
    """A person must act on the platform. The host pauses this shop's runs and shows the reason. It
    tries again when the settings change, on ResumeShop, and once an hour."""

    owner = Owner.MERCHANT


class CredentialsRejected(Pause):
    """The key or token is expired, revoked or wrong, and renewing it, where the connector can, did
    not help."""

    reason = "CREDENTIALS_REJECTED"


class PermissionMissing(Pause):
    """The credentials are good but lack a scope or function. Name it in the message."""

    reason = "PERMISSION_MISSING"


class PlanTooLow(Pause):
    """The shop is frozen or unpaid, or its plan does not include this API."""

    reason = "PLAN_TOO_LOW"


class Skip(ConnectorError):
    """One item cannot be done. It gets a back-off of its own, and nothing else waits for it.

    As a `WriteResult.error` it concerns that item. Raised by a call it means that something in the
    batch is refused and the platform does not name it: the host splits the batch until the bad item
    is alone.
    """

    owner = Owner.MERCHANT


class ItemRefused(Skip):
    """The platform refuses this item (read-only bundle parent, untracked stock, out of range …)."""

    reason = "ITEM_REFUSED"


class ListingGone(Skip):
    """The listing does not exist in the shop. The host sets its link aside like any item that
    failed. Refreshing the listings marks it as vanished, and its link is tried again when it is
    seen again."""

    reason = "LISTING_GONE"


class Stop(ConnectorError):
    """The host stops this shop's runs and shows the reason. No retry helps before code or settings
    change."""


class ContractBroken(Stop):
    """The platform's reply contradicts its documentation (missing field, wrong type, unexpected
    document)."""

    reason = "CONTRACT_BROKEN"


def waiting_reasons() -> frozenset[str]:
    """Return the reasons of the errors after which a shop waits for a person, including those of
    third parties' error classes."""
    waits = (kind for base in (Pause, Stop) for kind in _family(base))
    return frozenset(kind.reason for kind in waits if not issubclass(kind, (Retry, ContractBroken)))


def _family(kind: type[ConnectorError]) -> Iterator[type[ConnectorError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _family(child)


class SettingsInvalid(Stop):
    """The shop's settings cannot work. The message says which setting, and what to enter."""

    reason = "SETTINGS_INVALID"
    owner = Owner.MERCHANT
