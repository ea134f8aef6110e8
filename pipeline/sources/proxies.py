"""Proxies that the environment names: `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`, in either case."""

from contextlib import suppress
from functools import lru_cache
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3

from pipeline.errors import AddressError
from pipeline.sources.url_guard import ProxiedPoolManager, PublicPoolManager, check_url, check_url_by_proxy
from pipeline.sources.web_address import authorization, host_and_port, without_login


def checked_pool(url: str, timeout_s: float) -> urllib3.PoolManager:
    """Return the pool manager that fetches a URL, directly or by a proxy, after checking where the URL leads.

    Raises:
        AddressError: the URL is invalid, its host may not be connected to, or the proxy's own address is invalid.
        TransientError: the host of the URL cannot be resolved at the moment.
    """
    if proxy := proxy_of(url):
        check_url_by_proxy(url)
        return _by_proxy(proxy, timeout_s)
    check_url(url)
    return _direct(timeout_s)


def proxy_of(url: str) -> str:
    """Return the address of the proxy for a URL; empty if there is none.

    Raises:
        AddressError: the URL is invalid, or the proxy is not one of http or https.
    """
    host, port = host_and_port(url)
    proxies = getproxies()
    proxy = proxies.get(urlsplit(url).scheme) or proxies.get("all") or ""
    if not proxy or proxy_bypass(f"{host}:{port}") or _is_in_network(host, proxies.get("no", "")):
        return ""
    address = proxy if "://" in proxy else f"http://{proxy}"
    try:
        host_and_port(address)
    except AddressError:
        kind, _, place = address.partition("://")
        raise AddressError(
            f"The proxy {kind}://{place.rpartition('@')[2]} is none of http:// or https://; "
            "correct HTTP_PROXY, HTTPS_PROXY or ALL_PROXY."
        ) from None
    return address


def _is_in_network(host: str, exempt: str) -> bool:
    """Return whether a host is an address in one of the networks of `NO_PROXY`, which Python does not look at."""
    for network in exempt.split(","):
        with suppress(ValueError):  # a name
            if ip_address(host) in ip_network(network.strip(), strict=False):
                return True
    return False


@lru_cache(maxsize=4)
def _direct(timeout_s: float) -> PublicPoolManager:
    return PublicPoolManager(timeout=_timeout(timeout_s), retries=False)


@lru_cache(maxsize=8)
def _by_proxy(proxy: str, timeout_s: float) -> ProxiedPoolManager:
    login = {f"Proxy-{name}": value for name, value in authorization(proxy).items()}
    return ProxiedPoolManager(without_login(proxy), proxy_headers=login, timeout=_timeout(timeout_s), retries=False)


def _timeout(timeout_s: float) -> urllib3.Timeout:
    return urllib3.Timeout(connect=min(10.0, timeout_s), read=timeout_s)
