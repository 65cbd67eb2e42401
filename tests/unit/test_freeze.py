"""The tool of `make shake` stops the processes of its command, and only those."""

from __future__ import annotations

import subprocess
import sys

import pytest
from support import freeze
from support.waiting import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")


def test_a_command_ends_as_it_would_although_it_was_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(freeze, "PAUSE", 0.01)
    monkeypatch.setattr(freeze, "LONGEST", 0.3)
    code, stalls = freeze.run([sys.executable, "-c", "import time; time.sleep(1); exit(3)"], seed=1)
    assert code == 3
    assert stalls >= 1


def test_processes_are_those_of_the_command_and_what_they_have_started() -> None:
    # The child of the child has another environment.
    child_of_child = "subprocess.Popen([sys.executable, '-c', 'input()'], env={})"
    script = f"import subprocess, sys; {child_of_child}; input()"
    command, marked = [sys.executable, "-c", script], {freeze._MARK: "test"}
    with subprocess.Popen(command, env=marked, stdin=subprocess.PIPE) as child:
        until(lambda: len(freeze.processes("test")) == 2)
        assert child.pid in freeze.processes("test")
        assert freeze.processes("another") == set()
        child.communicate(b"\n\n")
