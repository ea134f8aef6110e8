"""Voxtral's files: their location and their validation."""

import json
import re
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from pipeline.errors import StorageError, TransientError, WeightsError
from pipeline.settings import settings
from pipeline.storage.weights import cache, checksums
from pipeline.storage.weights.model_id import FILES, ModelId
from pipeline.storage.weights.versions import download, last_used
from workers.weights.digest import digest_of

_FILES = FILES["voxtral"]
_SHA256 = re.compile(r"[0-9a-f]{64}")


class NotFoundError(WeightsError):
    """The weights do not exist at their location."""


@dataclass(frozen=True)
class Weights:
    """A folder whose files passed `check`."""

    folder: Path
    parameters: int
    """Number of parameters."""


def find(model: str) -> Path:
    """Return the folder of a model given as a path, an S3 URI or a hub id, downloaded if necessary.

    For a hub id, the bucket of DUET_MODEL_CACHE_URI is searched first.

    Raises:
        NotFoundError: the path does not exist, or bucket or hub cannot be reached and the model is not cached.
        WeightsError: `model` is none of these, or the downloaded files are damaged.
    """
    if model.startswith("s3://"):
        try:
            return download(model, _FILES, settings().cache_dir / "voxtral")
        except (StorageError, TransientError) as error:
            raise NotFoundError(str(error)) from None
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder
    if folder.is_absolute() or model.startswith((".", "~")):
        raise NotFoundError(
            f"There is no folder {model} with Voxtral's files; copy the model there, or point "
            "DUET_VOXTRAL_MODEL at the folder that has config.json, tekken.json and the .safetensors files."
        )
    if "://" in model or model.count("/") != 1:
        raise WeightsError(
            f"DUET_VOXTRAL_MODEL={model!r} is neither a folder, a bucket nor a hub id; give the path of "
            "the model's folder, its s3://bucket/prefix, or an id such as mistralai/Voxtral-Mini-3B-2507."
        )
    return cache.from_cache(ModelId("voxtral", model)) or _from_hub(model)


def find_local(model: str) -> Path | None:
    """Return the folder of a model that is on this machine; None if it must be downloaded.

    Raises:
        WeightsError: `model` is a path that does not exist, or not the name of a model.
    """
    if model.startswith("s3://"):
        return last_used(model, settings().cache_dir / "voxtral")
    if Path(model).expanduser().is_dir() or "://" in model or model.count("/") != 1:
        return find(model)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(snapshot_download(model, allow_patterns=list(_FILES), local_files_only=True))
    except LocalEntryNotFoundError:
        return cache.find_local(ModelId("voxtral", model))


def check(folder: Path) -> Weights:
    """Validate the headers of a model's files and return its weights; the tensors stay on disk.

    If the folder has a list of checksums, they are verified once.

    Raises:
        NotFoundError: a file is missing.
        WeightsError: a file is truncated, has another format, or belongs to another model.
    """
    config = _read_json(folder / "config.json")
    if config.get("model_type") != "voxtral":
        raise WeightsError(
            f"{folder} holds a model of type {config.get('model_type')!r}, not voxtral; "
            "point DUET_VOXTRAL_MODEL at Voxtral's folder."
        )
    tekken = _read_json(folder / "tekken.json")
    if not tekken.get("audio"):
        raise WeightsError(
            f"{folder / 'tekken.json'} is the tokenizer of a model without ears (it has no audio section); "
            "copy Voxtral's own tekken.json there."
        )
    index = folder / "model.safetensors.index.json"
    names = ["model.safetensors"]
    if index.is_file():
        names = sorted(set(_read_json(index).get("weight_map", {}).values()))
    checksums.verify(folder)
    return Weights(folder, sum(_count(folder / name) for name in names))


def verify(folder: Path) -> None:
    """Verify every byte of a downloaded model by the SHA-256 under which the hub's cache keeps each large file.

    Raises:
        NotFoundError: a file is missing.
        WeightsError: a file is damaged.
    """
    check(folder)
    for path in sorted(folder.glob("*.safetensors")):
        expected = path.resolve().name
        if _SHA256.fullmatch(expected) and digest_of(path) != expected:
            raise WeightsError(f"{path.resolve()} is damaged; delete it and fetch the model again.")


def _count(path: Path) -> int:
    if not path.is_file():
        raise _missing(path)
    try:
        # Opening validates the header, and the file's length against it.
        with safe_open(path, framework="numpy") as tensors:
            return sum(prod(tensors.get_slice(name).get_shape()) for name in tensors.keys())  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} is damaged ({error}); delete it and copy or download the model again.") from None


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise _missing(path)
    try:
        content = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise WeightsError(f"{path} is damaged ({error}); delete it and copy or download the model again.") from None
    if not isinstance(content, dict):
        raise WeightsError(f"{path} is not what it should be (no JSON object); copy the model again.")
    return content


def _missing(path: Path) -> NotFoundError:
    return NotFoundError(
        f"{path.parent} has no {path.name}, so it is not a whole Voxtral; copy or download the model again, "
        "or point DUET_VOXTRAL_MODEL at a folder that has all its files."
    )


def _from_hub(model: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(model, allow_patterns=list(_FILES)))
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise NotFoundError(
            f"Voxtral's weights ({model}, 9 GB) are not in the hub's cache and cannot be downloaded "
            f"({type(error).__name__}); allow access to huggingface.co, or copy the model's folder to this "
            "machine and set DUET_VOXTRAL_MODEL to its path."
        ) from None
