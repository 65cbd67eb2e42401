"""Run a command while its processes freeze at random: `make shake ARGS="tests/e2e"`.

Again and again one process of the command is stopped for up to two seconds: a worker of pytest, a
server that a test has started, a connection's process in PostgreSQL. That happens on every machine
that is short of cores or memory. A test that fails then has assumed that nobody stands still.
FREEZE_SEED repeats the choices, as far as the machine does.
"""

from __future__ import annotations

import contextlib
import os
import random
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

PAUSE, SHORTEST, LONGEST = 1.5, 0.3, 2.0
"""Seconds: at most so many between two stalls, and how long one lasts."""
_MARK = "ZAIKO_FREEZE"


def processes(mark: str) -> set[int]:
    """Return the ids of all processes that were started with `mark` in their environment, and of
    their descendants: a database server leaves its parent, and its children hide theirs."""
    parents: dict[int, int] = {}
    found: set[int] = set()
    for folder in Path("/proc").iterdir():
        # A process may end while it is looked at.
        with contextlib.suppress(OSError, ValueError):
            # The name of the program stands in parentheses, and may contain anything.
            state, parent, *_ = (folder / "stat").read_text().rpartition(")")[2].split()
            if state == "Z":
                continue
            process = int(folder.name)
            parents[process] = int(parent)
            if f"{_MARK}={mark}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.add(process)
    while more := {process for process, parent in parents.items() if parent in found} - found:
        found |= more
    return found


class Freezer:
    """Stops one process at a time until `end` is called. `stalls` counts them."""

    def __init__(self, mark: str, seed: int) -> None:
        self._mark, self._random = mark, random.Random(seed)
        self._ended = threading.Event()
        self.stalls = 0

    def run(self) -> None:
        """Stop one process after the other; nothing is left stopped at the end."""
        while not self._ended.wait(self._random.uniform(0, PAUSE)):
            if alive := sorted(processes(self._mark)):
                self._freeze(self._random.choice(alive))

    def end(self) -> None:
        """Let everything go on. Any thread may call this."""
        self._ended.set()

    def _freeze(self, process: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process, signal.SIGSTOP)
            self.stalls += 1
            try:
                self._ended.wait(self._random.uniform(SHORTEST, LONGEST))
            finally:
                os.kill(process, signal.SIGCONT)


def run(command: Sequence[str], seed: int) -> tuple[int, int]:
    """Run the command; return its exit code and the number of stalls."""
    mark = secrets.token_hex(8)
    with subprocess.Popen(command, env=os.environ | {_MARK: mark}) as child:
        freezer = Freezer(mark, seed)
        thread = threading.Thread(target=freezer.run)
        thread.start()
        try:
            code = child.wait()
        finally:
            freezer.end()
            thread.join()
    return code, freezer.stalls


if __name__ == "__main__":
    chosen = int(os.environ.get("FREEZE_SEED") or secrets.randbelow(10**6))
    ended, stalls = run(sys.argv[1:], chosen)
    print(f"{stalls} stalls, FREEZE_SEED={chosen}")
    sys.exit(ended)
