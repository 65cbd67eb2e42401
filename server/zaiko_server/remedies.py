"""What to do about each reason, in English and Japanese: for `Problem`s, and for the errors of
calls (`status.py`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from zaiko_core.domain import problem


class Action(NamedTuple):
    """What to do."""

    en: str
    ja: str


_RETRY = Action(
    "Nothing is wrong with the request: send it again after the time in RetryInfo.",
    "リクエストに問題はありません。RetryInfo の時間が経過してから再送してください。",
)
_SNAPSHOT = "スナップショットから監視し直してください。"

_OURS: Mapping[str, Action] = {
    "INVALID_FIELD": Action(
        "Correct the fields that are named and send it again.",
        "リクエストの項目に誤りがあります。示された項目を修正して再送してください。",
    ),
    "INVALID_NAME": Action(
        "Use resource names as the server gave them.",
        "リソース名の形式・種類・マーチャントが正しくありません。サーバーが返した名前をそのまま使用してください。",
    ),
    "INVALID_PAGE_TOKEN": Action(
        "Begin again without a page token.",
        "ページトークンが無効か、検索条件が最初のページと異なります。トークンなしで最初から取得してください。",
    ),
    "FIELD_MASK_INVALID": Action(
        "Name only fields that can be changed in `update_mask`.",
        "update_mask に変更できない項目があるか、変更する項目がありません。update_mask を修正してください。",  # noqa: E501
    ),
    "REQUEST_ID_REUSED": Action(
        "Use a fresh UUID as `request_id` for each intention.",
        "この request_id は別のリクエストで使用済みです。操作ごとに新しい UUID を使用してください。",  # noqa: E501
    ),
    "CAUSE_KEY_REUSED": Action(
        "Use another cause key for another fact.",
        "この cause は別の内容で記録済みです。異なる入出庫には異なる cause を使用してください。",
    ),
    "BATCH_TOO_LARGE": Action(
        "Split the batch.", "件数が上限を超えています。分割して送信してください。"
    ),
    "DUPLICATE_IN_BATCH": Action(
        "Remove what comes twice.", "同じ対象が重複しています。重複を取り除いて再送してください。"
    ),
    "RESUME_TOKEN_INVALID": Action(
        "Begin again with a snapshot.",
        f"再開トークンが無効か、条件またはマーチャントが異なります。{_SNAPSHOT}",
    ),
    "SEQUENCE_GAP": Action(
        "Send from the sequence number that is expected.",
        "連番が途切れています。expected の番号から送り直してください。",
    ),
    "TOKEN_MISSING": Action(
        "Send `authorization: Bearer <token>`.",
        "トークンが必要です。authorization: Bearer <トークン> を付けて呼び出してください。",
    ),
    "TOKEN_INVALID": Action(
        "Get another token from the operator.",
        "トークンが無効か、失効しています。運用担当者から新しいトークンを入手してください。",
    ),
    "TOKEN_EXPIRED": Action(
        "Get another token from the operator.",
        "トークンの有効期限が切れています。運用担当者から新しいトークンを入手してください。",
    ),
    "RESOURCE_NOT_FOUND": Action(
        "Check the name, or list its parent.",
        "指定された対象が存在しません。名前を確認するか、一覧を取得してください。",
    ),
    "RESOURCE_EXISTS": Action(
        "Choose another id.", "この ID は使用済みです。別の ID を指定してください。"
    ),
    "CODE_TAKEN": Action(
        "Choose another code.",
        "この商品コードは別の商品で使用されています。別のコードを指定してください。",
    ),
    "LISTING_ALREADY_LINKED": Action(
        "Delete the link of the listing first.",
        "この出品は連携済みです。先に既存の連携を解除してください。",
    ),
    "ETAG_MISMATCH": Action(
        "Read it again and decide again.",
        "取得後に変更されています。再取得し、内容を確認してからやり直してください。",
    ),
    "WRITE_CONFLICT": Action(
        "Send it again after the time in RetryInfo.",
        "他の書き込みと競合しました。RetryInfo の時間が経過してから再送してください。",
    ),
    "REQUEST_IN_FLIGHT": Action(
        "Send it again after the time in RetryInfo.",
        "同じ request_id のリクエストを処理中です。RetryInfo の時間が経過してから再送してください。",  # noqa: E501
    ),
    "SYNC_NOT_OFFERED": Action(
        "Ask the operator to offer inventory sync to this merchant.",
        "在庫同期の提供開始を運用担当者に依頼してください。",
    ),
    "CONNECTOR_CANNOT_SET_INVENTORY": Action(
        "Turn the link's sync off: this platform's stock cannot be set.",
        "在庫同期に対応していません。同期を無効にしてください。",
    ),
    "SHOP_PAUSED": Action("Resume the shop.", "ショップを再開してください。"),
    "SHOP_CREDENTIALS_REJECTED": Action(
        "Issue a new key or token on the platform and enter it with UpdateShop.",
        "プラットフォームで新しいキーまたはトークンを発行し、ショップ設定を更新してください。",
    ),
    "SHOP_HAS_LINKS": Action(
        "Delete the links of the shop first.",
        "ショップに連携が残っています。先に連携を解除してください。",
    ),
    "PRODUCT_ARCHIVED": Action(
        "Use another product.", "この商品はアーカイブ済みです。別の商品を指定してください。"
    ),
    "PRODUCT_HAS_LINKS": Action(
        "Delete the links of the product first.",
        "商品に連携が残っています。先に連携を解除してください。",
    ),
    "MODE_CONFLICT": Action(
        "Turn the sync of the product's links off, or link a listing to one unit of it alone.",
        "在庫同期と入荷実績連携は併用できません。商品の在庫同期を無効にするか、商品 1 個だけの連携を作成してください。",  # noqa: E501
    ),
    "RECEIVING_ONLY_ENDED": Action(
        "Use sync: its receipts reach the shops by it.",
        "在庫同期を開始した商品は入荷実績連携に戻せません。入荷は在庫同期でショップに反映されます。",
    ),
    "OPERATION_DONE": Action("Nothing: it has ended.", "対応不要です。すでに終了しています。"),
    "OPERATION_ACTIVE": Action(
        "Wait for the operation that is going on, or cancel it.",
        "同じショップで処理が実行中です。終了を待つか、キャンセルしてください。",
    ),
    "INSUFFICIENT_STOCK": Action(
        "Ask for fewer units, deallocate, or record what arrived.",
        "倉庫の在庫が不足しています。数量を減らすか、引当を解除するか、入荷を記録してください。",
    ),
    "DEMAND_EXCEEDED": Action(
        "Allocate first, or ask for fewer units.",
        "引当数を超えています。先に引き当てるか、数量を減らしてください。",
    ),
    "STOCK_LIMIT_EXCEEDED": Action(
        "Correct the quantity.", "在庫数が上限 (1,000,000,000) を超えます。数量を修正してください。"
    ),
    "ORDER_NOT_OPEN": Action(
        "Nothing: the order has no open units.",
        "対応不要です。この受注に未処理の数量はありません。",
    ),
    "ADDITION_SETTLED": Action(
        "Nothing: nobody needs to decide it.", "対応不要です。この入荷加算は判断済みです。"
    ),
    "REVISION_COMPACTED": Action(
        "Begin again with a snapshot; when explaining, ask for a later revision.",
        f"指定されたリビジョンの変更履歴は保持期間を過ぎています。{_SNAPSHOT}",
    ),
    "REVISION_IN_FUTURE": Action(
        "Begin again with a snapshot; when explaining, ask for an earlier revision.",
        f"指定されたリビジョンはまだ存在しません。{_SNAPSHOT}",
    ),
    "HISTORY_REPLACED": Action(
        "Forget what was read and begin again with a snapshot.",
        f"データベースがバックアップから復元されました。取得済みの内容を破棄し、{_SNAPSHOT}",
    ),
    "RATE_LIMITED": Action(
        "Wait for the time in RetryInfo; use batches or a watch instead of many calls.",
        "呼び出しが多すぎます。RetryInfo の時間だけ待ち、一括処理または監視の利用を検討してください。",  # noqa: E501
    ),
    "TOO_MANY_STREAMS": Action(
        "Share one stream, or end others.",
        "同時に開いているストリームが多すぎます。共有するか、他を終了してください。",
    ),
    "SLOW_CONSUMER": Action(
        "Resume with the last token and read faster.",
        "受信が遅すぎるため終了しました。最後の再開トークンで再開し、より速く受信してください。",
    ),
    "MESSAGE_TOO_LARGE": Action(
        "Split the request.", "リクエストが大きすぎます。分割して送信してください。"
    ),
    "SERVER_DRAINING": Action(
        "Call again after the time in RetryInfo: another replica or the next process answers.",
        "サーバーが停止中です。RetryInfo の時間が経過してから再度呼び出してください。",
    ),
    "REPLICA_BEHIND": _RETRY,
    "PLATFORM_UNAVAILABLE": Action(
        "Try again later.", "プラットフォームに接続できません。時間をおいて再度お試しください。"
    ),
    "DEADLINE_EXCEEDED": Action(
        "Repeat it with the same request id: it may have been done.",
        "時間内に完了しませんでした。処理済みの可能性があるため、同じ request_id で再送してください。",  # noqa: E501
    ),
    "NOT_IMPLEMENTED": Action(
        "Upgrade the server, or correct the method's name.",
        "このサーバーは対応していません。サーバーを更新するか、メソッド名を確認してください。",
    ),
    "CONNECTOR_CONTRACT_BROKEN": Action(
        "Tell the connector's author.",
        "コネクタに不具合があります。コネクタの開発元に連絡してください。",
    ),
    "LISTING_NOT_STOCKED": Action(
        "Stock the listing at the shop's location on the platform; zaiko tries again by itself.",
        "プラットフォームで、ショップのロケーションにこの出品の在庫を登録してください。自動的に再試行します。",
    ),
    "LISTING_UNTRACKED": Action(
        "Turn on stock tracking of the listing on the platform; zaiko tries again by itself.",
        "プラットフォームでこの出品の在庫管理を有効にしてください。自動的に再試行します。",
    ),
    "LISTING_READ_ONLY": Action(
        "Link the listing's parts instead: the platform does not let its own stock be set.",
        "この出品の在庫はプラットフォームで変更できません。構成する出品を連携してください。",
    ),
    "OUTCOME_UNKNOWN": Action(
        "Nothing: zaiko reads the shop before it sends again.",
        "対応不要です。読み直してから再送します。",
    ),
    "RUN_ABANDONED": Action(
        "Nothing: another run takes over.", "対応不要です。別の実行が引き継ぎます。"
    ),
}

ACTIONS: Mapping[str, Action] = {
    **_OURS,
    **{
        reason: Action(remedy.action_en, remedy.action_ja)
        for reason, remedy in problem.REMEDIES.items()
    },
}
"""By reason, for a `Problem`."""

_OF_A_CALL: Mapping[str, Action] = {
    "PERMISSION_MISSING": Action(
        "Ask the operator for a token that allows it.",
        "このトークンには権限がありません。必要な権限を持つトークンを運用担当者に依頼してください。",
    ),
    "STORAGE_UNAVAILABLE": Action(
        "Call again after the time in RetryInfo; if it goes on, tell the operator.",
        "データベースに接続できません。RetryInfo の時間が経過してから再送し、続く場合は運用担当者に連絡してください。",  # noqa: E501
    ),
    "INTERNAL": Action(
        "Tell the operator the incident.",
        "サーバー内部でエラーが発生しました。incident を運用担当者に連絡してください。",
    ),
}


def of_problem(reason: str) -> Action:
    """What to do about a `Problem`; a reason of a third party's connector that nobody knows is for
    the connector's author."""
    return ACTIONS.get(reason, ACTIONS["CONNECTOR_ERROR"])


def of_call(reason: str) -> Action:
    """What the caller is to do, of whose call the reason is the end."""
    return _OF_A_CALL.get(reason) or of_problem(reason)
