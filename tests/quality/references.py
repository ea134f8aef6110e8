"""The folder of a quality check: audio files, each with what is said in it."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from pydantic import BaseModel, ValidationError

from pipeline.errors import DuetError
from pipeline.sources.file_types import has_audio_suffix
from pipeline.types import TimeSpan
from workers.audio.audio_file import AudioFile
from workers.voxtral.remote_backend import as_wav
from workers.voxtral.sections import excerpts

SUFFIX = ".ref.json"
FORM = 'talk.ref.json with {"segments": [{"start": 0.0, "end": 2.5, "text": "..."}]}, times in seconds'


class FolderError(DuetError):
    """A folder does not hold what a quality check needs."""


class Said(BaseModel):
    """A segment of a reference; times in seconds."""

    start: float
    end: float
    text: str


class ReferenceFile(BaseModel):
    """The content of a reference."""

    segments: tuple[Said, ...]


@dataclass(frozen=True)
class Reference:
    """An audio file and its reference."""

    audio: Path
    segments: tuple[Said, ...]
    """In order of their starts; at least one."""
    end_s: float | None = None
    """The end of the part to hear; None for the whole file."""

    @property
    def name(self) -> str:
        """Name of the audio file."""
        return self.audio.name

    @property
    def texts(self) -> tuple[str, ...]:
        """The words of each segment."""
        return tuple(said.text for said in self.segments)


def references(folder: Path, minutes: float | None = None) -> list[Reference]:
    """Return the audio files of a folder that have a reference, sorted by name.

    Args:
        folder: audio files, and beside each `NAME.mp3` its `NAME.ref.json`.
        minutes: limit of each file's length; segments that end later are left out.

    Raises:
        FolderError: there is no folder or no reference in it, or a reference is invalid or has no audio file.
    """
    if not folder.is_dir():
        raise FolderError(f"There is no folder {folder}.")
    found = list(_found(folder))
    if not found:
        raise FolderError(
            f"{folder} holds no reference; it must hold audio files, and beside each, such as talk.mp3, its {FORM}."
        )
    return found if minutes is None else [_limited(reference, minutes * 60) for reference in found]


def audio_of(reference: Reference, folder: Path) -> Path:
    """Return the audio to hear: the file itself, or its beginning as a WAV file in a folder.

    Raises:
        AudioError: the file has no decodable audio.
    """
    if reference.end_s is None:
        return reference.audio
    span = TimeSpan(start_s=0.0, end_s=reference.end_s)
    path = folder / f"{reference.audio.stem}.wav"
    path.write_bytes(as_wav(next(excerpts(AudioFile(reference.audio).blocks(), [span])).samples))
    return path


def _found(folder: Path) -> Iterator[Reference]:
    files = sorted(folder.iterdir())
    for path in files:
        if not path.name.endswith(SUFFIX):
            continue
        stem = path.name.removesuffix(SUFFIX)
        audio = next((it for it in files if it.stem == stem and has_audio_suffix(it.name)), None)
        if audio is None:
            raise FolderError(f"{path} has no audio file beside it, such as {stem}.mp3.")
        try:
            segments = ReferenceFile.model_validate_json(path.read_bytes()).segments
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise FolderError(f"{path} is no reference ({place}: {first['msg']}); it must be like {FORM}.") from None
        if not any(said.text.strip() for said in segments):
            raise FolderError(f"{path} has no words; it must be like {FORM}.")
        yield Reference(audio, tuple(sorted(segments, key=lambda said: said.start)))


def _limited(reference: Reference, limit_s: float) -> Reference:
    kept = tuple(takewhile(lambda said: said.end <= limit_s, reference.segments))
    if len(kept) == len(reference.segments):
        return reference
    if not kept:
        raise FolderError(
            f"No segment of {reference.name} ends within {limit_s / 60:g} minutes; allow more with --minutes."
        )
    return Reference(reference.audio, kept, max(kept[-1].end, min(limit_s, reference.segments[len(kept)].start)))
