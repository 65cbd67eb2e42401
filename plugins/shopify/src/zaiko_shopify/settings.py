"""What a merchant enters to connect a Shopify shop."""

from __future__ import annotations

import re
from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from zaiko_sdk import ConnectorSettings, http_origin

_DOMAIN = re.compile(r"[a-z0-9][a-z0-9-]*\.myshopify\.com")
_LOCATION = re.compile(r"(?:gid://shopify/Location/)?(\d+)")


class ShopifySettings(ConnectorSettings):
    """The shop's domain and credentials, the location whose stock is kept, and how orders are
    understood."""

    shop: str = Field(
        description="The shop's permanent domain, as in the address of its admin.",
        examples=["example.myshopify.com"],
    )
    access_token: SecretStr | None = Field(
        default=None,
        description=(
            "Admin API access token (begins with shpat_) of a custom app made in the shop's admin "
            "before 2026. Leave empty when you give client ID and client secret."
        ),
    )
    client_id: str | None = Field(
        default=None,
        description=(
            "Client ID of your app in the Dev Dashboard (Settings). The app must belong to the "
            "same organisation as the shop and be installed in it."
        ),
    )
    client_secret: SecretStr | None = Field(
        default=None,
        description=(
            "Client secret of the app. Fetches tokens together with the client ID, and verifies "
            "webhooks."
        ),
    )
    previous_client_secret: SecretStr | None = Field(
        default=None,
        description=(
            "The secret before the last rotation; webhooks may be signed with it for an hour. "
            "Leave empty otherwise."
        ),
    )
    location: str | None = Field(
        default=None,
        description=(
            "The location whose stock zaiko keeps: its number, the last part of its address in "
            "Settings > Locations. May be left empty when only one active location fulfils online "
            "orders."
        ),
        examples=["61234567890"],
    )
    order_overlap_minutes: int = Field(
        default=10,
        ge=1,
        le=1440,
        description=(
            "How far each fetch of orders reaches back behind the last one, in minutes: Shopify's "
            "search runs behind."
        ),
    )
    first_fetch_days: int = Field(
        default=60,
        ge=30,
        le=730,
        description=(
            "How many days back orders are read when the shop is connected. More than 60 needs "
            "the scope read_all_orders."
        ),
    )
    test_orders: Literal["ignore", "count"] = Field(
        default="ignore", description="Whether orders made in test mode hold stock."
    )
    unstocked: Literal["report", "activate"] = Field(
        default="report",
        description=(
            "What to do with a variant that is not stocked at the location: report it, or stock "
            "it there with its number."
        ),
    )
    untracked: Literal["report", "track"] = Field(
        default="report",
        description=(
            "What to do with a variant whose quantity Shopify does not track (it sells without "
            "limit): report it, or turn tracking on with the first number."
        ),
    )
    bulk_listings_above: int = Field(
        default=10_000,
        ge=0,
        description=(
            "From how many variants on the catalogue is read by a bulk operation instead of page "
            "by page, which would use up the quota that pushes need."
        ),
    )
    origin: str | None = Field(
        default=None,
        description=(
            "Another address to call instead of the shop's own, for a simulator or a proxy. Leave "
            "empty."
        ),
    )

    @property
    def base_url(self) -> str:
        """Where the API is."""
        return self.origin or f"https://{self.shop}"

    @field_validator("shop")
    @classmethod
    def _shop_is_a_domain(cls, value: str) -> str:
        domain = value.strip().lower().removeprefix("https://").rstrip("/")
        if not _DOMAIN.fullmatch(domain):
            raise ValueError(
                "enter the domain that ends with .myshopify.com, such as example.myshopify.com"
            )
        return domain

    @field_validator("location")
    @classmethod
    def _location_is_a_number(cls, value: str | None) -> str | None:
        if value is None or not value.strip():
            return None
        match = _LOCATION.fullmatch(value.strip())
        if match is None:
            raise ValueError(
                "enter the number at the end of the location's address in Settings > Locations, "
                "such as 61234567890"
            )
        return f"gid://shopify/Location/{match[1]}"

    @field_validator("origin")
    @classmethod
    def _origin_is_an_address(cls, value: str | None) -> str | None:
        if value is None or not value.strip():
            return None
        return http_origin(value, such_as="https://localhost:8080", sends="the token")

    @field_validator("access_token", "client_secret", "previous_client_secret")
    @classmethod
    def _secret_is_sendable(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        text = value.get_secret_value().strip()
        if not text.isascii() or not text.isprintable() or " " in text:
            raise ValueError("it holds a character that no Shopify credential has; copy it again")
        return SecretStr(text) if text else None

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        by_grant = bool(self.client_id) and self.client_secret is not None
        if self.access_token is not None and self.client_id:
            raise ValueError(
                "give either the access token, or client ID and client secret; not both"
            )
        if self.access_token is None and not by_grant:
            raise ValueError("give the access token, or both client ID and client secret")
        return self
