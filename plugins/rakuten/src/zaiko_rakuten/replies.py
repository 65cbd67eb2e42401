"""What RMS answered, and the problems in it. RMS has three shapes of an error (and any text in
front of them):

{"errors":[{"code","message","metadata":{"propertyPath"}}]}          items, stock, the gateway
{"MessageModelList":[{"messageType","messageCode","message"}], ...}  orders, also with status 200
{"Results":{"errorCode","message"}}                                  the older gateway of orders
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from zaiko_sdk import ContractBroken, read_json

_ENTRY = re.compile(r"inventories\[(\d{1,4})\]")
_UNREADABLE = object()


@dataclass(frozen=True, slots=True)
class Problem:
    """One error in a reply. `entry` is the index of its row and `order` the order number, where RMS
    names them."""

    code: str
    message: str = ""
    entry: int | None = None
    order: str = ""

    def __str__(self) -> str:
        return f"{self.code} {self.message}".strip()


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole reply. `retry_after` in seconds and `served_at` by the platform's clock, if its
    headers contain them."""

    status: int
    body: bytes
    request_id: str = ""
    retry_after: float | None = None
    served_at: datetime | None = None
    problems: Sequence[Problem] = field(default=())

    @property
    def codes(self) -> frozenset[str]:
        """The codes of all problems."""
        return frozenset(problem.code for problem in self.problems)

    @property
    def is_cut(self) -> bool:
        """Whether it is a success whose JSON was cut off."""
        return self.status == 200 and not self.body.rstrip().endswith(b"}")

    def document(self, what: str) -> Any:
        """Return the JSON. Raises ContractBroken without showing any of it: it may contain a
        buyer's data."""
        value = _json(self.body)
        if value is _UNREADABLE:
            raise ContractBroken(f"{what} answered with {len(self.body)} bytes that are not JSON")
        return value

    def words(self) -> str:
        """Return the platform's own words for a person: its messages, or the first 200 characters
        of the text."""
        if self.problems:
            return "; ".join(str(problem) for problem in self.problems[:5])
        if 200 <= self.status < 300:
            return ""
        return re.sub(r"\s+", " ", self.body.decode("utf-8", "replace")).strip()[:200]


def problems_in(status: int, body: bytes) -> list[Problem]:
    """Return the errors that a reply reports, in whatever shape."""
    if 200 <= status < 300 and b'"ERROR"' not in body and b'"errors"' not in body:
        return []  # a success that is not worth parsing twice
    value = _json(body)
    if not isinstance(value, Mapping):
        return []
    return [*_gateway(value), *_messages(value), *_old_gateway(value)]


def _gateway(value: Mapping[str, Any]) -> Iterator[Problem]:
    errors = value.get("errors")
    for error in errors if isinstance(errors, list) else []:
        if isinstance(error, Mapping):
            metadata = error.get("metadata")
            path = metadata.get("propertyPath") if isinstance(metadata, Mapping) else None
            found = _ENTRY.search(path) if isinstance(path, str) else None
            yield Problem(
                _word(error, "code"),
                _word(error, "message"),
                int(found.group(1)) if found else None,
            )


def _messages(value: Mapping[str, Any]) -> Iterator[Problem]:
    messages = value.get("MessageModelList")
    for message in messages if isinstance(messages, list) else []:
        if isinstance(message, Mapping) and message.get("messageType") == "ERROR":
            yield Problem(
                _word(message, "messageCode"),
                _word(message, "message"),
                order=_word(message, "orderNumber"),
            )


def _old_gateway(value: Mapping[str, Any]) -> Iterator[Problem]:
    results = value.get("Results")
    if isinstance(results, Mapping) and results.get("errorCode"):
        yield Problem(_word(results, "errorCode"), _word(results, "message"))


def _word(value: Mapping[str, Any], name: str) -> str:
    return str(value.get(name) or "")[:200]


def _json(body: bytes) -> Any:
    try:
        return read_json(body)
    except ValueError:
        return _UNREADABLE
