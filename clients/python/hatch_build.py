"""Put the stubs into the wheel and the source distribution."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Stubs(BuildHookInterface):  # type: ignore[type-arg]
    """Includes the package `zaiko`: of the repository, or of the source distribution when the wheel
    is built from one."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the package. An editable build adds nothing: it points to the folder itself."""
        if version == "editable":
            return
        stubs = Path(self.root) / "zaiko"
        if not stubs.is_dir():
            stubs = Path(self.root).parents[1] / "proto" / "gen" / "python" / "zaiko"
        if not stubs.is_dir():
            raise FileNotFoundError(stubs)
        build_data["force_include"][str(stubs)] = "zaiko"
