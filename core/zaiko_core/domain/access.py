"""Who may do what: permissions, roles, and the one who calls (ADR 0015)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Permission(StrEnum):
    """Noun and verb. `.read` shows, everything else changes."""

    CONNECTORS_READ = "connectors.read"
    LINKS_READ = "links.read"
    LINKS_WRITE = "links.write"
    MERCHANTS_READ = "merchants.read"
    MERCHANTS_WRITE = "merchants.write"
    MERCHANTS_CREATE = "merchants.create"
    OPERATIONS_READ = "operations.read"
    OPERATIONS_CANCEL = "operations.cancel"
    ORDERS_READ = "orders.read"
    ORDERS_WRITE = "orders.write"
    PRODUCTS_READ = "products.read"
    PRODUCTS_WRITE = "products.write"
    SERVER_INSPECT = "server.inspect"
    SHOPS_READ = "shops.read"
    SHOPS_RUN = "shops.run"
    """Pause, resume, check, read listings again."""
    SHOPS_WRITE = "shops.write"
    """Also credentials: who can change a shop's address can have them sent there."""
    STOCK_READ = "stock.read"
    STOCK_RESERVE = "stock.reserve"
    STOCK_WRITE = "stock.write"
    SYNC_READ = "sync.read"
    SYNC_RUN = "sync.run"
    TOKENS_READ = "tokens.read"
    TOKENS_WRITE = "tokens.write"
    WAREHOUSES_READ = "warehouses.read"
    WAREHOUSES_WRITE = "warehouses.write"


class Role(StrEnum):
    """A set of permissions; each holds all of the one before it."""

    READER = "READER"
    OPERATOR = "OPERATOR"
    INTEGRATOR = "INTEGRATOR"
    ADMIN = "ADMIN"


_P = Permission
_FOR_ALL: Final = frozenset({_P.MERCHANTS_CREATE, _P.SERVER_INSPECT})
"""Concern more than some merchants: only with all of them."""
_READER: Final = frozenset(
    item for item in _P if item.endswith(".read") and item is not _P.TOKENS_READ
)
_OPERATOR: Final = _READER | {
    _P.LINKS_WRITE,
    _P.OPERATIONS_CANCEL,
    _P.ORDERS_WRITE,
    _P.SHOPS_RUN,
    _P.STOCK_RESERVE,
    _P.SYNC_RUN,
}
_INTEGRATOR: Final = _OPERATOR | {
    _P.PRODUCTS_WRITE,
    _P.SHOPS_WRITE,
    _P.STOCK_WRITE,
    _P.WAREHOUSES_WRITE,
}

PERMISSIONS: Final[Mapping[Role, frozenset[Permission]]] = {
    Role.READER: _READER,
    Role.OPERATOR: _OPERATOR,
    Role.INTEGRATOR: _INTEGRATOR,
    Role.ADMIN: frozenset(_P),
}


@dataclass(frozen=True, slots=True)
class Principal:
    """The one who calls. `id` is the token's (empty: any caller of a server that asks for none);
    `merchants` None: all of them, also those that are yet to come; times in µs since 1970."""

    id: str
    role: Role
    merchants: frozenset[str] | None
    expires_at: int | None = None

    def may(self, permission: Permission) -> bool:
        """Return whether the role allows it, in the merchants that the principal reaches."""
        return permission in PERMISSIONS[self.role] and (
            self.merchants is None or permission not in _FOR_ALL
        )

    def reaches(self, merchant: str) -> bool:
        """Return whether the merchant is one of its own."""
        return self.merchants is None or merchant in self.merchants

    def covers(self, role: Role, merchants: frozenset[str] | None) -> bool:
        """Return whether it has at least this role and these merchants, so that it may grant and
        revoke them."""
        if merchants is None or self.merchants is None:
            return self.merchants is None and PERMISSIONS[role] <= PERMISSIONS[self.role]
        return merchants <= self.merchants and PERMISSIONS[role] <= PERMISSIONS[self.role]


LOCAL: Final = Principal("", Role.ADMIN, None)
"""Any caller of a server that asks for no tokens, and the operator who holds the database."""
