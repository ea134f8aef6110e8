"""`duet metrics`: a Prometheus endpoint for hosts without `duet serve`."""

from typing import Annotated

import typer

from pipeline.cli.terminal import console, interruptible
from pipeline.errors import StackError


def metrics(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port that Prometheus scrapes.")] = 9107,
    address: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for other machines.")] = "127.0.0.1",
) -> None:
    """Serve Duet's metrics for Prometheus until Ctrl-C.

    The endpoint has no password: allow only Prometheus to reach it.
    """
    try:
        from prometheus_client import start_http_server

        from pipeline.monitoring.metrics.exposition import registry
    except ImportError as error:
        raise StackError(f"`duet metrics` needs the package {error.name}; install duet[metrics].") from None
    from pipeline.state.redis import broker_url

    broker_url()
    with interruptible("The metrics are no longer served.", 0):
        try:
            _, server = start_http_server(port, address, registry())
        except OSError as error:
            sentence = (
                f"Nothing can be served at {address}:{port} ({error.strerror}); choose another --port or --address."
            )
            raise StackError(sentence) from None
        console.print(f"Metrics at http://{address}:{port}/metrics; Ctrl-C ends it.", highlight=False)
        server.join()
