"""A run of a shop with 100,000 links in which nothing has changed: how many statements it takes,
and which of them read a whole table.

The statements of the engine are counted from the claim of the shop to the end of the transaction
that releases it, without BEGIN and COMMIT, and printed to stderr. Each is then explained with its
parameters. A statement reads a whole table when PostgreSQL shows a Seq Scan, or when SQLite shows a
SCAN without an index or a SEARCH by the merchant alone, who owns everything in this store. Tables
of up to 1,000 rows do not count, because reading them whole is faster. A statement that reads all
links of one shop by an index is not found this way, but the time of the run, which is reported too,
would show it. Goals: ≤ 5 statements, none of a whole table.
"""

from __future__ import annotations

import re
import statistics
import sys
import time
from typing import Any

from sqlalchemy import func, select
from zaiko_core.bootstrap import Engine
from zaiko_core.storage import schema
from zaiko_core.storage.sql import Execution, observed

from benchmarks.speed.bare_store import connected
from benchmarks.speed.catalogue import filled, shop_name
from benchmarks.speed.driving import driven, make_due
from benchmarks.speed.figure import Figure
from benchmarks.speed.instant import instant
from benchmarks.speed.many_links import big
from benchmarks.speed.stores import Store

STATEMENTS = 5
_SMALL = 1_000
_SCAN = re.compile(
    r"Seq Scan on (\w+)|^SCAN (\w+)(?! USING (?:COVERING )?INDEX)|^SEARCH (\w+) USING "
    r".*\(merchant=\?\)$"
)


async def statements(engine: Engine, shop: str) -> list[tuple[str, Any]]:
    """Return the statements of one idle run, with their parameters."""
    heard: list[Execution] = []
    make_due(engine, shop)
    with observed(engine.db.engine, heard.append):
        if await engine.run_due() != 1:
            raise SystemExit("not one shop was due, but others as well")
    # After it, the scheduler reads whether something else is due.
    last = max(
        place for place, execution in enumerate(heard) if "INSERT INTO changes" in execution.text
    )
    return [(execution.text, execution.parameters) for execution in heard[: last + 1]]


def read_whole(url: str, heard: list[tuple[str, Any]]) -> dict[str, list[str]]:
    """Return the statements that read a whole table, by table."""
    found: dict[str, list[str]] = {}
    explain = "EXPLAIN QUERY PLAN " if url.startswith("sqlite") else "EXPLAIN "
    with connected(url) as connection:
        for statement, parameters in heard:
            if (
                not statement.lstrip("( ")
                .upper()
                .startswith(("SELECT", "UPDATE", "DELETE", "INSERT", "WITH"))
            ):
                continue
            for row in connection.execute(explain + statement, parameters).fetchall():
                scan = _SCAN.search(str(row[-1]))
                table = next((name for name in scan.groups() if name), "") if scan else ""
                if table in schema.metadata.tables:
                    count = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
                    if count[0] > _SMALL:
                        found.setdefault(table, []).append(statement)
    return found


async def measure(store: Store, quick: bool) -> list[Figure]:
    """Measure the second run, because the first one opens the connector."""
    url, shop = filled(store, big(quick)), shop_name(0)
    async with driven(url, instant()) as engine:
        await statements(engine, shop)
        heard = await statements(engine, shop)
        times = []
        for _ in range(5):
            make_due(engine, shop)
            began = time.perf_counter()
            await engine.run_due()
            times.append((time.perf_counter() - began) * 1000)
        with engine.db.engine.connect() as connection:
            table = schema.links
            links = (
                connection.scalar(
                    select(func.count()).select_from(table).where(table.c.shop == shop)
                )
                or 0
            )
    whole = read_whole(url, heard)
    for number, (statement, _) in enumerate(heard, start=1):
        print(f"idle, {store.name}, {number}: {' '.join(statement.split())[:160]}", file=sys.stderr)
    note = f"{links:,} links; {statistics.median(times):.0f} ms"
    tables = f"of {', '.join(sorted(whole))}" if whole else "none"
    return [
        Figure(
            "statements of an idle run",
            store.name,
            "statements",
            len(heard),
            STATEMENTS,
            at_most=True,
            note=note,
        ),
        Figure(
            "whole tables read in it",
            store.name,
            "statements",
            sum(map(len, whole.values())),
            0,
            at_most=True,
            note=f"{note}; {tables}",
        ),
    ]
