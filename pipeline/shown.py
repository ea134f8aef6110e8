"""What of an address is shown and stored."""

import re

_ADDRESS = re.compile(r"(https?://)(?:[^/?#\s]*@)?([^?#]*)", re.IGNORECASE)


def without_credentials(source: str) -> str:
    """Return a web address without what may let somebody in: user, password, query and fragment.

    Feeds for subscribers and signed links carry a person's token there. What is no web address, such as a path, is
    returned as it is.
    """
    found = _ADDRESS.match(source)
    return f"{found[1]}{found[2]}" if found else source
