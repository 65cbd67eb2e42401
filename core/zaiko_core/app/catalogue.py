"""Merchants, warehouses and products."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from zaiko_core.app.due_marks import link_names, mark_links_due
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import (
    ChangeKind,
    MerchantRecord,
    Page,
    ProductRecord,
    ShopRecord,
    WarehouseRecord,
)
from zaiko_core.domain.errors import CodeTaken, NotFound, ProductHasLinks, ResourceExists

_ALL = 1000


def update_merchant(uow: UnitOfWork, changed: MerchantRecord) -> MerchantRecord:
    """Change a merchant's name, or whether inventory sync is offered to it. Withdrawing the offer
    holds the enabled links of all shops and keeps their settings; offering it again resumes
    them."""
    before = uow.merchants
    uow.update_merchant(changed)
    if before.sync_available != changed.sync_available:
        for shop in _shops(uow):
            hold_links(uow, shop.shop, held=not changed.sync_available or shop.paused)
    return replace(changed, updated_at=uow.now, revision=uow.revision)


def hold_links(uow: UnitOfWork, shop: str, *, held: bool) -> None:
    """Show the enabled links of a shop as held, or resume them and recompute their numbers."""
    moved = uow.links.hold(shop, held)
    uow.changed(ChangeKind.LINK, link_names(moved))
    uow.changed(ChangeKind.SHOP, [shop])
    if not held:
        mark_links_due(uow, shop, [listing for _, listing in moved])


def create_warehouse(uow: UnitOfWork, draft: WarehouseRecord) -> WarehouseRecord:
    """Create a warehouse without stock. Raises ResourceExists."""
    if uow.warehouses.get([draft.warehouse]):
        raise ResourceExists(f"merchants/{uow.merchant}/warehouses/{draft.warehouse}")
    uow.warehouses.insert(draft)
    uow.advance()
    return warehouse(uow, draft.warehouse)


def warehouse(uow: UnitOfWork, warehouse_id: str) -> WarehouseRecord:
    """Return one warehouse. Raises NotFound."""
    found = uow.warehouses.get([warehouse_id]).get(warehouse_id)
    if found is None:
        raise NotFound(f"merchants/{uow.merchant}/warehouses/{warehouse_id}")
    return found


def create_products(uow: UnitOfWork, drafts: Sequence[ProductRecord]) -> list[ProductRecord]:
    """Create products with stocks of zero, all or none, and return them in the order of the drafts.
    The caller has checked that no id and no code comes twice. Raises ResourceExists and CodeTaken
    with the `index` of the draft in their metadata."""
    ids = uow.products.get([draft.product for draft in drafts])
    codes = uow.products.by_code([draft.code for draft in drafts])
    for index, draft in enumerate(drafts):
        refusal: ResourceExists | CodeTaken | None = None
        if draft.product in ids:
            refusal = ResourceExists(f"merchants/{uow.merchant}/products/{draft.product}")
        elif draft.code in codes:
            refusal = CodeTaken(draft.code)
        if refusal is not None:
            refusal.metadata["index"] = str(index)
            raise refusal
    uow.products.insert(drafts)
    uow.changed(ChangeKind.STOCK, [draft.product for draft in drafts])
    return products(uow, [draft.product for draft in drafts])


def update_product(uow: UnitOfWork, changed: ProductRecord) -> ProductRecord:
    """Change code, barcode or name. Raises CodeTaken when another product, archived ones included,
    has the code."""
    owner = uow.products.by_code([changed.code]).get(changed.code)
    if owner is not None and owner.product != changed.product:
        raise CodeTaken(changed.code)
    uow.products.update(changed)
    uow.advance()
    return product(uow, changed.product)


def archive_product(uow: UnitOfWork, product_id: str) -> ProductRecord:
    """Archive a product, which can then be neither linked nor received. Raises ProductHasLinks. A
    second call changes nothing."""
    record = product(uow, product_id)
    if record.archived:
        return record
    count = uow.links.of_products([product_id])
    if count:
        name = f"merchants/{uow.merchant}/products/{product_id}"
        raise ProductHasLinks(
            f"{count} listings are linked to {name}; delete those links first",
            product=name,
            count=str(count),
        )
    uow.products.update(replace(record, archived=True))
    uow.advance()
    return product(uow, product_id)


def product(uow: UnitOfWork, product_id: str) -> ProductRecord:
    """Return one product, archived or not. Raises NotFound."""
    return products(uow, [product_id])[0]


def products(uow: UnitOfWork, ids: Sequence[str]) -> list[ProductRecord]:
    """Return products in the order of `ids`. Raises NotFound when one does not exist."""
    found = uow.products.get(ids)
    check_found(uow, ids, found)
    return [found[product_id] for product_id in ids]


def check_found(uow: UnitOfWork, ids: Sequence[str], found: Collection[str]) -> None:
    """Raise NotFound for the first product of `ids` that does not exist."""
    for product_id in ids:
        if product_id not in found:
            raise NotFound(f"merchants/{uow.merchant}/products/{product_id}")


def _shops(uow: UnitOfWork) -> list[ShopRecord]:
    found: list[ShopRecord] = []
    page = Page(_ALL)
    while shops := uow.shops.page(page):
        found += shops
        page = Page(_ALL, (shops[-1].shop,))
    return found
