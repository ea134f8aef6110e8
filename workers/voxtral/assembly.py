"""Assembly of an episode's analysis from the notes on its sections."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.errors import EngineError
from pipeline.types import (
    ActionItem,
    Analysis,
    CustomAnswer,
    KeyPoint,
    Mention,
    Options,
    Quote,
    Sentiment,
    Unread,
)
from workers.voxtral import prompts
from workers.voxtral.answer_schemas import AnswerSchema, Mood, Said
from workers.voxtral.backend import TextBackend
from workers.voxtral.deadline import Deadline
from workers.voxtral.prompts import DETAILS, OVERVIEW, Note, Notes
from workers.voxtral.reduction import reduce, reduce_own

MOST_QUOTES = 12
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Part:
    """The notes on a section, without its audio."""

    start_s: float
    length_s: float
    notes: Notes | None
    """None for silence, which is not analyzed."""


def assemble(
    parts: Sequence[Part], options: Options, length_s: float, reader: TextBackend, model: str, deadline: Deadline
) -> Analysis:
    """Return the analysis of an episode from sections of at most `length_s`, without chapters.

    The model summarizes the notes of the sections. Quotes are copied unchanged, because rephrased words are no quotes.

    Raises:
        EngineError: no answer about any section can be read.
    """
    heard_s = sum(part.length_s for part in parts)
    spoken = [(part, part.notes) for part in parts if part.notes is not None]
    notes = [known for _, known in spoken]
    if not notes:
        return Analysis(source="voxtral", model=model, summary="", sections=len(parts), heard_s=heard_s)
    check_some_answered(notes)
    overview = reduce(reader, OVERVIEW, [known.get(OVERVIEW) for known in notes], deadline)
    details = reduce(reader, DETAILS, [known.get(DETAILS) for known in notes], deadline)
    own_answers = [own_answer(notes, text, reader, deadline) for text in options.questions]
    last: list[Note[AnswerSchema]] = [overview, details]
    whole, rest = overview.answer, details.answer
    translation = reply = transcription = None
    if options.translate_to and whole.summary:
        translated = reader.ask(prompts.translation(whole.summary, options.translate_to), deadline)
        last.append(translated)
        translation = None if translated.missing else translated.answer.text
    if options.reply and whole.summary:
        replied = reader.ask(prompts.reply(whole.summary, rest.key_points), deadline)
        last.append(replied)
        reply = None if replied.missing else replied.answer.text
    if options.second_opinion == "full":
        asked = prompts.transcription(options, length_s)
        transcription = "\n".join(known.get(asked).answer.text for known in notes)
    return Analysis(
        source="voxtral",
        model=model,
        title=whole.title,
        summary_sentence=whole.sentence,
        summary=whole.summary,
        language=_most_spoken([(part.length_s, known) for part, known in spoken]),
        topics=whole.topics,
        key_points=tuple(KeyPoint(text=text) for text in rest.key_points),
        action_items=tuple(ActionItem(text=task.text, owner=task.owner) for task in rest.action_items),
        sentiment=_sentiment(whole.sentiment),
        people_and_organisations=tuple(
            Mention(name=named.name, kind=named.kind, role=named.role) for named in rest.people_and_organisations
        ),
        quotes=_quotes(notes),
        answers=tuple(answer for answer, _ in own_answers),
        translation=translation,
        reply=reply,
        transcription=transcription,
        sections=len(parts),
        heard_s=heard_s,
        unread=tuple(
            Unread(start_s=part.start_s, end_s=part.start_s + part.length_s) for part, known in spoken if known.missing
        ),
        truncated=any(note.truncated for note in last)
        or any(truncated for _, truncated in own_answers)
        or any(known.truncated for known in notes),
    )


def check_some_answered(notes: Sequence[Notes]) -> None:
    """Raise EngineError if no answer about any section can be read."""
    if notes and all(known.is_empty for known in notes):
        raise EngineError(notes[0].missing[0])


def own_answer(
    notes: Sequence[Notes], question: str, reader: TextBackend, deadline: Deadline
) -> tuple[CustomAnswer, bool]:
    """Return the answer to a listener's question from the notes on sections, and whether a part was truncated."""
    told = [known.get(prompts.own(question)) for known in notes]
    whole = reduce_own(reader, question, told, deadline)
    truncated = any(note.truncated for note in told)
    if whole is None:
        return CustomAnswer(question=question, answer=None), truncated
    quotes = [Quote(text=text) for note in told if note.answer.answer for text in note.answer.quotes if text.strip()]
    answer = CustomAnswer(question=question, answer=whole.answer.text, quotes=tuple(quotes[:MOST_QUOTES]))
    return answer, truncated or whole.truncated


def _sentiment(mood: Mood | None) -> Sentiment | None:
    if mood is None or mood.label is None:  # the answer was truncated before this field
        return None
    return Sentiment(label=mood.label, reason=mood.reason)


def _most_spoken(spoken: Sequence[tuple[float, Notes]]) -> str:
    seconds: Counter[str] = Counter()
    for length_s, known in spoken:
        overview = known.get(OVERVIEW)
        seconds[overview.answer.language or ""] += 0 if overview.missing else round(length_s)
    return max(seconds, key=seconds.__getitem__)


def _without_repeats(each: Sequence[Sequence[Said]]) -> list[list[Said]]:
    """Return the quotes of each section without repeats from earlier ones, such as jingles."""
    seen: set[tuple[str, ...]] = set()
    kept: list[list[Said]] = []
    for quotes in each:
        kept.append([])
        for quote in quotes:
            words = tuple(_WORD.findall(quote.text.casefold()))
            if words and words not in seen:
                seen.add(words)
                kept[-1].append(quote)
    return kept


def _quotes(notes: Sequence[Notes]) -> tuple[Quote, ...]:
    each = _without_repeats([known.get(DETAILS).answer.quotes for known in notes])
    # The first quote of every section ranks before any second one, so that every part of a long episode is covered.
    ranked = [(rank, place) for place, quotes in enumerate(each) for rank in range(len(quotes))]
    chosen = sorted(sorted(ranked)[:MOST_QUOTES], key=lambda pick: (pick[1], pick[0]))
    return tuple(Quote(text=each[place][rank].text, speaker=each[place][rank].speaker) for rank, place in chosen)
