"""The catalogue in the protos (zaiko/v1/options.proto): complete, and the only place of its facts.

An error whose reason is not there would be shown with the advice for a connector's bug.
"""

from __future__ import annotations

import inspect
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zaiko_core.bootstrap  # noqa: F401 - so that every error is defined
import zaiko_server.app  # noqa: F401 - likewise
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions
from zaiko.v1 import error_pb2, options_pb2
from zaiko_core.domain.drift import DriftCause
from zaiko_core.domain.errors import ServiceError
from zaiko_core.domain.oversell import OversellCause
from zaiko_core.sync.translation import problem_of
from zaiko_sdk.errors import ConnectorError
from zaiko_server.convert.problems import problem
from zaiko_server.options import methods, policy_of
from zaiko_server.reasons import CALLS, CAUSES, DRIFTS, REASONS, Reason

DERIVED: dict[str, Any] = runpy.run_path(
    str(Path(__file__).parents[2] / "proto" / "derived.py"), run_name="derived"
)


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
    assert kind.reason in CALLS


def test_all_errors_of_the_sdk_are_looked_at() -> None:
    names = {kind.__name__ for kind in OF_CONNECTORS}

    assert len(names) >= 12
    assert {"StateUnavailable", "Throttled", "ListingGone", "ConnectorError"} <= names


EVERY_REASON = [
    *((f"{name} of a problem", reason) for name, reason in REASONS.items()),
    *((f"{name} of a call", reason) for name, reason in CALLS.items()),
    *((f"{name} of an oversell", reason) for name, reason in CAUSES.items()),
    *((f"{name} of a drift", reason) for name, reason in DRIFTS.items()),
]


@pytest.mark.parametrize("reason", [r for _, r in EVERY_REASON], ids=[n for n, _ in EVERY_REASON])
def test_every_reason_has_an_owner_and_says_what_to_do_in_every_language(reason: Reason) -> None:
    assert f"OWNER_{reason.owner}" in error_pb2.Owner.keys()  # noqa: SIM118 - an enum wrapper
    assert set(reason.advice._fields) == set(options_pb2.LocalizedText.DESCRIPTOR.fields_by_name)
    assert reason.advice.en.isascii()
    assert reason.advice.en.endswith(".")
    assert reason.advice.ja.endswith("。")
    assert not reason.advice.ja.isascii()


def test_every_cause_of_an_oversell_is_in_the_catalogue() -> None:
    assert set(CAUSES) == {cause.value for cause in OversellCause}
    assert set(DRIFTS) == {cause.value for cause in DriftCause}


@pytest.mark.parametrize("method", list(methods()), ids=lambda method: method.full_name)
def test_every_method_says_who_may_call_it_and_how_often_and_how_long(
    method: MethodDescriptor,
) -> None:
    policy, level = policy_of(method), method.GetOptions().idempotency_level
    streams = method.server_streaming or method.client_streaming
    request_id = "request_id" in method.input_type.fields_by_name

    assert policy.permission
    assert (policy.deadline_seconds == 0) == streams
    if method.name == "CreateToken":
        # The token is shown once, so a repeat makes another one.
        assert level == MethodOptions.IDEMPOTENCY_UNKNOWN
    elif request_id:
        assert level == MethodOptions.IDEMPOTENT
    else:
        assert level != MethodOptions.IDEMPOTENCY_UNKNOWN
    if policy.permission.endswith(".read"):
        assert level == MethodOptions.NO_SIDE_EFFECTS


@pytest.mark.parametrize("path", list(DERIVED["files"]()), ids=lambda path: path.name)
def test_what_is_made_from_the_catalogue_is_fresh(path: Path) -> None:
    assert path.read_text("utf-8") == DERIVED["files"]()[path], "run proto/generate"
