"""Faults on replicas, drawn from a seed before anything runs, so that a seed repeats its storm as
far as clocks allow."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from cluster.cluster import Replica
from support.stores import PostgreSQL
from support.waiting import until

LEASE = 5.0
"""Seconds; see SchedulerConfig."""
_PATIENCE = 10.0
"""Seconds without an acknowledgement after which both ends give up a connection
(tcp_user_timeout)."""
KINDS = ("kill", "pause", "terminate", "drop", "cut", "sever")
_CONCURRENT = 2
"""The most replicas that are struck at the same time: one is always left."""
CRASH, _ALL = "crash", -1


@dataclass(frozen=True, slots=True)
class Strike:
    """One fault: a `kind` of KINDS on one replica, or CRASH, `at` seconds after the beginning. Some
    kinds last for `seconds`.

    kill: SIGKILL, and a new process after `seconds`. pause: SIGSTOP, then SIGCONT. terminate:
    PostgreSQL ends every session of the replica. drop: every connection breaks. cut: nothing passes
    between replica and database, silently; then the line heals and what was sent arrives. sever:
    the same, but the connections break before the line heals, so that what was sent is lost. crash:
    PostgreSQL itself dies, and recovers."""

    at: float
    kind: str
    replica: int
    seconds: float


def schedule(seed: int, seconds: float, replicas: int) -> list[Strike]:
    """Return the faults of a seed: every kind at least once if there is time, at most `_CONCURRENT`
    replicas at the same time, and one fault at a time on a replica."""
    draw = random.Random(f"faults {seed}")
    first = draw.sample(KINDS, len(KINDS))
    next_at = [0.5 + draw.random() for _ in range(_CONCURRENT)]
    free = [0.0] * replicas
    strikes: list[Strike] = []
    while (at := min(next_at)) < seconds - 2.0:
        kind = first.pop() if first else draw.choice(KINDS)
        lasts = _lasting(kind, draw)
        idle = [number for number in range(replicas) if free[number] <= at]
        strikes.append(Strike(round(at, 2), kind, replica := draw.choice(idle), round(lasts, 2)))
        # A new process needs some seconds before it answers.
        free[replica] = next_at[next_at.index(at)] = (
            at + lasts + (4.0 if kind == "kill" else 0.5) + draw.random()
        )
    # A server that starts while PostgreSQL is down ends. Restarting it is its supervisor's work,
    # which is not tested here: `_follow` keeps this fault apart from the others.
    strikes.append(
        Strike(
            round(seconds * draw.uniform(0.3, 0.7), 2),
            CRASH,
            _ALL,
            round(draw.uniform(0.2, 2.0), 2),
        )
    )
    return strikes


def _lasting(kind: str, draw: random.Random) -> float:
    match kind:
        case "kill":
            return draw.choice([0.0, 1.0, LEASE])
        case "pause":
            return LEASE + draw.choice([0.2, 1.0, 2.0])
        case "cut" | "sever":
            return draw.choice([1.0, LEASE + 1.0, LEASE + 3.0, _PATIENCE + 2.0])
    return 0.0


class Faults:
    """Strikes replicas as scheduled; `met` counts the faults by kind."""

    def __init__(
        self, postgresql: PostgreSQL, replicas: Sequence[Replica], strikes: Sequence[Strike]
    ) -> None:
        self._postgresql, self._replicas = postgresql, replicas
        self.met: Counter[str] = Counter()
        self.errors: list[BaseException] = []
        self._busy = [threading.Lock() for _ in replicas]
        self._threads = [
            threading.Thread(target=self._follow, args=(strike,), name=str(strike))
            for strike in strikes
        ]

    def start(self) -> None:
        """Start the clock of the schedule."""
        self._began = time.monotonic()
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        """Wait until the last fault is over and every replica answers again. Raises the first error
        of a fault."""
        for thread in self._threads:
            thread.join()
        if self.errors:
            raise self.errors[0]
        until(lambda: all(replica.ready() for replica in self._replicas), "every replica answers")

    def _follow(self, strike: Strike) -> None:
        time.sleep(max(0.0, self._began + strike.at - time.monotonic()))
        struck = self._busy if strike.replica == _ALL else [self._busy[strike.replica]]
        with contextlib.ExitStack() as busy:
            for lock in struck:
                busy.enter_context(lock)
            try:
                self._strike(self._replicas[strike.replica], strike)
                self.met[strike.kind] += 1
            except BaseException as error:  # noqa: BLE001 - raised by `finish`
                self.errors.append(error)

    def _strike(self, replica: Replica, strike: Strike) -> None:
        match strike.kind:
            case "kill":
                replica.kill()
                time.sleep(strike.seconds)
                replica.start()
                until(replica.ready, f"{replica.name} answers")
            case "pause":
                replica.pause()
                time.sleep(strike.seconds)
                replica.go_on()
            case "terminate":
                with self._postgresql.admin() as connection:
                    connection.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s",
                        (replica.role,),
                    )
            case "crash":
                self._postgresql.halt()
                time.sleep(strike.seconds)
                self._postgresql.resume()
            case "drop":
                replica.line.drop()
            case "cut" | "sever":
                replica.line.cut()
                time.sleep(strike.seconds)
                if strike.kind == "sever":
                    replica.line.drop()
                replica.line.heal()
