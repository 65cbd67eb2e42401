"""Lines as real networks have them: PostgreSQL runs in a network namespace of its own, and each
replica reaches it over a cable that can be cut. They need root, and Linux.

A proxy acknowledges what it does not forward. Over a cut cable nothing is acknowledged: the kernels
of both ends retransmit, probe, and give up."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess

from sqlalchemy import URL

_NOBODY = "02:00:00:00:00:00"
"""An address that no network card has."""
_CLOSED = bytes([7])
_SESSIONS = 64


class CableError(Exception):
    """This machine cannot have cables; the message says why."""


class Cables:
    """A namespace for PostgreSQL, and the cables into it. The command `inside` runs another command
    in the namespace. Each test session has a namespace of its own, which is connected to this
    machine only."""

    name = "cables"

    def __init__(self) -> None:
        _check()
        # The kernel releases such a name with the process that holds it. So the process that gets
        # it may remove what a killed session left under it.
        self._claim, number = _claimed()
        self.namespace = f"zaiko-{number}"
        self.inside = ("ip", "netns", "exec", self.namespace)
        self.network = f"198.18.{number}"
        """The first three numbers of each address; 198.18.0.0/15 is reserved for tests of networks
        (RFC 2544)."""
        _clear(self.namespace)
        try:
            _run("ip", "netns", "add", self.namespace)
            _ip("link set lo up", namespace=self.namespace)
        except CableError:
            self.close()
            raise

    def lay(self, number: int, database: URL) -> Cable:
        """See Lines."""
        port = int(str(database.port or database.query.get("port", 5432)))
        return Cable(self.namespace, number, self.network, port)

    def close(self) -> None:
        """Remove the namespace, and end what still runs in it."""
        _clear(self.namespace)
        self._claim.close()


class Cable:
    """Two network cards with nothing between them (veth), the far one in PostgreSQL's namespace."""

    def __init__(self, namespace: str, number: int, network: str, port: int) -> None:
        self._namespace = namespace
        self._near, self._far = f"{namespace}-{number}", f"replica-{number}"
        self._here = f"{network}.{4 * number + 1}"
        self.host, self.port = f"{network}.{4 * number + 2}", port
        _ip(
            (
                f"link add {self._near} address {_card(1)} type veth peer name {self._far} "
                f"address {_card(2)} netns {namespace}"
            ),
            f"addr add {self._here}/30 dev {self._near}",
            f"link set {self._near} up",
        )
        _ip(
            f"addr add {self.host}/30 dev {self._far}",
            f"link set {self._far} up",
            namespace=namespace,
        )
        self.heal()

    def cut(self) -> None:
        """See Line."""
        # Setting the link down would remove its routes, and senders would get "network unreachable"
        # at once. Packets to a card that does not exist are lost silently. The neighbour entry is
        # permanent, so no kernel asks for the card and gets no answer.
        self._send_to(_NOBODY, _NOBODY)

    def heal(self) -> None:
        """See Line."""
        self._send_to(_card(2), _card(1))

    def drop(self) -> None:
        """See Line. The replica's end is closed. PostgreSQL notices at once, or, while the cable is
        cut, not at all: it keeps its half until its own timers end it, or until something that it
        sends is refused."""
        _run("ss", "--kill", "--tcp", "--no-header", "src", self._here, "dst", self.host)

    def close(self) -> None:
        """See Line."""
        _ip(f"link del {self._near}")

    def _send_to(self, far: str, near: str) -> None:
        _ip(f"neigh replace {self.host} lladdr {far} nud permanent dev {self._near}")
        _ip(
            f"neigh replace {self._here} lladdr {near} nud permanent dev {self._far}",
            namespace=self._namespace,
        )


def _card(end: int) -> str:
    return f"02:00:00:00:00:0{end}"


def _claimed() -> tuple[socket.socket, int]:
    for number in range(_SESSIONS):
        claim = socket.socket(socket.AF_UNIX)
        with contextlib.suppress(OSError):
            claim.bind(f"\0zaiko-cables-{number}")
            return claim, number
        claim.close()
    raise CableError(f"{_SESSIONS} test sessions run already")


def _check() -> None:
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        raise CableError("cables need root")
    missing = [tool for tool in ("ip", "ss") if shutil.which(tool) is None]
    if missing:
        raise CableError(f"missing: {', '.join(missing)}")
    # A kernel can be built without the means to break a connection; `ss` then reports no error.
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        socket.create_connection(listening.getsockname()) as one,
    ):
        _run("ss", "--kill", "--tcp", "--no-header", f"sport = :{one.getsockname()[1]}")
        if one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) != _CLOSED:
            raise CableError("this kernel cannot break connections (CONFIG_INET_DIAG_DESTROY)")


def _clear(namespace: str) -> None:
    """Remove a namespace, the processes in it, and the cables into it. Without such a namespace,
    change nothing."""
    with contextlib.suppress(CableError):
        for link in _run("ip", "-brief", "link", "show", "type", "veth").splitlines():
            if (name := link.split("@")[0]).startswith(f"{namespace}-"):
                _ip(f"link del {name}")
    with contextlib.suppress(CableError):
        for process in _run("ip", "netns", "pids", namespace).split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(process), signal.SIGKILL)
        _run("ip", "netns", "del", namespace)


def _ip(*lines: str, namespace: str = "") -> None:
    _run("ip", *(("-n", namespace) if namespace else ()), "-batch", "-", given="\n".join(lines))


def _run(*command: str, given: str = "") -> str:
    done = subprocess.run(
        command, input=given, capture_output=True, text=True, timeout=30, check=False
    )
    if done.returncode:
        raise CableError(f"{' '.join(command)} {given!r}: {done.stderr.strip()}")
    return done.stdout
