"""The option that names a file for the address of a started program."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

PortFile = Annotated[
    Path | None,
    typer.Option(
        help=(
            "Write the address here once it is known; for scripts that let the system choose "
            "the port."
        )
    ),
]


def write_address(path: Path | None, address: str) -> None:
    """Write the address in one step, so that a program that waits for the file never reads half of
    it."""
    if path is not None:
        half = path.with_name(path.name + ".part")
        half.write_text(address)
        half.rename(path)
