"""What a connector may promise. A capability that is not declared is absent: unknown never means
yes."""

from __future__ import annotations

import enum


class Capability(enum.StrEnum):
    """One promise of a connector about its platform; the host relies on each that is declared."""

    FETCH_ORDERS = "fetch_orders"
    """`fetch_orders` delivers new orders."""

    ORDER_UPDATES = "order_updates"
    """`fetch_orders` also delivers an order again when it was edited, shipped or cancelled.
    Without it the host re-reads every open order by `read_orders` in each cycle."""

    READ_ORDERS = "read_orders"
    """`read_orders` reads chosen orders by id; an id that is missing from the answer has vanished
    from the shop."""

    LIST_LISTINGS = "list_listings"
    """`list_listings` delivers the whole catalogue."""

    READ_INVENTORY = "read_inventory"
    """`read_inventory` tells the number that the shop shows now. Every fence needs it."""

    SET_INVENTORY = "set_inventory"
    """`set_inventory` changes the number. Without it links cannot be synced, and enabling is
    refused with a reason."""

    WEBHOOKS = "webhooks"
    """`parse_webhook` verifies and reads the platform's own notifications."""


class InventoryMode(enum.StrEnum):
    """How the platform lets a number be changed; it decides which fence the host uses (ADR
    0004)."""

    COMPARE_AND_SET = "compare_and_set"
    """The write is refused unless the shop still shows `InventoryWrite.expected`."""

    ADJUST = "adjust"
    """The write is relative: it adds `InventoryWrite.delta`, so it commutes with orders nobody has
    fetched yet."""

    SET = "set"
    """The write is absolute and unconditional: the host reads before it and verifies after it."""
