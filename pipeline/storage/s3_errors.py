"""Conversion of S3 errors to Duet's errors."""

from collections.abc import Iterator
from contextlib import contextmanager

from boto3.exceptions import Boto3Error, RetriesExceededError, S3UploadFailedError
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    PartialCredentialsError,
)

from pipeline.errors import StorageError, TransientError
from pipeline.settings import settings

NOT_FOUND = {"404", "NoSuchKey", "NotFound"}
REFUSED = {"403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "401"}
CHANGED = {"412", "PreconditionFailed"}
BUSY = {
    "429",
    "500",
    "502",
    "503",
    "504",
    "SlowDown",
    "InternalError",
    "RequestTimeout",
    "ServiceUnavailable",
}
DAMAGED = {"BadDigest", "IncompleteBody", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch"}


@contextmanager
def readable_errors(where: str, endpoint: str) -> Iterator[None]:
    """Convert boto3's errors to Duet's.

    Args:
        where: the object's address, for the message.
        endpoint: the server's address, for the message.

    Raises:
        StorageError: S3 rejects the request.
        TransientError: the server or the network fails.
    """
    try:
        yield
    except (NoCredentialsError, PartialCredentialsError):
        raise StorageError(
            f"{where}: there are no S3 credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        ) from None
    except ClientError as error:
        is_bucket = error.operation_name == "HeadBucket" and error.response["Error"]["Code"] in NOT_FOUND
        code = "NoSuchBucket" if is_bucket else error.response["Error"]["Code"]
        raise _refusal(where, code, error) from None
    except S3UploadFailedError as error:
        cause = error.__context__
        code = cause.response["Error"]["Code"] if isinstance(cause, ClientError) else ""
        raise _refusal(where, code, error) from None
    except (ConnectionError, HTTPClientError, RetriesExceededError) as error:
        raise TransientError(
            f"{where}: {endpoint} does not answer ({type(error).__name__}); check DUET_S3_ENDPOINT_URL and the network."
        ) from None
    except IncompleteReadError:
        raise TransientError(f"{where}: the answer broke off.") from None
    except FlexibleChecksumError:
        raise TransientError(f"{where}: what arrived is not what was sent; its checksum does not fit.") from None
    except OSError as error:
        raise StorageError(
            f"{error.filename or settings().cache_dir}: {error.strerror or error}; "
            "free some space there or set DUET_CACHE_DIR to another folder."
        ) from None
    except (BotoCoreError, Boto3Error) as error:
        raise StorageError(f"{where}: {error}") from None


def _refusal(where: str, code: str, error: Exception) -> StorageError | TransientError:
    if code == "NoSuchBucket":
        return StorageError(f"{where}: there is no bucket {_bucket_of(where)!r}; create it or name another one.")
    if code in NOT_FOUND:
        return StorageError(f"{where} is not there.")
    if code in CHANGED:
        return StorageError(f"{where} was written anew while it was read; try again when that is done.")
    if code in REFUSED:
        return StorageError(
            f"{where}: S3 refuses the credentials ({code}); check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY "
            "and the bucket's policy."
        )
    if code in DAMAGED:
        return TransientError(f"{where}: what arrived at S3 is not what was sent ({code}).")
    if code in BUSY:
        return TransientError(f"{where}: S3 is not able to answer now ({code}).")
    return StorageError(f"{where}: {error}")


def _bucket_of(where: str) -> str:
    return where.removeprefix("s3://").partition("/")[0]
