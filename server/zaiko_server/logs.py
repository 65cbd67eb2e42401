"""Configure log lines: text for people on a terminal, otherwise one JSON document per line."""

from __future__ import annotations

import logging
from enum import StrEnum
from typing import Any, TextIO

import structlog


class Format(StrEnum):
    """The format of log lines."""

    AUTO = "auto"
    TEXT = "text"
    JSON = "json"


def configure(form: Format, *, quiet: bool, stream: TextIO, level: int = logging.INFO) -> None:
    """Configure logging for the whole process. Each line has `event`, `level`, `timestamp` (UTC)
    and the ids of its context: `call` and `merchant` in a call; `merchant`, `shop` and `run` in a
    run; `trace_id` in a trace. AUTO means TEXT on a terminal, otherwise JSON. With `quiet` only
    warnings and errors are logged."""
    terminal = stream.isatty()
    as_json = form is Format.JSON or (form is Format.AUTO and not terminal)
    render: list[Any] = (
        [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
        ]
        if as_json
        # Plain tracebacks: the others show the variables of every frame, and some hold credentials.
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
