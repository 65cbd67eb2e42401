"""After the database was restored from a back-up: what it believes of the shops is of another time
(ADR 0023)."""

from __future__ import annotations

from zaiko_core.app import shops
from zaiko_core.app.due_marks import link_names
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import ChangeKind, Page

_PAGE = 1_000


def prepare_restored(uow: UnitOfWork) -> int:
    """Forget what the merchant's shops were believed to show, and send nothing to any of them
    before a person says so; how many shops. A second call changes nothing that the first did
    not."""
    uow.changed(ChangeKind.LINK, link_names(uow.links.start_over()))
    found, page = 0, Page(_PAGE)
    while records := uow.shops.page(page):
        for record in records:
            shops.set_shadow(uow, record.shop, True)
            # Units that were added since the back-up would be added again.
            uow.additions.give_up(record.shop, queued=True)
        found += len(records)
        page = Page(_PAGE, (records[-1].shop,))
    return found
