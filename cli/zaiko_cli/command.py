"""What every command gets."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from zaiko_cli.client import ApiClient
from zaiko_cli.show import Show


class Output(StrEnum):
    """How answers are printed."""

    TABLE = "table"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Command:
    """The client of the chosen server, and the printer of answers. Every command finds it in its
    context."""

    client: ApiClient
    show: Show
