"""The model store in a bucket: listing, upload and verification of models."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from hashlib import sha256
from pathlib import Path

from pipeline.errors import StorageError, WeightsError
from pipeline.storage import join
from pipeline.storage.s3 import S3Object, S3Storage
from pipeline.storage.weights import checksums
from pipeline.storage.weights.model_id import ModelId
from pipeline.storage.weights.ranged_download import read_in_order
from pipeline.storage.weights.resumable_download import OnBytes, ignore
from pipeline.storage.weights.versions import bucket_at

UNFINISHED = f"{checksums.LIST}.unfinished"
"""Checksum list of the uploaded files, in the bucket while a model is being uploaded."""


@dataclass
class StoredModel:
    """A model in a bucket."""

    name: ModelId
    files: list[S3Object] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether its upload is complete."""
        return any(it.name == checksums.LIST for it in self.files)

    @property
    def size_bytes(self) -> int:
        """Total size of its files."""
        return sum(it.size_bytes for it in self.files)


@dataclass(frozen=True)
class Finding:
    """The result of the verification of one file."""

    file: str
    trouble: str = ""
    """Reason why it is not the uploaded file; empty if it is."""


def stored_models(uri: str) -> list[StoredModel]:
    """Return the models in a bucket.

    Raises:
        StorageError, TransientError: the bucket rejects the request, or does not respond.
    """
    found: dict[ModelId, StoredModel] = {}
    for it in bucket_at(uri).objects():
        prefix, _, file = it.name.rpartition("/")
        try:
            name = ModelId.parse(prefix)
        except WeightsError:
            continue  # another object in the same bucket
        found.setdefault(name, StoredModel(name)).files.append(S3Object(file, it.tag, it.size_bytes, it.changed_at))
    return [found[name] for name in sorted(found)]


def push(uri: str, name: ModelId, source: Path, on_file: Callable[[str], None]) -> None:
    """Upload a model to a bucket: its files, then their checksum list, which makes the model complete.

    Files that an earlier push has uploaded unchanged are not uploaded again.

    Args:
        uri: the `s3://bucket/prefix` of the model store.
        name: id of the model.
        source: its folder, or its only file.
        on_file: called with the name of each file once it is in the bucket.

    Raises:
        WeightsError: the source has none of the model's files.
        StorageError, TransientError: the bucket rejects the request, or does not respond.
    """
    storage = bucket_at(join(uri, name.prefix))
    files = _files(source, name)
    digests = {target: checksums.sha256_of(path) for target, path in files.items()}
    uploaded = _uploaded(storage)
    for target, path in files.items():
        if uploaded.pop(target, "") != digests[target]:
            storage.put(UNFINISHED, checksums.written(uploaded).encode())
            storage.delete(checksums.LIST)
            storage.put(target, path)
        uploaded[target] = digests[target]
        on_file(target)
    storage.put(checksums.LIST, checksums.written(digests).encode())
    storage.delete(UNFINISHED)


def check(uri: str, name: ModelId, on_bytes: OnBytes = ignore) -> Iterator[Finding]:
    """Read a model in a bucket and yield the result of each file's verification.

    Raises:
        StorageError, TransientError: the bucket rejects the request, does not respond, or lacks the whole model.
    """
    storage = bucket_at(join(uri, name.prefix))
    files = {it.name: it for it in storage.objects()}
    if checksums.LIST not in files:
        raise StorageError(f"{storage.uri} has no {checksums.LIST}, so it is not a whole model; `duet models push` it.")
    for file, digest in _read_list(storage, checksums.LIST).items():
        if file not in files:
            yield Finding(file, "it is missing")
            continue
        found = sha256()
        for block in read_in_order(storage, files[file]):
            found.update(block)
            on_bytes(len(block))
        yield Finding(file, "" if found.hexdigest() == digest else "it is damaged: its SHA-256 is another one")


def _files(source: Path, name: ModelId) -> dict[str, Path]:
    """Return the paths of a model's files by their names in the bucket; Whisper's only file has its model's name."""
    if name.leg == "whisper":
        found = [source] if source.is_file() else sorted(source.glob("*.pt")) if source.is_dir() else []
        files = {f"{name.name}.pt": found[0]} if len(found) == 1 else {}
    else:
        inside: Sequence[Path] = sorted(source.iterdir()) if source.is_dir() else ()
        files = {it.name: it for it in inside if any(fnmatch(it.name, one) for one in name.patterns)}
    if not files:
        raise WeightsError(f"{source} is not {name}: it has no {' and no '.join(name.patterns)}; name what holds it.")
    return files


def _uploaded(storage: S3Storage) -> dict[str, str]:
    """Return the digests of a model's files that are in the bucket and in one of its checksum lists."""
    names = {it.name for it in storage.objects()}
    lists = [_read_list(storage, one) for one in (checksums.LIST, UNFINISHED) if one in names]
    return {file: digest for one in lists for file, digest in one.items() if file in names}


def _read_list(storage: S3Storage, name: str) -> dict[str, str]:
    return checksums.parsed(storage.get(name).decode("utf-8", "replace"), f"{storage.uri}/{name}")
