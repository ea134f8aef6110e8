"""The doors of the corpus, each with the table of its cases."""

from tests.wild.case import Door
from tests.wild.doors import buckets, captions, feeds, links, names, recordings, replies, requests, servers, spellings

DOORS = (
    Door("spellings", spellings.CASES, spellings.answers),
    Door("captions", captions.CASES, captions.answers),
    Door("replies", replies.CASES, replies.answers),
    Door("names", names.CASES, names.answers),
    Door("links", links.CASES, links.answers),
    Door("feeds", feeds.CASES, feeds.answers),
    Door("buckets", buckets.CASES, buckets.answers),
    Door("servers", servers.CASES, servers.answers),
    Door("requests", requests.CASES, requests.answers),
    Door("recordings", recordings.CASES, recordings.answers),
)
"""All doors, the fast ones first."""
