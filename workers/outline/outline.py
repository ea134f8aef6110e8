"""The outline of an episode as an `Analysis`."""

import re
from collections.abc import Sequence

from pipeline.types import Analysis, KeyPoint, Transcript
from workers.outline.boundaries import Part, keyness_of, parts
from workers.outline.chapters import chapters
from workers.outline.formulas import formulas
from workers.outline.keyness import Keyness
from workers.outline.sentences import Sentence, ended, sentences, shortened
from workers.outline.summary import central
from workers.outline.topics import topics

MODEL = "outline"
SUMMARY_SENTENCES = 3
KEY_POINTS = 5
SENTENCES_A_POINT = 3
"""Sentences for each key point, at least, so that a short episode is not quoted whole."""
MOST_TOPICS = 8


def outline(transcript: Transcript) -> Analysis:
    """Return topics, summary and chapters extracted from the transcript, marked `source="outline"`.

    No sentence is quoted twice, and none that only greets, takes leave or advertises if there are others.
    """
    language = transcript.language
    spoken = sentences(transcript)
    key = keyness_of(spoken, language)
    cut = parts(spoken, key, transcript.audio_s)
    framing = formulas(spoken, key, language)
    best = central(spoken, key, 1 + SUMMARY_SENTENCES, barred=framing)
    summary = sorted(best[1:], key=lambda sentence: sentence.start_s) or best
    gists = _gists(cut, key, best, framing)
    most_points = min(KEY_POINTS, (len(spoken) - len(framing)) // SENTENCES_A_POINT)
    points = central(spoken, key, most_points, told=[*best, *filter(None, gists)], barred=framing)
    return Analysis(
        source="outline",
        model=MODEL,
        summary=" ".join(ended(sentence.text) for sentence in summary),
        summary_sentence=shortened(best[0].text) if best[1:] else "",
        language=language if re.fullmatch(r"[a-z]{2,3}", language) else "",
        chapters=chapters(cut, key, gists),
        chapters_source="outline" if spoken else None,
        topics=topics(spoken, key, MOST_TOPICS),
        key_points=tuple(KeyPoint(text=shortened(it.text), start_s=it.start_s) for it in points),
        heard_s=transcript.audio_s,
    )


def _gists(
    cut: Sequence[Part], key: Keyness, told: Sequence[Sentence], framing: frozenset[Sentence]
) -> list[Sentence | None]:
    """Return the most central sentence of each chapter that is not told elsewhere, None where there is none."""
    gists: list[Sentence | None] = []
    for part in cut:
        known = [*told, *filter(None, gists)]
        gists.append(next(iter(central(part.sentences, key, 1, told=known, barred=framing)), None))
    return gists
