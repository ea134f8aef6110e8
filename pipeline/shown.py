"""What of an address is shown and stored."""

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
