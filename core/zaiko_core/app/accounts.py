"""Which account of its platform a shop is (ADR 0040). One account is one shop, and a shop with
links or orders stays with its account."""

from __future__ import annotations

from dataclasses import dataclass

from zaiko_core.app import shops
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import ChangeKind, ShopRecord
from zaiko_core.domain.errors import AccountChanged, AccountTaken


@dataclass(frozen=True, slots=True)
class FoundAccount:
    """What a connector said: the platform's own id of the account, and a name for people."""

    account: str
    name: str = ""


def confirm(uow: UnitOfWork, asked: ShopRecord, found: FoundAccount) -> None:
    """Store which account the settings of `asked` lead to. A shop whose settings have changed since
    is asked about again. Raises AccountChanged for a shop that has links or orders of another
    account, and AccountTaken when the account is connected as another shop."""
    record = shops.get(uow, asked.shop)
    if (record.settings, record.secrets) != (asked.settings, asked.secrets):
        return
    is_other = record.account not in ("", found.account)
    if is_other and is_used(uow, record.shop):
        raise AccountChanged(
            f"the settings lead to the account {found.account} of the platform, but the links and "
            f"orders of this shop are of the account {record.account}; enter the settings of "
            f"{record.account} again, and create a new shop for {found.account}",
            account=found.account,
            shopAccount=record.account,
        )
    if is_other:
        uow.accounts.leave(record.shop)
        uow.listings.forget(record.shop)
        uow.shops.forget_orders_read(record.shop)
    holder = uow.accounts.take(record.connector, found.account, record.shop)
    if holder.merchant != uow.merchant:
        raise AccountTaken(
            f"the account {found.account} of the platform is connected on this server already; ask "
            "its operator",
            account=found.account,
        )
    if holder.shop != record.shop:
        name = f"merchants/{uow.merchant}/shops/{holder.shop}"
        raise AccountTaken(
            f"the account {found.account} of the platform is connected already as {name}, and "
            "each of its orders would count twice; use that shop, or delete it first",
            account=found.account,
            resource=name,
        )
    if record.account != found.account:
        _check_deleted(uow, record.connector, found.account)
    uow.shops.save_account(record.shop, found.account, found.name)
    if (record.account, record.account_name) != (found.account, found.name):
        uow.changed(ChangeKind.SHOP, [record.shop])


def _check_deleted(uow: UnitOfWork, connector: str, account: str) -> None:
    """Raise AccountTaken while a deleted shop that was this account has orders that hold stock:
    they would be read again."""
    for shop in uow.shops.deleted_of(connector, account):
        if uow.demands.unsettled(shop, limit=1, after=""):
            name = f"merchants/{uow.merchant}/shops/{shop}"
            raise AccountTaken(
                f"the account {account} of the platform was the deleted shop {name}, whose open "
                "orders were kept and would count twice; ship or release them first",
                account=account,
                resource=name,
            )


def ask_again(uow: UnitOfWork, shop: str) -> None:
    """Have the next run ask which account the shop is, and begin it now."""
    uow.shops.forget_account_check(shop)
    uow.trigger([shop])


def is_used(uow: UnitOfWork, shop: str) -> bool:
    """Return whether the shop has links or orders."""
    return bool(uow.shops.link_counts([shop]).get(shop)) or uow.orders.any_of(shop)
