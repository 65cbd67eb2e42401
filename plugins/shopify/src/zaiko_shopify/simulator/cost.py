"""What a request costs (the fitted model of FACTS.md §7), and the bucket that it is taken from."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLNamedType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
    is_list_type,
)

MUTATION = COUNT = 10


@dataclass(slots=True)
class Bucket:
    """A leaky bucket: `maximum` points, refilled at `restore` a second."""

    maximum: float
    restore: float
    clock: Callable[[], float]
    available: float = 0.0
    at: float = 0.0

    def __post_init__(self) -> None:
        self.available, self.at = self.maximum, self.clock()

    def take(self, cost: float) -> bool:
        """Take `cost` points, if the bucket has them, and return whether it did."""
        self.refill()
        if self.available < cost:
            return False
        self.available -= cost
        return True

    def refund_points(self, cost: float) -> None:
        """Return points that were not used to the bucket."""
        self.available = min(self.maximum, self.available + cost)

    def refill(self) -> None:
        """Refill the bucket up to now."""
        now = self.clock()
        self.available = min(self.maximum, self.available + (now - self.at) * self.restore)
        self.at = now


class CostModel:
    """Prices one operation of one document."""

    def __init__(
        self,
        schema: GraphQLSchema,
        document: DocumentNode,
        operation: OperationDefinitionNode,
        variables: Mapping[str, Any],
    ) -> None:
        self._schema, self._operation, self._variables = schema, operation, variables
        self._fragments = {
            node.name.value: node
            for node in document.definitions
            if isinstance(node, FragmentDefinitionNode)
        }

    def requested(self) -> int:
        """Return what the request may cost at most. The bucket must hold it before it runs."""
        return self._price(None, known=False)

    def actual(self, data: Any) -> int:
        """Return what the request cost, by the rows that came."""
        return self._price(data, known=True)

    def _price(self, data: Any, *, known: bool) -> int:
        writing = self._operation.operation is OperationType.MUTATION
        root = self._schema.mutation_type if writing else self._schema.query_type
        total = 0
        for node, parent in self._fields(self._operation.selection_set, root):
            value = data.get(_key(node)) if known and isinstance(data, dict) else None
            if not writing:
                total += self._field(node, parent, value, known=known)
                continue
            # The payload and the objects directly in it are free.
            total += MUTATION
            payload = get_named_type(parent.fields[node.name.value].type)
            for child, owner in self._fields(node.selection_set, payload):
                inner = value.get(_key(child)) if isinstance(value, dict) else None
                if not known or inner is not None:
                    total += max(0, self._field(child, owner, inner, known=known) - 1)
        return total

    def _field(self, node: FieldNode, parent: Any, value: Any, *, known: bool) -> int:
        name = node.name.value
        if name.startswith("__") or name == "userErrors" or (known and value is None):
            return 0
        kind = parent.fields[name].type
        named = get_named_type(kind)
        if is_leaf_type(named):
            return 0
        if named.name == "Count":
            return COUNT
        if named.name.endswith("Connection"):
            return self._connection(node, named, value, known=known)
        if is_list_type(get_nullable_type(kind)):
            rows = [row for row in value if row is not None] if known else [None]
            return 1 + max(
                (self._children(node.selection_set, named, row, known=known) for row in rows),
                default=0,
            )
        return 1 + self._children(node.selection_set, named, value, known=known)

    def _connection(self, node: FieldNode, named: Any, value: Any, *, known: bool) -> int:
        row_type = get_named_type(named.fields["nodes"].type)
        each = 0
        rows: list[Any] = []
        for child, _ in self._fields(node.selection_set, named):
            inner = value.get(_key(child)) if known else None
            if child.name.value == "nodes":
                rows = inner or []
                each += self._most(child.selection_set, row_type, rows, known=known)
            elif child.name.value == "edges":
                rows = inner or []
                for grandchild, _ in self._fields(child.selection_set, named.fields["edges"].type):
                    if grandchild.name.value == "node":
                        nodes = [row.get(_key(grandchild)) for row in rows]
                        each += self._most(grandchild.selection_set, row_type, nodes, known=known)
        count = len(rows) if known else self._size(node)
        return 2 if known and count == 0 else 2 + _factor(count) * (1 + each)

    def _most(
        self, selections: SelectionSetNode | None, kind: Any, rows: Any, *, known: bool
    ) -> int:
        return max(
            (
                self._children(selections, kind, row, known=known)
                for row in (rows if known else [None])
            ),
            default=0,
        )

    def _children(
        self,
        selections: SelectionSetNode | None,
        kind: GraphQLNamedType,
        value: Any,
        *,
        known: bool,
    ) -> int:
        """Return the sum over an object's fields, with the dearest of fragments on several
        types."""
        plain = 0
        branches: dict[str, int] = {}
        for node, owner in self._fields(selections, kind):
            inner = value.get(_key(node)) if known and isinstance(value, dict) else None
            price = self._field(node, owner, inner, known=known)
            if owner.name == kind.name:
                plain += price
            else:
                branches[owner.name] = branches.get(owner.name, 0) + price
        return plain + max(branches.values(), default=0)

    def _fields(
        self, selections: SelectionSetNode | None, kind: Any
    ) -> list[tuple[FieldNode, Any]]:
        found: list[tuple[FieldNode, Any]] = []
        for node in selections.selections if selections else ():
            if isinstance(node, FieldNode):
                found.append((node, kind))
            elif isinstance(node, InlineFragmentNode):
                on = (
                    self._schema.get_type(node.type_condition.name.value)
                    if node.type_condition
                    else kind
                )
                found += self._fields(node.selection_set, on)
            elif isinstance(node, FragmentSpreadNode):
                fragment = self._fragments[node.name.value]
                found += self._fields(
                    fragment.selection_set,
                    self._schema.get_type(fragment.type_condition.name.value),
                )
        return found

    def _size(self, node: FieldNode) -> int:
        for argument in node.arguments or ():
            if argument.name.value in ("first", "last"):
                if isinstance(argument.value, IntValueNode):
                    return int(argument.value.value)
                if isinstance(argument.value, VariableNode):
                    return int(self._variables.get(argument.value.name.value) or 0)
        return 0


def _factor(rows: int) -> int:
    return max(1, math.floor(2 * math.log(rows))) if rows > 0 else 1


def _key(node: FieldNode) -> str:
    return node.alias.value if node.alias else node.name.value
