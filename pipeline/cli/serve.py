"""`duet serve`: the HTTP server in front of the queues."""

import logging
import socket
from typing import Annotated

import typer

from pipeline.cli.terminal import console, exit_usage, interruptible
from pipeline.errors import StackError

STOP_S = 5
"""Seconds for responses in progress after a stop is requested; event streams never end by themselves."""

LOOPBACK = ("127.0.0.1", "::1")
QUIET = {"uvicorn": logging.WARNING, "python_multipart": logging.ERROR}
"""Minimum log levels of libraries; their other messages repeat responses or Duet's own log lines."""


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on; any but loopback needs a key.")] = "",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 chooses a free one.")] = 8000,
    to: Annotated[str, typer.Option("--to", metavar="URI", help="Destination; DUET_SERVE_TO by default.")] = "",
) -> None:
    """Serve uploads, jobs, events and the home page over HTTP until Ctrl-C.

    Needs a broker with workers: `duet up` in another window, or DUET_BROKER_URL. Without an API key only
    direct requests from this machine are accepted, none through a proxy; `duet keys add NAME` creates a key.
    """
    from pipeline.logs import set_up
    from pipeline.settings import settings
    from pipeline.state.api_keys import ApiKeyStore
    from pipeline.state.redis import state_url

    try:
        import uvicorn

        from pipeline.http.application import make_application
        from pipeline.http.slow_clients import TimeLimitedProtocol
    except ImportError as error:
        raise StackError(f"`duet serve` needs the package {error.name}; install duet[serve].") from None
    set_up()
    for name, level in QUIET.items():
        logging.getLogger(name).setLevel(level)
    state_url()  # raises an error if there is no broker
    host = host or settings().serve_host
    proxies = settings().serve_trusted_proxies
    is_private = host in ("127.0.0.1", "::1", "localhost") and not proxies
    if not is_private and not ApiKeyStore().valid():
        where = "Behind a proxy" if proxies else f"On {host}"
        exit_usage(f"{where} anybody could send audio: make a key first with `duet keys add NAME`.")
    application = make_application(to or settings().serve_to, is_private=is_private)
    with interruptible("Duet's server has ended; what it took is on the queues.", 0), _listening(host, port) as door:
        console.print(f"Duet is at http://{_url_host(host)}:{door.getsockname()[1]}; Ctrl-C ends it.", highlight=False)
        config = uvicorn.Config(
            application,
            access_log=False,
            log_config=None,
            timeout_graceful_shutdown=STOP_S,
            server_header=False,
            http=TimeLimitedProtocol,
            forwarded_allow_ips=list(proxies or LOOPBACK),
        )
        uvicorn.Server(config).run(sockets=[door])


def _listening(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        reason = error.strerror or error
        raise StackError(f"{_url_host(host)}:{port} cannot be listened on: {reason}; choose another --port.") from None


def _url_host(host: str) -> str:
    return f"[{host}]" if ":" in host else host
