"""Models from the bucket of DUET_MODEL_CACHE_URI, which a new machine tries before a hub."""

import logging
from pathlib import Path

from pipeline.errors import StorageError, TransientError
from pipeline.settings import settings
from pipeline.storage import join
from pipeline.storage.weights import checksums
from pipeline.storage.weights.model_id import ModelId
from pipeline.storage.weights.resumable_download import OnBytes, ignore
from pipeline.storage.weights.versions import bucket_at, download, last_used

logger = logging.getLogger(__name__)


def from_cache(name: ModelId) -> Path | None:
    """Return the local folder of a model, downloaded from the configured bucket if necessary.

    Returns None if no bucket is configured, or it lacks the model or cannot be reached; the caller then uses a hub.

    Raises:
        WeightsError: a file is damaged, or there is no space for it.
    """
    uri = settings().model_cache_uri
    if uri is None:
        return None
    try:
        return pull(uri, name)
    except (StorageError, TransientError) as error:
        logger.warning("%s %s is downloaded from the hub instead.", error, name)
        return None


def find_local(name: ModelId) -> Path | None:
    """Return the local folder of a model downloaded from that bucket before, or None."""
    uri = settings().model_cache_uri
    return last_used(join(uri, name.prefix), _versions(name)) if uri else None


def pull(uri: str, name: ModelId, on_bytes: OnBytes = ignore) -> Path:
    """Return the local folder of a model in a bucket, downloaded if necessary.

    Raises:
        StorageError: the bucket rejects the request, or does not have the whole model.
        TransientError: the bucket does not respond, and there is no local version.
        WeightsError: a file is damaged, or there is no space for it.
    """
    where = join(uri, name.prefix)
    if find_local(name) is None and not bucket_at(where).exists(checksums.LIST):
        raise StorageError(
            f"{where} is not there, or not all of it (it has no {checksums.LIST}); `duet models push` it."
        )
    return download(where, name.patterns, _versions(name), on_bytes)


def _versions(name: ModelId) -> Path:
    return settings().cache_dir / name.leg / "versions"
