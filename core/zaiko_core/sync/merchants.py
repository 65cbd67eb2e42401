"""All merchants of the store, one after the other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

from zaiko_core.app.records import MerchantRecord, Page
from zaiko_core.storage.catalogue import MerchantDirectory
from zaiko_core.storage.database import Database

_PAGE = 500


async def each_merchant(db: Database) -> AsyncIterator[str]:
    """Yield the id of each merchant. One that is created meanwhile may be left out."""
    page = Page(size=_PAGE)
    while records := await db.directory.read(partial(_page, page)):
        for record in records:
            yield record.merchant
        page = Page(size=_PAGE, after=(records[-1].merchant,))


def _page(page: Page, directory: MerchantDirectory) -> list[MerchantRecord]:
    return directory.page(page)
