"""Time limit of a whole HTTP exchange, however slowly the server sends.

A socket's own timeout restarts with every byte, so a server that sends a byte now and then can block its client
forever. The deadline shuts down the sockets of an exchange instead: in the handshake, in a header or in the body.
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
    """The deadline of all exchanges of a `PublicPoolManager` within the `with` block, in this thread.

    Reads after it end as if the server had closed the connection; `is_over` distinguishes the two cases.
    """

    def __init__(self, limit_s: float) -> None:
        self._lock = Lock()
        self._sockets: list[socket.socket] = []
        self._limit_s = limit_s
        self._timer: Timer | None = None
        self._ends_at = time.monotonic() + limit_s

    def __enter__(self) -> Self:
        """Start the timer."""
        self._token: Token[Deadline | None] = _current.set(self)
        self.renew(self._limit_s)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop watching the connections."""
        _current.reset(self._token)
        with self._lock:
            if self._timer:
                self._timer.cancel()
            while self._sockets:
                self._sockets.pop().close()

    @property
    def is_over(self) -> bool:
        """Whether the deadline has passed."""
        return self.left_s <= 0

    @property
    def left_s(self) -> float:
        """Remaining seconds; 0 or less when the deadline has passed."""
        return self._ends_at - time.monotonic()

    def renew(self, limit_s: float) -> None:
        """Set the deadline to a number of seconds from now."""
        with self._lock:
            if self._timer:
                self._timer.cancel()
            self._ends_at = time.monotonic() + limit_s
            self._timer = Timer(max(limit_s, 0.0), self._shut)
            self._timer.daemon = True
            self._timer.start()

    def watch(self, connection: socket.socket) -> None:
        """Shut a connection down at the deadline.

        TLS detaches the descriptor of the socket that it wraps, so a duplicate of it is stored.
        """
        own = socket.socket(connection.family, connection.type, connection.proto, os.dup(connection.fileno()))
        with self._lock:
            self._sockets.append(own)
        if self.is_over:
            self._shut()

    def _shut(self) -> None:
        with self._lock:
            if not self.is_over:
                return  # renewed while the timer fired
            for connection in self._sockets:
                with suppress(OSError):  # already closed by the server
                    connection.shutdown(socket.SHUT_RDWR)


def current_deadline() -> Deadline | None:
    """Return the deadline of this thread's current `with` block; None outside of one."""
    return _current.get()
