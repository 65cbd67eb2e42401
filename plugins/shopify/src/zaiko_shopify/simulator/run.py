"""One execution of a document: what it runs on, what global ids name, and what the app may see."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from graphql import GraphQLError, GraphQLResolveInfo, GraphQLSchema

from zaiko_shopify.simulator.ids import number_of
from zaiko_shopify.simulator.platform_state import PlatformState
from zaiko_shopify.simulator.records import SimLevel, SimLocation, SimOrder, SimProduct, SimVariant
from zaiko_shopify.simulator.state import Shop

if TYPE_CHECKING:
    Info = GraphQLResolveInfo[Any]
else:
    Info = GraphQLResolveInfo


@dataclass(frozen=True, slots=True)
class Item:
    """The inventory item side of a variant."""

    variant: SimVariant


@dataclass(frozen=True, slots=True)
class ItemLevel:
    """A level, knowing its item."""

    item: Item
    level: SimLevel


@dataclass(slots=True)
class Run:
    """One execution. `debug`: the search block was asked for. `bulk`: paging is off."""

    platform: PlatformState
    bulk: bool = False
    debug: bool = False
    searches: list[dict[str, Any]] = field(default_factory=list)

    @property
    def shop(self) -> Shop:
        """The shop that is asked about."""
        return self.platform.shop


def node_of(run: Run, identity: str) -> Any:
    """Return what a global id names, or None."""
    shop = run.shop
    found: Callable[[str, Mapping[int, Any]], Any] = lambda kind, rows: rows.get(  # noqa: E731
        number_of(identity, kind) or 0
    )
    variant = found("InventoryItem", shop.items)
    if variant is not None:
        return Item(variant)
    return (
        found("ProductVariant", shop.variants)
        or found("Order", shop.orders)
        or found("Location", shop.locations)
        or run.platform.bulk.operations.get(identity)
    )


def require(run: Run, scope: str, what: str) -> None:
    """Check that the app has this scope. Raises ACCESS_DENIED."""
    scopes = run.platform.scopes
    if scope in scopes or scope.replace("read_", "write_") in scopes:
        return
    raise GraphQLError(
        f"Access denied for {what} field. Required access: `{scope}` access scope.",
        extensions={
            "code": "ACCESS_DENIED",
            "documentation": "https://shopify.dev/api/usage/access-scopes",
            "requiredAccess": f"`{scope}` access scope.",
        },
    )


def attach(
    schema: GraphQLSchema, resolvers: Mapping[str, Mapping[str, Callable[..., Any]]]
) -> None:
    """Put resolvers on the fields of a schema."""
    for name, fields in resolvers.items():
        kind: Any = schema.type_map[name]
        for each, resolve in fields.items():
            kind.fields[each].resolve = resolve


_TYPE_NAMES = {
    Item: "InventoryItem",
    ItemLevel: "InventoryLevel",
    SimLocation: "Location",
    SimOrder: "Order",
    SimProduct: "Product",
    SimVariant: "ProductVariant",
}


def type_name(value: Any, *_: Any) -> str:
    """Return the type of the schema that implements Node for this object."""
    return _TYPE_NAMES.get(type(value), type(value).__name__)


def run_of(info: Info) -> Run:
    """Return the execution that a resolver works for."""
    run = info.context
    assert isinstance(run, Run)
    return run
