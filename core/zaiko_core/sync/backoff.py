"""How long a shop waits after a run that failed. The back-off of single links and of added units is
in domain/retry.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from zaiko_sdk import ConnectorError

from zaiko_core.domain.errors import SecretKeyMissing
from zaiko_core.sync import translation

_SECOND, _MINUTE, _HOUR = 1_000_000, 60_000_000, 3_600_000_000
_LONGEST_CRASH_WAIT = 60 * _SECOND


@dataclass(frozen=True, slots=True)
class RetryDelay:
    """Try again in `wait` µs. `holds`: the shop's links wait for a person meanwhile."""

    wait: int
    holds: bool = False


def after_error(
    error: ConnectorError, attempt: int, interval: int, jitter: Callable[[], float]
) -> RetryDelay:
    """Return the wait after the `attempt`th failed run in a row (1 …) of a shop whose `interval` is
    in µs: what the platform asked for, else 1 s, doubling up to the interval. A shop that waits for
    a person is tried hourly. Up to a fifth is added at random, so that shops do not come back
    together."""
    holds = translation.waits_for_person(error)
    asked = translation.retry_after(error)
    if holds:
        wait = 3600.0
    elif asked is not None:
        wait = min(asked, 3600.0)
    else:
        wait = min(2.0 ** min(attempt - 1, 12), interval / _SECOND)
    return RetryDelay(int(wait * (1 + jitter() / 5) * _SECOND), holds)


def after_crash(attempt: int) -> RetryDelay:
    """Return the wait after a fault of ours: 2 s, doubling to one minute."""
    return RetryDelay(min(2 ** min(attempt, 6) * _SECOND, _LONGEST_CRASH_WAIT))


def after_refused_opening(error: Exception) -> RetryDelay:
    """Return the wait after a connector could not be opened: a person must act. A missing secret
    key may be present on another server, or on this one after its restart, so that is tried
    sooner."""
    return RetryDelay(_MINUTE if isinstance(error, SecretKeyMissing) else _HOUR, holds=True)
