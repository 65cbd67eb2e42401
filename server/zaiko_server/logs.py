"""How log lines are written: for people on a terminal, else one JSON document per line."""

from __future__ import annotations

import logging
from enum import StrEnum
from typing import Any, TextIO

import structlog


class Format(StrEnum):
    """The forms of a line."""

    AUTO = "auto"
    TEXT = "text"
    JSON = "json"


def configure(form: Format, *, quiet: bool, stream: TextIO, level: int = logging.INFO) -> None:
    """For the whole process. Each line has `event`, `level`, `timestamp` (UTC), and the ids of what
    it belongs to: `call`, `merchant`; `merchant`, `shop`, `run`; `trace_id` where there is a trace.
    AUTO is TEXT on a terminal, else JSON. `quiet`: warnings only."""
    terminal = stream.isatty()
    as_json = form is Format.JSON or (form is Format.AUTO and not terminal)
    render: list[Any] = (
        [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
        ]
        if as_json
        # Plain tracebacks: the pretty ones show the variables of every frame, and some hold
        # credentials.
        else [
            structlog.dev.ConsoleRenderer(
                colors=terminal, exception_formatter=structlog.dev.plain_traceback
            )
        ]
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING if quiet else level),
        logger_factory=structlog.PrintLoggerFactory(stream),
    )
