"""The outline of an episode as an `Analysis`."""

import re

from pipeline.types import Analysis, KeyPoint, Transcript
from workers.outline.boundaries import keyness_of
from workers.outline.chapters import chapters
from workers.outline.sentences import ended, sentences, shortened
from workers.outline.summary import central
from workers.outline.topics import topics

MODEL = "outline"
SUMMARY_SENTENCES = 3
KEY_POINTS = 5
MOST_TOPICS = 8


def outline(transcript: Transcript) -> Analysis:
    """Return topics, summary and chapters extracted from the transcript, marked `source="outline"`."""
    language = transcript.language
    spoken = sentences(transcript)
    key = keyness_of(spoken, language)
    best = central(spoken, key, KEY_POINTS)
    summary = sorted(best[:SUMMARY_SENTENCES], key=lambda sentence: sentence.start_s)
    return Analysis(
        source="outline",
        model=MODEL,
        summary=" ".join(ended(sentence.text) for sentence in summary),
        summary_sentence=shortened(best[0].text) if best else "",
        language=language if re.fullmatch(r"[a-z]{2,3}", language) else "",
        chapters=chapters(spoken, key, transcript.audio_s),
        chapters_source="outline" if spoken else None,
        topics=topics(spoken, key, MOST_TOPICS),
        key_points=tuple(KeyPoint(text=shortened(sentence.text), start_s=sentence.start_s) for sentence in best),
        heard_s=transcript.audio_s,
    )
