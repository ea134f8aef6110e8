"""What is wrong with a transcript that is there all the same."""

from pipeline.clock import hms
from pipeline.types import Transcript

SHORTFALL_SHARE = 0.02
SHORTFALL_S = 2.0
"""Headers round, and encoders pad: only a larger difference means that audio is missing."""
BROKEN_FRAMES_TOLERATED = 20
"""About half a second: each place where an advertisement was put into an MP3 costs a frame or two."""


def flaws(transcript: Transcript) -> tuple[str, ...]:
    """Return each flaw as a sentence that says what to do; empty when there is none."""
    found = []
    if missing_s := _missing_s(transcript):
        found.append(
            f"The file ends after {hms(transcript.audio_s)} although its header promises "
            f"{hms(transcript.expected_s)}: {hms(missing_s)} are missing; copy the episode again."
        )
    if transcript.broken_frames > BROKEN_FRAMES_TOLERATED:
        found.append(
            f"{transcript.broken_frames} damaged pieces of the file could not be decoded and were left out; "
            "copy the episode again if that matters."
        )
    if not transcript.text.strip():
        found.append(
            f"No speech was found in {hms(transcript.audio_s)} of audio; "
            "check that this is the right file and that it is not silent."
        )
    return tuple(found)


def _missing_s(transcript: Transcript) -> float:
    missing_s = transcript.expected_s - transcript.audio_s
    return missing_s if missing_s > max(SHORTFALL_S, SHORTFALL_SHARE * transcript.expected_s) else 0.0
