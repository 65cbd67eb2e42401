"""One queue per merchant, so that what waits for the same merchant shares one turn of a thread and
one transaction: group commit for writes, one snapshot for reads (ADR 0032)."""

from __future__ import annotations

import asyncio
import contextvars
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from zaiko_core.app.ports.mergeable import Mergeable
from zaiko_core.domain.errors import StorageUnavailable

T = TypeVar("T")

BATCH_LIMIT = 64
"""Items of one batch."""

DATABASE_ERRORS = (DBAPIError, PoolTimeout)


@dataclass(frozen=True, slots=True)
class Settled:
    """What a query or command returned, or raised."""

    value: Any = None
    error: BaseException | None = None


@dataclass(eq=False, slots=True)
class QueuedItem:
    """A query or command that waits, and the context that it runs in."""

    work: Callable[[Any], Any]
    context: contextvars.Context
    answer: asyncio.Future[Any]


@dataclass(eq=False, slots=True)
class _Queue:
    waiting: list[QueuedItem] = field(default_factory=list)
    running: int = 0
    """Batches at work."""
    overdue_at: float = math.inf
    """When the last batch has been at work for longer than the patience."""
    timer: asyncio.TimerHandle | None = None
    scheduled: bool = False
    """Whether the next batch is to start some turns of the event loop later."""
    expected: int = 0
    """Items that the next batch waits for; 0: it waits for none."""
    delay: asyncio.TimerHandle | None = None
    """Ends the wait for expected items."""


class Batcher:
    """Runs what is submitted, in batches per merchant. Used on event loops.

    `run` gets a merchant and the items of a batch on a thread of `pool`. It settles all of them, in
    their order, or as many from the front as it likes: the rest is the beginning of the next batch.
    `turns`: turns of the event loop before a batch starts. They let answers go out and calls that
    have arrived join it; on an idle loop they take some µs.
    `siblings`, `delay`: when at least `siblings` items were in the queue as a batch ended, the next
    one starts as soon as equally many wait, and `delay` seconds later with those that do. Callers
    who were answered together come again together. By default no batch waits for a time. (The
    names are those of PostgreSQL's commit_siblings and commit_delay.)
    `patience`: seconds after which the next batch starts beside this one, should it still be at
    work; by default never.
    """

    def __init__(
        self,
        run: Callable[[str, Sequence[QueuedItem]], Sequence[Settled]],
        pool: Executor,
        *,
        turns: int = 0,
        siblings: float = math.inf,
        delay: float = 0.0,
        patience: Callable[[Sequence[QueuedItem]], float] = lambda batch: math.inf,
    ) -> None:
        self._run, self._pool = run, pool
        self._turns, self._patience = turns, patience
        self._siblings, self._delay = siblings, delay
        self._queues: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, _Queue]] = (
            WeakKeyDictionary()
        )

    async def submit(self, merchant: str, work: Callable[[Any], T]) -> T:
        """Return what `work` returns, once its batch is committed. Raises what it raises, and what
        the store raises. Cancelling before the batch starts removes the item; afterwards it runs
        to completion and its result is discarded."""
        loop = asyncio.get_running_loop()
        queue = self._queues.setdefault(loop, {}).setdefault(merchant, _Queue())
        item = QueuedItem(work, contextvars.copy_context(), loop.create_future())
        queue.waiting.append(item)
        self._schedule(loop, merchant, queue)
        answer: T = await item.answer
        return answer

    def _schedule(self, loop: asyncio.AbstractEventLoop, merchant: str, queue: _Queue) -> None:
        """Start the next batch after some turns of the event loop."""
        if queue.scheduled or len(queue.waiting) < queue.expected:
            return
        self._expect(loop, merchant, queue, 0)
        if not self._turns:
            self._start_next(loop, merchant, queue)
            return
        queue.scheduled = True

        def turn(left: int) -> None:
            if left:
                loop.call_soon(turn, left - 1)
                return
            queue.scheduled = False
            self._start_next(loop, merchant, queue)

        loop.call_soon(turn, self._turns - 1)

    def _expect(
        self, loop: asyncio.AbstractEventLoop, merchant: str, queue: _Queue, count: int
    ) -> None:
        """Let the next batch wait until `count` items do, or until the delay is over."""
        queue.expected = min(count, BATCH_LIMIT)
        if queue.delay is not None:
            queue.delay.cancel()
            queue.delay = None
        if not count:
            return

        def end() -> None:
            queue.expected, queue.delay = 0, None
            self._start_next(loop, merchant, queue)

        queue.delay = loop.call_later(self._delay, end)

    def _start_next(self, loop: asyncio.AbstractEventLoop, merchant: str, queue: _Queue) -> None:
        queue.waiting = [item for item in queue.waiting if not item.answer.cancelled()]
        if not queue.waiting:
            if not queue.running:
                self._drop(loop, merchant, queue)
            return
        if queue.running and not self._is_overdue(loop, merchant, queue):
            return
        batch, queue.waiting = queue.waiting[:BATCH_LIMIT], queue.waiting[BATCH_LIMIT:]
        queue.running += 1
        queue.overdue_at = loop.time() + self._patience(batch)
        try:
            done = loop.run_in_executor(self._pool, self._run, merchant, batch)
        except RuntimeError:  # the pool is shut down
            stopping = StorageUnavailable("the server is stopping; try again")
            self._settle(loop, merchant, queue, batch, [Settled(error=stopping)] * len(batch))
            return
        done.add_done_callback(
            lambda done: self._settle(loop, merchant, queue, batch, _settled(done, batch))
        )

    def _drop(self, loop: asyncio.AbstractEventLoop, merchant: str, queue: _Queue) -> None:
        # A timer that is left would end a later queue of the same merchant while it is at work.
        if queue.timer is not None:
            queue.timer.cancel()
        if self._queues[loop].get(merchant) is queue:
            del self._queues[loop][merchant]

    def _is_overdue(self, loop: asyncio.AbstractEventLoop, merchant: str, queue: _Queue) -> bool:
        """Return whether the batch at work has run for longer than the patience. If not, the queue
        is checked again when it has."""
        if loop.time() >= queue.overdue_at:
            return True
        if queue.timer is None and queue.overdue_at < math.inf:

            def check() -> None:
                queue.timer = None
                self._start_next(loop, merchant, queue)

            queue.timer = loop.call_at(queue.overdue_at, check)
        return False

    def _settle(
        self,
        loop: asyncio.AbstractEventLoop,
        merchant: str,
        queue: _Queue,
        batch: Sequence[QueuedItem],
        settled: Sequence[Settled],
    ) -> None:
        queue.running -= 1
        queue.waiting[:0] = batch[len(settled) :]
        present = len(settled) + len(queue.waiting)
        if present >= self._siblings and not queue.running:
            self._expect(loop, merchant, queue, present)
        for item, outcome in zip(batch, settled, strict=False):
            if item.answer.done():
                continue
            if outcome.error is not None:
                item.answer.set_exception(outcome.error)
            else:
                item.answer.set_result(outcome.value)
        self._schedule(loop, merchant, queue)


def merged_queries(items: Sequence[QueuedItem]) -> list[list[QueuedItem]]:
    """Return the items in groups that one call answers: those whose query can be merged with each
    other, and every other item alone."""
    groups: dict[Any, list[QueuedItem]] = {}
    for item in items:
        work = item.work
        key = work.apply_all if isinstance(work, Mergeable) else item
        groups.setdefault(key, []).append(item)
    return list(groups.values())


def merged_commands(items: Sequence[QueuedItem]) -> Iterator[list[QueuedItem]]:
    """Yield the items in their order, in groups of one unit of work each: neighbours whose commands
    can be merged, and every other item alone."""
    group: list[QueuedItem] = []
    keys: set[str] = set()
    for item in items:
        if group and not _can_join(group[0].work, item.work, keys):
            yield group
            group, keys = [], set()
        group.append(item)
        if isinstance(item.work, Mergeable):
            keys |= item.work.conflict_keys
    if group:
        yield group


def _can_join(first: Any, work: Any, keys: set[str]) -> bool:
    return (
        isinstance(first, Mergeable)
        and isinstance(work, Mergeable)
        and first.apply_all == work.apply_all
        and keys.isdisjoint(work.conflict_keys)
    )


def answer_queries(uow: Any, group: Sequence[QueuedItem]) -> list[Settled]:
    """Answer a group of `merged_queries` in one snapshot. What a query raises is its own."""
    if len(group) > 1:
        queries: list[Any] = [item.work for item in group]
        unique = list(dict.fromkeys(query.item for query in queries))
        try:
            answers = group[0].context.run(queries[0].apply_all, uow, unique)
        except DATABASE_ERRORS:
            raise
        except Exception:  # noqa: BLE001, S110 - run again below, one by one
            pass
        else:
            found = dict(zip(unique, answers, strict=True))
            return [Settled(found[query.item]) for query in queries]
    return [settle(partial(item.context.run, item.work, uow)) for item in group]


def apply_commands(uow: Any, group: Sequence[QueuedItem]) -> list[Settled]:
    """Run a group of `merged_commands` in one unit of work. Raises what any command raises."""
    first = group[0]
    if len(group) == 1:
        return [Settled(first.context.run(first.work, uow))]
    commands: list[Any] = [item.work for item in group]
    answers = first.context.run(commands[0].apply_all, uow, [command.item for command in commands])
    return [Settled(answer) for _, answer in zip(commands, answers, strict=True)]


def settle(work: Callable[[], Any]) -> Settled:
    """Return what `work` returned or raised. Raises database errors: the transaction that others
    share is no longer usable."""
    try:
        return Settled(work())
    except DATABASE_ERRORS:
        raise
    except Exception as error:  # noqa: BLE001 - it is the caller's
        return Settled(error=error)


def _settled(
    done: asyncio.Future[Sequence[Settled]], batch: Sequence[QueuedItem]
) -> Sequence[Settled]:
    if done.cancelled():
        return [Settled(error=asyncio.CancelledError())] * len(batch)
    error = done.exception()
    return done.result() if error is None else [Settled(error=error)] * len(batch)
