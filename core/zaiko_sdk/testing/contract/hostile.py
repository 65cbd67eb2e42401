"""Rules about a platform that fails: in any request, in any way, before or after it did what it was
asked."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from zaiko_sdk import (
    Capability,
    Connector,
    ConnectorError,
    Listing,
    ListingGone,
    PlatformDown,
    Retry,
    Throttled,
)
from zaiko_sdk.testing.contract.bench import ContractBench, by_sku, check_claim
from zaiko_sdk.testing.contract.rule import rule
from zaiko_sdk.testing.faults import Fault, FaultKind

_WRITES = (Capability.LIST_LISTINGS, Capability.READ_INVENTORY, Capability.SET_INVENTORY)
_MANY = 10_000
_MOST_REQUESTS = 20
_LONGEST = 120.0
"""Seconds after which the host gives a call up."""
_STATUSES = (400, 401, 402, 403, 405, 409, 423, 429, 430, 500, 502, 503, 504)
_BODIES = (
    "",
    "null",
    "[]",
    "{}",
    "0",
    '"ok"',
    '{"data":null}',
    '{"errors":null}',
    "<html>Maintenance</html>",
    "[" * 100_000,
)


def _refusals() -> Iterator[Fault]:
    """Yield faults in which the platform does nothing and says so in many ways."""
    for status in _STATUSES:
        yield Fault(FaultKind.REFUSE, status=status)
    for body in _BODIES:
        yield Fault(FaultKind.REFUSE, status=200, body=body)
    yield Fault(FaultKind.REFUSE, status=302, headers=(("location", "/elsewhere"),))
    yield Fault(FaultKind.REFUSE, status=429, headers=(("retry-after", "soon"),))
    yield Fault(FaultKind.DROP)


def _lost_replies() -> Iterator[Fault]:
    """Yield faults in which the platform does what it is asked and its answer does not arrive. 503
    is not among them: it says that the request was not handled (RFC 9110 §15.6.4)."""
    for status in (500, 502, 504):
        yield Fault(FaultKind.REFUSE_AFTER, status=status)
    for body in _BODIES:
        yield Fault(FaultKind.REFUSE_AFTER, status=200, body=body)
    yield Fault(FaultKind.DROP_AFTER)
    yield Fault(FaultKind.MALFORMED)


class HostileRules:
    """Nothing that a platform answers is trusted."""

    @rule(
        Capability.LIST_LISTINGS,
        why=(
            "An exception that is not a ConnectorError counts as a bug; an incomplete catalogue "
            "makes listings vanish."
        ),
        fix=(
            "Validate replies before you use them: a reply that is not as documented is "
            "ContractBroken, no reply is Timeout or PlatformDown."
        ),
    )
    def test_a_broken_reply_is_never_a_catalogue(self, bench: ContractBench) -> None:
        """With a fault in any request, `list_listings` delivers the whole catalogue or raises a
        ConnectorError."""
        skus = bench.stock_up(4, 5)
        connector = bench.open()
        for what in _each(bench):
            found = bench.attempt(f"list_listings, {what}", bench.reading_listings(connector))
            bench.lift()
            whole = isinstance(found, ConnectorError) or sorted(found) == skus
            assert whole, f"list_listings, {what}: delivered {found}"
        _check_recovered(bench, connector, skus)

    @rule(
        Capability.FETCH_ORDERS,
        Capability.LIST_LISTINGS,
        why=(
            "A reply that cannot be understood, read as «no orders», moves the cursor past orders "
            "that were never read."
        ),
        fix="Raise ContractBroken for a page that is not as documented, and never yield it.",
    )
    def test_a_broken_reply_is_never_an_order_page(self, bench: ContractBench) -> None:
        """With a fault in any request, `fetch_orders` delivers the order or raises a
        ConnectorError."""
        (sku,) = bench.stock_up(50)
        connector = bench.open()
        placed = bench.shop.place_order({sku: 1})

        async def fetch() -> set[str]:
            return {
                order.external_id
                async for page in connector.fetch_orders(None)
                for order in page.orders
            }

        for what in _each(bench):
            found = bench.attempt(f"fetch_orders, {what}", fetch())
            bench.lift()
            assert isinstance(found, ConnectorError) or placed in found, (
                f"fetch_orders, {what}: ended as if there were no order"
            )
        assert placed in bench.run(fetch()), "afterwards, the order is not delivered"

    @rule(
        Capability.FETCH_ORDERS,
        Capability.LIST_LISTINGS,
        Capability.READ_ORDERS,
        why="zaiko treats an order whose id is missing in the result as vanished.",
        fix=(
            "Raise for a reply that is not as documented; leave an id out only when the platform "
            "says that the order does not exist."
        ),
    )
    def test_a_broken_reply_is_never_a_vanished_order(self, bench: ContractBench) -> None:
        """With a fault in any request, `read_orders` answers for the order or raises a
        ConnectorError."""
        (sku,) = bench.stock_up(50)
        connector = bench.open()
        placed = bench.shop.place_order({sku: 1})
        bench.pages(connector)
        for what in _each(bench):
            found = bench.attempt(f"read_orders, {what}", bench.reading_orders(connector, [placed]))
            bench.lift()
            answered = isinstance(found, ConnectorError) or [
                order.external_id for order in found
            ] == [placed]
            assert answered, (
                f"read_orders, {what}: the order was left out, which means that it vanished"
            )

    @rule(
        Capability.LIST_LISTINGS,
        Capability.READ_INVENTORY,
        why=(
            "zaiko would compare with a number that the shop never showed, and compute the next "
            "write from it."
        ),
        fix=(
            "Validate each row. Raise, or return an error for that listing. Return ListingGone "
            "only when the platform says so."
        ),
    )
    def test_a_broken_reply_is_never_a_number(self, bench: ContractBench) -> None:
        """With a fault in any request, `read_inventory` tells the number or an error of the
        listing, or raises a ConnectorError."""
        (sku,) = bench.stock_up(5)
        connector = bench.open()
        listing = bench.listings(connector)[sku]
        for what in _each(bench):
            found = bench.attempt(f"read_inventory, {what}", bench.reading(connector, listing))
            bench.lift()
            if isinstance(found, ConnectorError):
                continue
            assert len(found) == 1, f"read_inventory, {what}: {len(found)} levels for one ref"
            gone = isinstance(found[0].error, ListingGone)
            assert not gone, f"read_inventory, {what}: the listing was called gone"
            truthful = found[0].quantity == 5 or (
                found[0].quantity is None and found[0].error is not None
            )
            assert truthful, f"read_inventory, {what}: returned {found[0]}, while the shop shows 5"
        _check_recovered(bench, connector, [sku])

    @rule(
        *_WRITES,
        why=(
            "Raising anything but Timeout promises that nothing was applied; the host relies on "
            "that promise."
        ),
        fix=(
            "See docs/connectors.md §6: what may have been applied is Timeout(sent=None) or "
            "UNKNOWN."
        ),
    )
    def test_a_refused_write_is_reported_truly(self, bench: ContractBench) -> None:
        """When the platform refuses any request of a write, what the connector says of it is true
        of the shop."""
        _write_through(bench, list(_refusals()))

    @rule(
        *_WRITES,
        why=(
            "It is the most dangerous moment: the number was changed, and the connector does not "
            "know it."
        ),
        fix=(
            "After the request was sent, no reply is Timeout(sent=None) or UNKNOWN; never send it "
            "again without an idempotency key."
        ),
    )
    def test_a_lost_reply_to_a_write_is_reported_truly(self, bench: ContractBench) -> None:
        """When the reply to any request of a write is lost, what is said of it is true, and it was
        applied once at most."""
        _write_through(bench, list(_lost_replies()))

    @rule(
        *_WRITES,
        why="A platform that does not reply is not a platform that refused.",
        fix="Turn the HTTP client's time-outs into Timeout; for a write with sent=None.",
    )
    def test_a_slow_reply_to_a_write_is_reported_truly(self, bench: ContractBench) -> None:
        """When the platform answers a write after the client gave up, what the connector said of it
        is true."""
        bench.patience = 0.3
        (sku,) = bench.stock_up(50)
        connector = bench.open()
        listing = bench.listings(connector)[sku]
        for place in bench.hits(lambda place: Fault(FaultKind.LATENCY, skip=place, seconds=0.5)):
            _write_once(
                bench, connector, listing, f"request {place + 1} answered too late", settle=0.4
            )

    @rule(
        Capability.LIST_LISTINGS,
        why=(
            "A platform refuses because of load before it does anything; the host waits as long as "
            "it says."
        ),
        fix=(
            "Turn this refusal into Throttled with retry_after in seconds; keep to the pace in the "
            "connector."
        ),
    )
    def test_a_refusal_for_load_is_throttled(self, bench: ContractBench) -> None:
        """When the quota is used up, a call raises Throttled with a wait of more than 0 and at most
        a day; later, all works."""
        skus = bench.stock_up(5)
        connector = bench.open()
        bench.offered(bench.shop.exhaust_quota)
        found = bench.attempt("list_listings without quota", bench.reading_listings(connector))
        assert isinstance(found, Throttled), (
            f"the platform refused for load, and list_listings is {found!r}"
        )
        assert 0 < found.retry_after <= 86_400, f"retry_after is {found.retry_after} s"
        bench.shop.switch("quotas", False)
        bench.clock.offset += found.retry_after
        _check_recovered(bench, connector, skus)

    @rule(
        Capability.LIST_LISTINGS,
        why="Maintenance ends on its own: no person needs to act, and no shop needs to be stopped.",
        fix=(
            "Turn the platform's words for maintenance into PlatformDown, with retry_after where "
            "it announces the end."
        ),
    )
    def test_maintenance_passes(self, bench: ContractBench) -> None:
        """During maintenance calls raise Retry, writes change nothing, and afterwards all works
        again."""
        skus = bench.stock_up(5)
        connector = bench.open()
        listings = bench.listings(connector)
        bench.offered(bench.shop.close_for_maintenance, True)
        found = bench.attempt("list_listings in maintenance", bench.reading_listings(connector))
        assert isinstance(found, Retry), f"maintenance is {found!r}"
        if bench.can(Capability.SET_INVENTORY):
            changed = bench.attempt(
                "set_inventory in maintenance", bench.writing(connector, (listings[skus[0]], 5, 9))
            )
            assert isinstance(changed, Retry), f"a write in maintenance is {changed!r}"
            assert bench.shop.stock()[skus[0]] == 5, "a write in maintenance was applied"
        bench.shop.close_for_maintenance(False)
        _check_recovered(bench, connector, skus)

    @rule(
        why=(
            "Waiting is the host's task: it shows the reason meanwhile, and lets other shops go on."
        ),
        fix="Raise after an attempt or two; leave longer waits to the host.",
    )
    def test_patience_is_the_hosts(self, bench: ContractBench) -> None:
        """A call to a platform that refuses everything ends within two minutes, after few
        requests."""
        connector = bench.open()
        for fault in (
            Fault(FaultKind.REFUSE, status=500, times=_MANY),
            Fault(FaultKind.REFUSE, status=429, times=_MANY),
        ):
            bench.server.inject(fault)
            before = bench.clock.skipped
            found = bench.attempt("check", connector.check())
            waited, sent = bench.clock.skipped - before, _MANY - fault.times
            bench.server.clear_faults()
            assert isinstance(found, ConnectorError), (
                f"the platform refused everything, and check said {found}"
            )
            assert waited <= _LONGEST, f"the call waited {waited:.0f} s"
            assert sent <= _MOST_REQUESTS, f"the call sent {sent} requests"

    @rule(
        why="A refused connection certainly changed nothing, so the host need not settle anything.",
        fix="Turn the HTTP client's connect errors into PlatformDown.",
    )
    def test_a_platform_that_cannot_be_reached_is_down(self, bench: ContractBench) -> None:
        """When nobody listens at the platform's address, a call raises PlatformDown."""
        connector = bench.open()
        bench.server.__exit__()
        found = bench.attempt("check", connector.check())
        assert isinstance(found, PlatformDown), f"nobody listens, and check said {found!r}"


def _each(bench: ContractBench) -> Iterator[str]:
    """Inject every fault into every request of a call. The loop's body makes the call once."""
    for kind in [*_refusals(), *_lost_replies()]:
        for place in bench.hits(partial(_copy, kind)):
            yield f"{_name(kind)} in request {place + 1}"


def _write_through(bench: ContractBench, faults: list[Fault]) -> None:
    (sku,) = bench.stock_up(500)
    connector = bench.open()
    listing = bench.listings(connector)[sku]
    for kind in faults:
        for place in bench.hits(partial(_copy, kind)):
            _write_once(bench, connector, listing, f"{_name(kind)} in request {place + 1}")


def _write_once(
    bench: ContractBench, connector: Connector, listing: Listing, what: str, settle: float = 0.0
) -> None:
    before = bench.shop.stock()[listing.sku]
    wanted = before - 1
    outcome = bench.attempt(
        f"set_inventory, {what}", bench.writing(connector, (listing, before, wanted))
    )
    bench.lift()
    if settle:
        bench.settle(settle)
    result = (
        outcome
        if isinstance(outcome, ConnectorError)
        else by_sku([(listing, before, wanted)], outcome)[listing.sku]
    )
    check_claim(f"set_inventory, {what}", bench.shop.stock()[listing.sku], before, wanted, result)


def _check_recovered(bench: ContractBench, connector: Connector, skus: list[str]) -> None:
    found = bench.attempt("list_listings afterwards", bench.reading_listings(connector))
    assert not isinstance(found, ConnectorError), (
        f"the platform works again, and the connector does not: {found!r}"
    )
    assert sorted(found) == sorted(skus)


def _copy(fault: Fault, place: int) -> Fault:
    return Fault(
        fault.kind, skip=place, status=fault.status, body=fault.body, headers=fault.headers
    )


def _name(fault: Fault) -> str:
    if fault.kind in (FaultKind.REFUSE, FaultKind.REFUSE_AFTER):
        when = "after it was done" if fault.kind is FaultKind.REFUSE_AFTER else "at once"
        return f"a reply {fault.status} {fault.body[:30]!r} {when}"
    return fault.kind.value
