"""Conversion of S3 errors to Duet's errors."""

import re
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
    ParamValidationError,
    PartialCredentialsError,
    SSLError,
    SSOError,
    TokenRetrievalError,
)

from pipeline.errors import StorageError, TransientError
from pipeline.settings import settings

NOT_FOUND = {"404", "NoSuchKey", "NotFound"}
REFUSED = {
    "401",
    "403",
    "AccessDenied",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
}
CHANGED = {"412", "PreconditionFailed"}
BUSY = {
    "429",
    "500",
    "502",
    "503",
    "504",
    "SlowDown",
    "InternalError",
    "RequestLimitExceeded",
    "RequestTimeout",
    "ServerBusy",
    "ServiceUnavailable",
    "Throttling",
    "ThrottlingException",
    "TooManyRequests",
}
DAMAGED = {"BadDigest", "IncompleteBody", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch"}
ELSEWHERE = {"301", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect"}
SENTENCES = {
    "400": "S3 refuses the request and gives no reason (400); check AWS_REGION, the credentials and the object's key",
    "InvalidObjectState": "it is archived; restore it (`aws s3api restore-object`) and try again when that is done",
    "PathStyleDomainForbidden": "the server wants the bucket in its host name; add `s3 =` and below it "
    "`  addressing_style = virtual` to the profile in ~/.aws/config",
    "RequestTimeTooSkewed": "this machine's clock is wrong; set it by NTP",
}
"""The fault and the remedy, by code."""
SENTENCES["SecondLevelDomainForbidden"] = SENTENCES["PathStyleDomainForbidden"]
_REGION = re.compile(r"expecting '([\w-]+)'")


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
        is_bucket = error.operation_name == "HeadBucket" and code_of(error) in NOT_FOUND
        raise _refusal(where, "NoSuchBucket" if is_bucket else code_of(error), error) from None
    except S3UploadFailedError as error:
        cause = error.__context__
        raise _refusal(where, code_of(error), cause if isinstance(cause, ClientError) else error) from None
    except SSLError as error:
        raise _unsafe(where, endpoint, str(error)) from None
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
    except ParamValidationError:
        raise StorageError(f"{where}: no bucket or object can have this name; write s3://bucket/prefix.") from None
    except (SSOError, TokenRetrievalError) as error:
        raise StorageError(f"{where}: {str(error).rstrip('.')}; sign in with `aws sso login`.") from None
    except (BotoCoreError, Boto3Error) as error:
        raise StorageError(
            f"{where}: {' '.join(str(error).split()).rstrip('.:')}; check AWS_PROFILE and ~/.aws."
        ) from None
    except RecursionError:  # botocore asks again and again for the region of a bucket that is not told
        raise StorageError(f"{where}: the bucket is somewhere else; set AWS_REGION and DUET_S3_ENDPOINT_URL.") from None


def code_of(error: ClientError | S3UploadFailedError) -> str:
    """Return S3's code of an error, or an empty string."""
    cause = error.__context__ if isinstance(error, S3UploadFailedError) else error
    return str(cause.response["Error"].get("Code", "")) if isinstance(cause, ClientError) else ""


def _refusal(where: str, code: str, error: Exception) -> StorageError | TransientError:
    if code == "NoSuchBucket":
        return StorageError(f"{where}: there is no bucket {_bucket_of(where)!r}; create it or name another one.")
    if code in NOT_FOUND:
        return StorageError(f"{where} is not there.")
    if code in CHANGED:
        return StorageError(f"{where} was written anew while it was read; try again when that is done.")
    if sentence := SENTENCES.get(code):
        return StorageError(f"{where}: {sentence}.")
    if code in ELSEWHERE:
        region = _region(error)
        place = f"region {region!r}; set AWS_REGION={region}" if region else "another region; set AWS_REGION to it"
        return StorageError(f"{where}: the bucket is in {place} ({code}).")
    if code.startswith("KMS") or "kms:" in str(error).lower():
        return StorageError(f"{where}: its encryption key cannot be used ({code}); ask for the right to kms:Decrypt.")
    if code in REFUSED:
        return StorageError(
            f"{where}: S3 refuses the credentials ({code}); check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY "
            "and the bucket's policy."
        )
    if code in DAMAGED:
        return TransientError(f"{where}: what arrived at S3 is not what was sent ({code}).")
    if code in BUSY:
        return TransientError(f"{where}: S3 is not able to answer now ({code}).")
    if code in ("NotImplemented", "501"):
        return StorageError(
            f"{where}: {error}; if it is about checksums, set AWS_REQUEST_CHECKSUM_CALCULATION=when_required."
        )
    return StorageError(f"{where}: {error}")


def _region(error: Exception) -> str:
    """Return the region that S3 names instead of the one of the request, or an empty string."""
    answer = error.response if isinstance(error, ClientError) else {}
    told = answer.get("Error", {}).get("Region")
    told = told or answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("x-amz-bucket-region")
    named = _REGION.search(str(error))
    return str(told or (named[1] if named else ""))


def _unsafe(where: str, endpoint: str, reason: str) -> StorageError | TransientError:
    if "CERTIFICATE_VERIFY_FAILED" in reason:
        why = reason.partition("certificate verify failed: ")[2].partition(" (_ssl")[0] or "not trusted"
        return StorageError(
            f"{where}: the certificate of {endpoint} is refused ({why}); "
            "set AWS_CA_BUNDLE to a file with its authority's certificate."
        )
    if "No such file" in reason:
        return StorageError(f"{where}: the certificates that AWS_CA_BUNDLE names cannot be read; name their file.")
    if "WRONG_VERSION_NUMBER" in reason or "record layer failure" in reason.lower():
        return StorageError(f"{where}: {endpoint} speaks no TLS; write http:// in DUET_S3_ENDPOINT_URL.")
    return TransientError(f"{where}: the connection to {endpoint} breaks off ({reason}).")


def _bucket_of(where: str) -> str:
    return where.removeprefix("s3://").partition("/")[0]
