"""One broken plugin costs that plugin only, and is reported."""

from __future__ import annotations

import types
from dataclasses import dataclass
from typing import Any

from zaiko_core.plugin_host.loader import Registry, Stage, load
from zaiko_sdk import Capability, ConnectorSettings, ConnectorType, hookimpl


@dataclass
class Point:
    """What an entry point looks like to the loader."""

    name: str
    plugin: Any
    dist: Any = None

    def load(self) -> Any:
        if isinstance(self.plugin, Exception):
            raise self.plugin
        return self.plugin


def kind(name: str, sdk_api: tuple[int, int] = (1, 0)) -> ConnectorType:
    return ConnectorType(
        name,
        name,
        "1",
        ConnectorSettings,
        lambda c, s: None,
        frozenset({Capability.FETCH_ORDERS}),
        sdk_api=sdk_api,
    )  # type: ignore[arg-type,return-value]


class Plugin:
    """Holds hook implementations, as a module does."""

    def __init__(self, **hooks: Any) -> None:
        self.__dict__ |= hooks


def plugin(answer: Any) -> Plugin:
    @hookimpl
    def zaiko_connectors() -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    return Plugin(zaiko_connectors=zaiko_connectors)


def loaded(**plugins: Any) -> Registry:
    return load(entry_points=[Point(name, value) for name, value in plugins.items()])


def stage(registry: Registry, name: str) -> Stage | None:
    failure = next(report for report in registry.plugins if report.name == name).failure
    return failure.stage if failure else None


def test_a_good_plugin_loads_beside_broken_ones() -> None:
    registry = loaded(
        a_import=ImportError("no"),
        b_missing=ModuleNotFoundError("no module", name="lxml"),
        c_describe=plugin(RuntimeError("bug")),
        d_wrong=plugin(["not a type"]),
        e_newer=plugin([kind("newer", (1, 99))]),
        f_good=plugin([kind("good")]),
        g_twin=plugin([kind("good")]),
    )
    assert list(registry.types) == ["good"]
    assert {report.name: stage(registry, report.name) for report in registry.plugins} == {
        "a_import": Stage.IMPORT,
        "b_missing": Stage.IMPORT,
        "c_describe": Stage.DESCRIBE,
        "d_wrong": Stage.DESCRIBE,
        "e_newer": Stage.VERSION,
        "f_good": None,
        "g_twin": Stage.REGISTER,
    }


def test_a_missing_module_is_named_in_the_hint() -> None:
    registry = loaded(broken=ModuleNotFoundError("no module", name="lxml"))
    assert "'lxml'" in registry.plugins[0].failure.hint  # type: ignore[union-attr]


def test_a_hook_with_unknown_arguments_is_refused_at_registration() -> None:
    @hookimpl
    def zaiko_connectors(surprise: int) -> Any:
        return []

    registry = loaded(bad=Plugin(zaiko_connectors=zaiko_connectors), odd=types.SimpleNamespace())
    assert stage(registry, "bad") is Stage.REGISTER
    assert stage(registry, "odd") is Stage.REGISTER
