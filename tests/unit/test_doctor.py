"""Each check of `zaiko doctor` finds what it looks for, and is quiet where all is well."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import event
from zaiko.v1 import connector_pb2, error_pb2, shop_pb2, sync_service_pb2
from zaiko_cli.doctor import merchant, packages, served
from zaiko_cli.doctor.findings import DoctorFinding, Severity, worst
from zaiko_core.app.records import MerchantRecord, ShopRecord
from zaiko_core.storage.database import Database
from zaiko_core.storage.high_water_mark import HighWaterMark, HighWaterMarkFile
from zaiko_core.storage.secrets import SecretBox
from zaiko_server.doctor import installation, store

ALL = dict.fromkeys(
    (
        "zaiko",
        "zaiko-cli",
        "zaiko-client",
        "grpcio",
        "protobuf",
        "sqlalchemy",
        "httpx",
        "cryptography",
    ),
    "1.0",
)
SHOP = "merchants/acme/shops/mall"
DAY = 24 * 3_600_000_000


def levels(found: Iterable[DoctorFinding]) -> list[tuple[str, str]]:
    """Severity and check of each, and that each that is not well says what to do."""
    found = list(found)
    assert all(finding.do for finding in found if finding.level is not Severity.OK)
    return [(finding.level.name, finding.check) for finding in found]


def status(**fields: Any) -> sync_service_pb2.GetSyncStatusResponse:
    return sync_service_pb2.GetSyncStatusResponse(**fields)


def shop(**fields: Any) -> sync_service_pb2.GetSyncStatusResponse:
    return status(shop_statuses=[shop_pb2.ShopStatus(shop=SHOP, **fields)])


# What is installed


def test_an_old_python_is_a_problem() -> None:
    assert levels(packages.versions((3, 10, 1), ALL)) == [
        ("PROBLEM", "python"),
        ("OK", "packages"),
    ]
    assert levels(packages.versions((3, 14, 0), ALL)) == [("OK", "packages")]


def test_a_missing_package_is_a_problem() -> None:
    [missing, _] = packages.versions((3, 11), {name: "1" for name in ALL if name != "httpx"})

    assert missing.level is Severity.PROBLEM
    assert "httpx" in missing.message


def test_a_connector_that_failed_is_a_problem_with_its_hint() -> None:
    good = connector_pb2.Connector(name="connectors/good", version="1")
    bad = connector_pb2.Connector(name="connectors/bad", distribution="zaiko-bad")
    bad.failure.message, bad.failure.hint = "no module", "install it"

    found = list(served.connectors([good, bad]))

    assert levels(found) == [("PROBLEM", "connectors"), ("OK", "connectors")]
    assert (found[0].subject, found[0].do) == ("bad", "install it")
    assert levels(served.connectors([])) == [("PROBLEM", "connectors")]


@pytest.mark.parametrize(
    ("environment", "level"),
    [
        ({}, "OK"),
        ({"ZAIKO_LISTEN": "0.0.0.0:1"}, "PROBLEM"),
        ({"ZAIKO_LISTEN": "0.0.0.0:1", "ZAIKO_INSECURE": "true"}, "WARNING"),
        ({"ZAIKO_TLS_CERT": "/nowhere.pem", "ZAIKO_TLS_KEY": "/nowhere.key"}, "PROBLEM"),
        ({"ZAIKO_CAPACITY": "many"}, "PROBLEM"),
        ({"ZAIKO_DATABASE": "zaiko.db"}, "OK"),
    ],
)
def test_a_configuration_that_is_open_or_refused_is_told(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], level: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert levels(installation.configuration()) == [(level, "configuration")]


def test_a_refused_configuration_does_not_tell_the_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZAIKO_GRACE", "hunter2")
    [found] = installation.configuration()

    assert "ZAIKO_GRACE" in found.message
    assert "hunter2" not in repr(found)


# Keys


@pytest.fixture
def keyed(tmp_path: Path) -> Path:
    path = tmp_path / "zaiko.key"
    path.write_text(SecretBox.new_key())
    path.chmod(0o600)
    return path


def test_the_key_that_sealed_a_shop_opens_it(keyed: Path) -> None:
    sealed = {"acme/mall": SecretBox([keyed.read_text()]).seal({"token": "x"})}

    assert levels(installation.keys(keyed, [], sealed)) == [("OK", "keys")]
    assert levels(installation.keys(Path("/nowhere"), [keyed.read_text()], sealed)) == [
        ("OK", "keys")
    ]


def test_a_shop_that_no_key_opens_is_named(keyed: Path) -> None:
    sealed = {
        "acme/mall": SecretBox([SecretBox.new_key()]).seal({"token": "x"}),
        "acme/shut": b"broken",
    }

    found = list(installation.keys(keyed, [], sealed))

    assert [finding.subject for finding in found if finding.level is Severity.PROBLEM] == [
        "acme/mall",
        "acme/shut",
    ]
    assert "0 of 2" in found[-1].message


def test_a_missing_key_is_a_problem_once_something_is_sealed(tmp_path: Path) -> None:
    nowhere = tmp_path / "none.key"

    assert levels(installation.keys(nowhere, [], {})) == [("OK", "keys")]
    assert levels(installation.keys(nowhere, [], {"acme/mall": b"x"})) == [("PROBLEM", "keys")]
    assert not nowhere.exists()


def test_a_key_that_others_may_read_or_that_is_none_is_told(keyed: Path) -> None:
    keyed.chmod(0o644)
    assert ("WARNING", "keys") in levels(installation.keys(keyed, [], {}))
    keyed.chmod(0o600)
    keyed.write_text("rubbish")
    assert levels(installation.keys(keyed, [], {})) == [("PROBLEM", "keys")]
    keyed.write_text("")
    assert levels(installation.keys(keyed, [], {})) == [("PROBLEM", "keys")]


# A merchant


def test_nothing_wrong_is_said_in_one_line() -> None:
    assert levels(merchant.check("acme", shop(state="STATE_IDLE"))) == [("OK", "sync")]


@pytest.mark.parametrize(
    ("state", "level"), [("STATE_HELD", "PROBLEM"), ("STATE_BACKING_OFF", "WARNING")]
)
def test_a_shop_in_trouble_is_told_with_owner_and_remedy(state: str, level: str) -> None:
    trouble = error_pb2.Problem(
        reason="ERROR_REASON_CREDENTIALS_REJECTED",
        owner="OWNER_MERCHANT",
        message="401",
        action_en="Enter new ones.",
    )

    [found] = merchant.check("acme", shop(state=state, problem=trouble))

    assert (found.level.name, found.subject, found.owner, found.do) == (
        level,
        "acme/mall",
        "MERCHANT",
        "Enter new ones.",
    )
    assert "CREDENTIALS_REJECTED: 401" in found.message


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (shop(link_counts={"held": 1}), ("PROBLEM", "links")),
        (shop(link_counts={"failed": 1}), ("WARNING", "links")),
        (shop(order_lag={"seconds": 7 * 3600}), ("PROBLEM", "orders")),
        (
            shop(
                credentials_state="CREDENTIALS_STATE_EXPIRING",
                credentials_expire_time={"seconds": 1},
            ),
            ("WARNING", "credentials"),
        ),
        (status(clock_behind={"seconds": 61}), ("PROBLEM", "clock")),
        (
            status(devices_off=["SAFETY_DEVICE_RESTORE_WITNESS", "SAFETY_DEVICE_SHOP_RUNS"]),
            ("PROBLEM", "witness"),
        ),
        (status(devices_off=["SAFETY_DEVICE_RESTORE_WITNESS"]), ("WARNING", "witness")),
        (status(oversold_product_count=1), ("PROBLEM", "stock")),
        (status(suspect_order_count=1), ("WARNING", "orders")),
        (status(unlinked_order_count=1), ("WARNING", "orders")),
        (
            shop(unreadable_order_count=1, problem={"reason": "ERROR_REASON_ORDER_UNREADABLE"}),
            ("PROBLEM", "orders"),
        ),
        (status(unshipped_order_count=1), ("WARNING", "orders")),
        (status(unrestocked_order_count=1), ("WARNING", "orders")),
        (status(committed_differ_count=1), ("WARNING", "orders")),
    ],
)
def test_what_needs_somebody_is_found(
    answer: sync_service_pb2.GetSyncStatusResponse, expected: tuple[str, str]
) -> None:
    assert levels(merchant.check("acme", answer)) == [expected]


def test_a_paused_shop_is_not_late() -> None:
    paused = shop(state="STATE_PAUSED", order_lag={"seconds": 99 * 3600})

    assert levels(merchant.check("acme", paused)) == [("OK", "sync")]


# A server


def test_a_server_that_answers_everybody_is_a_problem_beyond_this_machine() -> None:
    assert levels(served.exposure("10.0.0.7:50051", anonymous=True)) == [("PROBLEM", "access")]
    assert levels(served.exposure("10.0.0.7:50051", anonymous=False)) == [("OK", "access")]
    assert levels(served.exposure("localhost:50051", anonymous=True)) == [("OK", "access")]


def test_releases_that_differ_are_told() -> None:
    assert (
        levels(served.version("0.2.0", "0.1.0"))
        == levels(served.version("", "0.1.0"))
        == [("WARNING", "version")]
    )
    assert levels(served.version("0.1.0", "0.1.0")) == [("OK", "version")]


# A database


@pytest.fixture
def db(store_url: str) -> Iterable[Database]:
    made = Database(store_url)
    yield made
    made.close()


def test_a_migrated_database_is_well(db: Database) -> None:
    assert levels(store.database(db)) == [("OK", "database")]


@pytest.mark.parametrize(
    ("revision", "words"), [("0001", "this release has"), ("9999", "newer than this release")]
)
def test_another_schema_is_told(db: Database, revision: str, words: str) -> None:
    with db.engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{revision}'")
        connection.exec_driver_sql(
            f"INSERT INTO system (key, value) VALUES ('oldest_schema', '{revision}') "
            "ON CONFLICT (key) DO UPDATE SET value = excluded.value"
        )

    [found] = store.database(db)

    assert found.level is Severity.PROBLEM
    assert words in found.message


def test_a_newer_schema_that_this_release_can_live_with_is_a_warning(db: Database) -> None:
    with db.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")

    assert levels(store.database(db)) == [("WARNING", "database"), ("OK", "database")]


def test_a_file_that_is_missing_is_not_made(tmp_path: Path) -> None:
    path = tmp_path / "none.db"
    db = Database(f"sqlite:///{path}")

    assert levels(store.database(db)) == [("PROBLEM", "database")]
    db.close()
    assert not path.exists()


def test_what_is_no_database_of_ours_is_told(tmp_path: Path) -> None:
    rubbish, empty = tmp_path / "rubbish.db", tmp_path / "empty.db"
    rubbish.write_bytes(b"no database at all " * 99)
    empty.write_bytes(b"")
    for path in (rubbish, empty):
        db = Database(f"sqlite:///{path}")
        assert levels(store.database(db)) == [("PROBLEM", "database")]
        db.close()


def test_a_database_that_cannot_be_written_is_told(store_url: str) -> None:
    db = Database(store_url)
    # Not a file's permissions: tests may run as a user whom they do not stop.
    only_reads = (
        "SET default_transaction_read_only = on" if db.is_postgresql else "PRAGMA query_only = ON"
    )

    @event.listens_for(db.engine, "connect")
    def restrict(connection: Any, record: object) -> None:
        connection.execute(only_reads)
        if db.is_postgresql:
            connection.commit()

    [found] = store.database(db)
    db.close()

    assert found.level is Severity.PROBLEM
    assert "cannot be written" in found.message


def test_a_server_that_does_not_answer_is_told_without_the_password() -> None:
    db = Database("postgresql://user:hunter2@127.0.0.1:1/zaiko")

    [found] = store.database(db)
    db.close()

    assert found.level is Severity.PROBLEM
    assert "hunter2" not in repr(found)


def test_clocks_that_differ_are_a_problem() -> None:
    assert (
        levels(store.clock(1000.0, 1010.0))
        == levels(store.clock(1010.0, 1000.0))
        == [("PROBLEM", "clock")]
    )
    assert levels(store.clock(1000.0, 1001.0)) == [("OK", "clock")]


def test_a_full_disk_is_told() -> None:
    assert levels(store.room(400 << 20, 1, "/x")) == [("WARNING", "disk")]
    assert levels(store.room(1 << 30, 10 << 30, "/x")) == [("WARNING", "disk")], (
        "a fifth of the database is little"
    )
    assert levels(store.room(1 << 30, 1 << 20, "/x")) == [("OK", "disk")]


def test_shops_whose_notifications_stopped_are_told() -> None:
    kept = store.StoredFacts(deliveries={"acme/new": 9 * DAY, "acme/old": 5 * DAY}, now=9 * DAY)

    [found] = store.notifications(kept)

    assert (found.level, found.subject) == (Severity.WARNING, "acme/old")
    assert "4 days" in found.message
    assert levels(store.notifications(store.StoredFacts())) == [("OK", "webhooks")]


def test_what_is_read_of_a_database_is_what_is_in_it(db: Database) -> None:
    db.directory.write_sync(lambda directory: directory.create(MerchantRecord("acme")))

    def build(uow: Any) -> None:
        uow.shops.insert(ShopRecord("mall", "fake", "mall", {}, 600_000_000, secrets=b"sealed"))
        uow.shops.insert(ShopRecord("open", "fake", "open", {}, 600_000_000))
        uow.webhooks.insert("mall", "delivery")

    db.write_sync("acme", build)

    kept = store.read(db)

    assert (kept.merchants, kept.sealed) == (["acme"], {"acme/mall": b"sealed"})
    assert abs(kept.deliveries["acme/mall"] - kept.now) < DAY


def test_the_worst_finding_is_the_exit_code() -> None:
    def found(level: Severity) -> DoctorFinding:
        return DoctorFinding(level, "x", "y")

    assert int(worst([])) == int(worst([found(Severity.OK)])) == 0
    assert int(worst([found(Severity.WARNING), found(Severity.OK)])) == 1
    assert int(worst([found(Severity.PROBLEM), found(Severity.WARNING)])) == 2


def test_a_key_is_what_fernet_says() -> None:
    assert len(Fernet.generate_key()) == 44, "as the remedy says"


def test_a_machine_with_the_command_line_alone_needs_no_package_of_the_server() -> None:
    alone = dict.fromkeys(("zaiko-cli", "zaiko-client", "grpcio", "protobuf"), "1.0")

    assert levels(packages.versions((3, 11), alone)) == [("OK", "packages")]
    [found, _] = packages.versions((3, 11), {"zaiko-cli": "1.0", "grpcio": "1", "protobuf": "1"})
    assert found.message == "not installed: zaiko-client"
    assert found.do.endswith("--force-reinstall zaiko-cli.")


# The record of how far a database has come


@pytest.mark.parametrize(
    ("recorded", "level"),
    [
        (HighWaterMark("now", 5), "OK"),
        (HighWaterMark("before", 9), "OK"),
        (HighWaterMark("now", 6), "PROBLEM"),
        (HighWaterMark("other", 1), "PROBLEM"),
        (None, "OK"),
    ],
)
def test_a_record_of_another_or_a_newer_database_is_a_problem(
    recorded: HighWaterMark | None, level: str, tmp_path: Path
) -> None:
    path = tmp_path / "zaiko.seen"
    if recorded is not None:
        HighWaterMarkFile(path).write(recorded)

    found = list(installation.high_water_mark(path, HighWaterMark("now", 5), ["before"]))

    assert levels(found) == [(level, "witness")]


def test_no_place_for_a_record_is_a_warning() -> None:
    found = list(installation.high_water_mark(None, HighWaterMark("now", 5), []))

    assert levels(found) == [("WARNING", "witness")]
