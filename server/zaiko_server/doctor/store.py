"""Checks of a database without a server. They change nothing and create no file."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from zaiko_cli.doctor.findings import DoctorFinding, ok, problem, warning
from zaiko_core.storage import schema
from zaiko_core.storage.database import Database
from zaiko_core.storage.migrate import versions

_SKEW = 5.0
"""Seconds. Leases and back-offs use the database's clock, times in platforms' answers this
machine's."""
_ROOM = 500 << 20
_QUIET = 2 * 24 * 3_600_000_000


def database(db: Database) -> Iterator[DoctorFinding]:
    """Check that the database answers, can be written, and has this release's schema. The first
    problem ends the check."""
    shown = db.url.render_as_string(hide_password=True)
    if not db.is_postgresql and not Path(str(db.url.database)).exists():
        yield problem(
            "database",
            "there is no such file",
            "Name the server's with --db; `zaiko serve` creates a new one.",
            shown,
        )
        return
    try:
        current, newest, known = versions(db.engine)
        if current is None:
            yield problem(
                "database",
                "it is not a database of zaiko, or was never migrated",
                "Name the server's with --db.",
                shown,
            )
            return
        if not known:
            yield problem(
                "database",
                f"its schema ({current}) is newer than this release",
                "Install the newer release again.",
                shown,
            )
            return
        if current < newest:
            remedy = (
                "Start the server, which migrates; `zaiko migrate --finish` once no older "
                "server runs."
            )
            yield problem(
                "database", f"its schema is {current}, this release has {newest}", remedy, shown
            )
            return
        if current > newest:
            words = f"its schema ({current}) is of a newer release, which this release can use"
            yield warning("database", words, "Bring every server to the newer release.", shown)
        if refusal := _unwritable(db):
            yield problem(
                "database", refusal, "Let the server's user write it, or use the primary.", shown
            )
            return
    except SQLAlchemyError as error:
        # The cause without the statement. `hide_parameters` and a URL without password keep secrets
        # out.
        cause = str(getattr(error, "orig", None) or type(error).__name__).strip().partition("\n")[0]
        yield problem(
            "database", f"it does not answer: {cause}", "Is it running, and is --db right?", shown
        )
        return
    yield ok("database", f"schema {current}, writable", shown)


def _unwritable(db: Database) -> str:
    """Return why the database cannot be written, or an empty text. The statement changes no row,
    needs the same rights as a real write, and is rolled back."""
    with db.engine.connect() as connection:
        if not db.is_postgresql:
            connection.info["begin"] = "BEGIN IMMEDIATE"
        try:
            with connection.begin() as nothing:
                connection.execute(text("UPDATE shops SET attempt = attempt WHERE merchant = ''"))
                nothing.rollback()
        except DBAPIError as error:
            return f"it cannot be written: {str(error.orig).strip().partition(chr(10))[0]}"
        finally:
            connection.info.pop("begin", None)
    return ""


def clock(here: float, there: float) -> Iterator[DoctorFinding]:
    """Compare this machine's clock with the database's; both in seconds since 1970."""
    skew = abs(here - there)
    if skew > _SKEW:
        yield problem(
            "clock",
            f"this machine and the database are {skew:.0f} s apart",
            "Let both follow the time by NTP.",
        )
    else:
        yield ok("clock", f"this machine and the database agree within {max(1.0, skew):.0f} s")


def room(free: int, size: int, path: str) -> Iterator[DoctorFinding]:
    """Check the free space on the disk of a SQLite file, in bytes."""
    said = f"{free >> 20} MiB free, the database has {size >> 20} MiB"
    if free < max(_ROOM, size // 5):
        yield warning("disk", said, "Make room: without it no order can be stored.", path)
    else:
        yield ok("disk", said, path)


def disk(db: Database) -> Iterator[DoctorFinding]:
    """Check the disk of a SQLite file. PostgreSQL has its own disk, so nothing is checked."""
    if not db.is_postgresql:
        path = Path(str(db.url.database)).resolve()
        size = sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*"))
        yield from room(shutil.disk_usage(path.parent).free, size, str(path))


@dataclass(frozen=True, slots=True)
class StoredFacts:
    """The facts of a database that the other checks need."""

    merchants: list[str] = field(default_factory=list)
    sealed: dict[str, bytes] = field(default_factory=dict)
    """Credentials by `merchant/shop`."""
    deliveries: dict[str, int] = field(default_factory=dict)
    """When each shop's last notification arrived, in µs since 1970."""
    now: int = 0


def read(db: Database) -> StoredFacts:
    """Read the facts in one transaction."""
    shops, deliveries = schema.shops, schema.webhook_deliveries
    with db.engine.connect() as connection, connection.begin():
        merchants = connection.scalars(
            select(schema.merchants.c.merchant).order_by(schema.merchants.c.merchant)
        ).all()
        sealed = connection.execute(
            select(shops.c.merchant, shops.c.shop, shops.c.secrets).where(
                shops.c.secrets.is_not(None)
            )
        )
        newest = select(
            deliveries.c.merchant, deliveries.c.shop, func.max(deliveries.c.at).label("at")
        )
        came = connection.execute(newest.group_by(deliveries.c.merchant, deliveries.c.shop))
        return StoredFacts(
            list(merchants),
            {f"{row.merchant}/{row.shop}": row.secrets for row in sealed},
            {f"{row.merchant}/{row.shop}": int(row.at) for row in came},
            db.transactions.now(connection),
        )


def notifications(kept: StoredFacts) -> Iterator[DoctorFinding]:
    """Report shops whose notifications stopped, so that their changes are found by polling only."""
    quiet = {shop: at for shop, at in kept.deliveries.items() if kept.now - at > _QUIET}
    for shop, at in sorted(quiet.items()):
        days = (kept.now - at) // (24 * 3_600_000_000)
        yield warning(
            "webhooks",
            f"no notification for {days} days",
            (
                "Were there no changes, or did the platform end the subscription? See "
                "docs/connectors.md."
            ),
            shop,
            "MERCHANT",
        )
    if not quiet:
        yield ok(
            "webhooks",
            f"notifications arrive from {len(kept.deliveries)} shops"
            if kept.deliveries
            else "none arrived yet",
        )
