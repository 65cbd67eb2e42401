"""ecforce's JSON:API-like documents: rows, the resources included with them, and the paging that
`meta` reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from zaiko_sdk import ContractBroken
from zaiko_sdk.fields import whole

from zaiko_ecforce.fields import EcforceFields


@dataclass(frozen=True, slots=True)
class Resource:
    """One row, or one included resource. `id` is text whatever the platform sent."""

    id: str
    type: str
    attributes: Mapping[str, Any]
    relationships: Mapping[str, Any]

    @property
    def fields(self) -> EcforceFields:
        """The attributes, with typed access."""
        return EcforceFields(f"{self.type} {self.id}", self.attributes)


@dataclass(frozen=True, slots=True)
class Document:
    """One reply of a list (or of one resource: a list of one). `malformed` counts rows that had no
    usable id."""

    rows: Sequence[Resource]
    included: Mapping[tuple[str, str], Resource]
    meta: Mapping[str, Any] = field(default_factory=dict)
    malformed: int = 0

    def is_last(self, page: int, per: int) -> bool:
        """Return whether nothing follows page number `page`, asked for with `per` rows.
        `total_pages` may be missing or 0."""
        total = whole(self.meta.get("total_pages")) or 0
        if total > 0:
            return page >= total
        capped = whole(self.meta.get("per")) or per
        return len(self.rows) + self.malformed < min(per, capped if capped > 0 else per)

    def linked(self, row: Resource, name: str) -> list[Resource] | None:
        """Return what `row` points to under `name`, or None when the row says nothing about it.
        Raises ContractBroken when something pointed to was not included."""
        for key, relation in row.relationships.items():
            if _plain(key) == _plain(name):
                return [self._resolve(row, name, link) for link in _links(row, name, relation)]
        return None

    def _resolve(self, row: Resource, name: str, link: Any) -> Resource:
        identifier = link.get("id") if isinstance(link, dict) else None
        kind = link.get("type") if isinstance(link, dict) else None
        if isinstance(identifier, bool) or not isinstance(identifier, str | int):
            raise ContractBroken(f"{row.type} {row.id} points to {name} without an id")
        key = (_plain(kind if isinstance(kind, str) else name), str(identifier))
        if key not in self.included:
            raise ContractBroken(
                f"{row.type} {row.id} points to {name} {key[1]}, which was not included"
            )
        return self.included[key]


def read_document(body: Any, *, what: str) -> Document:
    """Parse a reply. Raises ContractBroken when it is not such a document; single bad rows are only
    counted."""
    if not isinstance(body, dict) or "data" not in body:
        raise ContractBroken(f"the reply for {what} has no `data`")
    data = body["data"]
    rows = data if isinstance(data, list) else [] if data is None else [data]
    good = [row for row in map(_resource, rows) if row is not None]
    included = body.get("included")
    extra = [
        row
        for row in map(_resource, included if isinstance(included, list) else [])
        if row is not None
    ]
    meta = body.get("meta")
    return Document(
        rows=good,
        included={(_plain(row.type), row.id): row for row in extra},
        meta=meta if isinstance(meta, dict) else {},
        malformed=len(rows) - len(good),
    )


def _resource(row: Any) -> Resource | None:
    if not isinstance(row, dict):
        return None
    attributes, relationships, kind = (
        row.get("attributes"),
        row.get("relationships"),
        row.get("type"),
    )
    attributes = attributes if isinstance(attributes, dict) else {}
    for identifier in (row.get("id"), attributes.get("id")):
        if (
            isinstance(identifier, str | int)
            and not isinstance(identifier, bool)
            and str(identifier)
        ):
            return Resource(
                id=str(identifier),
                type=kind if isinstance(kind, str) else "",
                attributes=attributes,
                relationships=relationships if isinstance(relationships, dict) else {},
            )
    return None


def _links(row: Resource, name: str, relation: Any) -> list[Any]:
    data = relation.get("data") if isinstance(relation, dict) else None
    if data is None and not (isinstance(relation, dict) and "data" in relation):
        raise ContractBroken(f"{row.type} {row.id} has {name} without data")
    return data if isinstance(data, list) else [] if data is None else [data]


def _plain(name: str) -> str:
    """Return one spelling for `order-item`, `order_items` and `order_item`, which the platform
    mixes."""
    return name.lower().replace("-", "_").removesuffix("s")
