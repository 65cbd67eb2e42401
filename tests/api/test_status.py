"""Errors of calls as google.rpc.Status, and the catalogue of reasons."""

from __future__ import annotations

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from zaiko.v1 import error_pb2
from zaiko_core.domain import errors
from zaiko_core.domain.problem import Problem, problem_from
from zaiko_server import reasons, refusals, status
from zaiko_server.convert.problems import problem
from zaiko_server.reasons import REASONS


def every_refusal() -> list[type[errors.ServiceError]]:
    found: list[type[errors.ServiceError]] = []
    todo: list[type[errors.ServiceError]] = [errors.ServiceError]
    while todo:
        kind = todo.pop()
        todo += kind.__subclasses__()
        if kind.__module__.startswith("zaiko_"):
            found.append(kind)
    return [kind for kind in found if hasattr(kind, "reason")]


@pytest.mark.parametrize("kind", every_refusal(), ids=lambda kind: kind.__name__)
def test_every_refusal_has_a_reason_of_the_table_and_its_code(
    kind: type[errors.ServiceError],
) -> None:
    refusal = kind.__new__(kind)
    assert kind.reason in REASONS
    if kind is not errors.LeaseLost:
        assert status.code_for(refusal) == REASONS[kind.reason][1]


def details(refusal: errors.ServiceError) -> dict[str, Message]:
    found = {}
    for packed in status.status_for(refusal).details:
        message = getattr(error_details_pb2, packed.type_url.rpartition(".")[2])()
        packed.Unpack(message)
        found[type(message).__name__] = message
    return found


def test_what_varies_is_in_the_metadata() -> None:
    info = details(errors.CodeTaken("A-1"))["ErrorInfo"]
    assert dict(info.metadata) == {"owner": "SYSTEM", "code": "A-1"}  # type: ignore[attr-defined]


def test_try_again_comes_with_a_time() -> None:
    refusal = refusals.ServerDraining(1.5)
    assert details(refusal)["RetryInfo"].retry_delay.ToMilliseconds() == 1500  # type: ignore[attr-defined]
    assert dict(status.trailers_for(refusal))["grpc-retry-pushback-ms"] == "1500"
    assert "grpc-retry-pushback-ms" not in dict(status.trailers_for(errors.CodeTaken("A-1")))


def test_details_stay_below_what_peers_accept_as_trailers() -> None:
    violations = [
        (f"requests[{index}].product.code", "string.max_len", "x" * 300) for index in range(1000)
    ]

    trailers = status.trailers_for(errors.InvalidField(violations))

    assert sum(len(key) + len(value) for key, value in trailers) < 8192
    assert "(and 999 more)" in status.status_for(errors.InvalidField(violations)).message
    assert len(status.trailers_for(errors.NotFound("x" * 100_000))[0][1]) < 8192


@pytest.mark.parametrize("reason", sorted(REASONS))
def test_every_reason_says_what_to_do_in_both_languages_in_calls_and_in_problems(
    reason: str,
) -> None:
    said = {reasons.of_call(reason).advice, reasons.of_problem(reason).advice}
    for action in said:
        assert action.en.isascii()
        assert action.en.endswith(".")
        assert action.ja.endswith("。")
        assert not action.ja.isascii()


def test_no_listing_is_mended_by_telling_the_operator_an_incident() -> None:
    shown = problem(Problem("DIFFERENCE_UNEXPLAINED", "the shop shows 7 where 9 was left"))
    assert shown is not None
    assert "SyncNow" in shown.action_en
    assert Problem("DIFFERENCE_UNEXPLAINED", "").owner == "MERCHANT"


def test_what_varies_in_a_problem_is_kept_beside_it_and_a_newer_releases_fields_are_left_out() -> (
    None
):
    stored = Problem(
        "DIFFERENCE_UNEXPLAINED", "the shop shows 7 where 9 was left", metadata={"shown": "7"}
    ).document()

    read = problem_from(stored | {"of_a_later_release": 1})

    assert problem(read).metadata == {"shown": "7"}  # type: ignore[union-attr]
    assert problem_from({"reason": "TIMEOUT", "message": "of an older release"}) == Problem(
        "TIMEOUT", "of an older release"
    )


class Called:
    """A call with these headers."""

    def __init__(self, *headers: tuple[str, str]) -> None:
        self._headers = headers

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return self._headers


@pytest.mark.parametrize(
    ("header", "japanese"),
    [
        ("ja", True),
        ("ja-JP,ja;q=0.9,en-US;q=0.8,en;q=0.7", True),
        ("fr, ja;q=0.5", True),
        ("en-US,en;q=0.9,ja;q=0.8", False),
        ("en;q=0.5, ja;q=0.9", True),
        ("ja;q=0", False),
        ("ja;q=x", False),
        ("de", False),
        ("", False),
        (";;,=,\t", False),
    ],
)
def test_who_prefers_japanese_is_told_in_japanese(header: str, japanese: bool) -> None:
    assert status.wants_japanese(Called(("accept-language", header))) is japanese
    assert not status.wants_japanese(Called())


def test_japanese_comes_beside_everything_else_and_is_not_cut_for_a_long_list() -> None:
    violations = [
        (f"requests[{index}].product.code", "string.max_len", "x" * 300) for index in range(1000)
    ]
    found = status.status_for(errors.InvalidField(violations), japanese=True)

    kinds = [packed.type_url.rpartition(".")[2] for packed in found.details]
    said = error_details_pb2.LocalizedMessage()
    assert kinds == ["ErrorInfo", "LocalizedMessage", "BadRequest"]
    assert found.details[1].Unpack(said)
    assert (said.locale, said.message) == ("ja", reasons.of_call("INVALID_FIELD").advice.ja)
    assert (
        sum(
            len(key) + len(value)
            for key, value in status.trailers_for(errors.InvalidField(violations), japanese=True)
        )
        < 8192
    )


def test_an_internal_error_tells_its_incident_and_nothing_else() -> None:
    found = status.status_for(refusals.Internal("abc"))
    assert found.code == grpc.StatusCode.INTERNAL.value[0]
    assert found.message == "internal error; tell the operator the incident abc."


@pytest.mark.parametrize("reason", sorted(REASONS))
def test_every_problem_is_shown_with_owner_and_advice(reason: str) -> None:
    shown = problem(Problem(reason, "it is so", retry_at=1_000_000))

    assert shown is not None
    assert error_pb2.ErrorReason.Name(shown.reason) == f"ERROR_REASON_{reason}"
    assert error_pb2.Owner.Name(shown.owner) == f"OWNER_{Problem(reason, '').owner}"
    assert shown.action_en
    assert shown.action_ja
    assert shown.retry_time.seconds == 1


def test_a_reason_of_a_third_partys_connector_is_shown_as_a_connector_error() -> None:
    shown = problem(Problem("MOON_PHASE_WRONG", "no"))
    assert shown is not None
    assert shown.reason == error_pb2.ERROR_REASON_CONNECTOR_ERROR
    assert shown.owner == error_pb2.OWNER_SYSTEM
