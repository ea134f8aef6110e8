"""Request ids, in every response and in the log."""

import re
import time
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = "X-Request-ID"
USUAL = re.compile(r"[\w.:-]{1,100}", re.ASCII)
logger = structlog.get_logger(__name__)


class RequestIds:
    """Middleware that reads a request's id from its header or creates one, returns it, and logs a line with it."""

    def __init__(self, application: ASGIApp) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        given = Headers(scope=scope).get(HEADER, "")
        own = given if USUAL.fullmatch(given) else uuid4().hex
        scope.setdefault("state", {})["request_id"] = own
        began, status = time.monotonic(), 0

        async def send_named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = own
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=own):
            try:
                await self._application(scope, receive, send_named)
            finally:
                took_s = round(time.monotonic() - began, 3)
                logger.info("request", method=scope["method"], path=scope["path"], status=status, took_s=took_s)
