"""Rules about the platform's own notifications, which anybody can send."""

from __future__ import annotations

from collections.abc import Mapping

from zaiko_sdk import Capability, ConnectorError, CredentialsRejected, WebhookHint
from zaiko_sdk.testing.contract.bench import ContractBench
from zaiko_sdk.testing.contract.rule import rule

_GARBAGE = (b"", b"null", b"[]", b"{}", b"\xff\xfe\x00", b"<x/>", b'{"id":1}', b"[" * 100_000)


class WebhookRules:
    """`parse_webhook`."""

    @rule(
        Capability.WEBHOOKS,
        why="A hint that names the order makes zaiko read it within seconds.",
        fix=(
            "Verify the signature over the raw body, then return a WebhookHint that names the "
            "orders."
        ),
    )
    def test_a_signed_notification_is_a_hint(self, bench: ContractBench) -> None:
        """A notification that the platform signed is a hint with a topic and the order's id."""
        order, headers, body = _notification(bench)
        hint = _parse(bench, headers, body)
        assert isinstance(hint, WebhookHint), f"a good notification of an order is {hint!r}"
        assert hint.topic, "a hint without a topic"
        assert order in hint.order_ids or not hint.order_ids, (
            f"the hint names {list(hint.order_ids)}, not {order}"
        )

    @rule(
        Capability.WEBHOOKS,
        Capability.READ_ORDERS,
        why=(
            "The host reads the named orders by id at once; one that was known and is absent "
            "counts as vanished."
        ),
        fix=(
            "Put Order.external_id into WebhookHint.order_ids, in the form that `read_orders` "
            "takes, and nothing else."
        ),
    )
    def test_the_orders_that_a_hint_names_can_be_read_by_id(self, bench: ContractBench) -> None:
        """`read_orders` understands every id in a hint, and answers with orders of these ids."""
        _, headers, body = _notification(bench)
        hint = _parse(bench, headers, body)
        assert isinstance(hint, WebhookHint), f"a good notification of an order is {hint!r}"
        names = list(hint.order_ids)
        read = bench.run(bench.reading_orders(bench.open(), names)) if names else ()
        found = {order.external_id for order in read}
        assert found == set(names), f"the hint names {names}, and read_orders found {found}"

    @rule(
        Capability.WEBHOOKS,
        why="Proxies and servers change the case of header names.",
        fix="Compare header names in lower case.",
    )
    def test_header_names_may_be_in_any_case(self, bench: ContractBench) -> None:
        """Upper-case and lower-case header names are the same."""
        _, headers, body = _notification(bench)
        for case in (str.lower, str.upper):
            hint = _parse(bench, {case(name): value for name, value in headers.items()}, body)
            assert isinstance(hint, WebhookHint), (
                f"with header names in {case.__name__} case: {hint!r}"
            )

    @rule(
        Capability.WEBHOOKS,
        why="Anyone who can forge a notification can make zaiko read and work at will.",
        fix=(
            "Compare with hmac.compare_digest before anything is read; a missing or wrong proof "
            "is CredentialsRejected."
        ),
    )
    def test_a_forged_notification_is_refused(self, bench: ContractBench) -> None:
        """A notification that was proven with another secret than the shop's is
        CredentialsRejected."""
        _, headers, body = _notification(bench)
        found = _parse(bench, headers, body, secrets=False)
        assert isinstance(found, CredentialsRejected), (
            f"a notification with another secret's proof is {found!r}"
        )

    @rule(
        Capability.WEBHOOKS,
        why="Anyone can post anything to the address.",
        fix=(
            "Verify before you parse; raise a ConnectorError for what is unreadable, never another "
            "exception."
        ),
    )
    def test_garbage_is_never_believed(self, bench: ContractBench) -> None:
        """Bodies of any kind under the headers of another notification are refused, never a
        crash."""
        _, headers, body = _notification(bench)
        for garbage in (*_GARBAGE, body[:-1], body[::-1]):
            for given in (headers, {}, dict.fromkeys(headers, "é")):
                found = _parse(bench, given, garbage)
                believed = isinstance(found, WebhookHint) and found.order_ids
                assert not believed, f"{garbage[:40]!r} under other headers was believed: {found}"


def _notification(bench: ContractBench) -> tuple[str, Mapping[str, str], bytes]:
    (sku,) = bench.stock_up(10)
    order = bench.shop.place_order({sku: 1})
    return order, *bench.offered(bench.shop.notification, order)


def _parse(
    bench: ContractBench, headers: Mapping[str, str], body: bytes, *, secrets: bool = True
) -> WebhookHint | ConnectorError | None:
    connector = bench.open(secrets=secrets)

    async def parse() -> WebhookHint | None:
        return connector.parse_webhook(headers, body)

    return bench.attempt("parse_webhook", parse())
