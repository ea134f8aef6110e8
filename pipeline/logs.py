"""Logging, and reports of unexpected errors in one sentence.

Each event is one line: JSON for programs, text on a terminal. No line has a secret or the words of an episode.
"""

import errno
import logging
import os
import re
import sys
import traceback
from functools import lru_cache
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

import structlog

from pipeline.errors import DuetError, UnexpectedError
from pipeline.settings import settings
from pipeline.types.graphemes import clipped
from pipeline.types.redis_url import passwords
from pipeline.types.text import safe

logger = logging.getLogger(__name__)
_USERINFO = re.compile(
    r"((?:redis|rediss|valkey|valkeys|amqp|amqps)(?:\+[a-z]+)?://(?=[^\s\"']*@)|[a-z][a-z0-9+.-]*://(?=[^/\s@?#\"']*@))"
    r"[^\s@\"']*@",
    re.IGNORECASE,
)
"""User and password in an address; a broker's password may contain a slash."""
_VALUE = re.compile(r"([?&][^=&?#\s'\"<>\\]{1,100}=)[^&#\s'\"<>\\]+")
_BARE = re.compile(r"(://[^\s?'\"<>\\]+\?)[^=&\s'\"<>\\]+(?=[\s'\"<>\\]|$)")
"""Values in queries, whatever their names, since any of them may be a credential."""
SHORTEST = 6
"""Characters of the shortest broker password that is removed outside of addresses; shorter ones are in many words."""
FILE_LIMIT_BYTES = 1_000_000
CHATTY = ("celery.app.trace", "celery.worker.strategy", "botocore", "urllib3", "httpx")
"""Loggers that repeat Duet's own lines, or log results and addresses in full."""


def set_up(level: int = logging.INFO) -> None:
    """Configure this process to log to stderr in one format, including Celery and other libraries."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendered()],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.captureWarnings(True)
    for name in CHATTY:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.add_logger_name,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )


def without_secrets(_: object, __: str, line: str) -> str:
    """Return a line without passwords and query values in addresses, and without the secrets in the settings."""
    line = _BARE.sub(r"\1***", _VALUE.sub(r"\1***", _USERINFO.sub(r"\1***@", line)))
    for secret in _secrets():
        line = line.replace(secret, "***")
    return line


def _rendered() -> list[Any]:
    form = settings().log_format
    filters = []
    if form == "text" or (form == "auto" and sys.stderr.isatty()):
        # structlog's rich tracebacks print local variables, which may contain secrets.
        plain = structlog.dev.plain_traceback
        chosen: Any = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)
        filters = [_replace_controls]
    else:
        chosen = structlog.processors.JSONRenderer(ensure_ascii=False)
    return [structlog.processors.format_exc_info, *filters, chosen, without_secrets]


def _replace_controls(_: object, __: str, event: Any) -> Any:
    """Return an event with the control characters in its texts replaced."""
    return {name: safe(value) if isinstance(value, str) else value for name, value in event.items()}


@lru_cache(maxsize=1)
def _secrets() -> tuple[str, ...]:
    own = settings()
    secrets = (own.voxtral_key, own.webhook_secret, own.flower_auth)
    brokers = {word for url in (own.broker_url, own.state_url) if url for word in passwords(url)}
    return (
        *(value for it in secrets if it and (value := it.get_secret_value())),
        *(it for it in sorted(brokers, key=len, reverse=True) if len(it) >= SHORTEST),
    )


def as_duet_error(error: Exception, what: str) -> DuetError:
    """Return a `DuetError` unchanged; log any other error and return an `UnexpectedError` that reports it.

    Args:
        error: the caught error.
        what: the subject of the message, such as a path, an address or a noun.
    """
    if isinstance(error, DuetError):
        return error
    message = clipped(" ".join(str(error).split()), 300)
    kind = type(error).__name__
    return UnexpectedError(
        f"{what} cannot be used: {kind}{f' ({message})' if message else ''}; {_log_traceback(error, what)}."
    )


def sentence_of(error: OSError) -> str:
    """Return the message for an error of a file or folder."""
    if error.filename is None:
        return str(as_duet_error(error, "This command"))
    refused = f"{os.fsdecode(error.filename)} cannot be written or read: {error.strerror}"
    if isinstance(error, PermissionError) or error.errno == errno.EROFS:
        return f"{refused}; give yourself the right, or set DUET_STATE_DIR and DUET_CACHE_DIR to folders of yours."
    return f"{refused}."


def _log_traceback(error: Exception, what: str) -> str:
    """Log a traceback and return its location as a clause; a client without logging writes it to a file."""
    if logger.hasHandlers():
        logger.error("%s cannot be used.", what, exc_info=error)
        return "the log has the details"
    text = without_secrets(None, "", "".join(traceback.format_exception(error)))
    try:
        file = settings().state_dir / "logs" / "client.log"
        _file_handler(file).emit(logging.makeLogRecord({"msg": f"{what} cannot be used.\n{text}"}))
    except Exception:  # a failure to log must not replace the reported error
        return "and its details cannot be written down"
    return f"the details are in {file}"


@lru_cache(maxsize=1)
def _file_handler(file: Path) -> RotatingFileHandler:
    file.parent.mkdir(parents=True, exist_ok=True)
    handler = RotatingFileHandler(
        file, maxBytes=FILE_LIMIT_BYTES, backupCount=1, encoding="utf-8", errors="backslashreplace"
    )
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    return handler
