"""Trouble of a link, shop or run, as people are shown it (domain.md §5): a stable reason, who must
act, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class Remedy:
    """Who must act (MERCHANT, PLATFORM or SYSTEM), and what to do."""

    owner: str
    action_en: str
    action_ja: str


REMEDIES: Mapping[str, Remedy] = {
    "THROTTLED": Remedy(
        "PLATFORM",
        "Nothing: zaiko waits as the platform asked.",
        "対応不要です。自動的に再試行します。",
    ),
    "PLATFORM_DOWN": Remedy(
        "PLATFORM",
        "Nothing: zaiko tries again until the platform answers.",
        "対応不要です。復旧まで自動的に再試行します。",
    ),
    "TIMEOUT": Remedy(
        "PLATFORM",
        "Nothing: zaiko reads the shop before it sends again.",
        "対応不要です。読み直してから再送します。",
    ),
    "CREDENTIALS_REJECTED": Remedy(
        "MERCHANT",
        "Issue a new key or token on the platform and enter it with UpdateShop.",
        "プラットフォームで新しいキーまたはトークンを発行し、ショップ設定を更新してください。",
    ),
    "PERMISSION_MISSING": Remedy(
        "MERCHANT",
        "Grant the named permission on the platform, then resume the shop.",
        "プラットフォームで必要な権限を付与し、ショップを再開してください。",
    ),
    "PLAN_TOO_LOW": Remedy(
        "MERCHANT",
        "Check the shop's plan and payment on the platform, then resume the shop.",
        "プラットフォームの契約プランと支払い状況を確認し、ショップを再開してください。",
    ),
    "ITEM_REFUSED": Remedy(
        "MERCHANT",
        "Correct this listing on the platform as its message says; zaiko tries again by itself.",
        "プラットフォームのメッセージに従って出品を修正してください。自動的に再試行します。",
    ),
    "LISTING_GONE": Remedy(
        "MERCHANT",
        (
            "The listing no longer exists in the shop: delete the link, or restore the listing "
            "and refresh listings."
        ),
        "出品がショップに存在しません。連携を解除するか、出品を復元して再読み込みしてください。",
    ),
    "CONTRACT_BROKEN": Remedy(
        "SYSTEM",
        "Report this to the connector's author with the message; zaiko tries again.",
        "コネクタの開発元へメッセージを添えて連絡してください。自動的に再試行します。",
    ),
    "SETTINGS_INVALID": Remedy(
        "MERCHANT",
        "Correct the shop's settings with UpdateShop.",
        "ショップ設定を修正してください。",
    ),
    "CONNECTOR_NOT_LOADED": Remedy(
        "SYSTEM",
        (
            "Install or repair the connector (see ListConnectors) and restart the server; the "
            "shop is kept as it is."
        ),
        "コネクタをインストールまたは修復し、サーバーを再起動してください。ショップの情報は保持されます。",
    ),
    "CONNECTOR_ERROR": Remedy(
        "SYSTEM",
        "Tell the connector's author the message; zaiko tries again.",
        "コネクタの開発元へメッセージを添えて連絡してください。自動的に再試行します。",
    ),
    "DIFFERENCE_UNEXPLAINED": Remedy(
        "MERCHANT",
        (
            "Find out who changed the number in the shop. SyncNow sets it right; so does zaiko "
            "after a day."
        ),
        "ショップで在庫数を変更した人を確認してください。今すぐ同期を実行すると修正され、1 日後には自動的に修正されます。",  # noqa: E501
    ),
    "SECRET_KEY_MISSING": Remedy(
        "SYSTEM",
        (
            "Start the server with the key that sealed the credentials, or enter all of them "
            "again with UpdateShop."
        ),
        "認証情報を暗号化した鍵でサーバーを起動するか、ショップの認証情報をすべて入力し直してください。",
    ),
    "STORAGE_UNAVAILABLE": Remedy(
        "SYSTEM",
        (
            "Nothing: the database does not answer, and zaiko tries again; if it goes on, tell "
            "the operator."
        ),
        "対応不要です。データベースが応答しないため、自動的に再試行します。続く場合は運用担当者に連絡してください。",
    ),
    "INTERNAL": Remedy(
        "SYSTEM",
        "Report the incident id to the operator; zaiko tries again.",
        "インシデント番号を運用担当者に連絡してください。",
    ),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong. `retry_at` (µs since 1970) is when zaiko tries again by itself, or None when
    it waits for a person. `metadata` has by name what varies in a message of ours; a connector's
    words are its own."""

    reason: str
    message: str
    platform_message: str = ""
    retry_at: int | None = None
    metadata: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def remedy(self) -> Remedy:
        """Who must act and what to do; an unknown reason (of a third party's connector) is for the
        connector's author."""
        return REMEDIES.get(self.reason, REMEDIES["CONNECTOR_ERROR"])

    def document(self) -> dict[str, Any]:
        """As stored."""
        return asdict(self)


def problem_from(document: Mapping[str, Any] | None) -> Problem | None:
    """As read back. What a newer release wrote beside it is left out: two of them may share a
    database."""
    return (
        None
        if document is None
        else Problem(**{name: value for name, value in document.items() if name in _FIELDS})
    )


_FIELDS = frozenset(item.name for item in fields(Problem))
