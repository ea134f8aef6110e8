"""Every error that Duet raises, in one flat hierarchy; each message has cause, place and remedy, and no credentials."""

import re

_SCHEME = r"((?:(?:feed|podcasts?|itpc|pcast|rss):(?://)?)?(?:https?|feed|podcasts?|itpc|pcast|rss)://)"
_LOGIN = r"(?:(?!\[[\da-f:.%]*\])[^/?#\s:]*:(?!\d*(?:[/?#\s]|$))\S*@|[^/?#\s]*@)?"
"""User and password; the first form is for a password with a bare `/`, `?` or `#`, which is no port."""
_IN_WORDS = _LOGIN.replace(r"#\s", r"#\s'\"<>").replace(r"\S", r"[^\s'\"<>]")
_ADDRESS = re.compile(rf"{_SCHEME}{_LOGIN}([^?#]*)", re.IGNORECASE)
_USER = re.compile(rf"^{_SCHEME}{_LOGIN}", re.IGNORECASE)
_IN_TEXT = re.compile(
    rf"{_SCHEME}{_IN_WORDS}([^?#\s'\"<>]*)(?:[?#](?:[^\s'\"<>]*[^\s'\"<>.,;:!?)\]])?)?", re.IGNORECASE
)


def without_credentials_in(text: str) -> str:
    """Return a text with `without_credentials` applied to each web address in it."""
    return _IN_TEXT.sub(r"\1\2", text)


def without_user(url: str) -> str:
    """Return a web address without user and password; the query stays, since it often identifies the page."""
    return _USER.sub(r"\1", url)


def without_credentials(source: str) -> str:
    """Return a web address without its possible credentials: user, password, query and fragment.

    Private feeds and signed links have a user's token there. Any other text, such as a path, is returned unchanged.
    """
    found = _ADDRESS.match(source)
    return f"{found[1]}{found[2]}" if found else source


class DuetError(Exception):
    """An error that is reported to the user in one sentence, without passwords and tokens in addresses."""

    def __str__(self) -> str:
        """Return the message without credentials."""
        return without_credentials_in(super().__str__())


class AddressError(DuetError):
    """A web address is invalid, or Duet may not connect to it."""


class AudioError(DuetError):
    """The audio of an episode cannot be found, read or decoded."""


class NoAudioError(AudioError):
    """A place exists, and holds no audio."""


class BatchError(DuetError):
    """There is no such batch, or the given id is ambiguous."""


class BrokerError(DuetError):
    """The broker is not configured, does not respond, or rejects commands."""


class CancelledError(DuetError):
    """The job was cancelled, so there is no result to wait for."""


class ChangedMeanwhileError(DuetError):
    """The text that was to be changed is another one now."""


class DeviceMemoryError(DuetError):
    """A device ran out of memory, and again at half the batch size."""


class EngineError(DuetError):
    """A model cannot be loaded or cannot run on this machine."""


class JobAtWorkError(DuetError):
    """The job has not ended, so its results cannot be removed."""


class JobFailedError(DuetError):
    """The job ended without the requested result."""


class MessageError(DuetError):
    """A message in a queue cannot be parsed by this version of Duet."""


class ScalingError(DuetError):
    """The autoscaling backend cannot be reached or rejected the request."""


class SettingsError(DuetError):
    """A setting or an option is unknown or has an invalid value."""


class StackError(DuetError):
    """A process of the embedded stack does not start, or exits."""


class StorageError(DuetError):
    """Storage rejects a request: no such bucket, no permission, no such object, no space."""


class TransientError(DuetError):
    """A transient error: a retry is likely to succeed."""


class UnexpectedError(DuetError):
    """An unexpected error; the log has its traceback."""


class UnknownCorrectionError(DuetError):
    """There is no such correction of an episode."""


class WaitTimeoutError(DuetError, TimeoutError):
    """A wait was longer than the given time."""


class WeightsError(EngineError):
    """A model's weights are missing, damaged or of another model."""
