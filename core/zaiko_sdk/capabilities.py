"""What a connector may promise. A capability that is not declared is absent: the host never assumes
one."""

from __future__ import annotations

import enum


class Capability(enum.StrEnum):
    """One promise of a connector about its platform. The host relies on each one that is
    declared."""

    FETCH_ORDERS = "fetch_orders"
    """`fetch_orders` delivers new orders."""

    ORDER_UPDATES = "order_updates"
    """`fetch_orders` also delivers an order again when it was edited, shipped or cancelled. Without
    it the host reads every open order again by `read_orders`."""

    READ_ORDERS = "read_orders"
    """`read_orders` reads chosen orders by id. An id that is missing from the answer has vanished
    from the shop."""

    LIST_LISTINGS = "list_listings"
    """`list_listings` delivers the whole catalogue."""

    READ_INVENTORY = "read_inventory"
    """`read_inventory` returns the number that the shop shows now. Every inventory mode needs
    it."""

    SET_INVENTORY = "set_inventory"
    """`set_inventory` changes the number. Without it the host refuses to sync links, with a
    reason."""

    WEBHOOKS = "webhooks"
    """`parse_webhook` verifies and reads the platform's own notifications."""


class InventoryMode(enum.StrEnum):
    """How the platform lets a number be changed. It decides how the host keeps a write from
    overwriting an order (the fence, ADR 0004)."""

    COMPARE_AND_SET = "compare_and_set"
    """The write is refused unless the shop still shows `InventoryWrite.expected`."""

    ADJUST = "adjust"
    """The write is relative: it adds `InventoryWrite.delta`. Orders that nobody has fetched yet
    stay in the result."""

    SET = "set"
    """The write is absolute and unconditional. The host reads before it and verifies after it."""
