"""What a merchant enters to connect a shop."""

from __future__ import annotations

from pydantic import Field, SecretStr, field_validator
from zaiko_sdk import ConnectorSettings, http_origin


class ExampleSettings(ConnectorSettings):
    """The shop's address and credentials. The descriptions are shown to the merchant: say where
    each value is found."""

    origin: str = Field(
        description="Address of the shop without a path.", examples=["https://my-shop.test"]
    )
    token: SecretStr = Field(
        description="API token: Settings > Apps > API > New token, with all scopes."
    )
    webhook_secret: SecretStr | None = Field(
        default=None,
        description=(
            "Secret of the webhook, when one is set up: Settings > Apps > Webhooks. zaiko polls "
            "anyway."
        ),
    )
    requests_per_second: float = Field(
        default=10.0,
        gt=0,
        le=1000,
        description="The quota of the shop's plan. The platform counts all apps together.",
    )

    @field_validator("origin")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        return http_origin(value, such_as="https://my-shop.test")

    @field_validator("token")
    @classmethod
    def _fits_a_header(cls, value: SecretStr) -> SecretStr:
        text = value.get_secret_value().strip()
        if not text or not text.isascii() or not text.isprintable() or " " in text:
            raise ValueError("token must be the token alone, without spaces or line breaks")
        return SecretStr(text)
