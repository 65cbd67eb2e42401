"""Resource names: build them from ids, and parse ids from them. No other module does either."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from zaiko_server.refusals import InvalidName

CHOSEN_ID: Final = r"[a-z][a-z0-9-]{0,61}[a-z0-9]"
"""The ids that clients choose."""
_MADE_ID = r"[a-z0-9][a-z0-9-]{0,79}"
_ESCAPED_ID = r"(?:[A-Za-z0-9.-]|_[0-9a-f]{2}){1,2000}"

_IDS: Mapping[str, str] = {
    "merchants": CHOSEN_ID,
    "warehouses": CHOSEN_ID,
    "products": CHOSEN_ID,
    "shops": CHOSEN_ID,
    "listings": _MADE_ID,
    "links": _MADE_ID,
    "runs": _MADE_ID,
    "orders": _ESCAPED_ID,
    "movements": _MADE_ID,
    "oversells": _MADE_ID,
    "additions": _MADE_ID,
    "operations": _MADE_ID,
    "connectors": CHOSEN_ID,
    "tokens": CHOSEN_ID,
}

ANY: Final = "-"
"""Stands for a shop's id, and means all shops of the merchant."""


@dataclass(frozen=True)
class Name:
    """One kind of name: its collections in order, and the fixed last part of a singleton."""

    kind: str
    collections: tuple[str, ...]
    last: str = ""

    def __call__(self, *ids: str) -> str:
        """Return the name of the resource with these ids, outermost first."""
        return self._form % ids

    @cached_property
    def _form(self) -> str:
        parts = [part for collection in self.collections for part in (collection, "%s")]
        return "/".join([*parts, self.last] if self.last else parts)

    def ids(self, name: str, *, wildcard: bool = False) -> tuple[str, ...]:
        """Return the ids in a name, outermost first. With `wildcard` the last id may be `-`, and is
        returned as such. Raises InvalidName."""
        found = self._pattern(wildcard).fullmatch(name)
        if found is None:
            raise InvalidName([("name", "name.form", self.complaint(name, wildcard=wildcard))])
        return found.groups()

    def matches(self, name: str, *, wildcard: bool = False) -> bool:
        """Return whether it is a name of this kind."""
        return self._pattern(wildcard).fullmatch(name) is not None

    def complaint(self, name: str, *, wildcard: bool = False) -> str:
        """Return the error text for a name that does not match."""
        or_all = ", or - in place of the last id" if wildcard else ""
        return (
            f"{name[:200]!r} is not the name of a {self.kind}: use {self.template}{or_all}, as "
            "the server returned it"
        )

    @property
    def template(self) -> str:
        """The form of the name, for people."""
        return self(*("{" + _singular(collection) + "}" for collection in self.collections))

    def _pattern(self, wildcard: bool) -> re.Pattern[str]:
        return self._or_any if wildcard else self._plain

    @cached_property
    def _plain(self) -> re.Pattern[str]:
        return re.compile(self(*(f"({_IDS[collection]})" for collection in self.collections)))

    @cached_property
    def _or_any(self) -> re.Pattern[str]:
        *ids, last = (f"({_IDS[collection]})" for collection in self.collections)
        return re.compile(self(*ids, last[:-1] + "|-)"))


MERCHANT = Name("merchant", ("merchants",))
WAREHOUSE = Name("warehouse", ("merchants", "warehouses"))
PRODUCT = Name("product", ("merchants", "products"))
STOCK = Name("stock", ("merchants", "products"), "stock")
MOVEMENT = Name("movement", ("merchants", "movements"))
OVERSELL = Name("oversell", ("merchants", "oversells"))
ADDITION = Name("addition", ("merchants", "additions"))
SHOP = Name("shop", ("merchants", "shops"))
LISTING = Name("listing", ("merchants", "shops", "listings"))
LINK = Name("link", ("merchants", "shops", "links"))
RUN = Name("run", ("merchants", "shops", "runs"))
ORDER = Name("order", ("merchants", "shops", "orders"))
OPERATION = Name("operation", ("merchants", "operations"))
CONNECTOR = Name("connector", ("connectors",))
TOKEN = Name("token", ("tokens",))

ALL = (
    MERCHANT,
    WAREHOUSE,
    PRODUCT,
    STOCK,
    MOVEMENT,
    OVERSELL,
    ADDITION,
    SHOP,
    LISTING,
    LINK,
    RUN,
    ORDER,
    OPERATION,
    CONNECTOR,
    TOKEN,
)


def order_id(external_id: str) -> str:
    """Escape a platform's order id, which may contain any character, as the last part of a name.
    Reversible by `external_order_id`. Never change it: clients store these names."""
    plain = re.compile(r"[A-Za-z0-9.-]")
    return "".join(
        char if plain.fullmatch(char) else "".join(f"_{byte:02x}" for byte in char.encode())
        for char in external_id
    )


def external_order_id(order: str) -> str:
    """Return the platform's id of an escaped order id. Raises InvalidName."""
    raw = re.sub(rb"_([0-9a-f]{2})", lambda found: bytes.fromhex(found[1].decode()), order.encode())
    try:
        return raw.decode()
    except UnicodeDecodeError:
        text = f"{order!r} is not the id of an order; use names as the server returned them"
        raise InvalidName([("name", "name.form", text)]) from None


def movement_id(seq: int) -> str:
    """Return the id of a movement, padded so that names sort in the order of recording."""
    return f"{seq:016d}"


def merchant_of(name: str) -> str:
    """Return the merchant's id in any name below a merchant, or an empty text."""
    parts = name.split("/", 2)
    return parts[1] if len(parts) > 1 and parts[0] == "merchants" else ""


def kind_of(name: str) -> str:
    """Return the kind of a name, or an empty text."""
    return next((template.kind for template in ALL if template.matches(name)), "")


def _singular(collection: str) -> str:
    return collection.removesuffix("s")
