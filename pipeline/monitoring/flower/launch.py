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
        SettingsError: DUET_FLOWER_AUTH is unset or has no password. Flower shows file names and can stop workers.
    """
    auth = settings().flower_auth
    if auth is None:
        raise SettingsError("Flower needs a password: set DUET_FLOWER_AUTH=user:password, then start it again.")
    user, _, password = auth.get_secret_value().partition(":")
    if not user or not password:
        raise SettingsError("DUET_FLOWER_AUTH holds no password: set it to user:password, then start again.")
    return f"{user}:{password}"


def check(address: str, port: int) -> None:
    """Check that Flower can be started.

    Raises:
        SettingsError: no password is set.
        StackError: its package is missing, or the port is in use.
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
    """Return the command line of Flower in the foreground; without the password, as all users can read it."""
    return [
        sys.executable, "-m", "celery", "-A", "pipeline", "flower",
        f"--conf={CONFIGURATION}",
        f"--address={address}",
        f"--port={port}",
    ]  # fmt: skip
