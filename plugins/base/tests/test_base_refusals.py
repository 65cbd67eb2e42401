"""What BASE's refusals become: every error of the application is a 400."""

from __future__ import annotations

import json

import httpx
import pytest
from zaiko_base.budget import Budget
from zaiko_base.refusals import GrantRefused, NoOrder, grant_refusal, refusal, reported
from zaiko_sdk import (
    ConnectorError,
    ContractBroken,
    CredentialsRejected,
    ItemRefused,
    ListingGone,
    PermissionMissing,
    PlatformDown,
    SettingsInvalid,
    SystemClock,
    Throttled,
    Timeout,
)


def _refusal(status: int, body: str, *, writing: bool = False) -> ConnectorError | None:
    reply = httpx.Response(status, text=body)
    budget = Budget(SystemClock(), per_hour=5000, per_day=100_000)
    return refusal(reply, reported(reply), path="/1/x", writing=writing, budget=budget)


@pytest.mark.parametrize(
    ("code", "reading", "writing"),
    [
        ("invalid_request", CredentialsRejected, ItemRefused),
        ("invalid_scope", PermissionMissing, PermissionMissing),
        ("access_denied", SettingsInvalid, SettingsInvalid),
        ("hour_api_limit", Throttled, Throttled),
        ("day_api_limit", Throttled, Throttled),
        ("no_item", ListingGone, ListingGone),
        ("bad_variation_id", ListingGone, ListingGone),
        ("no_order", NoOrder, NoOrder),
        ("bad_params", ContractBroken, ItemRefused),
        ("validation_error", ContractBroken, ItemRefused),
        ("db_error", PlatformDown, Timeout),
        ("a_new_one", ContractBroken, ItemRefused),
    ],
)
def test_each_code_says_what_to_do_next(
    code: str, reading: type[ConnectorError], writing: type[ConnectorError]
) -> None:
    body = json.dumps({"error": code, "error_description": "日本語"})

    assert type(_refusal(400, body)) is reading
    assert type(_refusal(400, body, writing=True)) is writing


@pytest.mark.parametrize(
    ("status", "reading", "writing"),
    [
        (401, CredentialsRejected, CredentialsRejected),
        (403, PlatformDown, PlatformDown),
        (404, SettingsInvalid, SettingsInvalid),
        (302, SettingsInvalid, SettingsInvalid),
        (400, ContractBroken, ContractBroken),
        (429, Throttled, Throttled),
        (500, PlatformDown, Timeout),
        (502, PlatformDown, Timeout),
        (503, PlatformDown, PlatformDown),
    ],
)
def test_each_status_from_in_front_of_the_api_says_what_to_do_next(
    status: int, reading: type[ConnectorError], writing: type[ConnectorError]
) -> None:
    assert type(_refusal(status, "<html>")) is reading
    assert type(_refusal(status, "<html>", writing=True)) is writing


def test_a_success_is_no_refusal_whatever_it_says() -> None:
    assert _refusal(200, '{"error": "no_item"}') is None


def test_a_refused_grant_waits_for_the_owner_and_a_refused_app_for_the_operator() -> None:
    budget = Budget(SystemClock(), per_hour=5000, per_day=100_000)

    refused = grant_refusal(httpx.Response(400, json={"error": "invalid_request"}), budget=budget)
    unknown = grant_refusal(
        httpx.Response(400, json={"error": "unauthorized_client"}), budget=budget
    )
    trouble = grant_refusal(httpx.Response(400, json={"error": "server_error"}), budget=budget)

    assert type(refused) is GrantRefused
    assert type(unknown) is CredentialsRejected
    assert type(trouble) is PlatformDown
