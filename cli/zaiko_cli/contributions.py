"""What the distribution `zaiko` adds to the command line: it has the server, the engine and the
author SDK, which this package does not import. Each addition is an entry point."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any

from zaiko_cli.failure import Failed

COMMANDS = "zaiko.commands"
"""Group of whole commands, by the word that a person types. Each is a function or a Typer."""
ACTIONS = "zaiko.local_actions"
"""Group of functions behind one option of a command that otherwise asks a server over gRPC."""


def load(group: str, name: str, typed: str) -> Any:
    """Import and return one contribution. `typed` is what the person asked for. Raises Failed with
    what to install if the server is not installed, or not completely."""
    found = list(entry_points(group=group, name=name))
    if not found:
        raise Failed(missing(typed, os.environ))
    try:
        return found[0].load()
    except ModuleNotFoundError as error:
        raise Failed(incomplete(typed, str(error.name), os.environ)) from None


def is_installed(group: str, name: str) -> bool:
    """Return whether some distribution contributes `name`. Imports nothing."""
    return bool(entry_points(group=group, name=name))


def missing(typed: str, environment: Mapping[str, str]) -> str:
    """Return the sentence that says what to install, in the language of `environment`."""
    if _is_japanese(environment):
        return (
            f"`{typed}` にはサーバーが必要ですが、この環境には入っていません。"
            "`pip install zaiko` でインストールしてください。"
        )
    return f"`{typed}` needs the server, which is not installed here: `pip install zaiko`."


def incomplete(typed: str, module: str, environment: Mapping[str, str]) -> str:
    """Return the sentence about an installation of the server that lacks a module."""
    if _is_japanese(environment):
        return (
            f"`{typed}` に必要なモジュール {module} がありません。"
            "`pip install --force-reinstall zaiko` で入れ直してください。"
        )
    return (
        f"`{typed}` needs the module {module}, which is missing. Install the server again: "
        "`pip install --force-reinstall zaiko`."
    )


def _is_japanese(environment: Mapping[str, str]) -> bool:
    """Return whether the locale's language is Japanese, by POSIX's order of variables."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if environment.get(name):
            return environment[name].startswith("ja")
    return False
