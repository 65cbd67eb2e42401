"""The simulated queue of uploads (FACTS.md §6): jobs run in order, later than requested, good lines
of a bad file included."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from zaiko_nextengine.simulator.query import ApiError
from zaiko_nextengine.simulator.records import SimJob

_MOST_BYTES = 5_000_000
_COMPLAINT = {
    "code": "{code}: {why}",
    "row": "{number}行目: {why}",
    "none": "エラーが発生しました",
}

Apply = Callable[[str, int], str]
"""Adds units to a goods code, and returns why not, or an empty text."""


@dataclass(slots=True)
class Queue:
    """`seconds` is how long a job takes. `stuck`: no job is finished. `message_form`: `code`, `row`
    or `none` (UNCONFIRMED)."""

    apply: Apply
    seconds: float = 0.0
    stuck: bool = False
    message_form: str = "code"
    unknown_status: int | None = None
    jobs: list[SimJob] = field(default_factory=list)
    _numbers: Any = field(default_factory=lambda: itertools.count(8801))

    def add(self, data: str, now: datetime) -> str:
        """Add an upload, and return the id of its job. Raises ApiError when it is not a file of
        goods at all."""
        header = data.partition("\n")[0].strip().split(",")
        if (
            len(data.encode()) > _MOST_BYTES
            or "syohin_code" not in header
            or "zaiko_su" not in header
        ):
            raise ApiError("020500")
        job = SimJob(str(next(self._numbers)), data, now)
        self.jobs.append(job)
        return job.id

    def work(self, now: datetime) -> None:
        """Run the jobs that are due by now, one after another."""
        free_at: datetime | None = None
        for job in self.jobs:
            if job.ended:
                continue
            begins = max(job.created_at, free_at) if free_at is not None else job.created_at
            ends = begins + timedelta(seconds=self.seconds)
            if self.stuck or ends > now:
                job.status = 1 if free_at is None else 0
                free_at = (
                    datetime.max.replace(tzinfo=now.tzinfo) - timedelta(days=1)
                    if self.stuck
                    else ends
                )
                continue
            self._run(job)
            free_at = ends

    def _run(self, job: SimJob) -> None:
        complaints = []
        for number, row in enumerate(csv.DictReader(io.StringIO(job.data)), start=2):
            code, units = row.get("syohin_code") or "", row.get("zaiko_su") or ""
            if not units:
                continue
            why = (
                self.apply(code, int(units))
                if re.fullmatch(r"-?\d{1,9}", units)
                else "在庫数は数字で指定してください"
            )
            if why:
                complaints.append(
                    _COMPLAINT[self.message_form].format(code=code, number=number, why=why)
                )
        job.ended, job.message = True, "\n".join(dict.fromkeys(complaints))
        job.status = -1 if complaints else 2
        if self.unknown_status is not None:
            job.status = self.unknown_status
