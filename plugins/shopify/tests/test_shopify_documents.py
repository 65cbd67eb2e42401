"""Every document is valid, costs what it says, and asks for nobody's personal data."""

from __future__ import annotations

import gzip
import json
import os
import re
from pathlib import Path

import pytest
import zaiko_shopify
from graphql import GraphQLSchema, OperationDefinitionNode, build_client_schema, parse, validate
from zaiko_shopify.documents import (
    API_VERSION,
    CHANGES_PAGE,
    DOCUMENTS,
    LINES_PAGE,
    LISTINGS_PAGE,
    Document,
    bulk_listings,
)
from zaiko_shopify.simulator.cost import CostModel
from zaiko_shopify.simulator.documents import SCHEMA

PAGES = {"Listings": LISTINGS_PAGE, "OrderChanges": CHANGES_PAGE, "OrderLines": LINES_PAGE}
REAL = os.environ.get("ZAIKO_SHOPIFY_SCHEMA", "")
"""The file admin_2026-10.json.gz of the npm package @shopify/dev-mcp, where somebody has it."""


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_every_document_is_valid_against_the_simulators_schema(document: Document) -> None:
    assert validate(SCHEMA, parse(document.text)) == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_every_document_costs_what_it_says(document: Document) -> None:
    parsed = parse(document.text)
    operation = next(
        node for node in parsed.definitions if isinstance(node, OperationDefinitionNode)
    )

    assert (
        CostModel(SCHEMA, parsed, operation, {"first": PAGES.get(document.name)}).requested()
        == document.cost
    )
    assert document.cost <= 1000


def test_the_bulk_query_is_valid() -> None:
    assert validate(SCHEMA, parse(bulk_listings("gid://shopify/Location/4"))) == []


@pytest.mark.skipif(
    not REAL,
    reason="needs Shopify's full schema: set ZAIKO_SHOPIFY_SCHEMA to admin_2026-10.json.gz",
)
def test_documents_and_the_simulators_schema_agree_with_shopifys_own() -> None:
    real = build_client_schema(
        json.loads(gzip.decompress(Path(REAL).read_bytes()))["data"], assume_valid=True
    )

    for text in [
        *(document.text for document in DOCUMENTS),
        bulk_listings("gid://shopify/Location/4"),
    ]:
        assert validate(real, parse(text)) == []
    assert _differences(SCHEMA, real) == []


def test_no_document_asks_for_a_buyers_personal_data() -> None:
    words = re.compile(
        r"customer|email|phone|address|firstName|lastName|note|browserIp", re.IGNORECASE
    )

    assert [document.name for document in DOCUMENTS if words.search(document.text)] == []


def test_the_api_version_is_named_in_one_place() -> None:
    source = Path(zaiko_shopify.__file__).parent
    naming = {path.name for path in source.glob("*.py") if API_VERSION in path.read_text("utf-8")}

    assert naming == {"documents.py"}


def _differences(mine: GraphQLSchema, real: GraphQLSchema) -> list[str]:
    found = []
    for name, kind in mine.type_map.items():
        theirs = real.type_map.get(name)
        for field, declared in getattr(kind, "fields", {}).items():
            if name.startswith("__"):
                continue
            other = getattr(theirs, "fields", {}).get(field)
            if other is None or str(other.type) != str(declared.type):
                found.append(f"{name}.{field}")
                continue
            arguments = getattr(declared, "args", {})
            found += [
                f"{name}.{field}({argument})"
                for argument in arguments
                if argument not in other.args
                or str(other.args[argument].type) != str(arguments[argument].type)
            ]
        found += [
            f"{name}.{value}"
            for value in getattr(kind, "values", {})
            if value not in getattr(theirs, "values", {})
        ]
    return found
