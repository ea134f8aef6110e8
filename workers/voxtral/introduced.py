"""Names of speakers, from their first sentences."""

from collections.abc import Sequence

from pipeline.results.first_words import FirstWords
from pipeline.types import NamedSpeaker
from workers.voxtral import prompts
from workers.voxtral.answer_schemas import Introduced
from workers.voxtral.backend import TextBackend
from workers.voxtral.deadline import Deadline
from workers.voxtral.prompts import Note
from workers.voxtral.reduction import clip

SENTENCES_TOKENS = 160
"""Tokens of a speaker's own sentences, and of those before them, in the prompt."""


def introduced(reader: TextBackend, speakers: Sequence[FirstWords], deadline: Deadline) -> Note[Introduced]:
    """Return the speakers whose names are said in their first sentences or just before them."""
    told = [
        {
            "speaker": it.speaker,
            "before": clip(reader, " ".join(it.before), SENTENCES_TOKENS),
            "sentences": clip(reader, " ".join(it.own), SENTENCES_TOKENS),
        }
        for it in speakers
    ]
    return reader.ask(prompts.introduced(told), deadline)


def named(answer: Introduced, speakers: Sequence[FirstWords]) -> tuple[NamedSpeaker, ...]:
    """Return the first name of each speaker in an answer; the quotes are not checked yet."""
    asked = {it.speaker for it in speakers}
    found = {it.speaker: it for it in reversed(answer.speakers) if it.speaker in asked and it.name.strip()}
    return tuple(NamedSpeaker(speaker=it.speaker, name=it.name, quote=it.quote) for it in found.values())
