"""What a plugin does in a hook costs that plugin only; what it may change is bounded; the document
tells what the code does."""

from __future__ import annotations

import dataclasses
import inspect
import threading
from pathlib import Path
from typing import Any

import pytest
import structlog
import zaiko_sdk.events
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs
from zaiko_core.app.records import DueLink, LinkRecord, LinkState
from zaiko_core.domain.links import Part
from zaiko_core.domain.stock import Balance
from zaiko_core.plugin_host.adjusters import Adjusters
from zaiko_core.plugin_host.loader import load
from zaiko_core.plugin_host.observers import Observers
from zaiko_sdk import hookimpl
from zaiko_sdk.hooks import Hooks

GUIDE = (Path(__file__).parents[2] / "docs" / "hooks.md").read_text()
LOG = structlog.get_logger()
HOOKS = [name for name in vars(Hooks) if name.startswith("zaiko_")]


def observers(plugins: dict[str, Any], capacity: int = 10) -> Observers:
    return Observers(lambda hook: sorted(plugins.items()), LOG, capacity=capacity)


def test_every_observer_is_told_in_order_though_another_one_raises() -> None:
    seen: list[object] = []

    def broken(event: object) -> None:
        raise RuntimeError(f"secret {event}")

    observed = observers({"broken": broken, "good": seen.append})
    with capture_logs() as logs:
        for number in range(5):
            observed.publish("zaiko_run_finished", number)
        observed.close(grace=10)

    assert seen == [0, 1, 2, 3, 4]
    failed = [line for line in logs if line["event"] == "observer_failed"]
    assert [line["plugin"] for line in failed] == ["broken"] * 5
    assert "secret" not in str(failed)


def test_a_hanging_observer_neither_blocks_the_teller_nor_the_others_and_its_losses_are_counted() -> (  # noqa: E501
    None
):
    release, started, seen = threading.Event(), threading.Event(), threading.Semaphore(0)

    def hang(event: object) -> None:
        started.set()
        release.wait()

    observed = observers({"hangs": hang, "good": lambda event: seen.release()}, capacity=3)
    try:
        with capture_logs() as logs:
            observed.publish("zaiko_run_finished", 0)
            assert started.wait(60)
            assert seen.acquire(timeout=60)
            for number in range(1, 6):
                observed.publish("zaiko_run_finished", number)
                assert seen.acquire(timeout=60)
            observed.close(grace=0)
        assert observed.dropped() == {"hangs": 2, "good": 0}
        assert [line["dropped"] for line in logs if line["event"] == "observer_too_slow"] == [1]
    finally:
        release.set()


def due(synced: int = 10) -> DueLink:
    link = LinkRecord("s", "l", (Part("tea"),), True, LinkState.PENDING)
    return DueLink(link, "ext", {}, {"tea": Balance(physical=synced)})


def adjusted(*functions: Any, sellable: int = 10) -> list[tuple[str, int]]:
    plugins = [(f"p{number}", function) for number, function in enumerate(functions)]
    return Adjusters(plugins, "m", "fake", LOG)(due(sellable), sellable, 1_000_000)


@given(answer=st.integers(), sellable=st.integers(0, 1000))
def test_a_plugin_can_hide_units_and_never_sells_more_than_there_is(
    answer: int, sellable: int
) -> None:
    for _, quantity in adjusted(lambda view: answer, sellable=sellable):
        assert 0 <= quantity <= sellable


def test_a_plugin_gets_the_number_of_the_one_before_it() -> None:
    assert adjusted(lambda view: view.quantity - 2, lambda view: view.quantity // 2) == [
        ("p0", 8),
        ("p1", 4),
    ]


@pytest.mark.parametrize("wrong", ["7", 7.0, True])
def test_an_answer_that_is_no_whole_number_is_passed_over(wrong: Any) -> None:
    assert adjusted(lambda view: wrong, lambda view: 3) == [("p1", 3)]


def test_a_plugin_that_raises_is_passed_over_and_named_in_the_log() -> None:
    with capture_logs() as logs:
        assert adjusted(lambda view: 1 // 0, lambda view: 3) == [("p1", 3)]
    assert [(line["plugin"], line["error"]) for line in logs if line["log_level"] == "error"] == [
        ("p0", "ZeroDivisionError")
    ]


def test_plugins_are_asked_in_the_order_of_their_names_and_may_leave_the_argument_out() -> None:
    class B:
        @hookimpl
        def zaiko_adjust_quantity(self) -> int:
            return 2

    class A:
        @hookimpl
        def zaiko_adjust_quantity(self, view: Any) -> int:
            return 1

    hooks = load([("b", B()), ("a", A())], entry_points=[]).hooks("zaiko_adjust_quantity")
    assert [(name, function(None)) for name, function in hooks] == [("a", 1), ("b", 2)]


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_is_documented_with_its_exact_signature(name: str) -> None:
    function = getattr(Hooks, name)
    parameters = ", ".join(
        f"{p.name}: {p.annotation}"
        for p in list(inspect.signature(function).parameters.values())[1:]
    )
    assert (
        f"### `{name}({parameters}) -> {inspect.signature(function).return_annotation}`\n" in GUIDE
    )


def test_no_hook_is_documented_that_is_not_there() -> None:
    assert {
        line.split("`")[1].split("(")[0] for line in GUIDE.splitlines() if line.startswith("### `")
    } == set(HOOKS)


@pytest.mark.parametrize(
    "kind", [kind for kind in vars(zaiko_sdk.events).values() if dataclasses.is_dataclass(kind)]
)
def test_every_value_is_documented_with_its_exact_fields(kind: Any) -> None:
    fields = ", ".join(f"`{field.name}: {field.type}`" for field in dataclasses.fields(kind))
    assert f"| `{kind.__name__}` | {fields} |" in GUIDE.replace("\\|", "|")
