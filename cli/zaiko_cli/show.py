"""Print answers: tables for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.timestamp_pb2 import Timestamp
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

_PLAIN_WIDTH = 5_000
_PROSE = frozenset({"problem", "meaning", "what is so", "what to do", "default", "note"})
"""Columns that are wrapped on a terminal. All other columns stay whole."""

_COLOURS = {
    "SYNCED": "green",
    "SUCCEEDED": "green",
    "ACTIVE": "green",
    "LOADED": "green",
    "OK": "green",
    "IDLE": "green",
    "PENDING": "yellow",
    "SYNCING": "yellow",
    "SCHEDULED": "yellow",
    "RUNNING": "cyan",
    "QUEUED": "yellow",
    "WARNING": "yellow",
    "PAUSED": "yellow",
    "PARTIALLY_SUCCEEDED": "yellow",
    "BACKING_OFF": "yellow",
    "AMBIGUOUS": "yellow",
    "HELD": "red",
    "SHADOW": "magenta",
    "FAILED": "red",
    "ERROR": "red",
    "ABANDONED": "red",
    "CANCELLED": "yellow",
    "REFUSED": "red",
    "PROBLEM": "red",
}


def console(*, stderr: bool = False) -> Console:
    """Return a console for standard output or standard error. Without a terminal it wraps nothing,
    so that lines can be searched."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(
        stderr=stderr,
        soft_wrap=False,
        width=None if stream.isatty() else _PLAIN_WIDTH,
        highlight=False,
    )


class Show:
    """Prints answers as tables, or as JSON."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.console = console()

    def items(
        self, title: str, columns: Sequence[str], messages: Iterable[Any], row: Any, *, empty: str
    ) -> None:
        """Print messages as a table with one `row(message)` each, or `empty` if there are none."""
        found = list(messages)
        if self.as_json:
            self._json([_plain(message) for message in found])
        elif not found:
            self.console.print(empty)
        else:
            self.table(title, columns, (row(message) for message in found))

    def item(self, message: Any, facts: Sequence[tuple[str, Any]]) -> None:
        """Print one message as a list of facts. Empty facts are left out."""
        if self.as_json:
            self._json(_plain(message))
            return
        table = Table(box=None, show_header=False, pad_edge=False)
        table.add_column(style="bold", no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in facts:
            if value not in ("", None):
                table.add_row(name, text(value))
        self.console.print(table)

    def done(self, message: Any, sentence: str) -> None:
        """Print what a command has done."""
        if self.as_json:
            self._json(_plain(message))
        else:
            self.console.print(sentence)

    def note(self, sentence: str) -> None:
        """Print a note for people. JSON has no notes."""
        if not self.as_json:
            self.console.print(sentence)

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Print rows under `columns`. A column whose name ends in # holds numbers."""
        table = Table(
            title=title or None,
            title_justify="left",
            box=box.SIMPLE_HEAD,
            pad_edge=False,
            title_style="bold",
        )
        for column in columns:
            name = column.removesuffix("#")
            table.add_column(
                name,
                justify="right" if column.endswith("#") else "left",
                no_wrap=name not in _PROSE,
                overflow="fold",
            )
        for row in rows:
            table.add_row(*(text(value) for value in row))
        self.console.print(table)

    def document(self, document: Any) -> None:
        """Print a document that is not a message as JSON."""
        self._json(document)

    def _json(self, document: Any) -> None:
        # rich would wrap the lines.
        sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2) + "\n")


def text(value: Any) -> str:
    """Return a value as rich text. Words for states are coloured."""
    if value is None:
        return ""
    if isinstance(value, Timestamp):
        return when(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    word = str(value)
    colour = _COLOURS.get(word)
    return f"[{colour}]{word}[/]" if colour else escape(word)


def when(time: Timestamp) -> str:
    """Return a time in this machine's time zone, or an empty text if it is not set."""
    if not time.seconds and not time.nanos:
        return ""
    moment = datetime.fromtimestamp(time.ToNanoseconds() / 1e9, UTC).astimezone()
    today = moment.date() == datetime.now(UTC).astimezone().date()
    return moment.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M:%S")


def last(name: str) -> str:
    """Return the last part of a resource name."""
    return name.rsplit("/", 1)[-1]


def part(name: str, collection: str) -> str:
    """Return the id after `collection/` in a resource name, or an empty text."""
    parts = name.split("/")
    return parts[parts.index(collection) + 1] if collection in parts else ""


def word(message: Any, field: str) -> str:
    """Return the name of an enum value without its prefix: SYNCED instead of STATE_SYNCED."""
    kind = message.DESCRIPTOR.fields_by_name[field].enum_type
    number = getattr(message, field)
    value = kind.values_by_number.get(number)
    if value is None:
        return str(number)
    name: str = value.name
    return "" if number == 0 else name.removeprefix(_prefix(kind))


def words(message: Any, field: str) -> list[str]:
    """Return the names of the values of a repeated enum field, as `word` does."""
    kind = message.DESCRIPTOR.fields_by_name[field].enum_type
    prefix = _prefix(kind)
    known = [kind.values_by_number.get(number) for number in getattr(message, field)]
    return [value.name.removeprefix(prefix) for value in known if value is not None]


def optional(message: Any, field: str) -> Any:
    """Return the value of an optional field, or None if it is not set."""
    return getattr(message, field) if message.HasField(field) else None


def withheld(status: Any) -> str:
    """Return what is withheld of a link's target and why: `−2 SUSPECTED`; empty if nothing is."""
    return ", ".join(f"{-kept.units:+d} {kept.label}" for kept in status.withheld_parts)


def trouble(message: Any) -> str:
    """Return the problem of a link, shop, run or operation as one sentence, or an empty text."""
    if not message.HasField("problem"):
        return ""
    problem = message.problem
    reason = word(problem, "reason")
    theirs = f" ({problem.platform_message})" if problem.platform_message else ""
    action = f" {problem.action_en}" if problem.action_en else ""
    return f"{reason}: {problem.message}{theirs}.{action}".replace("..", ".")


def expiring(status: Any) -> str:
    """Return the warning that a shop's credentials expire soon, or an empty text."""
    if word(status, "credentials_state") != "EXPIRING":
        return ""
    day = status.credentials_expire_time.ToDatetime().date().isoformat()
    return f"The credentials end on {day}. Enter new ones with `zaiko shops update`."


def _prefix(kind: Any) -> str:
    """Return the prefix of an enum's values: ERROR_REASON_ of ErrorReason."""
    return (
        "".join(f"_{char}" if char.isupper() else char.upper() for char in kind.name).lstrip("_")
        + "_"
    )


def _plain(message: Any) -> Any:
    if isinstance(message, (dict, list)):
        return message
    return MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
