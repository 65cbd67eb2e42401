"""Every reason that an error can have is in the catalogue, with who must act and what to do: an
error that is not there would be shown with the advice for a connector's bug."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import pytest
import zaiko_core.bootstrap  # noqa: F401 - so that every error is defined
import zaiko_server.app  # noqa: F401 - likewise
from zaiko.v1 import error_pb2
from zaiko_core.domain.errors import ServiceError
from zaiko_core.sync.translation import problem_of
from zaiko_sdk.errors import ConnectorError
from zaiko_server import remedies
from zaiko_server.convert.problems import problem
from zaiko_server.reasons import REASONS


def family(kind: type[BaseException]) -> Iterator[type[BaseException]]:
    """Yield the class and all that are derived from it in zaiko itself."""
    if kind.__module__.startswith(("zaiko_sdk.", "zaiko_core.", "zaiko_server.")):
        yield kind
    for child in kind.__subclasses__():
        yield from family(child)


def raised(kind: type[ConnectorError]) -> ConnectorError:
    """Return an instance, with something for whatever it asks for."""
    needed = {
        name: None
        for name, parameter in inspect.signature(kind).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.default is parameter.empty
    }
    return kind("it is so", **needed)


OF_CONNECTORS = [kind for kind in family(ConnectorError) if "reason" in vars(kind)]
OF_CALLS = [kind for kind in family(ServiceError) if hasattr(kind, "reason")]


@pytest.mark.parametrize("kind", OF_CONNECTORS, ids=lambda kind: kind.__name__)
def test_every_error_of_a_connector_is_shown_with_its_reason_owner_and_advice(
    kind: type[ConnectorError],
) -> None:
    shown = problem(problem_of(raised(kind)))

    assert shown is not None
    assert error_pb2.ErrorReason.Name(shown.reason) == f"ERROR_REASON_{kind.reason}"
    assert error_pb2.Owner.Name(shown.owner) == f"OWNER_{kind.owner}"
    assert shown.action_en.endswith(".")
    assert shown.action_ja.endswith("。")


@pytest.mark.parametrize("kind", OF_CALLS, ids=lambda kind: kind.__name__)
def test_every_error_of_a_call_has_its_reason_and_advice(kind: type[ServiceError]) -> None:
    assert kind.reason in REASONS
    assert kind.reason in remedies.ACTIONS


def test_all_errors_of_the_sdk_are_looked_at() -> None:
    names = {kind.__name__ for kind in OF_CONNECTORS}

    assert len(names) >= 12
    assert {"StateUnavailable", "Throttled", "ListingGone", "ConnectorError"} <= names
