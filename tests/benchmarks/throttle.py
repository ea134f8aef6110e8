"""A server's address behind which no connection gets more than so many bytes a second."""

import asyncio
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from urllib.parse import urlsplit

BLOCK_BYTES = 1 << 18


@contextmanager
def throttled(url: str, bytes_per_s: float) -> Iterator[str]:
    """Yield a URL that leads to the same server through a process of its own."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_run, args=(url, bytes_per_s, theirs), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        process.kill()
        process.join()


def _run(url: str, bytes_per_s: float, tell: Connection) -> None:
    asyncio.run(_serve(urlsplit(url).hostname or "", urlsplit(url).port or 80, bytes_per_s, tell))


async def _serve(host: str, port: int, bytes_per_s: float, tell: Connection) -> None:
    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_reader, to_writer = await asyncio.open_connection(host, port)
        await asyncio.gather(_pass(reader, to_writer, None), _pass(to_reader, writer, bytes_per_s))

    server = await asyncio.start_server(connect, "127.0.0.1", 0)
    tell.send(server.sockets[0].getsockname()[1])
    async with server:
        await server.serve_forever()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, bytes_per_s: float | None) -> None:
    loop = asyncio.get_running_loop()
    free_at = loop.time()
    with suppress(ConnectionError):
        while block := await reader.read(BLOCK_BYTES):
            writer.write(block)
            await writer.drain()
            if bytes_per_s:
                free_at = max(free_at, loop.time() - 0.05) + len(block) / bytes_per_s
                await asyncio.sleep(max(0.0, free_at - loop.time()))
    writer.close()
