"""Settings that cannot work are refused with what to do; webhooks need the shared secret."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError
from zaiko_ecforce.plugin import ECFORCE, zaiko_connectors, zaiko_simulators
from zaiko_ecforce.settings import EcforceSettings
from zaiko_ecforce.webhook import read_webhook
from zaiko_sdk import CredentialsRejected

GOOD: dict[str, Any] = {"origin": "https://shop.example.test", "token": "t-secret-1"}
SECRET = "a-shared-secret-of-ours"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"origin": "shop.example.test"}, "begins with https://"),
        ({"origin": "https://shop.example.test/api/v2"}, "without a path"),
        ({"origin": "https://me:pw@shop.example.test"}, "without a user name"),
        ({"origin": "http://shop.example.test"}, "must begin with https://"),
        ({"token": None}, "give either the token, or email and password"),
        ({"email": "a@example.test", "password": "p"}, "not both"),
        ({"token": None, "email": "a@example.test"}, "give either"),
        ({"token": ""}, "give either"),
        ({"webhook_secret": "short"}, "16 characters"),
        ({"open_states": ["complete", "shipped"]}, "leave it in one of them"),
        ({"write_batch": 101}, "less than or equal to 100"),
        ({"overlap": 10}, "not permitted"),
    ],
)
def test_settings_that_cannot_work_are_refused_with_what_to_do(changes: dict[str, Any], words: str):
    with pytest.raises(ValidationError, match=words) as caught:
        EcforceSettings.model_validate(GOOD | changes)
    assert "t-secret-1" not in str(caught.value)


@pytest.mark.parametrize(
    "origin",
    ["https://shop.example.test/", "https://api.shop.example.test", "http://127.0.0.1:8080"],
)
def test_the_origin_is_taken_as_given_and_never_derived(origin: str):
    assert EcforceSettings.model_validate(GOOD | {"origin": origin}).origin == origin.rstrip("/")


def test_credentials_are_marked_as_such():
    document = EcforceSettings.schema_document()

    assert EcforceSettings.secret_fields() == {"token", "password", "webhook_secret"}
    assert document["properties"]["token"]["writeOnly"]
    assert all("description" in field for field in document["properties"].values())


def test_the_plugin_brings_one_connector_and_its_simulator():
    assert list(zaiko_connectors()) == [ECFORCE]
    assert [kind.id for kind in zaiko_simulators()] == [ECFORCE.id]


def _webhook(settings: dict[str, Any], event: str, body: Any) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_webhook(
        EcforceSettings.model_validate(GOOD | settings),
        {"X-Ecf-Event": event},
        raw,
        lambda: "fresh",
    )


def test_an_order_event_with_the_secret_is_a_hint_to_poll():
    hint = _webhook(
        {"webhook_secret": SECRET}, "order_complete", {"secret": SECRET, "order_id": "31005"}
    )

    assert (hint.topic, list(hint.order_ids), hint.delivery_id) == (
        "order_complete",
        ["31005"],
        "fresh",
    )


def test_a_delivery_id_of_the_shops_own_removes_duplicates():
    body = {"secret": SECRET, "delivery_id": "31005@2026/11/23 10:00:00"}

    assert (
        _webhook({"webhook_secret": SECRET}, "order_shipped", body).delivery_id
        == body["delivery_id"]
    )


def test_events_that_move_no_order_are_ignored():
    assert _webhook({"webhook_secret": SECRET}, "customer_updated", {"secret": SECRET}) is None


_WRONG = [
    {},
    {"secret": "wrong"},
    {"secret": None},
    {"secret": 1},
    [],
    b"not json",
    b"",
    b'{"secret":"\\ud800"}',
]


@pytest.mark.parametrize("body", _WRONG)
def test_a_webhook_without_the_secret_is_refused(body: Any):
    with pytest.raises(CredentialsRejected):
        _webhook({"webhook_secret": SECRET}, "order_complete", body)


def test_a_shop_without_a_secret_takes_no_webhooks():
    with pytest.raises(CredentialsRejected, match="has no webhook_secret"):
        _webhook({}, "order_complete", {"secret": ""})
