"""Flower's credentials and command line."""

import socket
import sys
from importlib.util import find_spec
from pathlib import Path

from pipeline.errors import SettingsError, StackError
from pipeline.settings import settings

CONFIGURATION = Path(__file__).with_name("configuration.py")


def credentials() -> str:
    """Return `user:password`.

    Raises:
        SettingsError: there is none, or no password in it. Flower shows file names, and it can stop workers.
    """
    auth = settings().flower_auth
    if auth is None:
        raise SettingsError("Flower needs a password: set DUET_FLOWER_AUTH=user:password, then start it again.")
    user, _, password = auth.get_secret_value().partition(":")
    if not user or not password:
        raise SettingsError("DUET_FLOWER_AUTH holds no password: set it to user:password, then start again.")
    return f"{user}:{password}"


def check(address: str, port: int) -> None:
    """See that Flower can be started.

    Raises:
        SettingsError: there is no password.
        StackError: its package is missing, or something else listens there.
    """
    credentials()
    if find_spec("flower") is None:
        raise StackError("The package flower is missing; install duet[flower], or start without --flower.")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            raise StackError(
                f"Flower cannot listen at {address}:{port} ({error.strerror}); set DUET_FLOWER_PORT."
            ) from None


def command(address: str, port: int) -> list[str]:
    """Return the command line that runs Flower in the foreground; the password is not in it, for all can read it."""
    return [
        sys.executable, "-m", "celery", "-A", "pipeline", "flower",
        f"--conf={CONFIGURATION}",
        f"--address={address}",
        f"--port={port}",
    ]  # fmt: skip
