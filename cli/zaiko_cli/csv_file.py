"""Read a CSV file with a header."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from zaiko_cli.failure import USAGE, Failed


@contextmanager
def opened(
    file: Path, columns: Sequence[str], *, needed: Sequence[str]
) -> Iterator[csv.DictReader[str]]:
    """Yield the lines of a file; `-` is standard input. Raises Failed if the file cannot be read,
    or if its header lacks a needed column or has one that is not in `columns`."""
    if str(file) == "-":
        yield _table(sys.stdin, columns, needed)
        return
    try:
        with file.open(newline="", encoding="utf-8-sig") as source:
            yield _table(source, columns, needed)
    except OSError as error:
        raise Failed(f"{file} cannot be read ({error.strerror}).", USAGE) from None


def _table(source: TextIO, columns: Sequence[str], needed: Sequence[str]) -> csv.DictReader[str]:
    table = csv.DictReader(source)
    missing = [name for name in needed if name not in (table.fieldnames or ())]
    unknown = [name for name in table.fieldnames or () if name not in columns]
    if missing or unknown:
        wrong = (
            f"lacks {', '.join(missing)}"
            if missing
            else f"has {', '.join(unknown)}, which is unknown"
        )
        raise Failed(f"The header {wrong}; columns are {', '.join(columns)}.", USAGE)
    return table
