"""The analysis of a result: Voxtral's, or what stands in for it, with the best chapters that there are."""

from collections.abc import Callable, Sequence

from pipeline.types import Analysis, Chapter, MergedTranscript, Transcript
from pipeline.types.time_format import hms


def with_outline(
    found: Analysis | None, transcript: MergedTranscript | None, outline: Callable[[Transcript], Analysis]
) -> Analysis | None:
    """Return Voxtral's analysis, or else an outline of the transcript; None without both.

    If Voxtral ended before the transcript did, its analysis gets the chapters of the outline.
    """
    if transcript is None or not transcript.text.strip() or (found and found.chapters):
        return found
    outlined = outline(spoken_part(transcript))
    if found is None:
        return outlined
    return found.model_copy(update={"chapters": outlined.chapters, "chapters_source": outlined.chapters_source})


def with_published(analysis: Analysis, published: Sequence[Chapter]) -> Analysis:
    """Return the analysis with the publisher's chapters, if there are any."""
    if not published:
        return analysis
    return analysis.model_copy(update={"chapters": tuple(published), "chapters_source": "publisher"})


def unread_flaws(analysis: Analysis) -> tuple[str, ...]:
    """Return a sentence that names the parts of the episode that the analysis leaves out; none if it has all."""
    if not analysis.unread:
        return ()
    parts = ", ".join(f"{hms(it.start_s)} to {hms(it.end_s)}" for it in analysis.unread)
    return (
        f"Voxtral's server gave answers about {parts} that could not be read, so the analysis leaves that out; "
        "process it again with --force, on a server that knows response_format json_schema.",
    )


def spoken_part(transcript: MergedTranscript) -> Transcript:
    """Return the transcript without its suppressed segments, as chapters and outline are made from it."""
    return transcript.model_copy(update={"segments": transcript.spoken})
