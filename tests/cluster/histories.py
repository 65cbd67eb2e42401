"""The history of all runs as PostgreSQL saw it, and whether each shop had one run at a time, by
token.

Triggers record every claim of a shop, and every row that a run writes, with the token that the run
says it has (recorded.py). The records are in the order of the commits: a claim and a transaction
that holds a lease both keep the shop's row locked until they end, and what was rolled back is not
there. A write without any lock may be out of order by the length of a transaction; it is a
violation anyway.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import text
from zaiko_core.storage.database import Database

CLAIM = "CLAIM"
WRITTEN = (
    *(
        "movements",
        "demands",
        "allocations",
        "stock",
        "warehouse_stock",
        "orders",
        "order_lines",
        "runs",
        "pushes",
        "links",
        "listings",
    ),
    *("shop_states", "changes", "oversells", "drifts", "additions", "addition_places", "shops"),
)
"""Tables that a run may write to."""

_BEGIN = """
CREATE TABLE cluster_history (
  place bigserial PRIMARY KEY, merchant text NOT NULL, shop text NOT NULL, token bigint NOT NULL, what text NOT NULL,
  held_for bigint, transaction bigint NOT NULL DEFAULT txid_current(), at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE FUNCTION record_write() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO cluster_history (merchant, shop, token, what)
  SELECT run[1], run[2], run[3]::bigint, TG_OP || ' ' || TG_TABLE_NAME
  FROM string_to_array(current_setting('cluster.run'), '/') AS run;
  RETURN NULL;
END $$;
CREATE FUNCTION record_claim() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO cluster_history (merchant, shop, token, what, held_for) VALUES (NEW.merchant, NEW.shop, NEW.lease_token, 'CLAIM',
    CASE WHEN OLD.owner IS NOT NULL THEN OLD.lease_until - (extract(epoch FROM clock_timestamp()) * 1000000)::bigint END);
  RETURN NULL;
END $$;
CREATE TRIGGER record_claim AFTER UPDATE ON shops FOR EACH ROW WHEN (NEW.lease_token <> OLD.lease_token) EXECUTE FUNCTION record_claim();
"""  # noqa: E501
_RECORD_WRITES = """
CREATE TRIGGER record_write AFTER INSERT OR UPDATE OR DELETE ON {table}
FOR EACH ROW WHEN (current_setting('cluster.run', true) <> '') EXECUTE FUNCTION record_write();
"""


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """A claim, or a row that a run wrote. `held_for`: how many µs of another owner's lease were
    left when the shop was claimed."""

    merchant: str
    shop: str
    token: int
    what: str
    held_for: int | None = None


def record_history(db: Database) -> None:
    """Install the triggers: everything is recorded from now on."""
    with db.engine.begin() as connection:
        for statement in (_BEGIN, *(_RECORD_WRITES.format(table=table) for table in WRITTEN)):
            connection.exec_driver_sql(statement)


def recorded_history(db: Database) -> list[HistoryEntry]:
    """Return all entries, in the order of the commits of each shop."""
    query = text("SELECT merchant, shop, token, what, held_for FROM cluster_history ORDER BY place")
    with db.engine.connect() as connection:
        return [HistoryEntry(*row) for row in connection.execute(query)]


def overlapping_runs(history: Iterable[HistoryEntry]) -> list[str]:
    """Return the violations: claims whose token does not rise, claims of a shop that was held, and
    writes under a token after a newer one was issued."""
    newest: dict[tuple[str, str], int] = defaultdict(int)
    wrong: list[str] = []
    stale: Counter[tuple[str, int, int, str]] = Counter()
    for item in history:
        name, token = f"{item.merchant}/{item.shop}", newest[item.merchant, item.shop]
        if item.what != CLAIM:
            if item.token != token:
                stale[name, item.token, token, item.what] += 1
            continue
        if item.token <= token:
            wrong.append(f"{name}: claimed under token {item.token} after {token}")
        if item.held_for is not None and item.held_for > 0:
            wrong.append(
                f"{name}: claimed under token {item.token} while {token} had "
                f"{item.held_for / 1e6:.3f} s of its lease to go"
            )
        newest[item.merchant, item.shop] = item.token
    return wrong + [
        f"{name}: {times} × {what} under {old} after {new}"
        for (name, old, new, what), times in stale.items()
    ]
