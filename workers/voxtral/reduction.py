"""Reduction of notes on sections to notes on the episode: the model merges them level by level."""

from collections.abc import Callable, Sequence

from pipeline.types.graphemes import clipped
from workers.voxtral.answer_schemas import Text, Told
from workers.voxtral.backend import TextBackend
from workers.voxtral.deadline import Deadline
from workers.voxtral.prompts import Note, Question, S, as_json, merged, merged_own
from workers.voxtral.repair import fitted

BUDGET_TOKENS = 8_000
"""Tokens of notes in one prompt: a quarter of the context, within which the model still uses all of them."""
# Quotes rephrased by the model are no quotes.
_LEFT_OUT = frozenset({"quotes"})


def reduce(reader: TextBackend, question: Question[S], notes: Sequence[Note[S]], deadline: Deadline) -> Note[S]:
    """Return one answer for the episode from the ordered answers for its parts, of which some may be missing."""
    return _merge_levels(
        reader,
        [note for note in notes if not note.missing] or notes[:1],
        lambda note: as_json(note.answer, _LEFT_OUT),
        lambda texts: merged(question, texts),
        deadline,
    )


def reduce_own(
    reader: TextBackend, question: str, notes: Sequence[Note[Told]], deadline: Deadline
) -> Note[Text] | None:
    """Return the answer to a listener's question for the episode; None if no part has one."""
    answered = [Note(Text(text=note.answer.answer), note.truncated) for note in notes if note.answer.answer]
    if not answered:
        return None
    return _merge_levels(
        reader, answered, lambda note: note.answer.text, lambda texts: merged_own(question, texts), deadline
    )


def _merge_levels(
    reader: TextBackend,
    notes: Sequence[Note[S]],
    write: Callable[[Note[S]], str],
    ask: Callable[[list[str]], Question[S]],
    deadline: Deadline,
) -> Note[S]:
    level = list(notes)
    while len(level) > 1:
        texts = [clip(reader, write(note), BUDGET_TOKENS // 2) for note in level]
        groups = packed([reader.count_tokens(text) for text in texts], BUDGET_TOKENS)
        level = [_merge_group(reader, level[part], ask(texts[part]), deadline) for part in groups]
    return level[0]


def _merge_group(reader: TextBackend, notes: Sequence[Note[S]], question: Question[S], deadline: Deadline) -> Note[S]:
    if len(notes) == 1:
        return notes[0]
    whole = reader.ask(question, deadline)
    if whole.missing:  # rather the start of what the parts have than nothing
        return Note(_joined([note.answer for note in notes]), truncated=True)
    return Note(whole.answer, whole.truncated or any(note.truncated for note in notes))


def _joined(answers: Sequence[S]) -> S:
    """Return the lists of the answers one after another, and else the first value, within the limits of the schema."""
    fields: dict[str, object] = {}
    for name in type(answers[0]).model_fields:
        values = [value for answer in answers if (value := answer.model_dump(mode="json")[name])]
        is_list = bool(values) and isinstance(values[0], list)
        fields[name] = [it for value in values for it in value] if is_list else next(iter(values), None)
    return fitted(type(answers[0]), fields) or answers[0]


def packed(sizes: Sequence[int], budget: int) -> list[slice]:
    """Return slices of neighbours whose total size fits a budget; each size is at most half of the budget.

    Of two neighbouring slices one therefore has at least two members, so every level is shorter than the last.
    """
    slices: list[slice] = []
    start = total = 0
    for index, size in enumerate(sizes):
        if index > start and total + size > budget:
            slices.append(slice(start, index))
            start, total = index, 0
        total += size
    return [*slices, slice(start, len(sizes))]


def clip(reader: TextBackend, text: str, most_tokens: int) -> str:
    """Return a prefix of a text with at most `most_tokens` tokens."""
    while (size := reader.count_tokens(text)) > most_tokens:
        text = clipped(text, min(len(text) * most_tokens // size, len(text) - 1))
    return text
