"""TLS in front of a server that has none: a certificate authority of a test's own, and a proxy that ends TLS."""

import asyncio
import ipaddress
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

BLOCK_BYTES = 1 << 16
LIFETIME = timedelta(days=1)


@dataclass(frozen=True)
class TlsServer:
    """Where it listens, and who vouches for it."""

    port: int
    authority: Path
    """The authority's certificate, as PEM."""


@contextmanager
def tls_before(socket: Path, folder: Path, name: str = "localhost") -> Iterator[TlsServer]:
    """Accept TLS for a name on a port of its own, and pass on what comes to the socket of a server."""
    authority = certificates(folder, name)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def listen() -> asyncio.Server:
        return await asyncio.start_server(lambda *it: _pass_on(socket, *it), "127.0.0.1", 0, ssl=context)

    server = asyncio.run_coroutine_threadsafe(listen(), loop).result()
    try:
        yield TlsServer(server.sockets[0].getsockname()[1], authority)
    finally:
        asyncio.run_coroutine_threadsafe(_end(server), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _end(server: asyncio.Server) -> None:
    server.close()
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _pass_on(socket: Path, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        inner_reader, inner_writer = await asyncio.open_unix_connection(socket)
    except OSError:
        writer.close()
        return
    await asyncio.wait(
        [asyncio.create_task(it) for it in (_copy(reader, inner_writer), _copy(inner_reader, writer))],
        return_when=asyncio.FIRST_COMPLETED,
    )
    for it in (writer, inner_writer):
        it.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while block := await reader.read(BLOCK_BYTES):
            writer.write(block)
            await writer.drain()
    except OSError:
        return  # one side has gone, and the other is closed for it


def certificates(folder: Path, name: str) -> Path:
    """Make an authority and a certificate of its for a name, and return the authority's own."""
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    subjects = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, it)]) for it in ("Duet's tests", name)]
    names: list[x509.GeneralName] = [x509.DNSName(name)]
    if name == "localhost":
        names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    for is_authority, key, subject in zip((True, False), keys, subjects, strict=True):
        own = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subjects[0])
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(datetime.now() - LIFETIME)
            .not_valid_after(datetime.now() + LIFETIME)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .sign(keys[0], hashes.SHA256())
        )
        path = folder / ("authority.pem" if is_authority else "server.pem")
        path.write_bytes(own.public_bytes(serialization.Encoding.PEM))
    pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "server.key").write_bytes(keys[1].private_bytes(*pem))
    return folder / "authority.pem"
