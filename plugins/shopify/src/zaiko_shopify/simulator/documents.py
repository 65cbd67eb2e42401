"""Parses and validates the documents that requests send, with the platform's codes for their
errors."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from typing import Any

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    build_schema,
    parse,
    specified_rules,
    validate,
)
from graphql.validation import (
    FieldsOnCorrectTypeRule,
    KnownArgumentNamesRule,
    KnownDirectivesRule,
    KnownTypeNamesRule,
    NoUnusedVariablesRule,
    ProvidedRequiredArgumentsRule,
    ScalarLeafsRule,
    ValuesOfCorrectTypeRule,
)

_CODES = {
    FieldsOnCorrectTypeRule: "undefinedField",
    KnownArgumentNamesRule: "argumentNotAccepted",
    KnownDirectivesRule: "undefinedDirective",
    KnownTypeNamesRule: "undefinedType",
    NoUnusedVariablesRule: "variableNotUsed",
    ProvidedRequiredArgumentsRule: "missingRequiredArguments",
    ScalarLeafsRule: "selectionMismatch",
    ValuesOfCorrectTypeRule: "argumentLiteralsIncompatible",
}


def load_schema() -> GraphQLSchema:
    """Return a fresh copy of the schema, to which resolvers are attached."""
    return build_schema(
        resources.files("zaiko_shopify.simulator").joinpath("schema.graphql").read_text("utf-8")
    )


SCHEMA = load_schema()


@lru_cache(maxsize=256)
def checked(text: str) -> tuple[DocumentNode | None, tuple[dict[str, Any], ...]]:
    """Return the document, or what is wrong with it. The texts of validation are graphql-core's,
    the codes the platform's."""
    try:
        document = parse(text)
    except GraphQLSyntaxError as broken:
        return None, (_shape(broken, "PARSE_ERROR"),)
    errors = []
    for rule in specified_rules:
        code = _CODES.get(rule, rule.__name__.removesuffix("Rule"))
        for error in validate(SCHEMA, document, [rule]):
            missing = rule is ValuesOfCorrectTypeRule and (
                "was not provided" in error.message or "required field" in error.message
            )
            errors.append(_shape(error, "missingRequiredInputObjectAttribute" if missing else code))
    return (None, tuple(errors)) if errors else (document, ())


def _shape(error: GraphQLError, code: str) -> dict[str, Any]:
    places = [{"line": place.line, "column": place.column} for place in error.locations or ()]
    return {"message": error.message, "locations": places, "extensions": {"code": code}}
