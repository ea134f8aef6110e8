"""A time limit for a whole exchange over HTTP, however slowly the other side sends.

A socket's own timeout begins anew with every byte, so a server that sends one byte now and then holds its client for
as long as it likes. Here the sockets of an exchange are shut when its time is over, wherever it is: in the handshake,
in a header, in the body.
"""

import os
import socket
import time
from contextlib import suppress
from contextvars import ContextVar, Token
from threading import Lock, Timer
from typing import Self

_current: ContextVar["Deadline | None"] = ContextVar("deadline", default=None)


class Deadline:
    """The end of the exchanges that are made within the `with` block, in this thread, by a `PublicPoolManager`.

    What is read after it ends as if the other side had closed the connection; `is_over` tells the two apart.
    """

    def __init__(self, limit_s: float) -> None:
        self._lock = Lock()
        self._sockets: list[socket.socket] = []
        self._limit_s = limit_s
        self._timer: Timer | None = None
        self._ends_at = time.monotonic() + limit_s

    def __enter__(self) -> Self:
        """Begin to count."""
        self._token: Token[Deadline | None] = _current.set(self)
        self.renew(self._limit_s)
        return self

    def __exit__(self, *_: object) -> None:
        """Let the connections be."""
        _current.reset(self._token)
        with self._lock:
            if self._timer:
                self._timer.cancel()
            while self._sockets:
                self._sockets.pop().close()

    @property
    def is_over(self) -> bool:
        """Whether the time is over."""
        return self.left_s <= 0

    @property
    def left_s(self) -> float:
        """Seconds that are left; 0 or less when it is over."""
        return self._ends_at - time.monotonic()

    def renew(self, limit_s: float) -> None:
        """Give so many seconds from now on, whatever was left."""
        with self._lock:
            if self._timer:
                self._timer.cancel()
            self._ends_at = time.monotonic() + limit_s
            self._timer = Timer(max(limit_s, 0.0), self._shut)
            self._timer.daemon = True
            self._timer.start()

    def watch(self, connection: socket.socket) -> None:
        """Shut a connection down when the time is over.

        TLS takes the descriptor away from the socket that it wraps, so a copy is kept: both are one connection.
        """
        own = socket.socket(connection.family, connection.type, connection.proto, os.dup(connection.fileno()))
        with self._lock:
            self._sockets.append(own)
        if self.is_over:
            self._shut()

    def _shut(self) -> None:
        with self._lock:
            if not self.is_over:
                return  # it was renewed at this very moment
            for it in self._sockets:
                with suppress(OSError):  # the other side was faster
                    it.shutdown(socket.SHUT_RDWR)


def current_deadline() -> Deadline | None:
    """Return the deadline within which this thread is."""
    return _current.get()
