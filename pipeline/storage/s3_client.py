"""Clients of S3, on AWS or any S3-compatible server, by the environment and the AWS profile."""

import os
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import boto3
import botocore.session
from boto3.exceptions import S3UploadFailedError
from botocore.config import Config
from botocore.exceptions import ClientError

from pipeline.errors import StorageError
from pipeline.settings import settings
from pipeline.storage.s3_errors import (
    BUSY,
    CHANGED,
    DAMAGED,
    ELSEWHERE,
    NOT_FOUND,
    REFUSED,
    SENTENCES,
    code_of,
    readable_errors,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

AWS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")
CHECKSUMS = "aws_request_checksum_calculation"
"""Variable of boto3, in capitals; in a profile without `aws_`."""
NO_CHECKSUMS = Config(request_checksum_calculation="when_required", response_checksum_validation="when_required")
OF_ANOTHER_KIND = {"NoSuchBucket"}.union(NOT_FOUND, REFUSED, BUSY, CHANGED, DAMAGED, ELSEWHERE, SENTENCES)
"""Codes of other faults. Damaged data is one, since without checksums some servers would accept it."""
_checksums_refused_by: set[str] = set()
"""Servers that refused a request with a checksum and accepted it without."""


def client_for(bucket: str) -> "S3Client":
    """Return a client for the current environment; cached, since creating one takes a quarter of a second.

    Raises:
        StorageError: the profile, the credentials or the endpoint's address are unusable.
    """
    environment = tuple(sorted((name, value) for name, value in os.environ.items() if name.startswith("AWS_")))
    endpoint = settings().s3_endpoint_url
    with readable_errors(f"s3://{bucket}", endpoint or "S3"):
        try:
            found = _made(environment, endpoint, settings().s3_timeout_s)
        except ValueError as error:
            why = str(error).rstrip(".")
            raise StorageError(f"s3://{bucket}: {why}; check DUET_S3_ENDPOINT_URL and AWS_REGION.") from None
    return plain(found) if found.meta.endpoint_url in _checksums_refused_by else found


def may_refuse_checksums(client: "S3Client", error: ClientError | S3UploadFailedError) -> bool:
    """Return whether a request may have been refused for a checksum, which other servers than AWS do with many codes.

    See the issues 4392 and 4401 of boto3.
    """
    is_sent = getattr(client.meta.config, CHECKSUMS[4:], "") == "when_supported" and not _is_aws(client)
    asked_for = os.environ.get(CHECKSUMS.upper())
    return is_sent and not asked_for and code_of(error) not in OF_ANOTHER_KIND


def note_refused(client: "S3Client") -> None:
    """Send no more checksums to a client's server, in this process."""
    _checksums_refused_by.add(client.meta.endpoint_url)


@lru_cache(maxsize=4)
def plain(client: "S3Client") -> "S3Client":
    """Return a client like another one that sends no checksums; each signature contains the SHA-256 of the data."""
    own = client.meta.config.merge(NO_CHECKSUMS)
    session = boto3.session.Session(region_name=client.meta.region_name)
    return session.client("s3", endpoint_url=client.meta.endpoint_url, config=own)


@lru_cache(maxsize=4)
def _made(environment: tuple[tuple[str, str], ...], endpoint: str | None, timeout_s: float) -> "S3Client":
    own = dict(environment)
    profile = botocore.session.get_session().get_scoped_config()
    session = boto3.session.Session()
    region = own.get("AWS_REGION") or session.region_name
    config = Config(
        retries={"mode": "standard", "max_attempts": 4}, connect_timeout=min(5.0, timeout_s), read_timeout=timeout_s
    )
    found = session.client("s3", endpoint_url=endpoint, region_name=region, config=config)
    if _is_aws(found):
        return found
    if "addressing_style" not in profile.get("s3", {}):
        # Virtual-host addressing needs a DNS name for every bucket, which servers other than AWS rarely have.
        config = config.merge(Config(s3={"addressing_style": "path"}))
    if found.meta.endpoint_url.startswith("https:") and not (own.get(CHECKSUMS.upper()) or CHECKSUMS[4:] in profile):
        # Over TLS boto3 sends checksums as trailers, which some servers refuse and others store as part of the object.
        config = config.merge(NO_CHECKSUMS)
    return session.client("s3", endpoint_url=found.meta.endpoint_url, region_name=region or "us-east-1", config=config)


def _is_aws(client: "S3Client") -> bool:
    return (urlsplit(client.meta.endpoint_url).hostname or "").endswith(AWS)
