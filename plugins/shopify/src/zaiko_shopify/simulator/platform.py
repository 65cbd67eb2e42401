"""Executes GraphQL the way the platform does: checks document and variables, computes the price,
takes it from the bucket, runs, and returns what was not used."""

from __future__ import annotations

import uuid
from functools import cache
from typing import Any

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLInterfaceType,
    GraphQLSchema,
    OperationDefinitionNode,
    execute_sync,
)

from zaiko_shopify.simulator.cost import CostModel
from zaiko_shopify.simulator.documents import checked, load_schema
from zaiko_shopify.simulator.mutations import MUTATIONS
from zaiko_shopify.simulator.objects import OBJECTS
from zaiko_shopify.simulator.platform_state import PlatformState
from zaiko_shopify.simulator.queries import QUERIES
from zaiko_shopify.simulator.run import Run, attach, type_name
from zaiko_shopify.simulator.state import Shop
from zaiko_shopify.simulator.variables import size_error, variable_errors

_LIMITS_PAGE = "https://shopify.dev/api/usage/rate-limits"


class Platform(PlatformState):
    """The GraphQL side of the simulated shop. Callers hold the simulator's lock."""

    def __init__(self, shop: Shop, secret: str) -> None:
        super().__init__(shop, secret, self._run_bulk)
        self._schema = _resolved_schema()

    def answer(self, body: Any, *, debug: bool = False) -> dict[str, Any]:
        """Return the reply to one request's body, which has a `query`."""
        document, errors = checked(body["query"])
        if document is None:
            return {"errors": list(errors)}
        operation = _operation(document, body.get("operationName"))
        if operation is None:
            return {
                "errors": [
                    {"message": "No operation named so", "extensions": {"code": "BAD_REQUEST"}}
                ]
            }
        variables = body.get("variables") or {}
        wrong = variable_errors(self._schema, operation, variables)
        if wrong:
            return {"errors": wrong}
        model = CostModel(self._schema, document, operation, variables)
        requested = model.requested()
        large = size_error(operation, variables)
        if large is not None:
            return {"errors": [large], "extensions": self._cost(requested, None)}
        if requested > self.max_cost:
            return {"errors": [self._too_dear(requested)]}
        if self.quotas and (self.exhausted or not self.bucket.take(requested)):
            self.counts["throttled"] += 1
            error = {
                "message": "Throttled",
                "extensions": {"code": "THROTTLED", "documentation": _LIMITS_PAGE},
            }
            return {"errors": [error], "extensions": self._cost(requested, None)}
        return self._execute(document, operation, variables, model, requested, debug=debug)

    def _execute(
        self,
        document: DocumentNode,
        operation: OperationDefinitionNode,
        variables: dict[str, Any],
        model: CostModel,
        requested: int,
        *,
        debug: bool,
    ) -> dict[str, Any]:
        name = operation.name.value if operation.name else None
        for node in operation.selection_set.selections:
            self.counts[getattr(getattr(node, "name", None), "value", "?")] += 1
        run = Run(self, debug=debug)
        result = execute_sync(
            self._schema,
            document,
            context_value=run,
            variable_values=variables,
            operation_name=name,
        )
        actual = model.actual(result.data)
        if self.quotas:
            self.bucket.refund_points(requested - actual)
        reply: dict[str, Any] = {"data": result.data}
        if result.errors:
            reply["errors"] = [self._shape(error) for error in result.errors]
        reply["extensions"] = self._cost(requested, actual)
        if run.searches:
            reply["extensions"]["search"] = run.searches
        return reply

    def _run_bulk(self, document: DocumentNode) -> Any:
        return execute_sync(self._schema, document, context_value=Run(self, bulk=True)).data

    def _shape(self, error: GraphQLError) -> dict[str, Any]:
        if error.original_error is not None and not isinstance(error.original_error, GraphQLError):
            # A bug of the simulator must not look like a reply of the platform.
            raise error.original_error
        shaped: dict[str, Any] = dict(error.formatted)
        return shaped

    def _cost(self, requested: int, actual: int | None) -> dict[str, Any]:
        self.bucket.refill()
        status = {
            "maximumAvailable": float(self.bucket.maximum),
            "currentlyAvailable": int(self.bucket.available)
            if self.quotas
            else int(self.bucket.maximum),
            "restoreRate": float(self.bucket.restore),
        }
        return {
            "cost": {
                "requestedQueryCost": requested,
                "actualQueryCost": actual,
                "throttleStatus": status,
            }
        }

    def _too_dear(self, cost: int) -> dict[str, Any]:
        return {
            "message": f"Query cost is {cost}, which exceeds the single query max cost limit "
            f"({self.max_cost}). "
            f"See {_LIMITS_PAGE} for more information on how the cost of a query is calculated.",
            "extensions": {
                "code": "MAX_COST_EXCEEDED",
                "cost": cost,
                "maxCost": self.max_cost,
                "documentation": _LIMITS_PAGE,
            },
        }


@cache
def _resolved_schema() -> GraphQLSchema:
    """Return the one schema of all simulated shops. The context of an execution names the shop."""
    schema = load_schema()
    attach(schema, QUERIES)
    attach(schema, OBJECTS)
    attach(schema, MUTATIONS)
    node = schema.type_map["Node"]
    assert isinstance(node, GraphQLInterfaceType)
    node.resolve_type = type_name
    return schema


def internal_error() -> dict[str, Any]:
    """Return the platform's own failure, as a reply."""
    request = f"{uuid.uuid4()}-1795392000"
    text = (
        f"Internal error. Looks like something went wrong on our end.\nRequest ID: {request} "
        "(include this in support requests)."
    )
    return {
        "errors": [
            {"message": text, "extensions": {"code": "INTERNAL_SERVER_ERROR", "requestId": request}}
        ],
        "data": None,
    }


def _operation(document: DocumentNode, name: object) -> OperationDefinitionNode | None:
    operations = [
        node for node in document.definitions if isinstance(node, OperationDefinitionNode)
    ]
    if name is None:
        return operations[0] if len(operations) == 1 else None
    return next((node for node in operations if node.name and node.name.value == name), None)
