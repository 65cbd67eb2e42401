"""How long a shop, a link and an addition wait after a failure."""

from __future__ import annotations

import pytest
from zaiko_core.domain import retry
from zaiko_core.domain.errors import SecretKeyMissing
from zaiko_core.sync.backoff import after_crash, after_error, after_refused_opening
from zaiko_sdk import CredentialsRejected, PlatformDown, SettingsInvalid, Throttled, Timeout

SECOND, MINUTE, HOUR = 1_000_000, 60_000_000, 3_600_000_000
INTERVAL = 10 * MINUTE


def no_jitter() -> float:
    return 0.0


@pytest.mark.parametrize(
    ("attempt", "seconds"), [(1, 1), (2, 2), (3, 4), (10, 512), (11, 600), (99, 600)]
)
def test_a_failed_run_waits_twice_as_long_each_time_up_to_the_interval(
    attempt: int, seconds: int
) -> None:
    delay = after_error(Timeout("slow", sent=None), attempt, INTERVAL, no_jitter)
    assert (delay.wait, delay.holds) == (seconds * SECOND, False)


def test_a_platform_says_how_long_to_wait_but_no_longer_than_an_hour() -> None:
    assert after_error(Throttled("429", retry_after=3), 9, INTERVAL, no_jitter).wait == 3 * SECOND
    down = PlatformDown("closed", retry_after=86_400)
    assert after_error(down, 1, INTERVAL, no_jitter).wait == HOUR


def test_a_shop_that_waits_for_a_person_is_held_and_tried_hourly() -> None:
    delay = after_error(CredentialsRejected("401"), 1, INTERVAL, no_jitter)
    assert (delay.wait, delay.holds) == (HOUR, True)


def test_up_to_a_fifth_is_added_at_random() -> None:
    delay = after_error(Timeout("slow", sent=None), 4, INTERVAL, lambda: 0.5)
    assert delay.wait == int(8.8 * SECOND)


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 2), (5, 32), (6, 60), (99, 60)])
def test_a_fault_of_ours_is_tried_again_within_a_minute(attempt: int, seconds: int) -> None:
    delay = after_crash(attempt)
    assert (delay.wait, delay.holds) == (seconds * SECOND, False)


def test_a_connector_that_cannot_be_opened_is_tried_hourly_a_missing_key_each_minute() -> None:
    assert after_refused_opening(SettingsInvalid("no")).wait == HOUR
    assert after_refused_opening(SecretKeyMissing()).wait == MINUTE
    assert after_refused_opening(SettingsInvalid("no")).holds


@pytest.mark.parametrize(
    ("failures", "seconds"), [(1, 30), (2, 60), (7, 1_920), (8, 3_600), (99, 3_600)]
)
def test_a_failed_link_waits_from_half_a_minute_to_an_hour(failures: int, seconds: int) -> None:
    assert retry.LINK.wait(failures) == seconds * SECOND


@pytest.mark.parametrize(("failures", "seconds"), [(1, 2), (2, 4), (12, 3_600)])
def test_a_failed_addition_waits_from_two_seconds_to_an_hour(failures: int, seconds: int) -> None:
    assert retry.ADDITION.wait(failures) == seconds * SECOND
