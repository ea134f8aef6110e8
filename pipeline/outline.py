"""An outline made of the transcript alone, for episodes that Voxtral did not hear.

No model: words that this episode uses more than speech in general does are its topics, the sentences
nearest to them its summary (the centroid method of Radev et al., 2004), and a chapter begins where the
words change (TextTiling, Hearst, 1997). Everything is quoted from the transcript, nothing is put anew.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import log, sqrt
from statistics import mean, pstdev

from pipeline.stopwords import STOPWORDS
from pipeline.types import Analysis, Chapter, Transcript

MODEL = "outline"
SUMMARY_SENTENCES = 3
MOST_TOPICS = 8
KEY_POINTS = 5
SHORTEST_CHAPTER_S = 90.0
_COMPARED_S = 75.0
"""How much before and after a place is compared to see whether the subject changes there."""
_LONGEST_SENTENCE = 240
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_END = re.compile(r"(?<=[.!?…。！？])\s*(?=\S)")

Vector = dict[str, float]


@dataclass(frozen=True)
class Sentence:
    """A sentence of the transcript and about when it begins."""

    text: str
    start_s: float
    words: tuple[str, ...]


def outline(transcript: Transcript) -> Analysis:
    """Return what can be said of an episode without having understood it, marked `source="outline"`."""
    spoken = list(sentences(transcript))
    telling = [sentence for sentence in spoken if len(sentence.words) >= 4] or spoken
    weights = _weights(spoken)
    best = _central(telling, weights, max(SUMMARY_SENTENCES, KEY_POINTS))
    summary = sorted(best[:SUMMARY_SENTENCES], key=lambda sentence: sentence.start_s)
    return Analysis(
        source="outline",
        model=MODEL,
        summary=" ".join(_ended(sentence.text) for sentence in summary),
        summary_sentence=_shortened(best[0].text) if best else "",
        language=transcript.language if re.fullmatch(r"[a-z]{2,3}", transcript.language) else "",
        chapters=tuple(_chapters(spoken, weights)),
        topics=tuple(topics(spoken, weights, MOST_TOPICS)),
        key_points=tuple(_shortened(sentence.text) for sentence in best[:KEY_POINTS]),
        heard_s=transcript.audio_s,
    )


def sentences(transcript: Transcript) -> Iterable[Sentence]:
    """Yield a transcript's sentences in order; without punctuation each segment is one.

    A sentence that begins inside a segment gets its share of the segment's time.
    """
    text, start_s = "", 0.0
    for segment in transcript.segments:
        pieces = [piece for piece in _END.split(segment.text.strip()) if piece]
        length = sum(map(len, pieces)) or 1
        before = 0
        for piece in pieces:
            if not text:
                start_s = segment.start_s + (segment.end_s - segment.start_s) * before / length
            text = f"{text} {piece}".strip()
            before += len(piece)
            # Some transcripts have no full stops: then a sentence ends when it is long enough to be one.
            if _END.search(f"{piece} x") or len(text) > _LONGEST_SENTENCE // 2:
                yield _sentence(text, start_s)
                text = ""
    if text:
        yield _sentence(text, start_s)


def topics(spoken: Sequence[Sentence], weights: Vector, most: int) -> list[str]:
    """Return the words and pairs of neighbouring words that say most about the sentences."""
    counts: Counter[str] = Counter()
    for sentence in spoken:
        counts.update(word for word in sentence.words if word in weights)
        pairs = zip(sentence.words, sentence.words[1:], strict=False)
        counts.update(f"{a} {b}" for a, b in pairs if a in weights and b in weights and a != b)
    often = 2 if len(spoken) > 8 else 1
    scores = {
        phrase: count * mean(weights[word] for word in phrase.split()) * (1.5 if " " in phrase else 1.0)
        for phrase, count in counts.items()
        if count >= often and len(phrase) > 2
    }
    chosen: list[str] = []
    for phrase in sorted(scores, key=lambda phrase: (-scores[phrase], phrase)):
        parts = set(phrase.split())
        if not any(parts & set(other.split()) for other in chosen):
            chosen.append(phrase)
        if len(chosen) == most:
            break
    return chosen


def _sentence(text: str, start_s: float) -> Sentence:
    return Sentence(text, start_s, tuple(match.group().casefold() for match in _WORD.finditer(text)))


def _weights(spoken: Sequence[Sentence]) -> Vector:
    """Return what each telling word is worth: less, the more sentences it stands in."""
    present = Counter(word for sentence in spoken for word in set(sentence.words))
    # In languages whose function words are not listed, these are the short ones that stand everywhere.
    everywhere = max(3.0, 0.15 * len(spoken))
    return {
        word: log(1 + len(spoken) / count)
        for word, count in present.items()
        if word not in STOPWORDS and len(word) > 1 and (count <= everywhere or len(word) > 3)
    }


def _vector(spoken: Iterable[Sentence], weights: Vector) -> Vector:
    counts = Counter(word for sentence in spoken for word in sentence.words if word in weights)
    return {word: (1 + log(count)) * weights[word] for word, count in counts.items()}


def _likeness(one: Vector, other: Vector) -> float:
    shared = sum(value * other[word] for word, value in one.items() if word in other)
    return shared / (_length(one) * _length(other)) if shared else 0.0


def _length(vector: Vector) -> float:
    return sqrt(sum(value * value for value in vector.values()))


def _central(spoken: Sequence[Sentence], weights: Vector, most: int) -> list[Sentence]:
    """Return the sentences nearest to all that is said, each unlike those chosen before it."""
    # Rare words make a sentence special, not central: here a word counts for how often it is said.
    counts = Counter(word for sentence in spoken for word in sentence.words if word in weights)
    centre = {word: count * weights[word] for word, count in counts.items() if count > 1} or dict(weights)
    vectors = [_vector([sentence], weights) for sentence in spoken]
    scores = [
        _likeness(vector, centre) * min(1.0, len(sentence.words) / 8) * min(1.0, 40 / max(1, len(sentence.words)))
        for sentence, vector in zip(spoken, vectors, strict=True)
    ]
    chosen: list[int] = []
    while len(chosen) < min(most, len(spoken)):
        left = [index for index in range(len(spoken)) if index not in chosen]
        chosen.append(max(left, key=lambda index: scores[index]))
        scores = [
            score * (1 - _likeness(vector, vectors[chosen[-1]])) for score, vector in zip(scores, vectors, strict=True)
        ]
    return [spoken[index] for index in chosen]


def _chapters(spoken: Sequence[Sentence], weights: Vector) -> Iterable[Chapter]:
    starts = [0, *_turns(spoken, weights)]
    for start, end in zip(starts, [*starts[1:], len(spoken)], strict=True):
        part = spoken[start:end]
        if part:
            title = ", ".join(topics(part, weights, 3)) or _shortened(part[0].text)
            gist = _central(part, weights, 1)[0].text
            yield Chapter(start_s=part[0].start_s if start else 0.0, title=title, gist=_shortened(gist))


def _turns(spoken: Sequence[Sentence], weights: Vector) -> list[int]:
    """Return the indices of the sentences with which the subject changes."""
    breaks = [
        1 - _likeness(_vector(before, weights), _vector(after, weights))
        for index in range(1, len(spoken))
        for before, after in [_around(spoken, index)]
    ]
    if len(breaks) < 8:
        return []
    limit = mean(breaks) + pstdev(breaks) / 2
    turns: list[int] = []
    ends_s = spoken[-1].start_s
    for place in sorted(range(len(breaks)), key=lambda place: -breaks[place]):
        at_s = spoken[place + 1].start_s
        if breaks[place] < limit:
            break
        edges = [0.0, ends_s, *(spoken[turn].start_s for turn in turns)]
        if all(abs(at_s - edge_s) >= SHORTEST_CHAPTER_S for edge_s in edges):
            turns.append(place + 1)
    return sorted(turns)


def _around(spoken: Sequence[Sentence], index: int) -> tuple[list[Sentence], list[Sentence]]:
    at_s = spoken[index].start_s
    first, last = index, index
    while first > 0 and at_s - spoken[first - 1].start_s <= _COMPARED_S:
        first -= 1
    while last < len(spoken) and spoken[last].start_s - at_s <= _COMPARED_S:
        last += 1
    return list(spoken[first:index]), list(spoken[index:last])


def _shortened(text: str) -> str:
    if len(text) <= _LONGEST_SENTENCE:
        return text
    return text[: _LONGEST_SENTENCE - 1].rsplit(" ", 1)[0] + "…"


def _ended(text: str) -> str:
    return text if _END.search(f"{text} x") else f"{text}."
