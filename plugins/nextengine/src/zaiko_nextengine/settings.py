"""What a merchant enters to connect Next Engine."""

from __future__ import annotations

from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator
from zaiko_sdk import ConnectorSettings, http_origin


class NextEngineSettings(ConnectorSettings):
    """The app of Next Engine, and the login that gave it access: a fresh `uid` and `state`, or a
    pair of tokens."""

    client_id: str = Field(
        default="",
        description="クライアントID of the app (アプリを作る). Needed with uid and state.",
    )
    client_secret: SecretStr | None = Field(
        default=None, description="クライアントシークレット of the app. Needed with uid and state."
    )
    uid: str = Field(
        default="",
        description=(
            "The uid that Next Engine appended to the redirect address after the login (see "
            "README)."
        ),
    )
    state: SecretStr | None = Field(
        default=None,
        description=(
            "The state beside it. Good for 5 minutes, so enter it at once: zaiko turns it into "
            "tokens."
        ),
    )
    access_token: SecretStr | None = Field(
        default=None, description="An access token, instead of uid and state."
    )
    refresh_token: SecretStr | None = Field(
        default=None,
        description=(
            "The refresh token of that access token. Nothing else may use the pair: Next Engine "
            "replaces it daily."
        ),
    )
    api_origin: str = Field(
        default="https://api.next-engine.org",
        description="Address of Next Engine's API; another one only for tests.",
    )
    reason: str = Field(
        default="zaiko",
        max_length=40,
        description="入出庫理由 that stands beside zaiko's changes of stock.",
    )
    requests_per_second: float = Field(
        default=2.0, gt=0, le=1000, description="Our own speed limit; Next Engine publishes none."
    )
    rows_per_call: int = Field(
        default=1000, ge=1, le=1000, description="Rows asked for at once. Fewer cost more calls."
    )
    queue_poll_seconds: float = Field(
        default=5.0, gt=0, le=60, description="Pause between looks at an upload's progress."
    )
    queue_patience_seconds: float = Field(
        default=50.0,
        ge=1,
        le=90,
        description=(
            "How long one call waits for an upload; then its outcome is settled later, by reading."
        ),
    )

    @field_validator("api_origin")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        return http_origin(value, such_as="https://api.next-engine.org")

    @field_validator("client_secret", "state", "access_token", "refresh_token")
    @classmethod
    def _is_not_blank(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        text = value.get_secret_value().strip()
        if not text:
            raise ValueError("must not be blank; leave it out instead")
        return SecretStr(text)

    @field_validator("reason")
    @classmethod
    def _is_one_line(cls, value: str) -> str:
        if any(not sign.isprintable() for sign in value):
            raise ValueError("reason must be one line of text")
        return value

    @model_validator(mode="after")
    def _has_a_login(self) -> Self:
        login = (bool(self.uid), self.state is not None)
        pair = (self.access_token is not None, self.refresh_token is not None)
        if not (all(login) and not any(pair)) and not (all(pair) and not any(login)):
            raise ValueError(
                "give either uid and state of a login, or access_token and refresh_token"
            )
        if all(login) and (not self.client_id or self.client_secret is None):
            raise ValueError("uid and state need client_id and client_secret")
        return self
