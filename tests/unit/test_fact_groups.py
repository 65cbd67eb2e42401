"""Group commit without gRPC, a store or real time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from zaiko_server.ingest.fact_groups import FactGroups, StreamClock, StreamLimits

pytestmark = pytest.mark.anyio


class Stage:
    """A source that is fed by hand, a clock that is moved by hand, and every group that was
    committed."""

    def __init__(self, **limits: Any) -> None:
        self.now = 0.0
        self.sleepers: list[tuple[float, asyncio.Event]] = []
        self.source: asyncio.Queue[int | Exception | None] = asyncio.Queue()
        self.taken: list[int] = []
        self.committed: list[list[int]] = []
        self.failing: Exception | None = None
        self.groups: FactGroups[int, int] = FactGroups(
            self.commit,
            limits=StreamLimits(**limits),
            time=StreamClock(lambda: self.now, self.sleep),
        )
        self.answers = self.groups.answers(self.items())

    async def items(self) -> AsyncIterator[int]:
        while (item := await self.source.get()) is not None:
            if isinstance(item, Exception):
                raise item
            self.taken.append(item)
            yield item

    async def commit(self, items: Sequence[int]) -> Sequence[int]:
        if self.failing is not None:
            raise self.failing
        self.committed.append(list(items))
        return items

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.Event()
        self.sleepers.append((self.now + seconds, woken))
        await woken.wait()

    async def pass_time(self, seconds: float) -> None:
        self.now += seconds
        for due, woken in self.sleepers:
            if due <= self.now:
                woken.set()
        await settle()

    def feed(self, *items: int | Exception | None) -> None:
        for item in items:
            self.source.put_nowait(item)


async def settle() -> None:
    """Let every task go as far as it can."""
    for _ in range(2000):
        await asyncio.sleep(0)


async def begun(stage: Stage) -> asyncio.Task[list[int]]:
    async def collect() -> list[int]:
        return [answer async for answer in stage.answers]

    task = asyncio.create_task(collect())
    await settle()
    return task


async def test_a_group_waits_for_its_window_and_no_longer() -> None:
    stage = Stage()
    reading = await begun(stage)
    stage.feed(1)
    await settle()
    await stage.pass_time(0.019)
    stage.feed(2)
    await settle()

    before = list(stage.committed)
    await stage.pass_time(0.001)

    assert (before, stage.committed) == ([], [[1, 2]])
    stage.feed(None)
    assert await reading == [1, 2]


async def test_a_full_group_waits_for_nothing() -> None:
    stage = Stage(group=3)
    reading = await begun(stage)

    stage.feed(1, 2, 3, 4)
    await settle()

    assert stage.committed == [[1, 2, 3]]
    stage.feed(None)
    assert await reading == [1, 2, 3, 4]
    assert stage.committed == [[1, 2, 3], [4]]


async def test_who_does_not_take_answers_stops_the_reading() -> None:
    stage = Stage(group=2, unanswered=6)
    stage.feed(*range(1, 100))
    first = await anext(stage.answers)
    await settle()

    assert first == 1
    assert stage.taken == [1, 2, 3, 4, 5, 6]
    assert await anext(stage.answers) == 2
    await settle()
    assert stage.taken == [1, 2, 3, 4, 5, 6, 7]
    await stage.answers.aclose()


async def test_an_error_of_the_source_comes_after_the_answers_before_it() -> None:
    stage = Stage()
    stage.feed(1, 2, ValueError("gap"))

    answers = [await anext(stage.answers), await anext(stage.answers)]

    assert answers == [1, 2]
    with pytest.raises(ValueError, match="gap"):
        await anext(stage.answers)


async def test_finishing_commits_what_was_taken_and_takes_no_more() -> None:
    stage = Stage()
    stage.feed(1, 2)
    reading = await begun(stage)

    stage.groups.finish(ValueError("draining"))
    stage.feed(3)

    with pytest.raises(ValueError, match="draining"):
        await reading
    assert stage.committed == [[1, 2]]


async def test_a_group_that_cannot_be_committed_ends_the_stream_without_answers() -> None:
    stage = Stage(group=2)
    stage.failing = OSError("away")
    stage.feed(1, 2, 3)

    with pytest.raises(OSError, match="away"):
        await anext(stage.answers)
