"""Every error Duet raises, in one flat tree; each message says what, where, and what to do, and has no credentials."""

import re

_ADDRESS = re.compile(r"(https?://)(?:[^/?#\s]*@)?([^?#]*)", re.IGNORECASE)
_USER = re.compile(r"^(https?://)[^/?#\s]*@", re.IGNORECASE)
_IN_TEXT = re.compile(
    r"(https?://)(?:[^/?#\s'\"<>]*@)?([^?#\s'\"<>]*)(?:[?#](?:[^\s'\"<>]*[^\s'\"<>.,;:!?)\]])?)?", re.IGNORECASE
)


def without_credentials_in(text: str) -> str:
    """Return a text with each web address in it as `without_credentials` has it."""
    return _IN_TEXT.sub(r"\1\2", text)


def without_user(url: str) -> str:
    """Return a web address without user and password; of a page, the query often says which."""
    return _USER.sub(r"\1", url)


def without_credentials(source: str) -> str:
    """Return a web address without what may let somebody in: user, password, query and fragment.

    Feeds for subscribers and signed links carry a person's token there. What is no web address, such as a path, is
    returned as it is.
    """
    found = _ADDRESS.match(source)
    return f"{found[1]}{found[2]}" if found else source


class DuetError(Exception):
    """Anything Duet reports to a person in one sentence, in which no address has a password or a token."""

    def __str__(self) -> str:
        """Return the sentence as it may be shown and stored."""
        return without_credentials_in(super().__str__())


class AddressError(DuetError):
    """An address of the web is none, or not one that Duet may connect to."""


class AudioError(DuetError):
    """The audio of an episode cannot be found, read or decoded."""


class BatchError(DuetError):
    """There is no such batch, or it cannot be told which one is meant."""


class BrokerError(DuetError):
    """The broker is not there or refuses us."""


class CancelledError(DuetError):
    """The job was cancelled, so there is no result to wait for."""


class DeviceMemoryError(DuetError):
    """A device ran out of memory, and again with half of the work."""


class EngineError(DuetError):
    """A model cannot be loaded or cannot run on this machine."""


class JobAtWorkError(DuetError):
    """The job has not ended, so what it has left cannot be removed."""


class JobFailedError(DuetError):
    """The job ended without what was asked for."""


class MessageError(DuetError):
    """A message from a queue is not one that this version of Duet understands."""


class ScalingError(DuetError):
    """The autoscaling backend cannot be reached or rejected the request."""


class SettingsError(DuetError):
    """A setting or an option is unknown or has a value that cannot be used."""


class StackError(DuetError):
    """A process of the embedded stack does not start or does not stay up."""


class StorageError(DuetError):
    """Storage refuses: no such bucket, no permission, no such object, no space."""


class TransientError(DuetError):
    """Something that is likely to work when tried again a little later."""


class UnexpectedError(DuetError):
    """Something that nobody foresaw; the log has its traceback."""


class WaitTimeoutError(DuetError, TimeoutError):
    """A wait was longer than the given time."""


class WeightsError(EngineError):
    """A model's weights are not there, or not the ones they should be."""
