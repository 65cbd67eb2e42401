"""Which accounts of platforms are connected, over all merchants of the installation."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, select

from zaiko_core.storage import schema
from zaiko_core.storage.rowset import insert_rows
from zaiko_core.storage.scope import Scope


@dataclass(frozen=True, slots=True)
class AccountHolder:
    """The shop that an account is connected as."""

    merchant: str
    shop: str


class AccountRows(Scope):
    """Accounts of platforms. One account is one shop's, whichever merchant's it is."""

    def take(self, connector: str, account: str, shop: str) -> AccountHolder:
        """Connect the account as this shop unless it is connected already, and return the shop that
        has it. Waits for another transaction that connects the same account."""
        table = schema.accounts
        row = {"connector": connector, "account": account}
        insert_rows(
            self.connection,
            table,
            [row | {"shop": shop}],
            same={"merchant": self.merchant},
            ignore=True,
        )
        found = self.execute(
            select(table.c.merchant, table.c.shop).where(
                table.c.connector == connector, table.c.account == account
            )
        ).one_or_none()
        assert found is not None
        return AccountHolder(found.merchant, found.shop)

    def leave(self, shop: str) -> None:
        """Disconnect what is connected as this shop."""
        table = schema.accounts
        self.execute(delete(table).where(self.mine(table), table.c.shop == shop))
