"""Shops, with their settings and what their runs recorded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Executable,
    Row,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from zaiko_core.app.records import LinkState, Page, RunResult, ShopRecord
from zaiko_core.domain.errors import LeaseLost
from zaiko_core.domain.sending import Sending, sending
from zaiko_core.domain.shop_word import ShippedFrees, ShopWord
from zaiko_core.storage import schema, triggers
from zaiko_core.storage.codec import Codec
from zaiko_core.storage.rowset import batch_params, batch_rows, lookup, param, params, typed_columns
from zaiko_core.storage.scope import Scope, after

_SHOPS = schema.shops
_SHOP = Codec(
    schema.shops,
    ShopRecord,
    derived={"running": False},
    columns={
        "suspect_policy.archived": "release_archived",
        "suspect_policy.vanished": "release_vanished",
        "suspect_policy.unpaid": "release_unpaid",
        "suspect_policy.unpaid_after": "unpaid_after",
    },
)
_OF_RUNS = {
    "order_cursor",
    "orders_complete_until",
    "orders_read_at",
    "reread_at",
    "ordered_at",
    "audited_at",
    "checked_at",
    "credentials_expire_at",
    "unreadable_orders",
    "additions_due_at",
    "named_due_at",
    "account",
    "account_name",
    "account_at",
    "status_revision",
    "due_at",
    "sending_retry_at",
    "catalogue_asked_at",
    "catalogue_asks",
    "catalogue_due_at",
}
"""Columns that only runs and what triggers them change."""
_NOW, _LATER = bindparam("now", type_=BigInteger), bindparam("later", type_=BigInteger)
# Triggered meanwhile: due at once. A run that failed backs off, unless a person has changed
# something since it began: it failed with what is no longer so.
_AGAIN = and_(
    _SHOPS.c.trigger_seq > _SHOPS.c.claimed_seq,
    or_(param(_SHOPS.c.attempt) == 0, triggers.is_request(_SHOPS.c.pending_trigger)),
)
# A notification while only the numbers wait: its order is read at once.
_NOTIFIED = and_(
    _SHOPS.c.trigger_seq > _SHOPS.c.claimed_seq,
    param(_SHOPS.c.sending_retry_at).is_not(None),
    triggers.is_notification(_SHOPS.c.pending_trigger),
)
_SENDING = select(_SHOPS.c.paused, _SHOPS.c.shadow).where(
    *(_SHOPS.c[name] == param(_SHOPS.c[name]) for name in ("merchant", "shop")), ~_SHOPS.c.deleted
)
FREED: dict[str, Any] = {
    "owner": None,
    "lease_until": None,
    "attempt": param(_SHOPS.c.attempt),
    "due_at": case(
        (_SHOPS.c.due_at.is_(None), None),
        (_AGAIN, _NOW),
        else_=func.coalesce(_LATER, _SHOPS.c.interval + _NOW),
    ),
}
"""What releasing a shop sets. Parameters: `attempt` by `params`, `now`, and `later` (µs; None:
after its interval)."""
_RELEASE = (
    update(_SHOPS)
    .where(
        *(_SHOPS.c[name] == param(_SHOPS.c[name]) for name in ("merchant", "shop", "lease_token")),
        _SHOPS.c.owner.is_not(None),
    )
    .values(
        **FREED
        | {
            "due_at": case(
                (and_(_SHOPS.c.due_at.is_not(None), _NOTIFIED), _NOW), else_=FREED["due_at"]
            )
        },
        sending_retry_at=param(_SHOPS.c.sending_retry_at),
        problem=param(_SHOPS.c.problem),
        last_run=func.coalesce(param(_SHOPS.c.last_run), _SHOPS.c.last_run),
        last_run_at=_NOW,
        last_success_at=func.coalesce(param(_SHOPS.c.last_success_at), _SHOPS.c.last_success_at),
        status_revision=param(_SHOPS.c.status_revision),
        order_cursor=func.coalesce(param(_SHOPS.c.order_cursor), _SHOPS.c.order_cursor),
        orders_complete_until=func.coalesce(
            param(_SHOPS.c.orders_complete_until), _SHOPS.c.orders_complete_until
        ),
        orders_read_at=func.coalesce(param(_SHOPS.c.orders_read_at), _SHOPS.c.orders_read_at),
    )
    .returning(_SHOPS.c.due_at)
)
_PROGRESS = (
    update(_SHOPS)
    .where(*(_SHOPS.c[name] == param(_SHOPS.c[name]) for name in ("merchant", "shop")))
    .values(
        order_cursor=param(_SHOPS.c.order_cursor),
        ordered_at=func.coalesce(param(_SHOPS.c.ordered_at), _SHOPS.c.ordered_at),
        orders_complete_until=func.coalesce(
            param(_SHOPS.c.orders_complete_until), _SHOPS.c.orders_complete_until
        ),
    )
)


@lru_cache
def _counted(dialect: str) -> Executable:
    table = schema.links
    batch = batch_rows(dialect, typed_columns(table, "shop"))
    of_them = (table.c.merchant == param(table.c.merchant), table.c.shop == batch.c.shop)
    return (
        select(table.c.shop, table.c.state, func.count().label("links"))
        .where(*of_them)
        .group_by(table.c.shop, table.c.state)
    )


class ShopRows(Scope):
    """Shops, with their settings and what their runs recorded."""

    def insert(self, record: ShopRecord) -> None:
        row = self.stamp(
            self._settings(record)
            | {"shop": record.shop, "due_at": None if record.paused else self.now}
        )
        self.execute(insert(schema.shops).values(row))

    def get(self, ids: Collection[str]) -> dict[str, ShopRecord]:
        found = lookup(
            self.connection,
            schema.shops,
            {"merchant": self.merchant},
            [{"shop": item} for item in set(ids)],
        )
        return {row.shop: shop_from(row, self.now) for row in found if not row.deleted}

    def used(self, shop: str) -> bool:
        """Return whether a shop has, or once had, this id: ids are never reused."""
        table = schema.shops
        query = select(table.c.shop).where(self.mine(table), table.c.shop == shop)
        return self.execute(query).scalar() is not None

    def word(self, shop: str) -> ShopWord:
        """Return what the word of a shop, deleted or not, counts for now."""
        table, held = schema.shops, schema.allocations
        feed = exists().where(held.c.merchant == self.merchant, held.c.shop > "")
        query = select(
            table.c.shipped_frees, table.c.keeps_unrestocked, table.c.created_at, feed.label("feed")
        ).where(self.mine(table), table.c.shop == shop)
        row = self.execute(query).one()
        return ShopWord(
            ShippedFrees(row.shipped_frees),
            has_feed=bool(row.feed),
            keeps_unrestocked=row.keeps_unrestocked,
            known_since=row.created_at,
            now=self.now,
        )

    def page(self, page: Page) -> list[ShopRecord]:
        """Return a page by id, without deleted shops."""
        table = schema.shops
        query = select(table).where(self.mine(table), ~table.c.deleted, after(page, table.c.shop))
        return [
            shop_from(row, self.now)
            for row in self.execute(query.order_by(table.c.shop).limit(page.size))
        ]

    def update(self, record: ShopRecord) -> None:
        """Update everything but the progress of fetching orders and the job. A shop that is no
        longer paused is due at once."""
        table = schema.shops
        values = self._settings(record) | {"updated_at": self.now, "revision": self.revision}
        resting = record.paused or record.deleted
        values["due_at"] = None if resting else func.coalesce(table.c.due_at, self.now)
        self.execute(
            update(table).where(self.mine(table), table.c.shop == record.shop).values(values)
        )

    def release(
        self, shop: str, token: int, result: RunResult, *, next_in: int | None, run_id: str | None
    ) -> int | None:
        """End the run under `token` in one statement: save its status, release the lease, and set
        when the shop is due again: in `next_in` µs (None: its interval), at once when it was
        triggered meanwhile, unless runs have failed. `run_id`: None where the run did nothing and
        is not written down. The settings' revision stays. Return when it is due (µs), None if it is
        paused. Raises LeaseLost when the shop is no longer held under the token. Locks the shop's
        row."""
        values = params(
            merchant=self.merchant,
            shop=shop,
            lease_token=token,
            attempt=result.attempt,
            problem=result.problem.document() if result.problem else None,
            last_run=run_id,
            last_success_at=self.now if result.succeeded and not result.problem else None,
            sending_retry_at=result.sending_retry_at,
            status_revision=self.revision,
            order_cursor=result.order_cursor,
            orders_complete_until=result.orders_complete_until,
            orders_read_at=result.orders_read_at,
        )
        times = {"now": self.now, "later": None if next_in is None else self.now + next_in}
        row = self.execute(_RELEASE, values | times).one_or_none()
        if row is None:
            raise LeaseLost(f"shops/{shop} is no longer held under token {token}")
        return None if row.due_at is None else int(row.due_at)

    def save_progress(
        self, shop: str, *, cursor: str, complete_until: int | None, news: bool = False
    ) -> None:
        """Save how far orders were fetched. `news`: the orders up to the cursor brought something
        new."""
        progress = params(
            order_cursor=cursor,
            ordered_at=self.now if news else None,
            orders_complete_until=complete_until,
        )
        self.execute(_PROGRESS, params(merchant=self.merchant, shop=shop) | progress)

    def deleted_of(self, connector: str, account: str) -> list[str]:
        """Return the deleted shops that were this account."""
        table = schema.shops
        query = select(table.c.shop).where(
            self.mine(table),
            table.c.connector == connector,
            table.c.account == account,
            table.c.deleted,
        )
        return list(self.execute(query.order_by(table.c.shop)).scalars())

    def save_account(self, shop: str, account: str, name: str) -> None:
        """Save which account of the platform the shop is, as it was found out now."""
        table = schema.shops
        self.execute(
            update(table)
            .where(self.mine(table), table.c.shop == shop)
            .values(account=account, account_name=name, account_at=self.now)
        )

    def forget_account_check(self, shop: str) -> None:
        """Have it asked again which account the shop is."""
        table = schema.shops
        self.execute(
            update(table).where(self.mine(table), table.c.shop == shop).values(account_at=None)
        )

    def forget_orders_read(self, shop: str) -> None:
        """Read the shop's orders from the beginning."""
        table = schema.shops
        self.execute(
            update(table)
            .where(self.mine(table), table.c.shop == shop)
            .values(order_cursor=None, orders_complete_until=None, orders_read_at=None)
        )

    def save_ordered(self, shop: str) -> None:
        """Save that orders brought something new now."""
        table = schema.shops
        self.execute(
            update(table).where(self.mine(table), table.c.shop == shop).values(ordered_at=self.now)
        )

    def sending(self, shop: str, *, offered: bool) -> Sending:
        """Return what may be done with the shop's numbers now; HELD if it does not exist.
        `offered`: the merchant has inventory sync."""
        row = self.execute(_SENDING, params(merchant=self.merchant, shop=shop)).one_or_none()
        if row is None:
            return Sending.HELD
        return sending(offered=offered, paused=bool(row.paused), shadow=bool(row.shadow))

    def difference_counts(self, shops: Collection[str]) -> dict[str, int]:
        """Count by shop the links in shadow whose shop shows another number than the target. Shops
        without any are left out."""
        table = schema.links
        query = select(table.c.shop, func.count()).where(
            self.mine(table), table.c.shop.in_(list(shops))
        )
        query = query.where(
            table.c.state == LinkState.SHADOW.value, table.c.differ_since.is_not(None)
        ).group_by(table.c.shop)
        return {row[0]: int(row[1]) for row in self.execute(query)}

    def save_orders_read(self, shop: str, at: int) -> None:
        """Save that a fetch of orders which began at `at` (µs) was ingested whole."""
        table = schema.shops
        values = {"orders_read_at": at, "status_revision": self.revision}
        self.execute(update(table).where(self.mine(table), table.c.shop == shop).values(values))

    def save_catalogue(self, shop: str, state: Mapping[str, int]) -> None:
        """Note when orders asked for a reading of the catalogue, or will: the columns that begin
        with `catalogue_`."""
        table = schema.shops
        mine = (self.mine(table), table.c.shop == shop)
        self.execute(update(table).where(*mine).values(dict(state)))

    def resume_sending(self, shop: str) -> None:
        """Let the next run send numbers, whatever stopped the last one."""
        table = schema.shops
        self.execute(
            update(table)
            .where(self.mine(table), table.c.shop == shop)
            .values(sending_retry_at=None)
        )

    def save_reread(self, shop: str) -> None:
        table = schema.shops
        self.execute(
            update(table).where(self.mine(table), table.c.shop == shop).values(reread_at=self.now)
        )

    def ask_reread(self, shop: str) -> None:
        """Make the next run read open orders again, whenever it last did."""
        table = schema.shops
        self.execute(
            update(table).where(self.mine(table), table.c.shop == shop).values(reread_at=1)
        )

    def cancel(self, shop: str, token: int) -> None:
        """Ask the run under `token` to end, if it holds the shop. What triggered the shop until now
        causes no further run. A second call changes nothing."""
        table = schema.shops
        held = and_(
            self.mine(table),
            table.c.shop == shop,
            table.c.lease_token == token,
            table.c.cancelled_token != token,
        )
        self.execute(
            update(table)
            .where(held)
            .values(cancelled_token=token, claimed_seq=table.c.trigger_seq, pending_trigger=0)
        )

    def save_audited(self, shop: str) -> None:
        table = schema.shops
        self.execute(
            update(table).where(self.mine(table), table.c.shop == shop).values(audited_at=self.now)
        )

    def count_unreadable(self, shop: str) -> None:
        """Count the shop's orders that may be open and cannot be read."""
        shops, orders = schema.shops, schema.orders
        number = select(func.count()).where(
            self.mine(orders),
            orders.c.shop == shop,
            orders.c.unreadable_at.is_not(None),
            orders.c.released_at.is_(None),
        )
        values = {"unreadable_orders": number.scalar_subquery(), "status_revision": self.revision}
        self.execute(update(shops).where(self.mine(shops), shops.c.shop == shop).values(values))

    def save_check(self, shop: str, expire_at: int | None, *, status_changed: bool) -> None:
        table = schema.shops
        values = {"checked_at": self.now, "credentials_expire_at": expire_at}
        if status_changed:
            values["status_revision"] = self.revision
        self.execute(update(table).where(self.mine(table), table.c.shop == shop).values(values))

    def forget_check(self, shop: str) -> None:
        """Forget the last check, because the credentials changed."""
        table = schema.shops
        values = {"checked_at": None, "credentials_expire_at": None}
        self.execute(update(table).where(self.mine(table), table.c.shop == shop).values(values))

    def load_state(self, shop: str) -> bytes | None:
        """Return what the shop's connector stored, sealed, or None."""
        table = schema.shop_states
        found: bytes | None = self.execute(
            select(table.c.sealed).where(self.mine(table), table.c.shop == shop)
        ).scalar()
        return found

    def save_state(self, shop: str, sealed: bytes) -> None:
        table = schema.shop_states
        mine = (self.mine(table), table.c.shop == shop)
        values = {"sealed": sealed, "updated_at": self.now}
        if not self.execute(update(table).where(*mine).values(values)).rowcount:
            self.execute(insert(table).values(values | {"merchant": self.merchant, "shop": shop}))

    def sealed(self) -> list[tuple[str, bytes | None, bytes | None]]:
        """Return each shop's credentials and its connector's state as they are stored."""
        shops, states = schema.shops, schema.shop_states
        kept = and_(states.c.merchant == shops.c.merchant, states.c.shop == shops.c.shop)
        query = select(shops.c.shop, shops.c.secrets, states.c.sealed).select_from(
            shops.outerjoin(states, kept)
        )
        rows = self.execute(query.where(self.mine(shops)))
        return [(row.shop, row.secrets, row.sealed) for row in rows]

    def save_sealed(self, shop: str, secrets: bytes) -> None:
        """Replace the credentials by the same ones under another key. Neither the revision nor the
        connector's state changes."""
        table = schema.shops
        self.execute(
            update(table).where(self.mine(table), table.c.shop == shop).values(secrets=secrets)
        )

    def forget_state(self, shop: str) -> None:
        table = schema.shop_states
        self.execute(delete(table).where(self.mine(table), table.c.shop == shop))

    def link_counts(self, shops: Collection[str]) -> dict[str, dict[LinkState, int]]:
        rows = batch_params([{"shop": shop} for shop in set(shops)])
        counts: dict[str, dict[LinkState, int]] = defaultdict(dict)
        for shop, state, number in self.execute(
            _counted(self.dialect), rows | params(merchant=self.merchant)
        ):
            counts[shop][LinkState(state)] = number
        return counts

    @staticmethod
    def _settings(record: ShopRecord) -> dict[str, Any]:
        row = _SHOP.write(record)
        return {
            name: row[name]
            for name in row
            if name not in _OF_RUNS and name not in ("shop", "created_at", "updated_at", "revision")
        }


def shop_from(row: Row[Any], now: int) -> ShopRecord:
    """Return the shop in a row that has its columns."""
    return _SHOP.read(row, running=row.owner is not None and (row.lease_until or 0) > now)
