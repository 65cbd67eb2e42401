"""Work that waits for the same merchant is done together: one turn of a thread and one transaction
for all of it (ADR 0026)."""

from __future__ import annotations

import asyncio
import contextvars
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from zaiko_core.domain.errors import StorageUnavailable

T = TypeVar("T")

MOST = 64
"""Items of one group."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an item's work returned, or raised."""

    value: Any = None
    error: BaseException | None = None


Look = Callable[[Any, Collection[Any]], Mapping[Any, Any]]
"""(unit of work, keys) → what is found, by key."""

Act = Callable[[Any, Sequence[Any]], Sequence[Any]]
"""(unit of work, what is asked for) → an answer for each, in their order."""


@dataclass(frozen=True, slots=True)
class Alike:
    """What an item does as others do: it looks up `what`, or acts on it. No two whose `claims` meet
    act at once."""

    do: Look | Act
    what: Any
    claims: frozenset[str] = frozenset()


@dataclass(eq=False, slots=True)
class Item:
    """`work` takes a unit of work and runs in `context`; where `alike` is given, both do the same.
    `advancing`: it changes something in any case, which saves a statement where it goes alone."""

    work: Callable[[Any], Any]
    context: contextvars.Context
    answer: asyncio.Future[Any]
    alike: Alike | None = None
    advancing: bool = False


@dataclass(eq=False, slots=True)
class _Lane:
    waiting: list[Item] = field(default_factory=list)
    running: int = 0
    abreast: bool = False
    """Whether somebody came while others waited or were at work; until one is at work alone to the
    end."""
    collecting: bool = False
    began: float = 0.0
    alarm: asyncio.TimerHandle | None = None


class Together:
    """Used on event loops; `do` runs on a thread of `pool` and gives an outcome for each item, in
    their order. `patience`: seconds after which another group of the same merchant starts beside
    one that is still at work; None: never. `window`: seconds that the next group waits for company
    while there are callers abreast; who comes alone never does."""

    def __init__(
        self,
        do: Callable[[str, Sequence[Item]], Sequence[Outcome]],
        pool: Executor,
        *,
        patience: float | None = None,
        window: float = 0,
    ) -> None:
        self._do, self._pool, self._patience, self._window = do, pool, patience, window
        self._lanes: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, _Lane]] = (
            WeakKeyDictionary()
        )

    async def add(self, merchant: str, work: Callable[[Any], T], *, advancing: bool = False) -> T:
        """What `work` returns, when its group is committed. Raises what it raises, and what the
        store raises. One that is cancelled before its group begins is not run; later, it runs to
        its end and nobody hears of it."""
        answer: T = await self._add(merchant, work, advancing=advancing)
        return answer

    async def look(self, merchant: str, look: Look, key: Any) -> Any:
        """As `add`, for what `look` finds for `key`, or None; `do` may take items with the same
        look at once (`looked_up`)."""
        return await self._add(merchant, lambda uow: look(uow, [key]).get(key), Alike(look, key))

    async def act(self, merchant: str, act: Act, what: Any, claims: Collection[str]) -> Any:
        """As `add`, for what `act` answers to `what`; `do` may take items with the same act at once
        (`runs`)."""
        return await self._add(
            merchant, lambda uow: act(uow, [what])[0], Alike(act, what, frozenset(claims))
        )

    async def _add(
        self,
        merchant: str,
        work: Callable[[Any], Any],
        alike: Alike | None = None,
        *,
        advancing: bool = False,
    ) -> Any:
        loop = asyncio.get_running_loop()
        lane = self._lanes.setdefault(loop, {}).setdefault(merchant, _Lane())
        item = Item(work, contextvars.copy_context(), loop.create_future(), alike, advancing)
        lane.abreast = lane.abreast or bool(lane.running or lane.waiting)
        lane.waiting.append(item)
        if not lane.collecting:
            self._next(loop, merchant, lane)
        return await item.answer

    def _next(self, loop: asyncio.AbstractEventLoop, merchant: str, lane: _Lane) -> None:
        lane.waiting = [item for item in lane.waiting if not item.answer.cancelled()]
        if not lane.waiting:
            if not lane.running:
                if lane.alarm is not None:
                    lane.alarm.cancel()
                if self._lanes[loop].get(merchant) is lane:
                    del self._lanes[loop][merchant]
            return
        if lane.running and not self._overdue(loop, merchant, lane):
            return
        group, lane.waiting = lane.waiting[:MOST], lane.waiting[MOST:]
        lane.running, lane.began = lane.running + 1, loop.time()
        try:
            done = loop.run_in_executor(self._pool, self._do, merchant, group)
        except RuntimeError:
            # The pool takes nothing more.
            stopping = StorageUnavailable("the server is stopping; try again")
            self._answer(loop, merchant, lane, group, [Outcome(error=stopping)] * len(group))
            return
        done.add_done_callback(
            lambda done: self._answer(loop, merchant, lane, group, _outcomes(done, group))
        )

    def _overdue(self, loop: asyncio.AbstractEventLoop, merchant: str, lane: _Lane) -> bool:
        """Whether those who wait have waited for long enough; if not, they are looked at again when
        they have."""
        if self._patience is None:
            return False
        if loop.time() - lane.began >= self._patience:
            return True
        if lane.alarm is None:

            def look() -> None:
                lane.alarm = None
                self._next(loop, merchant, lane)

            lane.alarm = loop.call_later(self._patience, look)
        return False

    def _answer(
        self,
        loop: asyncio.AbstractEventLoop,
        merchant: str,
        lane: _Lane,
        group: Sequence[Item],
        outcomes: Sequence[Outcome],
    ) -> None:
        lane.running -= 1
        lane.abreast = len(group) > 1 or bool(lane.waiting or lane.running)
        for item, outcome in zip(group, outcomes, strict=True):
            if item.answer.done():
                continue
            if outcome.error is not None:
                item.answer.set_exception(outcome.error)
            else:
                item.answer.set_result(outcome.value)
        if self._window and lane.abreast:
            lane.collecting = True
            loop.call_later(self._window, self._collected, loop, merchant, lane)
        else:
            self._next(loop, merchant, lane)

    def _collected(self, loop: asyncio.AbstractEventLoop, merchant: str, lane: _Lane) -> None:
        lane.collecting = False
        self._next(loop, merchant, lane)


def looked_up(uow: Any, items: Sequence[Item]) -> dict[Item, Outcome]:
    """What items that have their look in common have found with one call of it; the others are left
    out. Raises what a look raises."""
    same: dict[Any, list[tuple[Item, Any]]] = defaultdict(list)
    for item in items:
        if item.alike is not None:
            same[item.alike.do].append((item, item.alike.what))
    outcomes: dict[Item, Outcome] = {}
    for look, alike in same.items():
        if len(alike) > 1:
            found = alike[0][0].context.run(look, uow, {key for _, key in alike})
            outcomes |= {item: Outcome(found.get(key)) for item, key in alike}
    return outcomes


def runs(items: Sequence[Item]) -> Iterator[list[Item]]:
    """Items in their order: neighbours with the same act, whose claims do not meet, together;
    everything else alone."""
    run: list[Item] = []
    claims: set[str] = set()
    for item in items:
        before = run[0].alike if run else None
        alike = item.alike is not None and before is not None and item.alike.do == before.do
        if run and not (alike and item.alike is not None and claims.isdisjoint(item.alike.claims)):
            yield run
            run, claims = [], set()
        run.append(item)
        if item.alike is not None:
            claims |= item.alike.claims
    if run:
        yield run


def acted(uow: Any, run: Sequence[Item]) -> list[Outcome]:
    """What a run of items has come to, in one unit of work. Raises what any of them raises."""
    first = run[0]
    if first.alike is None or len(run) == 1:
        return [Outcome(first.context.run(first.work, uow))]
    asked = [item.alike.what for item in run if item.alike is not None]
    answers: Any = first.context.run(first.alike.do, uow, asked)
    return [Outcome(answer) for answer in answers]


def _outcomes(done: asyncio.Future[Sequence[Outcome]], group: Sequence[Item]) -> Sequence[Outcome]:
    if done.cancelled():
        return [Outcome(error=asyncio.CancelledError())] * len(group)
    error = done.exception()
    return done.result() if error is None else [Outcome(error=error)] * len(group)
