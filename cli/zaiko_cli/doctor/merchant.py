"""Checks of one merchant's sync status, which a server answers or the database gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from zaiko.v1 import sync_service_pb2

from zaiko_cli.doctor.findings import DoctorFinding, Severity, ok, problem, warning
from zaiko_cli.show import last, word

Status = sync_service_pb2.GetSyncStatusResponse
Check = Callable[[str, Status], Iterator[DoctorFinding]]

_LATE = 6 * 3600
"""Seconds that a shop may go unread before buyers notice, because its numbers are as old as
that."""


def check(merchant: str, status: Status) -> list[DoctorFinding]:
    """Return the findings of every check, or one that all is well."""
    found = [finding for run in CHECKS for finding in run(merchant, status)]
    shops, counts = len(status.shop_statuses), status.link_counts
    return found or [ok("sync", f"{shops} shops, {counts.synced} links synced", merchant)]


def shops(merchant: str, status: Status) -> Iterator[DoctorFinding]:
    """Report shops with a problem, who must act and what to do."""
    for shop in status.shop_statuses:
        if not shop.HasField("problem"):
            continue
        trouble = shop.problem
        if word(trouble, "reason") == "ORDER_UNREADABLE":
            continue  # said of its orders
        message = f"{word(shop, 'state')}: {word(trouble, 'reason')}: {trouble.message}"
        level = Severity.PROBLEM if word(shop, "state") == "HELD" else Severity.WARNING
        yield DoctorFinding(
            level,
            "shops",
            message,
            trouble.action_en,
            _shop(merchant, shop),
            word(trouble, "owner"),
        )


def lags(merchant: str, status: Status) -> Iterator[DoctorFinding]:
    """Report shops whose orders were not read for long."""
    for shop in status.shop_statuses:
        if shop.order_lag.seconds > _LATE and word(shop, "state") != "PAUSED":
            yield problem(
                "orders",
                f"orders of the last {shop.order_lag.seconds // 3600} hours have not been read",
                "See `zaiko runs` for why; until then the shop may sell what is gone.",
                _shop(merchant, shop),
            )


def credentials(merchant: str, status: Status) -> Iterator[DoctorFinding]:
    """Report credentials that expire soon. Rejected credentials are a problem of the shop."""
    for shop in status.shop_statuses:
        if word(shop, "credentials_state") == "EXPIRING":
            day = shop.credentials_expire_time.ToDatetime().date().isoformat()
            yield warning(
                "credentials",
                f"the credentials end on {day}",
                "Make new ones on the platform and enter them with `zaiko shops update`.",
                _shop(merchant, shop),
                "MERCHANT",
            )


def links(merchant: str, status: Status) -> Iterator[DoctorFinding]:
    """Report links that are not synced, so that their shops may show wrong numbers."""
    for shop in status.shop_statuses:
        counts = shop.link_counts
        if counts.held:
            yield problem(
                "links",
                f"{counts.held} links are held",
                "See each with its remedy: `zaiko link list`.",
                _shop(merchant, shop),
                "",
            )
        if counts.failed:
            yield warning(
                "links",
                f"{counts.failed} links failed and are tried again",
                "See `zaiko link list`.",
                _shop(merchant, shop),
                "",
            )


def oversold(merchant: str, status: Status) -> Iterator[DoctorFinding]:
    """Report products with more units sold than exist."""
    if status.oversold_product_count:
        yield problem(
            "stock",
            f"{status.oversold_product_count} products are oversold",
            (
                "See what happened with `zaiko oversells`; receive stock, or cancel orders in "
                "the shops."
            ),
            merchant,
            "MERCHANT",
        )


def orders(merchant: str, status: Status) -> Iterator[DoctorFinding]:
    """Report orders that hold stock and look suspect, and orders that should hold stock and do
    not."""
    for shop in status.shop_statuses:
        if shop.unreadable_order_count:
            yield problem(
                "orders",
                f"{shop.unreadable_order_count} orders that may be open cannot be read",
                (
                    "Send the log line `order_unreadable` to the author of the connector. Units "
                    "that are missing in the shop are withheld from all shops until then, or until "
                    "`zaiko orders release`."
                ),
                _shop(merchant, shop),
                "SYSTEM",
            )
    if status.suspect_order_count:
        yield warning(
            "orders",
            f"{status.suspect_order_count} orders hold stock and look suspect",
            "See `zaiko orders list --suspect`.",
            merchant,
            "MERCHANT",
        )
    if status.unlinked_order_count:
        yield warning(
            "orders",
            (
                f"{status.unlinked_order_count} orders are for listings without a link, and "
                "count nowhere"
            ),
            "See `zaiko orders list --unlinked`, and link what they sell.",
            merchant,
            "MERCHANT",
        )


def clock(merchant: str, status: Status) -> Iterator[DoctorFinding]:
    """Report a clock that was set back."""
    if behind := status.clock_behind.seconds:
        yield problem(
            "clock",
            f"the clock is {behind} s behind the highest time that the database has seen",
            "Let it follow the time by NTP. If it is right and was ahead before, start the server "
            "once with --accept-clock.",
            merchant,
        )


def devices(merchant: str, status: Status) -> Iterator[DoctorFinding]:
    """Report what protects shops and is off in the server that answers."""
    if sync_service_pb2.SAFETY_DEVICE_SHOP_RUNS in status.devices_off:
        yield problem(
            "witness",
            "the server runs no shops, because it cannot record how far the database has come",
            "Give --state-dir a folder that the server may write, or say --no-witness.",
            merchant,
        )
    elif sync_service_pb2.SAFETY_DEVICE_RESTORE_WITNESS in status.devices_off:
        yield warning(
            "witness",
            "the server does not record how far the database has come: one that is restored is "
            "taken for the truth",
            "Give --state-dir a folder that the server may write; see docs/operations/backup.md.",
            merchant,
        )


def committed(merchant: str, status: Status) -> Iterator[DoctorFinding]:
    """Report listings whose platform counts other open units than we do."""
    if status.committed_differ_count:
        yield warning(
            "orders",
            f"for {status.committed_differ_count} links the platform counts other open units",
            "See `zaiko audit`; an order was not read, or was read wrongly.",
            merchant,
            "CONNECTOR",
        )


def settling(merchant: str, status: Status) -> Iterator[DoctorFinding]:
    """Report orders whose shipment or refund the warehouse and the shop see differently."""
    if status.unshipped_order_count:
        yield warning(
            "orders",
            (
                f"{status.unshipped_order_count} orders are shipped in their shops for a day, and "
                "the warehouse has not shipped them"
            ),
            (
                "See `zaiko orders list --unshipped`; record the shipment with `zaiko stock ship`, "
                "or release the order."
            ),
            merchant,
            "MERCHANT",
        )
    if status.unrestocked_order_count:
        yield warning(
            "orders",
            f"{status.unrestocked_order_count} orders were refunded without restocking",
            (
                "See `zaiko orders list --unrestocked`; correct the stock where units are damaged "
                "or lost, then `zaiko orders release SHOP/ORDER --unrestocked`."
            ),
            merchant,
            "MERCHANT",
        )


CHECKS: Sequence[Check] = (
    clock,
    devices,
    shops,
    lags,
    credentials,
    links,
    oversold,
    orders,
    committed,
    settling,
)


def _shop(merchant: str, shop: Any) -> str:
    return f"{merchant}/{last(shop.shop)}"
