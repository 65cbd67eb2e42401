"""Loads connectors from entry points, each in its own try: one broken plugin costs that plugin
only, and is data, not a crash.

(pluggy's own loader stops at the first plugin that fails.)
"""

from __future__ import annotations

import enum
import importlib.metadata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pluggy
from zaiko_sdk import SDK_API, ConnectorType
from zaiko_sdk.hooks import ENTRY_POINT_GROUP, PROJECT, Hooks

if TYPE_CHECKING:
    from zaiko_sdk.testing.simulator import SimulatorType


class Stage(enum.StrEnum):
    """How far a plugin came."""

    IMPORT = "IMPORT"
    REGISTER = "REGISTER"
    DESCRIBE = "DESCRIBE"
    VERSION = "VERSION"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a plugin was not loaded, and what to do."""

    stage: Stage
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class PluginReport:
    """One plugin that was found, loaded or not. `connectors` are the ids that it brought."""

    name: str
    distribution: str
    version: str
    connectors: tuple[str, ...] = ()
    failure: Failure | None = None


@dataclass(slots=True)
class Registry:
    """The connectors that this process can use, and what became of every plugin."""

    types: dict[str, ConnectorType] = field(default_factory=dict)
    plugins: list[PluginReport] = field(default_factory=list)
    _manager: Any = None

    def report_of(self, connector: str) -> PluginReport | None:
        """Return the plugin that brought (or should have brought) a connector."""
        for report in self.plugins:
            if connector in report.connectors or report.name == connector:
                return report
        return None

    def hooks(self, name: str) -> list[tuple[str, Callable[[Any], Any]]]:
        """(plugin, implementation) of a hook with one argument, in the order of the plugins' names.
        They may raise anything."""
        if self._manager is None:
            return []
        found = getattr(self._manager.hook, name).get_hookimpls()
        return sorted(
            ((impl.plugin_name, _taking_one(impl)) for impl in found), key=lambda pair: pair[0]
        )

    def simulators(self) -> Mapping[str, SimulatorType]:
        """Return the platform simulators of the loaded plugins, by connector id. A plugin whose
        simulator is not available costs that one only; when none is, the first plugin's error is
        raised (most often the extra `simulators` is not installed)."""
        found: dict[str, SimulatorType] = {}
        errors: list[Exception] = []
        for implementation in (
            self._manager.hook.zaiko_simulators.get_hookimpls() if self._manager else []
        ):
            try:
                found |= {kind.id: kind for kind in implementation.function()}
            except Exception as error:  # noqa: BLE001 - the hook is the plugin's own code
                errors.append(error)
        if errors and not found:
            raise errors[0]
        return found


def load(
    extra: Sequence[tuple[str, Any]] = (), *, entry_points: Iterable[Any] | None = None
) -> Registry:
    """Load every installed plugin, and `extra` ones (name, module or object) that are not
    installed."""
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(Hooks)
    registry = Registry(_manager=manager)
    found = (
        importlib.metadata.entry_points(group=ENTRY_POINT_GROUP)
        if entry_points is None
        else entry_points
    )
    for point in sorted(found, key=lambda point: point.name):
        distribution = point.dist.name if point.dist else ""
        version = point.dist.version if point.dist else ""
        try:
            plugin = point.load()
        except Exception as error:  # noqa: BLE001 - a plugin's import may raise anything
            registry.plugins.append(
                PluginReport(
                    point.name, distribution, version, (), _import_failure(error, distribution)
                )
            )
            continue
        registry.plugins.append(
            _register(registry, manager, point.name, distribution, version, plugin)
        )
    for name, plugin in extra:
        registry.plugins.append(_register(registry, manager, name, "", "", plugin))
    return registry


def _register(
    registry: Registry, manager: Any, name: str, distribution: str, version: str, plugin: Any
) -> PluginReport:
    def failed(stage: Stage, message: str, hint: str) -> PluginReport:
        return PluginReport(name, distribution, version, (), Failure(stage, message, hint))

    try:
        hash(
            plugin
        )  # pluggy keeps plugins in sets; one that cannot be hashed would break every later call
        manager.register(plugin, name=name)
        manager.check_pending()
    except Exception as error:  # noqa: BLE001 - pluggy's validation calls the plugin's own code
        if manager.has_plugin(name):
            manager.unregister(name=name)
        return failed(
            Stage.REGISTER,
            f"{type(error).__name__}: {error}",
            "Check the hook's name and arguments in docs/hooks.md.",
        )
    hook = manager.subset_hook_caller(
        "zaiko_connectors",
        [other for other in manager.get_plugins() if manager.get_name(other) != name],
    )
    try:
        kinds = [kind for answer in hook() for kind in answer]
        for kind in kinds:
            _check(kind)
    except Exception as error:  # noqa: BLE001 - the hook is the plugin's own code
        manager.unregister(name=name)
        return failed(
            Stage.DESCRIBE,
            f"{type(error).__name__}: {error}",
            "Report this to the plugin's author.",
        )
    for kind in kinds:
        wrong = _version_problem(kind)
        if wrong or kind.id in registry.types:
            manager.unregister(name=name)
            if wrong:
                return failed(Stage.VERSION, wrong[0], wrong[1])
            owner = registry.report_of(kind.id)
            other = f"{owner.distribution or owner.name}" if owner else "another plugin"
            message = f"the connector id {kind.id!r} is brought by {other} already"
            return failed(Stage.REGISTER, message, f"Uninstall {other} or {distribution or name}.")
    for kind in kinds:
        registry.types[kind.id] = kind
    return PluginReport(name, distribution, version, tuple(kind.id for kind in kinds))


def _taking_one(impl: Any) -> Callable[[Any], Any]:
    """Return the implementation as a function of one argument; an implementation may leave it
    out."""
    return impl.function if impl.argnames else lambda _: impl.function()


def _check(kind: ConnectorType) -> None:
    if not isinstance(kind, ConnectorType):
        raise TypeError(
            f"zaiko_connectors must give ConnectorType objects, not {type(kind).__name__}"
        )
    kind.settings.schema_document()


def _version_problem(kind: ConnectorType) -> tuple[str, str] | None:
    major, minor = kind.sdk_api
    if major == SDK_API[0] and minor <= SDK_API[1]:
        return None
    message = (
        f"{kind.id} was made for SDK {major}.{minor}, this server offers {SDK_API[0]}.{SDK_API[1]}"
    )
    newer = (major, minor) > SDK_API
    return message, "Upgrade zaiko." if newer else f"Upgrade the connector {kind.id}."


def _import_failure(error: Exception, distribution: str) -> Failure:
    if isinstance(error, ModuleNotFoundError):
        hint = (
            f"Install the missing module {error.name!r}, or reinstall "
            f"{distribution or 'the plugin'}."
        )
    else:
        hint = f"Reinstall or upgrade {distribution or 'the plugin'}, or report this to its author."
    return Failure(Stage.IMPORT, f"{type(error).__name__}: {error}", hint)
