"""The first words of each speaker, with what is said just before them, where names are said most often."""

from typing import NamedTuple

from pipeline.results.spoken_sentences import Sentence, spoken_sentences
from pipeline.types import MergedTranscript

MOST_SPEAKERS = 12
"""Speakers of one prompt; those who talk longest."""
OWN_SENTENCES, SENTENCES_BEFORE = 4, 3


class FirstWords(NamedTuple):
    """The first sentences of a speaker."""

    speaker: str
    before: tuple[str, ...]
    """Sentences of others just before them."""
    own: tuple[str, ...]


def first_words(transcript: MergedTranscript) -> list[FirstWords]:
    """Return the first words of the speakers who talk longest, in the order of their first words."""
    sentences = spoken_sentences(transcript)
    longest = sorted(transcript.speakers, key=lambda it: -it.talk_s)[:MOST_SPEAKERS]
    wanted = {it.id for it in longest} & {it.speaker for it in sentences}
    return [_of(it.id, sentences) for it in transcript.speakers if it.id in wanted]


def _of(speaker: str, sentences: list[Sentence]) -> FirstWords:
    start = next(place for place, it in enumerate(sentences) if it.speaker == speaker)
    own = [it.text for it in sentences[start:] if it.speaker == speaker]
    before = [it.text for it in sentences[max(0, start - SENTENCES_BEFORE) : start]]
    return FirstWords(speaker, tuple(before), tuple(own[:OWN_SENTENCES]))
