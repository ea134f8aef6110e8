"""Names of speakers as Voxtral read them in the transcript: only those whose quote is there and says the name."""

from collections import Counter
from collections.abc import Sequence

from pipeline.results.alignment import spellings
from pipeline.results.speaker_names import FoundName
from pipeline.results.spoken_sentences import Sentence, spoken_sentences
from pipeline.results.timestamps import Index
from pipeline.types import MergedTranscript, NamedSpeaker


def evident(claimed: Sequence[NamedSpeaker], transcript: MergedTranscript) -> tuple[NamedSpeaker, ...]:
    """Return the claims whose quote occurs in the transcript and says the name, with the sentence as it is there.

    Each is marked with the longest turn of its speaker. A name of two speakers is nobody's.
    """
    index, sentences = Index(transcript), spoken_sentences(transcript)
    times = Counter(_key(it.name) for it in claimed)
    found = (_with_evidence(it, index, sentences, transcript) for it in claimed if times[_key(it.name)] == 1)
    return tuple(it for it in found if it)


def by_speaker(named: Sequence[NamedSpeaker], transcript: MergedTranscript) -> dict[str, FoundName]:
    """Return the names by the ids of the speakers, who may be numbered otherwise than when Voxtral was asked."""
    ids = {turn.start_s: turn.speaker for turn in transcript.turns}
    return {
        ids[it.turn_s]: FoundName(it.name, it.quote, it.quote_s)
        for it in named
        if it.turn_s in ids and it.quote_s is not None
    }


def _with_evidence(
    claim: NamedSpeaker, index: Index, sentences: Sequence[Sentence], transcript: MergedTranscript
) -> NamedSpeaker | None:
    turns = [turn for turn in transcript.turns if turn.speaker == claim.speaker]
    times = index.of_quote(claim.quote)
    if not turns or times is None:
        return None
    ends_s = [after.start_s for after in sentences[1:]] + [transcript.audio_s]
    for sentence, end_s in zip(sentences, ends_s, strict=True):
        if sentence.start_s < times[1] and end_s > times[0] and _says(sentence.text, claim.name):
            turn = max(turns, key=lambda it: it.end_s - it.start_s)
            own = {"quote": sentence.text, "quote_s": sentence.start_s, "turn_s": turn.start_s}
            return claim.model_copy(update={"name": " ".join(claim.name.split()), **own})
    return None


def _key(name: str) -> str:
    return " ".join(name.casefold().split())


def _says(text: str, name: str) -> bool:
    """Whether a sentence has the first or the last word of a name, with a capital where the script has them."""
    words = [spelling for word in name.split() for spelling in spellings(word)]
    if not words:
        return False
    for word in text.split():
        letters = word.lstrip("\"'“„«»(¿¡")
        is_capital = letters[:1] != letters[:1].lower() or letters[:1] == letters[:1].upper()
        if is_capital and {words[0], words[-1]} & set(spellings(letters)):
            return True
    return False
