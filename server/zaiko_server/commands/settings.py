"""Options of commands that are made from settings, so that a setting is written down once."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from zaiko_server.config import PREFIX, Config, Option


def with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Replace the parameter `**settings` of `command` by one option for each setting that has an
    `Option`. An option that was not given is None there."""

    @functools.wraps(command)
    def wrapper(**given: Any) -> None:
        command(**given)

    signature = inspect.signature(command, eval_str=True)
    own = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for parameter in signature.parameters.values()
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD
    ]
    made = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[_type(name) | None, option(name)],
        )
        for name in names()
    ]
    parameters = [*made, *own]
    wrapper.__annotations__ = {item.name: item.annotation for item in parameters}
    # Typer reads the options from it.
    wrapper.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return wrapper


def names() -> list[str]:
    """Return the settings that have an option, in the order of `Config`."""
    return [name for name in Config.model_fields if _option(name) is not None]


def option(name: str) -> Any:
    """Return the typer.Option of a setting. Raises ValueError if the setting has none."""
    field, found = Config.model_fields[name], _option(name)
    if found is None:
        raise ValueError(f"{name} has no option")
    default = found.default or ("" if isinstance(field.default, bool) else str(field.default or ""))
    shown = f" [default: {default}]" if default else ""
    return typer.Option(
        found.name or "--" + name.replace("_", "-"),
        envvar=PREFIX + name.upper(),
        metavar=found.metavar,
        help=" ".join((field.description or "").split()) + shown,
        show_default=False,
    )


def _option(name: str) -> Option | None:
    found = [item for item in Config.model_fields[name].metadata if isinstance(item, Option)]
    return found[0] if found else None


def _type(name: str) -> Any:
    return Config.model_fields[name].annotation
