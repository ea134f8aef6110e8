"""OpenAI's `diarized_json`: segments with their speakers (`TranscriptionDiarized` of the package `openai`)."""

from typing import Any

from fastapi import HTTPException

from pipeline.errors import JobFailedError
from pipeline.types import EpisodeResult, MergedTranscript

NOBODY = "unknown"
"""Label of a segment without a speaker; OpenAI's clients expect a text."""


def diarized_json(result: EpisodeResult) -> dict[str, Any]:
    """Return OpenAI's object; a speaker without a name is `A`, `B` and so on, in the order of their first words.

    Raises:
        JobFailedError: the episode could not be transcribed, or its speakers could not be told apart.
        HTTPException: 501, this installation cannot tell speakers apart.
    """
    outcome, transcript = result.legs["speakers"], result.transcript
    if transcript is None:
        raise JobFailedError(result.reason)
    if outcome.status == "skipped":
        raise HTTPException(501, outcome.reason)
    if outcome.status == "failed":
        raise JobFailedError(outcome.reason)
    return {
        "task": "transcribe",
        "duration": transcript.audio_s,
        "text": transcript.text,
        "segments": _segments(transcript),
        "usage": {"type": "duration", "seconds": transcript.audio_s},
    }


def _segments(transcript: MergedTranscript) -> list[dict[str, Any]]:
    labels = {it.id: it.name or _letters(place) for place, it in enumerate(transcript.speakers)}
    return [
        {
            "type": "transcript.text.segment",
            "id": f"seg_{number:03d}",
            "start": it.start_s,
            "end": it.end_s,
            "text": it.text.strip(),
            "speaker": labels.get(it.speaker or "", NOBODY),
        }
        for number, it in enumerate(transcript.spoken, 1)
    ]


def _letters(place: int) -> str:
    """Return `A` to `Z` and then `AA`, `AB` and so on."""
    rest, letter = divmod(place, 26)
    return (_letters(rest - 1) if rest else "") + chr(ord("A") + letter)
