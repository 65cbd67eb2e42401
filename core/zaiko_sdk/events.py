"""What observers receive: facts of this server as frozen values. New fields are only ever added,
each with a default."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why something failed. `reason` is stable (UPPER_SNAKE). `owner` is MERCHANT, PLATFORM or
    SYSTEM. `message` is for people and holds no credential."""

    reason: str
    owner: str
    message: str


@dataclass(frozen=True, slots=True)
class RunFinished:
    """One run of one shop has ended and is stored. Times are UTC. Counts are ≥ 0 and of this run
    alone.

    `shop` is the resource name (`merchants/{m}/shops/{s}`) and `run` the id in it. `state` is
    SUCCEEDED, PARTIALLY_SUCCEEDED or FAILED. `trouble` is None unless the run failed as a whole.
    `confirmed` and `failed` count links.
    """

    shop: str
    connector: str
    run: str
    trigger: str
    state: str
    started_at: datetime
    ended_at: datetime
    orders_changed: int
    pushed: int
    confirmed: int
    failed: int
    trouble: Trouble | None = None


@dataclass(frozen=True, slots=True)
class ShopHeld:
    """A shop waits for a person: its credentials, permissions, plan or settings are refused. Sent
    when it begins to wait and when the reason changes, not at every retry."""

    shop: str
    connector: str
    trouble: Trouble
    at: datetime


@dataclass(frozen=True, slots=True)
class ShopResumed:
    """A shop that was held has had a run without that trouble. `reason` is why it was held."""

    shop: str
    connector: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class CredentialsExpiring:
    """A shop's credentials end in at most `days` (30, 14, 7, 3, 1 or 0). `expires_at` is when."""

    shop: str
    connector: str
    days: int
    expires_at: datetime
    at: datetime


@dataclass(frozen=True, slots=True)
class Oversold:
    """More was sold than there is.

    `oversell` is the resource name (GetOversell returns all of it). `units` (≥ 1) is what this
    movement took that was not there, `short` (≥ units) what is missing of the product now. `cause`
    and `setting` are stable (UPPER_SNAKE): why it happened, and what would have prevented it.
    `shop` and `order` are empty when no order of a shop caused it.
    """

    oversell: str
    product: str
    units: int
    short: int
    shop: str
    order: str
    cause: str
    setting: str
    owner: str
    message: str
    at: datetime


@dataclass(frozen=True, slots=True)
class OversoldCleared:
    """There is enough of the product again: a receipt, a cancellation or a count has ended its
    oversells."""

    product: str
    oversells: tuple[str, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class PartView:
    """A product behind a listing. `count` (≥ 1) units of it go into one unit of the listing.
    `synced` is its free − reserve, which may be negative."""

    product: str
    count: int
    synced: int


@dataclass(frozen=True, slots=True)
class LinkView:
    """One link whose number is being computed.

    `shop` is the resource name, `listing` the platform's own id of it. `sellable` (≥ 0) is what may
    be sold through this link. `quantity` (0 … sellable) is the number after the plugins that were
    called before. `now` is the store's time in UTC.
    """

    merchant: str
    shop: str
    connector: str
    listing: str
    parts: tuple[PartView, ...]
    sellable: int
    quantity: int
    now: datetime
