"""Checks variables as the platform does, with its INVALID_VARIABLE and MAX_INPUT_SIZE_EXCEEDED."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from graphql import (
    FieldNode,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    OperationDefinitionNode,
    Undefined,
    VariableNode,
    print_ast,
    type_from_ast,
)

MAX_INPUT = 250
_GID = re.compile(r"gid://[A-Za-z0-9_-]+/[A-Za-z0-9_]+/[^\s/]+")

Problem = tuple[list[Any], str]


def is_gid(value: object) -> bool:
    """Return whether this looks like a global id."""
    return isinstance(value, str) and _GID.fullmatch(value) is not None


def variable_errors(
    schema: GraphQLSchema, operation: OperationDefinitionNode, given: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return the errors of all variables; none when all fit."""
    errors = []
    for definition in operation.variable_definitions or ():
        name = definition.variable.name.value
        kind: Any = type_from_ast(schema, definition.type)
        value = given.get(name, Undefined)
        if value is Undefined and (
            definition.default_value is not None or not isinstance(kind, GraphQLNonNull)
        ):
            continue
        problems = list(_problems(kind, None if value is Undefined else value, []))
        if problems:
            where = problems[0][0]
            about = f" for {'.'.join(str(part) for part in where)}" if where else ""
            errors.append(
                {
                    "message": f"Variable ${name} of type {print_ast(definition.type)} was "
                    "provided invalid value"
                    f"{about} ({problems[0][1]})",
                    "locations": _location(definition),
                    "extensions": {
                        "code": "INVALID_VARIABLE",
                        "value": None if value is Undefined else value,
                        "problems": [
                            {"path": path, "explanation": text} for path, text in problems
                        ],
                    },
                }
            )
    return errors


def size_error(
    operation: OperationDefinitionNode, given: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Return the error of the first list that is too long."""
    for name, value in given.items():
        for path, length in _lists(value, []):
            if length > MAX_INPUT:
                return {
                    "message": (
                        f"The input array size of {length} is greater than the maximum allowed "
                        f"of {MAX_INPUT}."
                    ),
                    "path": [*_used_at(operation, name), *path],
                    "extensions": {"code": "MAX_INPUT_SIZE_EXCEEDED"},
                }
    return None


def _problems(kind: Any, value: Any, path: list[Any]) -> Iterator[Problem]:
    if isinstance(kind, GraphQLNonNull):
        if value is None:
            yield path, "Expected value to not be null"
            return
        kind = kind.of_type
    if value is None:
        return
    if isinstance(kind, GraphQLList):
        rows = value if isinstance(value, list) else [value]
        for index, row in enumerate(rows):
            yield from _problems(kind.of_type, row, [*path, index])
    elif isinstance(kind, GraphQLInputObjectType):
        if not isinstance(value, dict):
            yield path, f"Expected {value!r} to be a key-value object."
            return
        for name in value:
            if name not in kind.fields:
                yield [*path, name], f"Field is not defined on {kind.name}"
        for name, declared in kind.fields.items():
            if name in value or (
                isinstance(declared.type, GraphQLNonNull) and declared.default_value is Undefined
            ):
                yield from _problems(declared.type, value.get(name), [*path, name])
    elif isinstance(kind, GraphQLEnumType):
        if value not in kind.values:
            yield path, f'Expected "{value}" to be one of: {", ".join(kind.values)}'
    elif kind.name == "ID":
        if not is_gid(value):
            yield path, f"Invalid global id '{value}'"
    elif not _fits(kind.name, value):
        yield path, f"Could not coerce value {value!r} to {kind.name}"


def _fits(scalar: str, value: Any) -> bool:
    if scalar == "Int":
        return isinstance(value, int) and not isinstance(value, bool) and -(2**31) <= value < 2**31
    if scalar == "Boolean":
        return isinstance(value, bool)
    return isinstance(value, str)


def _lists(value: Any, path: list[Any]) -> Iterator[tuple[list[Any], int]]:
    if isinstance(value, list):
        yield path, len(value)
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _lists(inner, [*path, name])


def _used_at(operation: OperationDefinitionNode, variable: str) -> list[str]:
    for node in operation.selection_set.selections:
        if isinstance(node, FieldNode):
            for argument in node.arguments or ():
                if (
                    isinstance(argument.value, VariableNode)
                    and argument.value.name.value == variable
                ):
                    return [node.name.value, argument.name.value]
    return [variable]


def _location(node: Any) -> list[dict[str, int]]:
    if node.loc is None:
        return []
    return [{"line": node.loc.start_token.line, "column": node.loc.start_token.column}]
