"""`duet serve`: HTTP in front of the queues."""

import logging
import socket
from typing import Annotated

import typer

from pipeline.cli.terminal import bad_usage, console, interruptible
from pipeline.errors import StackError

STOP_S = 5
"""How long answers that are on their way may take once the server is told to stop; streams never end by themselves."""

LOOPBACK = ("127.0.0.1", "::1")
QUIET = {"uvicorn": logging.WARNING, "python_multipart": logging.ERROR}
"""What these say besides is said to the client, or by our own lines."""


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on; another than this machine's needs a key.")] = "",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 chooses a free one.")] = 8000,
    to: Annotated[str, typer.Option("--to", metavar="URI", help="Where results go; else DUET_SERVE_TO.")] = "",
) -> None:
    """Serve uploads, jobs, events and the home page over HTTP until Ctrl-C.

    Needs a broker with workers: `duet up` in another window, or DUET_BROKER_URL. Without any API key it takes
    requests of this machine alone, and none that a proxy passes on; `duet keys add NAME` makes one.
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
    state_url()  # without any the server could do nothing
    host = host or settings().serve_host
    proxies = settings().serve_trusted_proxies
    is_private = host in ("127.0.0.1", "::1", "localhost") and not proxies
    if not is_private and not ApiKeyStore().valid():
        where = "Behind a proxy" if proxies else f"On {host}"
        bad_usage(f"{where} anybody could send audio: make a key first with `duet keys add NAME`.")
    application = make_application(to or settings().serve_to, is_private=is_private)
    with interruptible("Duet's server has ended; what it took is on the queues.", 0), _listening(host, port) as door:
        console.print(f"Duet is at http://{_written(host)}:{door.getsockname()[1]}; Ctrl-C ends it.", highlight=False)
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
        raise StackError(f"{_written(host)}:{port} cannot be listened on: {reason}; choose another --port.") from None


def _written(host: str) -> str:
    return f"[{host}]" if ":" in host else host
