"""Time limits for clients that send slowly or not at all; beyond them the connection is closed.

uvicorn closes connections that are idle between two requests, but waits without limit for the rest of one.
"""

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_S = 20.0
"""Seconds from the start of a connection, or of a further request on it, to the end of the request's head."""
BODY_S = 30.0
"""Seconds for a body, plus one for each `BODY_BYTES_PER_S` bytes received, as in Apache's mod_reqtimeout."""
BODY_BYTES_PER_S = 500
LOOK_S = 1.0


class TimeLimitedProtocol(H11Protocol):
    """uvicorn's HTTP/1.1 protocol with time limits for a request's head and body."""

    head_s = HEAD_S
    body_s = BODY_S

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the time limit of the first request."""
        super().connection_made(transport)
        self._began_at = self.loop.time()
        self._stage = "head"
        self._body_bytes = 0
        self._look = self.loop.call_later(LOOK_S, self._check_time)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the checks of time."""
        self._look.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Pass on received bytes and update the stage."""
        self._note_stage()
        if self._stage == "idle":
            self._enter("head")
        self._body_bytes += len(data)
        super().data_received(data)
        self._note_stage()

    def _note_stage(self) -> None:
        """Set the stage to the awaited head or body of a request; idle while it is answered, and between two."""
        state = self.conn.their_state
        if state is h11.SEND_BODY:
            self._enter("body")
        elif state is h11.IDLE and self._stage == "head":
            return  # the head is incomplete
        elif self._stage != "idle":
            self._enter("idle")

    def _enter(self, stage: str) -> None:
        if stage != self._stage:
            self._stage, self._began_at, self._body_bytes = stage, self.loop.time(), 0

    def _check_time(self) -> None:
        self._look = self.loop.call_later(LOOK_S, self._check_time)
        self._note_stage()
        if self.flow.read_paused:
            self._began_at += LOOK_S  # the server is slow, not the client
            return
        limit_s = {"head": self.head_s, "body": self.body_s + self._body_bytes / BODY_BYTES_PER_S, "idle": float("inf")}
        if self.loop.time() - self._began_at > limit_s[self._stage]:
            self.transport.abort()
