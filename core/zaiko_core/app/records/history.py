"""What is kept for people: runs, operations, and the change feed."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from zaiko_core.domain.problem import Problem


class RunState(enum.StrEnum):
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    PARTIALLY_SUCCEEDED = "PARTIALLY_SUCCEEDED"
    FAILED = "FAILED"
    ABANDONED = "ABANDONED"
    CANCELLED = "CANCELLED"


class Trigger(enum.StrEnum):
    """What makes a run begin, the strongest first. Notifications and changes do not hasten a shop
    that backs off or whose run was abandoned, so such a run is RETRY or RECOVERY whatever came
    meanwhile. A person's request begins it at once."""

    REQUEST = "REQUEST"
    RECOVERY = "RECOVERY"
    RETRY = "RETRY"
    WEBHOOK = "WEBHOOK"
    CHANGE = "CHANGE"
    INTERVAL = "INTERVAL"


@dataclass(slots=True)
class RunCounts:
    """What a run did."""

    pages: int = 0
    orders_fetched: int = 0
    orders_changed: int = 0
    orders_outdated: int = 0
    computed: int = 0
    read: int = 0
    pushed: int = 0
    confirmed: int = 0
    stale: int = 0
    unknown: int = 0
    failed: int = 0
    rounds: int = 0


@dataclass(frozen=True, slots=True)
class RunRecord:
    shop: str
    run: str
    state: RunState
    trigger: str
    token: int
    started_at: int
    started_revision: int = 0
    """The merchant's revision when it began: it takes account of every change up to it."""
    ended_at: int | None = None
    counts: RunCounts = field(default_factory=RunCounts)
    problem: Problem | None = None
    revision: int = 0


class OperationState(enum.StrEnum):
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True)
class OperationRecord:
    operation: str
    kind: str
    state: OperationState
    shop: str
    arguments: Mapping[str, Any]
    done: int = 0
    total: int = 0
    result: Mapping[str, Any] | None = None
    problem: Problem | None = None
    cancel_asked: bool = False
    created_at: int = 0
    started_at: int | None = None
    ended_at: int | None = None
    revision: int = 0


class ChangeKind(enum.StrEnum):
    """What a row of the change feed is about; its `name` is given in brackets."""

    LINK = "link"
    """[shop/listing]"""
    SHOP = "shop"
    """[shop]"""
    RUN = "run"
    """[shop/run]"""
    STOCK = "stock"
    """[product]"""
