"""Bulk operations: a query that runs in the background, and its result as a JSONL file (FACTS.md
§10)."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLObjectType,
    OperationDefinitionNode,
    get_named_type,
)

from zaiko_shopify.simulator.documents import SCHEMA, checked
from zaiko_shopify.simulator.ids import gid, text_of
from zaiko_shopify.simulator.state import Shop

_AT_ONCE = 5
_MOST_CONNECTIONS, _DEEPEST = 5, 2


@dataclass(slots=True)
class BulkOperation:
    """One operation. Its file is written when it is first seen to be done."""

    id: str
    document: DocumentNode
    createdAt: str | None  # noqa: N815 - fields are resolved by their names in the schema
    done_at: float
    status: str = "CREATED"
    errorCode: str | None = None  # noqa: N815
    objectCount: str = "0"  # noqa: N815
    fileSize: str | None = None  # noqa: N815
    url: str | None = None
    partialDataUrl: str | None = None  # noqa: N815
    completedAt: str | None = None  # noqa: N815


class BulkOperations:
    """The shop's bulk operations. `execute` runs a document without paging and returns its data."""

    def __init__(self, shop: Shop, execute: Callable[[DocumentNode], Any]) -> None:
        self._shop, self._execute = shop, execute
        self.operations: dict[str, BulkOperation] = {}
        self.files: dict[str, str] = {}
        self.base_url = ""
        self.seconds = 0.0
        self.outcome = "COMPLETED"

    def begin(self, query: str) -> tuple[BulkOperation | None, dict[str, Any] | None]:
        """Start an operation, and return it, or the user error that says why not."""
        document, errors = checked(query)
        problem = errors[0]["message"] if errors else _broken_rule(document)
        if document is None or problem:
            return None, {"code": "INVALID", "field": ["query"], "message": problem}
        if (
            sum(1 for row in self.operations.values() if self._state(row) in ("CREATED", "RUNNING"))
            >= _AT_ONCE
        ):
            text = "The maximum number of bulk query operations is already running."
            return None, {"code": "OPERATION_IN_PROGRESS", "field": None, "message": text}
        done_at = self._shop.monotonic() + self.seconds
        operation = BulkOperation(
            gid("BulkOperation", self._shop.number()), document, text_of(self._shop.now()), done_at
        )
        self.operations[operation.id] = operation
        return operation, None

    def polled(self, identity: str) -> BulkOperation | None:
        """Return the operation as it is now."""
        operation = self.operations.get(identity)
        if operation is not None:
            operation.status = self._state(operation)
            if operation.status == "COMPLETED" and operation.completedAt is None:
                self._write(operation)
        return operation

    def _state(self, operation: BulkOperation) -> str:
        if operation.status in ("CREATED", "RUNNING"):
            return self.outcome if self._shop.monotonic() >= operation.done_at else "RUNNING"
        return operation.status

    def _write(self, operation: BulkOperation) -> None:
        lines = list(_lines(self._execute(operation.document)))
        now: datetime = self._shop.now()
        operation.completedAt, operation.objectCount = text_of(now), str(len(lines))
        if lines:
            name = secrets.token_hex(16)
            self.files[name] = (
                "\n".join(json.dumps(line, separators=(",", ":")) for line in lines) + "\n"
            )
            operation.url, operation.fileSize = (
                f"{self.base_url}/bulk/{name}.jsonl",
                str(len(self.files[name])),
            )


def _lines(data: Any) -> Iterator[dict[str, Any]]:
    for value in data.values():
        yield from _connection_lines(value, None)


def _connection_lines(connection: Any, parent: str | None) -> Iterator[dict[str, Any]]:
    for edge in connection["edges"]:
        node = edge["node"]
        plain = {
            name: value
            for name, value in node.items()
            if not (isinstance(value, dict) and "edges" in value)
        }
        yield plain if parent is None else {**plain, "__parentId": parent}
        for value in node.values():
            if isinstance(value, dict) and "edges" in value:
                yield from _connection_lines(value, node["id"])


def _broken_rule(document: DocumentNode | None) -> str:
    """Return the platform's rule for bulk queries that this document breaks, or an empty text."""
    operations = (
        [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
        if document
        else []
    )
    if len(operations) != 1 or operations[0].variable_definitions:
        return "Bulk queries must be a single operation without variables."
    roots = [node for node in operations[0].selection_set.selections if isinstance(node, FieldNode)]
    if len(roots) != 1 or roots[0].name.value in ("node", "nodes"):
        return "Bulk queries must have exactly one top-level field, other than node and nodes."
    found: list[int] = []
    problem = _walk(roots[0], SCHEMA.query_type, 0, found)
    if problem:
        return problem
    if not found:
        return "Bulk queries must contain at least one connection."
    return (
        "Bulk queries cannot contain more than 5 connections."
        if len(found) > _MOST_CONNECTIONS
        else ""
    )


def _walk(node: FieldNode, parent: Any, depth: int, found: list[int]) -> str:
    kind = get_named_type(parent.fields[node.name.value].type)
    if not isinstance(kind, GraphQLObjectType):
        return ""
    children = (
        [child for child in node.selection_set.selections if isinstance(child, FieldNode)]
        if node.selection_set
        else []
    )
    if kind.name.endswith("Connection"):
        depth += 1
        found.append(depth)
        if depth > _DEEPEST:
            return "Bulk queries cannot contain connections with a nesting depth greater than 2."
        if any(child.name.value == "nodes" for child in children):
            return "Bulk queries must select edges { node }, not nodes."
    for child in children:
        problem = _walk(child, kind, depth, found)
        if problem:
            return problem
    return ""
