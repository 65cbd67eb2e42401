"""Settings are understood generously, and refused in words that a merchant can act on."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from zaiko_shopify.plugin import SHOPIFY
from zaiko_shopify.settings import ShopifySettings

STATIC = {"shop": "example.myshopify.com", "access_token": "shpat_1"}
GRANT = {"shop": "example.myshopify.com", "client_id": "c", "client_secret": "shpss_1"}


@pytest.mark.parametrize(
    "shop", ["example.myshopify.com", " Example.myshopify.com ", "https://example.myshopify.com/"]
)
def test_the_domain_is_taken_as_people_write_it(shop: str) -> None:
    settings = ShopifySettings(**{**STATIC, "shop": shop})

    assert settings.base_url == "https://example.myshopify.com"


@pytest.mark.parametrize("location", ["61", "gid://shopify/Location/61", " 61 "])
def test_a_location_is_taken_as_number_or_id(location: str) -> None:
    assert ShopifySettings(**STATIC, location=location).location == "gid://shopify/Location/61"


def test_empty_text_is_no_choice() -> None:
    settings = ShopifySettings(**GRANT, location=" ", origin="", access_token=" ")

    assert (settings.location, settings.origin, settings.access_token) == (None, None, None)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"shop": "example.com"}, "myshopify.com"),
        ({"shop": "evil.example/.myshopify.com"}, "myshopify.com"),
        ({"location": "Osaka"}, "number at the end"),
        ({"origin": "ftp://x"}, "begins with https://"),
        ({"origin": "https://x.example/admin"}, "without a path"),
        ({"origin": "http://x.example"}, "because the token is sent to it"),
        ({"access_token": "shpat 1"}, "copy it again"),
        ({"access_token": None}, "client ID and client secret"),
        ({"access_token": None, "client_id": "c"}, "client ID and client secret"),
        ({"client_id": "c"}, "not both"),
        ({"acess_token": "x"}, "not permitted"),
        ({"first_fetch_days": 5}, "30"),
    ],
)
def test_settings_that_cannot_work_are_refused_with_what_to_enter(
    changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValidationError) as raised:
        ShopifySettings(**{**STATIC, **changes})

    assert words in str(raised.value)
    assert "shpat" not in str(raised.value)


def test_a_static_token_may_have_a_client_secret_for_webhooks() -> None:
    assert ShopifySettings(**STATIC, client_secret="shpss_1").client_secret is not None


def test_credentials_are_marked_and_never_shown() -> None:
    settings = ShopifySettings(**GRANT, previous_client_secret="shpss_0")

    assert ShopifySettings.secret_fields() == {
        "access_token",
        "client_secret",
        "previous_client_secret",
    }
    assert "shpss" not in f"{settings!r} {settings} {settings.model_dump()}"


def test_every_setting_is_explained() -> None:
    document = ShopifySettings.schema_document()

    assert [
        name
        for name, field in document["properties"].items()
        if len(field.get("description", "")) < 20
    ] == []


def test_the_connector_promises_what_it_does() -> None:
    assert SHOPIFY.inventory_mode == "compare_and_set"
    assert (SHOPIFY.limits.read_batch, SHOPIFY.limits.write_batch) == (250, 250)
