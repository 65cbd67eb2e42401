"""Every number adds up to what it was made of, now and at every earlier revision (ADR 0011), on
both stores."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import invariant, rule, run_state_machine_as_test
from store.test_journal_machine import PRODUCT, PRODUCTS, UNITS, Journal
from support.pushing import POLICY, Pusher
from support.simulation import Simulation
from support.stores import PostgreSQL
from support.world import MERCHANT, World, order
from zaiko_core.app import explain, stock
from zaiko_core.app.explain import Explained
from zaiko_core.app.sync import SendOutcome
from zaiko_core.domain.errors import NotFound, RevisionCompacted, RevisionInFuture
from zaiko_core.domain.ids import listing_id
from zaiko_core.domain.push import PushOutcome, Term, total
from zaiko_core.domain.stock import Balance
from zaiko_core.storage.database import Database
from zaiko_core.storage.sql import observed

LABELS = {"ESCROW", "RESERVED_IN_SHOP", "SUSPECTED", "UNKNOWN_ORDER", "DOUBT"}
"""Why another number than the target is sent in storms."""

DAY = 24 * 3_600_000_000


@pytest.fixture
def world(db: Database) -> World:
    return World(db).begin()


def explained(world: World, product: str = "tea", *, at: int = 0, limit: int = 50) -> Explained:
    return world.db.read_sync(
        MERCHANT, lambda uow: explain.product(uow, product, at_revision=at, limit=limit)
    )


def head(world: World) -> int:
    return world.db.read_sync(MERCHANT, lambda uow: uow.revision)


def open_demands(world: World, product: str) -> dict[tuple[str, str], tuple[int, int]]:
    """(ordered, allocated) of every demand that holds units, from the demands themselves."""
    with world.db.engine.connect() as connection:
        rows = connection.exec_driver_sql(
            (
                "SELECT shop, order_id, wanted, fulfilled, shipped, alloc FROM demands WHERE "
                "product = '"
            )
            + product
            + "'"
        )
        held = {
            (row.shop, row.order_id): (
                max(row.wanted - max(row.fulfilled, row.shipped), row.alloc, 0),
                row.alloc,
            )
            for row in rows
        }
    return {key: units for key, units in held.items() if units != (0, 0)}


class Remembering(Journal):
    """The journal's machine, with a memory: what every revision showed is what it is explained as,
    permanently."""

    def __init__(self) -> None:
        super().__init__()
        self.memory: dict[
            tuple[str, int], tuple[Balance, dict[tuple[str, str], tuple[int, int]]]
        ] = {}

    @rule(product=PRODUCT, units=UNITS)
    def escrow(self, product: str, units: int) -> None:
        self.world.db.write_sync(MERCHANT, lambda uow: stock.set_escrow(uow, product, units - 1))

    @invariant()
    def remember(self) -> None:
        for product in PRODUCTS if self.world.products else ():
            self.memory[product, head(self.world)] = (
                self.world.stock(product).balance,
                open_demands(self.world, product),
            )

    def teardown(self) -> None:
        for (product, revision), (balance, demands) in self.memory.items():
            (found,) = explained(self.world, product, at=revision).stocks
            assert found.balance == balance
            assert {
                (promise.demand.shop, promise.demand.order): (
                    promise.delta.ordered,
                    promise.delta.allocated,
                )
                for promise in found.promises
            } == demands
            assert (
                sum(shelf.received + shelf.adjusted + shelf.shipped for shelf in found.shelves)
                == balance.physical
            )
            (cut,) = explained(self.world, product, at=revision, limit=1).stocks
            assert len(cut.promises) == min(1, len(demands))
            assert cut.more_promises == len(demands) - len(cut.promises)
            assert (
                cut.more.ordered + sum(promise.delta.ordered for promise in cut.promises)
                == balance.ordered
            )
        super().teardown()


def remember(make: object, examples: int) -> None:
    machine = type("Machine", (Remembering,), {"make": staticmethod(make)})
    checks = settings(
        max_examples=examples, stateful_step_count=20, suppress_health_check=list(HealthCheck)
    )
    run_state_machine_as_test(machine, settings=checks)


@pytest.mark.thorough
def test_every_revision_is_explained_as_it_was_on_sqlite(sqlite_template: Path) -> None:
    def make() -> tuple[object, Database]:
        folder = Path(tempfile.mkdtemp())
        shutil.copy(sqlite_template, folder / "zaiko.db")
        db = Database(f"sqlite:///{folder}/zaiko.db")

        def close() -> None:
            db.close()
            shutil.rmtree(folder)

        return close, db

    remember(make, 4)


@pytest.mark.thorough
def test_every_revision_is_explained_as_it_was_on_postgresql(postgresql: PostgreSQL) -> None:
    def make() -> tuple[object, Database]:
        url = postgresql.new_url()
        db = Database(url)

        def close() -> None:
            db.close()
            postgresql.drop(url)

        return close, db

    remember(make, 4)


@pytest.mark.parametrize("seed", range(1))
def test_whatever_breaks_each_push_is_explained_by_the_stock_of_its_revision(
    store_url: str, seed: int
) -> None:
    simulation = Simulation(store_url, seed)
    simulation.begin(units=30)
    world, sent = simulation.world, 0
    for turn in range(25):
        for name in simulation.shops:
            if simulation.random.random() < 0.5:
                simulation.shop_event(name)
        if turn % 7 == 3:
            world.reserve("tea", simulation.random.randint(0, 9))
            below = simulation.random.choice([0, 15])
            world.db.write_sync(
                MERCHANT, lambda uow, below=below: stock.set_escrow(uow, "tea", below)
            )
        simulation.run_due()
        simulation.clock.advance(simulation.random.choice([1, 20]))
        for link in explained(simulation.world).links:
            assert link.sent is not None
            sent += 1
            assert link.sent.target - total(link.sent.terms) == link.sent.quantity
            (then,) = explained(simulation.world, at=link.sent.revision).stocks
            assert link.sent.target == then.balance.sent
            assert {term.label for term in link.sent.terms} <= LABELS
    assert sent > 0
    assert simulation.faults > 0
    simulation.close()


def test_a_push_is_recorded_before_it_is_sent_and_after_its_outcome(world: World) -> None:
    world.link("a", "tea")
    world.receive("tea", 10)
    pusher = Pusher(world)

    prepared = pusher.prepare("a", shown={"tea": 4})
    before = pusher.sent("a", "tea")
    pusher.settle("a", prepared, SendOutcome(applied=True))
    after = pusher.sent("a", "tea")

    assert before is not None
    assert after is not None
    assert (before.outcome, before.expected, before.target, before.quantity) == (
        PushOutcome.SENT,
        4,
        10,
        10,
    )
    assert before.settled_at is None
    assert (after.outcome, after.settled_at is not None) == (PushOutcome.ACKNOWLEDGED, True)
    # As it was known then.
    assert pusher.sent("a", "tea", upto=before.revision) == before
    assert pusher.sent("a", "tea", upto=before.revision, acknowledged=True) is None


@pytest.mark.parametrize(
    ("outcome", "recorded"),
    [
        (SendOutcome(stale=True), PushOutcome.STALE),
        (SendOutcome(unknown=True), PushOutcome.UNKNOWN),
        (SendOutcome(unsent=True), PushOutcome.UNSENT),
    ],
)
def test_each_outcome_is_recorded_and_only_an_acknowledged_push_counts_as_shown(
    world: World, outcome: SendOutcome, recorded: PushOutcome
) -> None:
    world.link("a", "tea")
    world.receive("tea", 10)
    pusher = Pusher(world)

    pusher.push("a", outcome)

    (link,) = explained(world).links
    assert link.sent is not None
    assert link.sent.outcome is recorded
    assert link.acknowledged is None


def test_a_reading_settles_a_push_whose_answer_was_lost(world: World) -> None:
    world.link("a", "tea")
    world.receive("tea", 10)
    pusher = Pusher(world)
    pusher.push("a", SendOutcome(unknown=True))
    lost = pusher.sent("a", "tea")

    pusher.push("a", shown={"tea": 10})

    settled = pusher.sent("a", "tea")
    assert lost is not None
    assert settled is not None
    assert (settled.key, settled.outcome, settled.shown) == (lost.key, PushOutcome.READ, 10)


def test_the_terms_say_why_the_number_is_not_the_target(world: World) -> None:
    world.link("a", "tea")
    world.link("b", "tea")
    world.receive("tea", 1_005)
    pusher = Pusher(world)
    pusher.push("a")
    assert pusher.sent("a", "tea").terms == (Term("PLATFORM_MAXIMUM", 5),)

    world.adjust("tea", counted=10)
    pusher.push("a", shown={"tea": 997})
    sent = pusher.sent("a", "tea")
    assert (sent.target, sent.quantity, sent.terms) == (10, 7, (Term("SUSPECTED", 3),))

    world.db.write_sync(MERCHANT, lambda uow: stock.set_escrow(uow, "tea", 100))
    pusher.push("a")
    sent = pusher.sent("a", "tea")
    assert (sent.quantity, sent.terms) == (2, (Term("ESCROW", 5), Term("SUSPECTED", 3)))


def test_an_order_is_named_with_its_number_and_the_rest_still_adds_up(world: World) -> None:
    world.link("a", "tea")
    world.receive("tea", 10)
    world.ingest("a", order("1", {"tea": 4}), order("2", {"tea": 1}))
    world.bind("allocate", "", "out-7", "tea", 2)

    (found,) = explained(world, limit=2).stocks

    assert [
        (promise.demand.shop, promise.demand.order, promise.number, promise.delta.ordered)
        for promise in found.promises
    ] == [
        ("a", "1", "#1", 4),
        ("", "out-7", "", 2),
    ]
    assert (found.more_promises, found.more.ordered, found.more.allocated) == (1, 1, 0)
    assert (found.balance.free, found.balance.deliverable, found.balance.unallocated) == (3, 8, 5)


def test_a_bundle_is_explained_by_each_of_its_parts(db: Database) -> None:
    world = World(db).begin(products=("tea", "pot"))
    world.link("a", "tea", parts={"tea": 2, "pot": 1})
    world.receive("tea", 7)
    world.receive("pot", 9)
    Pusher(world).push("a")

    found = db.read_sync(MERCHANT, lambda uow: explain.link(uow, "a", listing_id("tea"), limit=10))

    assert {(part.product, part.balance.sent) for part in found.stocks} == {("tea", 7), ("pot", 9)}
    assert found.links[0].sent is not None
    assert found.links[0].sent.target == 3


def test_a_listing_that_is_linked_anew_is_not_explained_by_what_it_was_sent_before(
    world: World,
) -> None:
    world.link("a", "tea")
    world.receive("tea", 3)
    Pusher(world).push("a")

    world.unlink("a", "tea")
    world.link("a", "tea")

    assert explained(world).links[0].sent is None


def test_a_revision_to_come_is_refused_and_so_is_an_unknown_product(world: World) -> None:
    with pytest.raises(RevisionInFuture):
        explained(world, at=head(world) + 1)
    with pytest.raises(NotFound):
        explained(world, "water")


def test_what_is_older_than_the_pushes_kept_is_refused_and_the_last_push_stays(
    world: World,
) -> None:
    world.link("a", "tea")
    world.link("b", "tea")
    world.receive("tea", 10)
    world.reserve("tea", 1)
    pusher = Pusher(world)
    pusher.push("a")
    first = pusher.sent("a", "tea")
    world.receive("tea", 1)
    pusher.push("a")
    last = pusher.sent("a", "tea")
    assert first is not None
    assert last is not None

    def forget(uow) -> None:
        late = uow.now + DAY
        uow.ledger.forget(older_than=late, known_from=uow.pushes.forget(older_than=late))

    world.db.write_sync(MERCHANT, forget)

    with pytest.raises(RevisionCompacted, match=str(last.revision)):
        explained(world, at=first.revision)
    assert pusher.sent("a", "tea", upto=first.revision) is None
    after = explained(world, at=last.revision)
    assert after.links[0].sent is not None
    assert (after.links[0].sent.key, after.stocks[0].balance.reserve) == (last.key, 1)


def test_recording_pushes_takes_the_same_number_of_statements_for_any_number_of_links(
    db: Database,
) -> None:
    def statements(links: int, shop: str) -> int:
        seen: list[str] = []
        with observed(db.engine, lambda execution: seen.append(execution.text)):
            pusher.push(shop, policy=POLICY)
        return sum("pushes" in statement for statement in seen)

    products = [f"p{number}" for number in range(12)]
    world = World(db).begin(products=products)
    for product in products:
        world.link("a", product)
    world.link("b", "p0")
    for product in products:
        world.receive(product, 5)
    pusher = Pusher(world)
    assert statements(12, "a") == statements(1, "b") == 2
