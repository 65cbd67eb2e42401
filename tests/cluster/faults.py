"""Faults on replicas, drawn from a seed before anything runs, so that a seed is the same storm
again as far as clocks allow."""

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
"""Seconds after which both ends of a connection give it up when nothing is acknowledged:
tcp_user_timeout."""
KINDS = ("kill", "pause", "terminate", "drop", "cut", "sever")
_ABREAST = 2
"""Replicas that are struck at once, at most: one is left to go on."""
CRASH, _ALL = "crash", -1


@dataclass(frozen=True, slots=True)
class Strike:
    """`kind` of KINDS on one replica, or CRASH, `at` seconds after the beginning, for so many
    `seconds` where it lasts:

    kill: SIGKILL, and a new process after `seconds`. pause: SIGSTOP, then SIGCONT. terminate:
    PostgreSQL ends every session of the replica. drop: every connection breaks. cut: nothing passes
    between replica and database, and nobody is told; then it does, and what was sent arrives.
    sever: the same, but before it heals the connections break, so that what was sent is lost.
    crash: PostgreSQL itself dies, and recovers."""

    at: float
    kind: str
    replica: int
    seconds: float


def schedule(seed: int, seconds: float, replicas: int) -> list[Strike]:
    """Every kind at least once where there is time, at most `_ABREAST` replicas at once, one fault
    at a time on a replica."""
    draw = random.Random(f"faults {seed}")
    first = draw.sample(KINDS, len(KINDS))
    lanes = [0.5 + draw.random() for _ in range(_ABREAST)]
    free = [0.0] * replicas
    strikes: list[Strike] = []
    while (at := min(lanes)) < seconds - 2.0:
        kind = first.pop() if first else draw.choice(KINDS)
        lasts = _lasting(kind, draw)
        whole = [number for number in range(replicas) if free[number] <= at]
        strikes.append(Strike(round(at, 2), kind, replica := draw.choice(whole), round(lasts, 2)))
        # A new process needs some seconds until it answers.
        free[replica] = lanes[lanes.index(at)] = (
            at + lasts + (4.0 if kind == "kill" else 0.5) + draw.random()
        )
    # Not beside another: a server that starts meanwhile would end, and its supervisor's work is not
    # what is tested.
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
    """Strikes replicas as scheduled; `met` says how often by kind."""

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
        """Begin to count the time."""
        self._began = time.monotonic()
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        """Wait until the last one is over and every replica answers again. Raises what went wrong
        on the way."""
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
