"""Notifications of Rakuten, as the simulated shop writes them and as nobody should."""

from __future__ import annotations

import pytest
from zaiko_rakuten.connector import RakutenConnector
from zaiko_rakuten.simulator import RakutenSimulator, notices
from zaiko_sdk import CredentialsRejected, WebhookHint

pytestmark = pytest.mark.anyio


@pytest.fixture
def noticed(connect) -> RakutenConnector:
    return connect(notice_auth_key=notices.AUTH_KEY)


def summary(hint: WebhookHint | None) -> tuple[str, list[str]] | None:
    return None if hint is None else (hint.topic, list(hint.order_ids))


async def test_a_notice_names_the_orders_to_read(
    noticed: RakutenConnector, shop: RakutenSimulator
) -> None:
    order = shop.orders[shop.place_order({"TEA-100": 1})]

    assert summary(noticed.parse_webhook({}, notices.order_placed(order))) == (
        "order_placed",
        [order.number],
    )
    assert summary(noticed.parse_webhook({}, notices.order_edited(order))) == (
        "order_edited",
        [order.number],
    )
    assert summary(noticed.parse_webhook({}, notices.order_edited(order, service="5000"))) == (
        "order_authorised",
        [order.number],
    )
    assert noticed.parse_webhook({}, notices.order_edited(order, service="9000")) is None


async def test_a_repeated_notice_is_known_by_its_id_and_another_is_not(
    noticed: RakutenConnector, shop: RakutenSimulator
) -> None:
    first, second = (
        notices.order_placed(shop.orders[shop.place_order({"TEA-100": 1})]) for _ in range(2)
    )

    ids = [
        hint.delivery_id
        for body in (first, first, second)
        if (hint := noticed.parse_webhook({}, body))
    ]

    assert (len(ids), len(set(ids))) == (3, 2)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"<orderNotifyModel/>",
        b"<orderNotifyModel><authModel><authKey>wrong</authKey></authModel></orderNotifyModel>",
        (
            b"<!DOCTYPE x [<!ENTITY a "
            b'"sim-notice-auth-key">]><orderNotifyModel><authKey>&a;</authKey></orderNotifyModel>'
        ),
        b"<orderNotifyModel><authKey>sim-notice-auth-key</authKey>"
        + b" " * 1_000_000
        + b"</orderNotifyModel>",
        b"\xff\xfe<x>",
    ],
)
async def test_a_notice_without_the_agreed_key_is_refused(
    noticed: RakutenConnector, body: bytes
) -> None:
    with pytest.raises(CredentialsRejected):
        noticed.parse_webhook({}, body)


async def test_without_a_key_of_our_own_every_notice_is_refused(
    connect, shop: RakutenSimulator
) -> None:
    order = shop.orders[shop.place_order({"TEA-100": 1})]
    connector = connect(notice_auth_key=None)

    with pytest.raises(CredentialsRejected, match="notice_auth_key"):
        connector.parse_webhook({}, notices.order_placed(order))
