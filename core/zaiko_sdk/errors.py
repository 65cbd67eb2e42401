"""How a connector says what went wrong: by what the host is to do next.

    ConnectorError
    ├── Retry                    the same call may succeed later; the host backs off, nothing is lost
    │   ├── Throttled            the platform told us to slow down; the host waits `retry_after`
    │   ├── PlatformDown         5xx, maintenance, connection refused: certainly not applied
    │   ├── Timeout              no answer; `sent` says whether the request may have been applied
    │   └── StateUnavailable     raised by the host: the shop's ConnectorState cannot be read or written; let it pass
    ├── Pause                    a person must act on the platform; the host pauses this shop only
    │   ├── CredentialsRejected  key or token expired, revoked or wrong
    │   ├── PermissionMissing    a scope or function is not granted
    │   └── PlanTooLow           the shop is frozen, or its plan does not offer the API
    ├── Skip                     this item cannot be done; the host sets it aside, the rest goes on
    │   ├── ItemRefused          the platform refuses these items for a reason of theirs
    │   └── ListingGone          the listing does not exist in the shop any more
    └── Stop                     our fault; the host stops this shop's runs until code or settings change
        ├── ContractBroken       the platform's reply is not what its documentation says
        └── SettingsInvalid      the shop's settings cannot work (wrong domain, unknown location)

`Skip` raised by a whole call means "something in this batch is refused and the platform does not
say what": the host splits the batch until the bad item stands alone.
"""  # noqa: E501

from __future__ import annotations

import enum
from typing import ClassVar


class Owner(enum.StrEnum):
    """Who must act. A merchant reads this to know whether to do anything."""

    MERCHANT = "MERCHANT"
    PLATFORM = "PLATFORM"
    SYSTEM = "SYSTEM"


class ConnectorError(Exception):
    """Base of everything that a connector raises on purpose; any other exception is a bug of the
    connector.

    `reason` is stable UPPER_SNAKE text, `owner` says who must act, `platform_message` is the
    platform's own words (shortened, never with a secret in it), or empty.
    """

    reason: ClassVar[str] = "CONNECTOR_ERROR"
    owner: ClassVar[Owner] = Owner.SYSTEM

    def __init__(self, message: str, *, platform_message: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.platform_message = platform_message[:500]


class Retry(ConnectorError):
    """The host repeats the work later, with growing delays. Raised before anything was applied,
    unless it is Timeout."""

    owner = Owner.PLATFORM


class Throttled(Retry):
    """The platform refused for load. The host waits at least `retry_after` seconds before the next
    call to this shop."""

    reason = "THROTTLED"

    def __init__(self, message: str, *, retry_after: float, platform_message: str = "") -> None:
        super().__init__(message, platform_message=platform_message)
        self.retry_after = retry_after


class PlatformDown(Retry):
    """The platform answered that it cannot serve, or the connection was refused: the request was
    not applied.

    `retry_after` is in seconds where the platform announced one (a maintenance window), else None.
    """

    reason = "PLATFORM_DOWN"

    def __init__(
        self, message: str, *, retry_after: float | None = None, platform_message: str = ""
    ) -> None:
        super().__init__(message, platform_message=platform_message)
        self.retry_after = retry_after


class Timeout(Retry):
    """No usable answer came. `sent` is False when the request certainly never left, True or None
    when it may have been applied (also for a 5xx after which the platform's state is unknown).
    After a write with `sent` other than False the host settles the outcome by reading; it never
    resends blindly.
    """

    reason = "TIMEOUT"

    def __init__(self, message: str, *, sent: bool | None, platform_message: str = "") -> None:
        super().__init__(message, platform_message=platform_message)
        self.sent = sent


class StateUnavailable(Retry):
    """The host could not read or write the shop's `ConnectorState`. Raised by the host into the
    connector, which lets it pass."""

    reason = "STORAGE_UNAVAILABLE"
    owner = Owner.SYSTEM


class Pause(ConnectorError):
    """A person must act on the platform. The host pauses this shop's runs, shows the reason, and
    tries again when the settings change, on ResumeShop, and once an hour."""

    owner = Owner.MERCHANT


class CredentialsRejected(Pause):
    """The key or token is expired, revoked or wrong, and renewing it (where the connector can) did
    not help."""

    reason = "CREDENTIALS_REJECTED"


class PermissionMissing(Pause):
    """The credentials are good but lack a scope or function; name it in the message."""

    reason = "PERMISSION_MISSING"


class PlanTooLow(Pause):
    """The shop is frozen or unpaid, or its plan does not include this API."""

    reason = "PLAN_TOO_LOW"


class Skip(ConnectorError):
    """One item cannot be done. As a `WriteResult.error` it concerns that item; raised by a call it
    makes the host split the batch. The item gets its own back-off; nothing else waits for it."""

    owner = Owner.MERCHANT


class ItemRefused(Skip):
    """The platform refuses this item (read-only bundle parent, untracked stock, out of range …)."""

    reason = "ITEM_REFUSED"


class ListingGone(Skip):
    """The listing does not exist in the shop. The host sets its link aside like any item that
    failed; refreshing the listings marks it as vanished, and its link is tried at once when it is
    seen again."""

    reason = "LISTING_GONE"


class Stop(ConnectorError):
    """The host stops this shop's runs and says so; a retry cannot help before code or settings
    change."""


class ContractBroken(Stop):
    """The platform's reply contradicts its documentation (missing field, wrong type, unexpected
    document)."""

    reason = "CONTRACT_BROKEN"


class SettingsInvalid(Stop):
    """The shop's settings cannot work; the message says which setting and what to enter."""

    reason = "SETTINGS_INVALID"
    owner = Owner.MERCHANT
