"""What nobody foresaw: told in one sentence like all else that goes wrong, with its traceback in the log."""

import errno
import logging
import os
import traceback
from functools import lru_cache
from logging.handlers import RotatingFileHandler
from pathlib import Path

from pipeline.errors import DuetError, UnexpectedError
from pipeline.settings import settings

logger = logging.getLogger(__name__)
FILE_LIMIT_BYTES = 1_000_000


def readable(error: Exception, what: str) -> DuetError:
    """Return an error that can be told in one sentence: one of ours as it is, any other after it was logged.

    Args:
        error: what was caught.
        what: what could not be used or done because of it: a path, an address, a noun.
    """
    if isinstance(error, DuetError):
        return error
    said = " ".join(str(error).split())[:300]
    kind = type(error).__name__
    return UnexpectedError(f"{what} cannot be used: {kind}{f' ({said})' if said else ''}; {_log(error, what)}.")


def sentence_of(error: OSError) -> str:
    """Return what to tell a person to whom the system refuses a file or a folder."""
    if error.filename is None:
        return str(readable(error, "This command"))
    refused = f"{os.fsdecode(error.filename)} cannot be written or read: {error.strerror}"
    if isinstance(error, PermissionError) or error.errno == errno.EROFS:
        return f"{refused}; give yourself the right, or set DUET_STATE_DIR and DUET_CACHE_DIR to folders of yours."
    return f"{refused}."


def _log(error: Exception, what: str) -> str:
    """Log a traceback and return where it is; a client without any logging has a file of its own for it."""
    if logger.hasHandlers():
        logger.error("%s cannot be used.", what, exc_info=error)
        return "the log has the details"
    from pipeline.logs import without_secrets

    text = without_secrets(None, "", "".join(traceback.format_exception(error)))
    try:
        file = settings().state_dir / "logs" / "client.log"
        _handler(file).emit(logging.makeLogRecord({"msg": f"{what} cannot be used.\n{text}"}))
    except Exception:  # it is what is told that counts
        return "and its details cannot be written down"
    return f"the details are in {file}"


@lru_cache(maxsize=1)
def _handler(file: Path) -> RotatingFileHandler:
    file.parent.mkdir(parents=True, exist_ok=True)
    handler = RotatingFileHandler(
        file, maxBytes=FILE_LIMIT_BYTES, backupCount=1, encoding="utf-8", errors="backslashreplace"
    )
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    return handler
