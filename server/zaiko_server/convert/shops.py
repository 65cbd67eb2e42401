"""Convert shops, their statuses, and the findings of a check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp
from zaiko.v1 import shop_pb2, shop_service_pb2, sync_service_pb2
from zaiko_core.app.closing import OpenOrders
from zaiko_core.app.records import LinkState, ShopRecord
from zaiko_core.app.settling import UnsettledShop
from zaiko_core.domain.expiry import SOON
from zaiko_core.domain.matching import AutoLink
from zaiko_core.domain.problem import Problem
from zaiko_core.domain.shop_word import ShippedFrees
from zaiko_core.domain.suspicion import UNPAID_AFTER, SuspectPolicy
from zaiko_sdk import Finding, FindingLevel

from zaiko_server import names
from zaiko_server.convert.links import counts
from zaiko_server.convert.problems import problem
from zaiko_server.etags import etag
from zaiko_server.times import duration, nonzero_timestamp, timestamp

_HOLDING = frozenset(
    {
        "CREDENTIALS_REJECTED",
        "PERMISSION_MISSING",
        "PLAN_TOO_LOW",
        "SETTINGS_INVALID",
        "CONNECTOR_NOT_LOADED",
        "SECRET_KEY_MISSING",
        "ACCOUNT_CHANGED",
        "ACCOUNT_TAKEN",
    }
)
"""The reasons for which a shop is held until a person acts."""


def shop(
    merchant: str, record: ShopRecord, secret_names: Sequence[str], status: shop_pb2.ShopStatus
) -> shop_pb2.Shop:
    """Return a shop without its secrets. `secret_names` are those that are stored."""
    settings = Struct()
    json_format.ParseDict(dict(record.settings), settings)
    return shop_pb2.Shop(
        name=names.SHOP(merchant, record.shop),
        connector=names.CONNECTOR(record.connector),
        display_name=record.display_name,
        state=shop_pb2.Shop.STATE_PAUSED if record.paused else shop_pb2.Shop.STATE_ACTIVE,
        settings=settings,
        secret_names=sorted(secret_names),
        sync_interval=duration(record.interval),
        shadow=record.shadow,
        suspect_policy=policy(record.suspect_policy),
        drift_policy=shop_pb2.Shop.DRIFT_POLICY_HOLD
        if record.hold_drift
        else shop_pb2.Shop.DRIFT_POLICY_HEAL,
        account=record.account,
        account_name=record.account_name,
        shipped_frees=shop_pb2.Shop.ShippedFrees.Value(
            f"SHIPPED_FREES_{record.shipped_frees.value}"
        ),
        keep_unrestocked=record.keeps_unrestocked,
        auto_link=shop_pb2.Shop.AutoLink.Value(f"AUTO_LINK_{record.auto_link.value}"),
        status=status,
        create_time=nonzero_timestamp(record.created_at),
        update_time=nonzero_timestamp(record.updated_at),
        revision=record.revision,
        etag=etag(record.revision),
    )


def shipped_frees_of(given: shop_pb2.Shop.ShippedFrees.ValueType) -> ShippedFrees:
    """Return when the shop's own «shipped» frees stock, as a request says."""
    if given == shop_pb2.Shop.SHIPPED_FREES_UNSPECIFIED:
        return ShippedFrees.AUTO
    name = shop_pb2.Shop.ShippedFrees.Name(given)
    return ShippedFrees(name.removeprefix("SHIPPED_FREES_"))


def auto_link_of(given: shop_pb2.Shop.AutoLink.ValueType) -> AutoLink:
    """Return what becomes of new listings, as a request says."""
    if given == shop_pb2.Shop.AUTO_LINK_UNSPECIFIED:
        return AutoLink.OFF
    return AutoLink(shop_pb2.Shop.AutoLink.Name(given).removeprefix("AUTO_LINK_"))


def open_orders_of(
    given: shop_service_pb2.DeleteShopRequest.OpenOrders.ValueType,
) -> OpenOrders | None:
    """Return what becomes of open orders, as a request says; None if it does not."""
    kind = shop_service_pb2.DeleteShopRequest
    if given == kind.OPEN_ORDERS_UNSPECIFIED:
        return None
    return OpenOrders(kind.OpenOrders.Name(given).removeprefix("OPEN_ORDERS_"))


def policy(found: SuspectPolicy) -> shop_pb2.SuspectPolicy:
    """Return a shop's policy for suspect demand."""
    return shop_pb2.SuspectPolicy(
        archived_release_days=found.archived,
        vanished_release_days=found.vanished,
        unpaid_release_days=found.unpaid,
        unpaid_suspect_days=found.unpaid_after,
    )


def policy_of(given: shop_pb2.SuspectPolicy) -> SuspectPolicy:
    """Return the policy in a request."""
    days = {
        name: getattr(given, field) if given.HasField(field) else None  # type: ignore[arg-type]
        for name, field in (
            ("archived", "archived_release_days"),
            ("vanished", "vanished_release_days"),
            ("unpaid", "unpaid_release_days"),
        )
    }
    after = given.unpaid_suspect_days if given.HasField("unpaid_suspect_days") else UNPAID_AFTER
    return SuspectPolicy(**days, unpaid_after=after)


def status(
    merchant: str,
    record: ShopRecord,
    links: Mapping[LinkState, int],
    *,
    differing: int,
    synced: int,
    missing: Problem | None,
    now: int,
) -> shop_pb2.ShopStatus:
    """Return the status of a shop's sync. `synced` is its synced revision, `missing` the problem of
    a connector that is not loaded, or None. `now` is in µs since 1970."""
    trouble = missing or record.problem
    lag = None
    if record.orders_complete_until is not None:
        lag = duration(
            max(0, (record.last_run_at or record.updated_at) - record.orders_complete_until)
        )
    return shop_pb2.ShopStatus(
        shop=names.SHOP(merchant, record.shop),
        state=_state(record, trouble, now),
        last_run=names.RUN(merchant, record.shop, record.last_run) if record.last_run else "",
        last_success_time=timestamp(record.last_success_at),
        next_run_time=None if record.paused else timestamp(record.due_at),
        next_send_time=None if record.paused else timestamp(record.sending_retry_at),
        order_cursor_time=timestamp(record.orders_complete_until),
        order_lag=lag,
        problem=problem(trouble or _unreadable(record)),
        unreadable_order_count=record.unreadable_orders,
        link_counts=counts(links),
        credentials_state=_credentials(record, now),
        credentials_expire_time=timestamp(record.credentials_expire_at),
        revision=max(record.revision, record.status_revision),
        shadow_difference_count=differing,
        order_read_time=timestamp(record.orders_read_at),
        synced_revision=synced,
    )


def _unreadable(record: ShopRecord) -> Problem | None:
    """Return the problem of a shop that works, with orders that cannot be read."""
    count = record.unreadable_orders
    if count == 0:
        return None
    return Problem(
        "ORDER_UNREADABLE",
        f"{count} orders that may be open cannot be read",
        metadata={"orders": str(count)},
    )


def _state(
    record: ShopRecord, trouble: Problem | None, now: int
) -> shop_pb2.ShopStatus.State.ValueType:
    if record.paused:
        return shop_pb2.ShopStatus.STATE_PAUSED
    if record.running:
        return shop_pb2.ShopStatus.STATE_RUNNING
    if trouble is not None and trouble.reason == "CONNECTOR_NOT_LOADED":
        return shop_pb2.ShopStatus.STATE_HELD
    if record.due_at is not None and record.due_at <= now:
        return shop_pb2.ShopStatus.STATE_SCHEDULED
    if trouble is None:
        return shop_pb2.ShopStatus.STATE_IDLE
    return (
        shop_pb2.ShopStatus.STATE_HELD
        if trouble.reason in _HOLDING
        else shop_pb2.ShopStatus.STATE_BACKING_OFF
    )


def _credentials(record: ShopRecord, now: int) -> shop_pb2.ShopStatus.CredentialsState.ValueType:
    if record.problem is not None and record.problem.reason == "CREDENTIALS_REJECTED":
        return shop_pb2.ShopStatus.CREDENTIALS_STATE_REJECTED
    if record.problem is not None and record.problem.reason == "SECRET_KEY_MISSING":
        return shop_pb2.ShopStatus.CREDENTIALS_STATE_UNSPECIFIED
    if record.credentials_expire_at is not None and record.credentials_expire_at - now <= SOON:
        return shop_pb2.ShopStatus.CREDENTIALS_STATE_EXPIRING
    if record.last_success_at is not None:
        return shop_pb2.ShopStatus.CREDENTIALS_STATE_VALID
    return shop_pb2.ShopStatus.CREDENTIALS_STATE_UNSPECIFIED


def unsettled(
    merchant: str, found: UnsettledShop, why: Problem | None
) -> sync_service_pb2.WaitSettledResponse.UnsettledShop:
    """Return a shop that is not settled. `why` is its problem, or that of its link."""
    kind = sync_service_pb2.WaitSettledResponse.UnsettledShop
    link = found.link
    return kind(
        shop=names.SHOP(merchant, found.shop.shop),
        cause=kind.Cause.Value(f"CAUSE_{found.cause.value}"),
        synced_revision=found.settled_revision,
        link_count=found.links,
        link=names.LINK(merchant, link.shop, link.listing) if link is not None else "",
        problem=problem(why),
    )


def findings(found: Sequence[Finding]) -> list[shop_service_pb2.CheckShopResponse.Finding]:
    """Return the findings of a check, worst first."""
    worst_first = [FindingLevel.ERROR, FindingLevel.WARNING, FindingLevel.OK]
    return [finding(item) for item in sorted(found, key=lambda item: worst_first.index(item.level))]


def finding(found: Finding) -> shop_service_pb2.CheckShopResponse.Finding:
    """Return one finding."""
    expires = None
    if found.expires_at is not None:
        expires = Timestamp()
        expires.FromDatetime(found.expires_at)
    kind = shop_service_pb2.CheckShopResponse.Finding
    return kind(
        level=kind.Level.Value(f"LEVEL_{found.level.value}"),
        reason=found.reason,
        message=found.message,
        expire_time=expires,
    )
