"""Guard against server-side request forgery: only public hosts, and those that a setting allows, are connected to.

Addresses are checked again at the moment of connecting. So neither a redirect nor a host that changes its address
after the first check can bypass the guard.
"""

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

import urllib3
from urllib3 import HTTPResponse
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
from urllib3.util.connection import create_connection

from pipeline.errors import AddressError, TransientError
from pipeline.settings import settings
from pipeline.sources.deadline import current_deadline
from pipeline.sources.web_address import host_and_port

NAT64 = IPv6Network("64:ff9b::/96")
"""Addresses with an embedded IPv4 address in their last 32 bits (RFC 6052)."""
NOT_PUBLIC = tuple(
    ip_network(it)
    for it in (
        "192.0.0.0/24",  # IETF protocol assignments
        "192.88.99.0/24",  # 6to4 relays, deprecated
        "168.63.129.16/32",  # Azure's platform, reachable from its virtual machines only
        "::/96",  # IPv4-compatible addresses, deprecated
        "::ffff:0:0:0/96",  # IPv4-translated addresses (RFC 7915)
        "64:ff9b:1::/48",  # local-use IPv4/IPv6 translation, private addresses included (RFC 8215)
        "fec0::/10",  # site-local addresses, deprecated
        "3fff::/20",  # documentation (RFC 9637)
        "5f00::/16",  # segment routing (RFC 9602)
    )
)
"""Networks that are public according to `is_global` of some releases of Python 3.11."""
LOCAL_DOMAINS = (".localhost", ".local", ".internal", ".lan", ".home.arpa")
"""Endings of names that are never public (RFC 6761, RFC 6762, RFC 8375; `internal` is reserved by ICANN)."""


def check_url(url: str) -> None:
    """Check that a URL is one of http or https and that its host may be connected to.

    Raises:
        AddressError: the URL is invalid, its host does not exist, or an address of the host is private.
        TransientError: the name server does not answer.
    """
    permitted_addresses(*host_and_port(url))


def check_url_by_proxy(url: str) -> None:
    """Check a URL that a proxy is to fetch, as `check_url`; a host that only the proxy can resolve is left to it.

    An address, in whatever notation, and a name that leads to this machine or network are resolved here.

    Raises:
        AddressError: the URL is invalid, or an address of its host is private.
    """
    host, port = host_and_port(url)
    try:
        addresses = _resolve(host, port)
    except (AddressError, TransientError):
        is_local = "." not in host.rstrip(".") or host.rstrip(".").lower().endswith(LOCAL_DOMAINS)
        if is_local and not _is_allowed(host):
            raise AddressError(f"{host} is not a public name. To allow it, add it to DUET_ALLOWED_HOSTS.") from None
    else:
        _check_addresses(host, addresses)


def permitted_addresses(host: str, port: int) -> list[str]:
    """Return the addresses of a host after checking each of them.

    Raises:
        AddressError: the host does not exist, or one of its addresses is private.
        TransientError: the name server does not answer.
    """
    addresses = list(dict.fromkeys(_resolve(host, port)))
    _check_addresses(host, addresses)
    return addresses


def _check_addresses(host: str, addresses: list[str]) -> None:
    for address in addresses:
        if not _is_permitted(host, ip_address(address.partition("%")[0])):
            raise AddressError(
                f"{host} {_located(host, address)}not a public address. To allow it, add it to DUET_ALLOWED_HOSTS."
            )


def _located(host: str, address: str) -> str:
    return "is " if host == address else f"is at {address}, which is "


class PublicPoolManager(urllib3.PoolManager):
    """A urllib3 pool manager that connects to permitted addresses only, also after redirects.

    Requests raise the errors of `permitted_addresses` and of urllib3.
    """

    def __init__(self, **options: object) -> None:
        super().__init__(**options)  # type: ignore[arg-type]  # handed on as they are
        self.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}


class ProxiedPoolManager(urllib3.ProxyManager):
    """A urllib3 pool manager that connects to the operator's proxy only, within the deadline.

    It does not look where a URL leads: `check_url_by_proxy` comes before each request.
    """

    def __init__(self, proxy: str, **options: object) -> None:
        super().__init__(proxy, **options)  # type: ignore[arg-type]  # handed on as they are
        self.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}


class _HTTP(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _connect(self)

    def request(self, *args: Any, **options: Any) -> None:
        _watch(self)
        super().request(*args, **options)

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as urllib3 has it
        return _require_in_time(super().getresponse())


class _HTTPS(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _connect(self)

    def request(self, *args: Any, **options: Any) -> None:
        _watch(self)
        super().request(*args, **options)

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as urllib3 has it
        return _require_in_time(super().getresponse())


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _HTTP


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _HTTPS


def _connect(connection: HTTPConnection) -> socket.socket:
    """Connect like urllib3, but only to the checked addresses, or to the proxy, and within the deadline."""
    reason: OSError | None = None
    deadline = current_deadline()
    look_up = _resolve if connection.proxy else permitted_addresses
    for address in look_up(connection.host, connection.port):
        timeout_s = connection.timeout
        if deadline:
            left_s = max(deadline.left_s, 0.001)
            timeout_s = min(timeout_s, left_s) if isinstance(timeout_s, int | float) else left_s
        try:
            connected = create_connection(
                (address, connection.port),
                timeout_s,
                source_address=connection.source_address,
                socket_options=connection.socket_options,
            )
        except TimeoutError:
            raise ConnectTimeoutError(connection, f"{connection.host} does not answer in time.") from None
        except OSError as error:
            reason = error
        else:
            if deadline:
                deadline.watch(connected)
            return connected
    raise NewConnectionError(connection, f"{connection.host} cannot be reached: {reason}") from reason


def _watch(connection: HTTPConnection) -> None:
    """Put a reused connection under the deadline of this exchange."""
    if (deadline := current_deadline()) and connection.sock is not None:
        deadline.watch(connection.sock)


def _require_in_time(response: HTTPResponse) -> HTTPResponse:
    """Raise `TimeoutError` for a response cut off by the deadline, since urllib3 accepts a truncated header."""
    if (deadline := current_deadline()) and deadline.is_over:
        raise TimeoutError
    return response


def _resolve(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        if error.errno == socket.EAI_AGAIN:
            raise TransientError(f"The name server does not say now where {host} is ({error.strerror}).") from None
        raise AddressError(f"There is no host {host} ({error.strerror}); check the spelling.") from None
    except (OSError, UnicodeError) as error:
        raise AddressError(f"{host!r} is no name of a host ({error}).") from None
    return [str(address[0]) for *_, address in found]


def _is_permitted(host: str, address: IPv4Address | IPv6Address) -> bool:
    inner = _embedded_ipv4(address)
    if all(_is_public(it) for it in (address, *inner)):
        return True
    return any(_is_named(entry, host, address) for entry in settings().allowed_hosts)


def _is_allowed(host: str) -> bool:
    return any(_is_same_name(entry, host) for entry in settings().allowed_hosts)


def _is_same_name(entry: str, host: str) -> bool:
    return entry.lower().rstrip(".") == host.lower().rstrip(".")


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    is_denied = any(address in network for network in NOT_PUBLIC if network.version == address.version)
    return address.is_global and not address.is_multicast and not is_denied


def _embedded_ipv4(address: IPv4Address | IPv6Address) -> list[IPv4Address]:
    """Return the IPv4 addresses embedded in an IPv6 address (mapped, 6to4, Teredo or NAT64)."""
    if isinstance(address, IPv4Address):
        return []
    ways = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in NAT64:
        ways.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return [it for it in ways if it is not None]


def _is_named(entry: str, host: str, address: IPv4Address | IPv6Address) -> bool:
    try:
        return address in ip_network(entry, strict=False)
    except ValueError:
        return _is_same_name(entry, host)
