"""What a command works with."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from zaiko_cli.client import ApiClient
from zaiko_cli.show import Show


class Output(StrEnum):
    """How answers are written."""

    TABLE = "table"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Command:
    """The server that was chosen, and the way to show what it answers. Every command finds it in
    its context."""

    client: ApiClient
    show: Show
