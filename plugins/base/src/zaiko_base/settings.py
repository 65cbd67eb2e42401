"""What a merchant enters to connect a BASE shop."""

from __future__ import annotations

from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator
from zaiko_sdk import ConnectorSettings, http_origin


class BaseSettings(ConnectorSettings):
    """The app at BASE Developers, and the owner's consent to it."""

    client_id: str = Field(
        min_length=1, description="client_id of the app at developers.thebase.in."
    )
    client_secret: SecretStr = Field(description="client_secret of the app.")
    redirect_uri: str = Field(
        min_length=1,
        description=(
            "Callback URL of the app, exactly as registered: BASE wants it again with every "
            "refresh."
        ),
    )
    code: SecretStr | None = Field(
        default=None,
        description=(
            "The code that BASE appended to the callback URL when the shop's owner agreed (see "
            "README). Good for an hour, and once: zaiko turns it into tokens and keeps those."
        ),
    )
    refresh_token: SecretStr | None = Field(
        default=None,
        description=(
            "A refresh token instead of a code. Nothing else may use it: each use makes it "
            "worthless."
        ),
    )
    shop_id: str = Field(
        default="",
        description=(
            "The shop's id at BASE. When it is given, `check` reports a consent for another shop."
        ),
    )
    api_origin: str = Field(
        default="https://api.thebase.in",
        description="Address of BASE's API; another one only for tests.",
    )
    window_days: int = Field(
        default=70,
        ge=30,
        le=365,
        description=(
            "How many days back orders are looked through for changes. BASE closes unshipped "
            "orders after 60 days."
        ),
    )
    calls_per_hour: int = Field(
        default=5000,
        ge=10,
        le=1_000_000,
        description="BASE's quota for this shop, of all apps together.",
    )
    calls_per_day: int = Field(
        default=100_000, ge=100, le=10_000_000, description="Likewise, until midnight in Japan."
    )
    requests_per_second: float = Field(
        default=5.0, ge=4, le=1000, description="Our own speed limit; BASE publishes none."
    )

    @field_validator("api_origin")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        return http_origin(value, such_as="https://api.thebase.in")

    @field_validator("client_secret", "code", "refresh_token")
    @classmethod
    def _is_not_blank(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        text = value.get_secret_value().strip()
        if not text:
            raise ValueError("must not be blank; leave it out instead")
        return SecretStr(text)

    @model_validator(mode="after")
    def _has_a_consent(self) -> Self:
        if (self.code is None) == (self.refresh_token is None):
            raise ValueError("give either the code of the owner's consent or a refresh token")
        return self
