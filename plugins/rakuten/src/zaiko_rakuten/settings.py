"""What a merchant enters to connect a shop on Rakuten Ichiba."""

from __future__ import annotations

import enum

from pydantic import Field, SecretStr, field_validator
from zaiko_sdk import ConnectorSettings, http_origin

RMS = "https://api.rms.rakuten.co.jp"


class OrderSource(enum.StrEnum):
    """Which of the two order APIs is read. Both contain what stock needs; the first leaves the
    buyer's data out."""

    AUTO = "auto"
    PURCHASED_ITEMS = "purchased_items"
    ORDERS = "orders"


class RakutenSettings(ConnectorSettings):
    """The shop's keys. The licence key identifies the shop."""

    service_secret: SecretStr = Field(
        description=(
            "serviceSecret: RMS > 店舗様向け情報・サービス > WEB APIサービス > 2-1 (begins with "
            "SP), or that of your system vendor."
        )
    )
    license_key: SecretStr = Field(
        description=(
            "licenseKey of the shop, from the same page (begins with SL). It is valid for 90 "
            "days: issue a new one in RMS before it ends and enter it here. A new key may need up "
            "to 30 minutes to work. Enable these functions for it under 利用機能編集: 購入商品API "
            "or 楽天ペイ受注API, 在庫API, 商品API, ライセンス管理API."
        )
    )
    order_source: OrderSource = Field(
        default=OrderSource.AUTO,
        description=(
            "Where orders are read: purchased_items (購入商品API, without the buyer's data), "
            "orders (楽天ペイ受注API), or auto: the first one that is enabled for the key."
        ),
    )
    order_version: int = Field(
        default=10,
        ge=7,
        le=99,
        description=(
            "Version of 楽天ペイ受注API getOrder to ask for. It contains SKUs from version 7 on."
        ),
    )
    overlap_minutes: int = Field(
        default=15,
        ge=1,
        le=1440,
        description=(
            "How far each search for orders reaches back behind the last one, in minutes. RMS may "
            "show an order late."
        ),
    )
    first_fetch_days: int = Field(
        default=62,
        ge=30,
        le=729,
        description=(
            "How many days back all orders are read when the shop is connected. Open orders are "
            "read however old they are."
        ),
    )
    quota_share: float = Field(
        default=0.98,
        ge=0.05,
        le=0.99,
        description=(
            "The part of RMS's request limits that zaiko uses. Lower it when other tools use the "
            "same licence key."
        ),
    )
    notice_auth_key: SecretStr | None = Field(
        default=None,
        description=(
            "authKey of システムイベント通知, where the shop has a contract for it. Without it "
            "notifications are refused; orders are read by the clock either way."
        ),
    )
    origin: str = Field(
        default=RMS, description="Address of the API without a path. Change it only for tests."
    )

    @field_validator("origin")
    @classmethod
    def _origin_is_an_address(cls, value: str) -> str:
        return http_origin(value, such_as=RMS, sends="the licence key")

    @field_validator("service_secret", "license_key")
    @classmethod
    def _key_is_one_word(cls, value: SecretStr) -> SecretStr:
        text = value.get_secret_value().strip()
        if not text or not text.isascii() or not text.isprintable() or " " in text:
            raise ValueError(
                "copy the key from RMS as it is: letters, digits and underscores, without blanks"
            )
        if ":" in text:
            raise ValueError(
                "enter the serviceSecret and the licenseKey apart, not joined by a colon and not "
                "encoded"
            )
        return SecretStr(text)
