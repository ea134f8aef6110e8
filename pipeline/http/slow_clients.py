"""Time limits for clients that send slowly or not at all; beyond them the connection is closed.

uvicorn closes connections that are idle between two requests, and waits without end for the rest of one.
"""

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_S = 20.0
"""From the beginning of a connection, or of a further request on it, to the end of the request's head."""
BODY_S = 30.0
"""For a body, and a second more for each `BODY_BYTES_PER_S` that have come, as Apache's mod_reqtimeout has it."""
BODY_BYTES_PER_S = 500
LOOK_S = 1.0


class TimeLimitedProtocol(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it, with an end to its patience."""

    head_s = HEAD_S
    body_s = BODY_S

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._began_at = self.loop.time()
        self._stage = "head"
        self._body_bytes = 0
        self._look = self.loop.call_later(LOOK_S, self._look_at_it)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._look.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Pass on received bytes."""
        self._note_stage()
        if self._stage == "idle":
            self._enter("head")
        self._body_bytes += len(data)
        super().data_received(data)
        self._note_stage()

    def _note_stage(self) -> None:
        """Note what is waited for: a request's head or its body; nothing while it is answered, or between two."""
        state = self.conn.their_state
        if state is h11.SEND_BODY:
            self._enter("body")
        elif state is h11.IDLE and self._stage == "head":
            return  # it is not whole yet
        elif self._stage != "idle":
            self._enter("idle")

    def _enter(self, stage: str) -> None:
        if stage != self._stage:
            self._stage, self._began_at, self._body_bytes = stage, self.loop.time(), 0

    def _look_at_it(self) -> None:
        self._look = self.loop.call_later(LOOK_S, self._look_at_it)
        self._note_stage()
        if self.flow.read_paused:
            self._began_at += LOOK_S  # it is we who are slow
            return
        limit_s = {"head": self.head_s, "body": self.body_s + self._body_bytes / BODY_BYTES_PER_S, "idle": float("inf")}
        if self.loop.time() - self._began_at > limit_s[self._stage]:
            self.transport.abort()
