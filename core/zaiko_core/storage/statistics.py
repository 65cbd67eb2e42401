"""Counts over all merchants, for the metrics and the high-water mark: reads that take no lock."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, and_, case, func, select

from zaiko_core.app.records import LinkState
from zaiko_core.domain.decision import WITHOUT_EFFECT
from zaiko_core.storage import schema
from zaiko_core.storage.sql import execute

DAY = 24 * 3_600_000_000


@dataclass(frozen=True, slots=True)
class Statistics:
    """`links`, by connector: links with sync enabled, how many of them were read within a day, and
    how many are held because what is sent has no effect. `drifts`: drifts of a day by (connector,
    cause)."""

    links: dict[str, tuple[int, int, int]]
    drifts: dict[tuple[str, str], int]
    oversells: int
    unreadable: dict[str, int]
    """Orders that may be open and cannot be read, by connector."""


def take(connection: Connection, now: int) -> Statistics:
    """Count over all merchants. Reads every link: not for every second."""
    shops, links, drifts, oversells = schema.shops, schema.links, schema.drifts, schema.oversells
    of_shop = and_(shops.c.merchant == links.c.merchant, shops.c.shop == links.c.shop)
    fresh = func.sum(case((links.c.read_at >= now - DAY, 1), else_=0))
    stuck = and_(links.c.state == LinkState.HELD.value, links.c.ineffective >= WITHOUT_EFFECT)
    by_connector = (
        select(shops.c.connector, func.count(), fresh, func.sum(case((stuck, 1), else_=0)))
        .join(links, of_shop)
        .where(links.c.sync_enabled)
    )
    found_in = and_(shops.c.merchant == drifts.c.merchant, shops.c.shop == drifts.c.shop)
    by_cause = (
        select(shops.c.connector, drifts.c.cause, func.count())
        .join(drifts, found_in)
        .where(drifts.c.at >= now - DAY)
    )
    unreadable = select(shops.c.connector, func.sum(shops.c.unreadable_orders))
    unreadable = unreadable.group_by(shops.c.connector)
    return Statistics(
        {
            row[0]: (row[1], int(row[2]), int(row[3]))
            for row in execute(connection, by_connector.group_by(shops.c.connector))
        },
        {
            (row[0], row[1]): row[2]
            for row in execute(connection, by_cause.group_by(shops.c.connector, drifts.c.cause))
        },
        int(
            execute(
                connection, select(func.count()).where(oversells.c.cleared_at.is_(None))
            ).scalar()
            or 0
        ),
        {row[0]: int(row[1]) for row in execute(connection, unreadable)},
    )


def revisions(connection: Connection) -> int:
    """Return the sum of all merchants' newest revisions."""
    return int(execute(connection, select(func.sum(schema.merchants.c.head))).scalar() or 0)
