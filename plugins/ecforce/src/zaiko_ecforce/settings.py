"""What a merchant enters to connect an ecforce shop."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from zaiko_sdk import ConnectorSettings, http_origin

_STATE_FIELDS = ("open_states", "shipped_states", "returned_states", "cancelled_states")


class EcforceSettings(ConnectorSettings):
    """The shop's address and credentials, and the meaning of its order states."""

    origin: str = Field(
        description=(
            "Address of the shop's API without a path: the shop's domain, or the endpoint that "
            "SUPER STUDIO mailed when 外部サービスAPI連携 was contracted."
        ),
        examples=["https://example.ec-force.com"],
    )
    token: SecretStr | None = Field(
        default=None,
        description=(
            "API 認証トークン of a member: 設定 > メンバー/権限 > メンバー管理 > the member. "
            "Leave empty when you give email and password. Pressing 更新 there makes the old "
            "token useless."
        ),
    )
    email: str | None = Field(
        default=None, description="Login e-mail of a member, when no token is given."
    )
    password: SecretStr | None = Field(default=None, description="Password of that member.")
    location_code: str = Field(
        default="default",
        min_length=1,
        description=(
            "Code of the stock location that zaiko writes to: 設定 > 商品 > 在庫ロケーション管理."
        ),
    )
    count_orders_of: Literal["every_location", "this_location"] = Field(
        default="every_location",
        description=(
            "Which order lines hold stock: those of every location of ecforce, or only those that "
            "ecforce takes from the location above, when goods of the other ones are not zaiko's."
        ),
    )
    overlap_minutes: int = Field(
        default=10,
        ge=1,
        le=1440,
        description="How far each fetch of orders reaches back behind the last one, in minutes.",
    )
    first_fetch_days: int = Field(
        default=90,
        ge=30,
        le=730,
        description="How many days back orders are read when the shop is connected.",
    )
    write_batch: int = Field(default=100, ge=1, le=100, description="Rows per stock update.")
    requests_per_second: float = Field(
        default=1.0,
        gt=0,
        le=100,
        description=(
            "Our own speed limit; ecforce publishes none. Lower it if requests are refused."
        ),
    )
    burst: int = Field(
        default=3,
        ge=1,
        le=100,
        description="Requests that may follow each other at once after a pause.",
    )
    open_states: frozenset[str] = Field(
        default=frozenset({"complete"}),
        description=(
            "Codes of 対応状況 that still hold stock. A code in none of these lists holds stock "
            "too, and is shown to you."
        ),
    )
    shipped_states: frozenset[str] = Field(
        default=frozenset({"shipped", "delivered"}),
        description="Codes of 対応状況 that mean: the goods have left.",
    )
    returned_states: frozenset[str] = Field(
        default=frozenset({"returned", "backproduct", "returnedpaid", "block"}),
        description=(
            "Codes of 対応状況 that mean: the goods left and came back. They no longer hold "
            "stock; what came back counts when the warehouse receives it."
        ),
    )
    cancelled_states: frozenset[str] = Field(
        default=frozenset({"canceled"}),
        description="Codes of 対応状況 that mean: will not be shipped.",
    )
    cancelled_payment_states: frozenset[str] = Field(
        default=frozenset({"voided"}),
        description="Codes of the payment state that mean: the order was cancelled.",
    )
    webhook_secret: SecretStr | None = Field(
        default=None,
        description=(
            "A text of your own, 16 characters or more, that your webhook template sends as "
            "`secret`. Without it webhooks are refused."
        ),
    )

    @field_validator("origin")
    @classmethod
    def _origin_is_an_address(cls, value: str) -> str:
        return http_origin(value, such_as="https://example.ec-force.com", sends="the token")

    @field_validator("webhook_secret")
    @classmethod
    def _secret_is_long(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < 16:
            raise ValueError("choose a secret of 16 characters or more")
        return value

    @model_validator(mode="after")
    def _one_way_to_sign_in(self) -> Self:
        by_login = bool(self.email) and bool(self.password and self.password.get_secret_value())
        by_token = bool(self.token and self.token.get_secret_value())
        if by_token == by_login or (by_token and (self.email or self.password)):
            raise ValueError("give either the token, or email and password; not both")
        return self

    @model_validator(mode="after")
    def _each_state_means_one_thing(self) -> Self:
        seen: dict[str, str] = {}
        for field in _STATE_FIELDS:
            for state in getattr(self, field):
                if state in seen:
                    raise ValueError(
                        f"the state {state!r} is in {seen[state]} and in {field}; leave it "
                        "in one of them"
                    )
                seen[state] = field
        return self
