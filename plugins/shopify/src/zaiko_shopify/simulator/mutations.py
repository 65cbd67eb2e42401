"""What changes the shop through the API: setting stock with its conditions and keys, activating,
tracking."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from graphql import GraphQLError
from graphql.execution import get_directive_values

from zaiko_shopify.simulator.ids import gid, number_of, text_of
from zaiko_shopify.simulator.records import SimLevel, SimVariant
from zaiko_shopify.simulator.run import Info, Item, ItemLevel, Run, require
from zaiko_shopify.simulator.state import HIGHEST, LOWEST

_KEY_LIFE = 24 * 3600.0
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")
_REASONS = (
    "correction",
    "cycle_count_available",
    "damaged",
    "movement_canceled",
    "movement_created",
    "movement_received",
    "movement_updated",
    "other",
    "promotion",
    "quality_control",
    "received",
    "reservation_created",
    "reservation_deleted",
    "reservation_updated",
    "restock",
    "safety_stock",
    "shrinkage",
)
_TWINS = "NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR"

Error = dict[str, Any]


def set_quantities(_: Any, info: Info, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002 - the argument's name
    """Do inventorySetQuantities: all or nothing."""
    run: Run = info.context
    require(run, "write_inventory", "inventorySetQuantities")
    if any("changeFromQuantity" not in entry for entry in input["quantities"]):
        raise GraphQLError(
            "InventoryQuantityInput must include the following argument: changeFromQuantity.",
            extensions={"code": "INVALID_FIELD_ARGUMENTS"},
        )
    return _once(info, run, input, lambda: _set(run, input), _stale_key)


def activate(
    _: Any,
    info: Info,
    inventoryItemId: str,  # noqa: N803
    locationId: str,  # noqa: N803
    **options: Any,
) -> dict[str, Any]:
    """Do inventoryActivate: stock an item at a location."""
    run: Run = info.context
    require(run, "write_inventory", "inventoryActivate")
    arguments = {"item": inventoryItemId, "location": locationId, **options}
    return _once(
        info,
        run,
        arguments,
        lambda: _activate(run, inventoryItemId, locationId, options),
        _plain_key_error,
    )


def update_item(_: Any, info: Info, id: str, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002 - the arguments' names
    """Do inventoryItemUpdate, of whose fields only `tracked` matters here."""
    run: Run = info.context
    require(run, "write_inventory", "inventoryItemUpdate")
    variant = run.shop.items.get(number_of(id, "InventoryItem") or 0)
    if variant is None:
        return {
            "inventoryItem": None,
            "userErrors": [_error(None, "The inventory item does not exist.", ["id"])],
        }
    variant.tracked = input.get("tracked", variant.tracked)
    return {"inventoryItem": Item(variant), "userErrors": []}


def run_bulk(_: Any, info: Info, query: str, groupObjects: bool = False) -> dict[str, Any]:  # noqa: N803
    """Do bulkOperationRunQuery."""
    run: Run = info.context
    operation, error = run.platform.bulk.begin(query)
    return {"bulkOperation": operation, "userErrors": [] if error is None else [error]}


def subscribe(
    _: Any,
    info: Info,
    topic: str,
    webhookSubscription: dict[str, Any],  # noqa: N803
) -> dict[str, Any]:
    """Do webhookSubscriptionCreate."""
    run: Run = info.context
    uri = webhookSubscription.get("uri") or ""
    if not uri.startswith("https://"):
        message = f"Address protocol {uri.split('//')[0]}// is not supported"
        return {
            "webhookSubscription": None,
            "userErrors": [_error(None, message, ["webhookSubscription", "callbackUrl"])],
        }
    number = run.shop.number()
    run.platform.webhooks.subscriptions[topic] = uri
    made = {"id": gid("WebhookSubscription", number), "topic": topic, "uri": uri}
    return {"webhookSubscription": made, "userErrors": []}


MUTATIONS: dict[str, dict[str, Callable[..., Any]]] = {
    "Mutation": {
        "bulkOperationRunQuery": run_bulk,
        "inventoryActivate": activate,
        "inventoryItemUpdate": update_item,
        "inventorySetQuantities": set_quantities,
        "webhookSubscriptionCreate": subscribe,
    }
}


def _once(
    info: Info,
    run: Run,
    arguments: dict[str, Any],
    work: Callable[[], dict[str, Any]],
    refusal: Callable[[str, str], dict[str, Any]],
) -> dict[str, Any]:
    """Apply the directive @idempotent: successes are remembered for a day, refusals too when the
    switch says so."""
    directive = info.schema.get_directive("idempotent")
    assert directive is not None
    given = get_directive_values(directive, info.field_nodes[0], info.variable_values)
    if not given or not str(given["key"]).strip():
        message = "The @idempotent directive is required for this mutation but was not provided."
        raise GraphQLError(message, extensions={"code": "BAD_REQUEST"})
    key, platform, now = str(given["key"]), run.platform, run.shop.monotonic()
    # The order of arguments changes the platform's fingerprint, so keys are not sorted here.
    fingerprint = json.dumps([info.field_name, arguments])
    kept = platform.keys.get(key)
    if platform.idempotency and kept is not None and now - kept.at < _KEY_LIFE:
        if kept.fingerprint != fingerprint:
            text = "The same idempotency key cannot be used with different operation parameters."
            return refusal("IDEMPOTENCY_KEY_PARAMETER_MISMATCH", text)
        if kept.payload is None:
            text = (
                "A previous request with this idempotency key failed. Retry with a new "
                "idempotency key."
            )
            return refusal("IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED", text)
        return kept.payload
    if platform.busy_keys > 0:
        platform.busy_keys -= 1
        return refusal(
            "IDEMPOTENCY_CONCURRENT_REQUEST",
            "This request is currently in progress, please try again.",
        )
    payload = work()
    if not payload["userErrors"]:
        platform.remember(key, fingerprint, payload, now)
    elif platform.failed_keys_remembered:
        platform.remember(key, fingerprint, None, now)
    return payload


def _stale_key(code: str, message: str) -> dict[str, Any]:
    return {"inventoryAdjustmentGroup": None, "userErrors": [_error(code, message, None)]}


def _plain_key_error(code: str, message: str) -> dict[str, Any]:
    return {"inventoryLevel": None, "userErrors": [_error(None, message, None)]}


def _set(run: Run, given: dict[str, Any]) -> dict[str, Any]:
    errors, targets = _judge(run, given)
    if errors:
        return {"inventoryAdjustmentGroup": None, "userErrors": errors}
    changes = []
    for variant, level, entry in targets:
        wanted = entry["quantity"] - (level.committed if given["name"] == "on_hand" else 0)
        if not variant.tracked:
            continue
        delta = run.shop.set_available(level, wanted) if wanted != level.available else 0
        variant.levels.setdefault(level.location.number, level)
        if delta:
            row = {
                "delta": delta,
                "quantityAfterChange": None,
                "item": Item(variant),
                "location": level.location,
            }
            changes += [{"name": "available", **row}, {"name": "on_hand", **row}]
            run.platform.counts["quantities_changed"] += 1
            run.platform.webhooks.level_changed(variant, level)
    if not changes:
        return {"inventoryAdjustmentGroup": None, "userErrors": []}
    group = {
        "id": gid("InventoryAdjustmentGroup", run.shop.number()),
        "createdAt": text_of(run.shop.now()),
        "reason": given["reason"],
        "referenceDocumentUri": given.get("referenceDocumentUri"),
        "changes": changes,
    }
    return {"inventoryAdjustmentGroup": group, "userErrors": []}


def _judge(
    run: Run, given: dict[str, Any]
) -> tuple[list[Error], list[tuple[SimVariant, SimLevel, dict[str, Any]]]]:
    errors: list[Error] = []
    targets = []
    name, uri = given["name"], given.get("referenceDocumentUri")
    if name not in ("available", "on_hand"):
        text = "The quantity name must be either 'available' or 'on_hand'."
        errors.append(_error("INVALID_NAME", text, ["input", "name"]))
    if given["reason"] not in _REASONS:
        text = f"The specified reason is invalid. Valid values are: {', '.join(_REASONS)}."
        errors.append(_error("INVALID_REASON", text, ["input", "reason"]))
    if uri is not None and not _URI.fullmatch(uri):
        text = "The specified reference document is invalid."
        errors.append(_error("INVALID_REFERENCE_DOCUMENT", text, ["input", "referenceDocumentUri"]))
    pairs = [(entry["inventoryItemId"], entry["locationId"]) for entry in given["quantities"]]
    stale = False
    for index, entry in enumerate(given["quantities"]):
        at = ["input", "quantities", str(index)]
        variant = run.shop.items.get(number_of(entry["inventoryItemId"], "InventoryItem") or 0)
        place = run.shop.locations.get(number_of(entry["locationId"], "Location") or 0)
        found = _entry_error(
            entry, variant is None, place is None, variant is not None and variant.bundle, name
        )
        if pairs.count(pairs[index]) > 1:
            code, text = (
                "NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR",
                "The combination of inventoryItemId and locationId must be unique.",
            )
            found = (code, text, "locationId")
        if found is not None:
            errors.append(_error(found[0], found[1], [*at, found[2]]))
            continue
        assert variant is not None
        assert place is not None
        # A level that never existed is written to nevertheless, and the shop does not sell from it.
        level = variant.levels.get(place.number) or SimLevel(place, active=False)
        held = level.on_hand if name == "on_hand" else level.available
        wanted = entry["changeFromQuantity"]
        stale = stale or (wanted is not None and wanted != held)
        targets.append((variant, level, entry))
    if stale and not errors:
        text = "The changeFromQuantity argument no longer matches the persisted quantity."
        errors.append(_error("CHANGE_FROM_QUANTITY_STALE", text, None))
    return errors, targets


def _entry_error(
    entry: dict[str, Any], no_item: bool, no_place: bool, bundle: bool, name: str
) -> tuple[str, str, str] | None:
    quantity = entry["quantity"]
    if no_item:
        return (
            "INVALID_INVENTORY_ITEM",
            "The specified inventory item could not be found.",
            "inventoryItemId",
        )
    if no_place:
        return "INVALID_LOCATION", "The specified location could not be found.", "locationId"
    if bundle:
        return (
            "NON_MUTABLE_INVENTORY_ITEM",
            "The inventory item is not allowed to be adjusted via API.",
            "inventoryItemId",
        )
    if quantity > HIGHEST:
        return (
            "INVALID_QUANTITY_TOO_HIGH",
            "The quantity can't be higher than 1,000,000,000.",
            "quantity",
        )
    if quantity < LOWEST:
        return (
            "INVALID_QUANTITY_TOO_LOW",
            "The quantity can't be lower than -1,000,000,000.",
            "quantity",
        )
    if quantity < 0 and name == "on_hand":
        return "INVALID_QUANTITY_NEGATIVE", "The quantity can't be negative.", "quantity"
    return None


def _activate(run: Run, item: str, location: str, options: dict[str, Any]) -> dict[str, Any]:
    shop, available, on_hand = run.shop, options.get("available"), options.get("onHand")
    variant = shop.items.get(number_of(item, "InventoryItem") or 0)
    place = shop.locations.get(number_of(location, "Location") or 0)

    def refused(message: str, *fields: str) -> dict[str, Any]:
        return {
            "inventoryLevel": None,
            "userErrors": [_error(None, message, [name]) for name in fields],
        }

    if variant is None:
        return refused(
            "The product couldn't be stocked because the product was deleted.", "inventoryItemId"
        )
    if place is None:
        return refused(
            "The product couldn't be stocked because the location wasn't found.", "locationId"
        )
    if available is not None and on_hand is not None:
        return refused("Cannot set both available and on hand quantities.", "available", "onHand")
    level = variant.levels.get(place.number)
    row = ItemLevel(Item(variant), level) if level else None
    if level is not None and level.active:
        if available is None and on_hand is None:
            return {"inventoryLevel": row, "userErrors": []}
        message = (
            "Not allowed to set available quantity when the item is already active at the location."
        )
        return {
            "inventoryLevel": row,
            "userErrors": [_error(None, message, ["available" if on_hand is None else "onHand"])],
        }
    level = level or SimLevel(place)
    level.active = True
    variant.levels[place.number] = level
    if available is not None:
        shop.set_available(level, available)
    elif on_hand is not None:
        shop.set_available(level, on_hand - level.committed)
    return {"inventoryLevel": ItemLevel(Item(variant), level), "userErrors": []}


def _error(code: str | None, message: str, path: list[str] | None) -> Error:
    return {"code": code, "field": path, "message": message}
