"""Lines for machines that cannot have cables: a TCP proxy between one replica and the database,
which can be cut and can drop every connection.

The proxy's kernel keeps acknowledging what is not forwarded, so neither end notices that the other
is gone."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections.abc import Callable

from sqlalchemy import URL


class Cuts:
    """Lines that are proxies."""

    name = "proxies"

    def lay(self, number: int, database: URL) -> Cut:
        """See Lines."""
        folder, port = database.query["host"], database.port or database.query.get("port", 5432)
        return Cut(lambda: _reach(f"{folder}/.s.PGSQL.{port}"))


class Cut:
    """Forwards `host`:`port` to the socket that `reach` opens."""

    host = "127.0.0.1"

    def __init__(self, reach: Callable[[], socket.socket]) -> None:
        self._reach = reach
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self._open = threading.Event()
        self._open.set()
        self._closed = False
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True, name=f"cut {self.port}").start()

    def cut(self) -> None:
        """See Line."""
        self._open.clear()

    def heal(self) -> None:
        """See Line."""
        self._open.set()

    def drop(self) -> None:
        """See Line."""
        with self._lock:
            pairs, self._pairs = self._pairs, set()
        for pair in pairs:
            _hang_up(pair)

    def close(self) -> None:
        """See Line."""
        self._closed = True
        self._open.set()
        self._listening.close()
        self.drop()

    def _accept(self) -> None:
        while not self._closed:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._connect, args=(near,), daemon=True).start()

    def _connect(self, near: socket.socket) -> None:
        self._open.wait()
        try:
            far = self._reach()
        except OSError:
            near.close()
            return
        pair = (near, far)
        with self._lock:
            self._pairs.add(pair)
        self._forward(pair)
        with self._lock:
            self._pairs.discard(pair)

    def _forward(self, pair: tuple[socket.socket, socket.socket]) -> None:
        """Forward in both directions until one side ends."""
        near, far = pair
        other = {near: far, far: near}
        with contextlib.suppress(OSError, ValueError), selectors.DefaultSelector() as ready:
            for end in pair:
                ready.register(end, selectors.EVENT_READ)
            while not self._closed:
                for key, _ in ready.select(0.2):
                    side = key.fileobj
                    assert isinstance(side, socket.socket)
                    data = side.recv(65_536)
                    self._open.wait()
                    if not data:
                        raise OSError("one side has ended")
                    other[side].sendall(data)
        _hang_up(pair)


def _reach(path: str) -> socket.socket:
    far = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        far.connect(path)
    except OSError:
        far.close()
        raise
    return far


def _hang_up(pair: tuple[socket.socket, socket.socket]) -> None:
    for side in pair:
        with contextlib.suppress(OSError):
            side.shutdown(socket.SHUT_RDWR)
        side.close()
