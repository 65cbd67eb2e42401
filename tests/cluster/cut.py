"""The network between one replica and the database: a TCP proxy that can be cut, and that can drop every connection."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections.abc import Callable


class Cut:
    """Forwards 127.0.0.1:`port` to what `reach` opens. While it is cut, nothing passes either way and nobody is told; what was sent
    meanwhile arrives when it heals, as with a real network. Its methods may be called from any thread."""

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
        """Let nothing pass from now on."""
        self._open.clear()

    def heal(self) -> None:
        """Let everything pass again."""
        self._open.set()

    def drop(self) -> int:
        """Break every connection that there is; how many."""
        with self._lock:
            pairs, self._pairs = self._pairs, set()
        for pair in pairs:
            _hang_up(pair)
        return len(pairs)

    def close(self) -> None:
        """Forward nothing any more."""
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
        """Until one side has ended."""
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


def _hang_up(pair: tuple[socket.socket, socket.socket]) -> None:
    for side in pair:
        with contextlib.suppress(OSError):
            side.shutdown(socket.SHUT_RDWR)
        side.close()
