"""Clients that stand still or drip: each is hung up on, and those that are slow for a reason are not."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn

from pipeline.http import slow_clients
from pipeline.http.slow_clients import TimeLimitedProtocol

WHOLE = b"POST /echo HTTP/1.1\r\nHost: here\r\nContent-Length: 3\r\n\r\nabc"
HEAD = b"POST /echo HTTP/1.1\r\nHost: here\r\nContent-Length: 1000\r\n\r\n"
PATIENCE_S = 30.0


class HastyProtocol(TimeLimitedProtocol):
    head_s = 0.3
    body_s = 0.3


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the body, or for as long as the client listens."""
    body = b""
    while (message := await receive())["type"] == "http.request":
        body += message["body"]
        if not message.get("more_body"):
            break
    else:
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(10 if scope["path"] == "/slow" else 0):
        await asyncio.sleep(0.1)
        await send({"type": "http.response.body", "body": b".", "more_body": True})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def connected(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[asyncio.StreamReader, Any]]:
    monkeypatch.setattr(slow_clients, "LOOK_S", 0.05)
    config = uvicorn.Config(application, http=HastyProtocol, log_config=None, lifespan="off", port=0)
    server = uvicorn.Server(config)
    monkeypatch.setattr(server, "capture_signals", contextlib.nullcontext)
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        server.should_exit = True
        await running


async def ended(reader: asyncio.StreamReader) -> bytes:
    """Return what comes until the server hangs up."""
    try:
        return await asyncio.wait_for(reader.read(), PATIENCE_S)
    except ConnectionResetError:
        return b""


@pytest.mark.parametrize(
    "sent",
    [b"", b"GET / HT", HEAD[:-2], HEAD, HEAD + b"some of it"],
    ids=["nothing", "half a line", "half a head", "no body", "half a body"],
)
def test_who_stands_still_is_hung_up_on(monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    async def run() -> None:
        async with connected(monkeypatch) as (reader, writer):
            writer.write(sent)
            assert b"200" not in await ended(reader)

    asyncio.run(run())


@pytest.mark.parametrize("beginning", [b"GET /", HEAD], ids=["head", "body"])
def test_who_drips_is_hung_up_on(monkeypatch: pytest.MonkeyPatch, beginning: bytes) -> None:
    async def run() -> None:
        async with connected(monkeypatch) as (reader, writer):
            writer.write(beginning)
            end = asyncio.create_task(ended(reader))
            with contextlib.suppress(ConnectionError):
                while not end.done():
                    writer.write(b"x")
                    await writer.drain()
                    await asyncio.sleep(0.05)
            assert b"200" not in await end

    asyncio.run(run())


def test_a_further_request_on_a_connection_is_waited_for_no_longer_than_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def run() -> None:
        async with connected(monkeypatch) as (reader, writer):
            writer.write(WHOLE)
            assert b"200" in await reader.readuntil(b"abc\r\n0\r\n\r\n")
            writer.write(HEAD[:-2])
            assert await ended(reader) == b""

    asyncio.run(run())


def test_an_answer_may_take_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        async with connected(monkeypatch) as (reader, writer):
            writer.write(WHOLE.replace(b"/echo", b"/slow"))
            answer = await asyncio.wait_for(reader.readuntil(b"abc\r\n0\r\n\r\n"), PATIENCE_S)
            assert b"200" in answer

    asyncio.run(run())
