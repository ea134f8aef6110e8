"""Links between the analysis of an episode and its speakers."""

from collections import Counter

from pipeline.types import Analysis, Mention, MergedTranscript, Quote


def with_linked_people(analysis: Analysis, transcript: MergedTranscript | None) -> Analysis:
    """Return the analysis with the speaker of each mentioned person, where a speaker has that name."""
    ids = {_key(it.name): it.id for it in reversed(transcript.speakers if transcript else ()) if it.name}
    people = tuple(_linked(it, ids.get(_key(it.name))) for it in analysis.people_and_organisations)
    return analysis.model_copy(update={"people_and_organisations": people})


def name_at(quote: Quote, transcript: MergedTranscript | None) -> str | None:
    """Return the name of a quote's speaker: as the voices tell, or else as Voxtral guessed; None without either.

    Where the voice has no name, Voxtral's guess is better than `Speaker 2`.
    """
    speaker = _speaker_at(quote, transcript) if transcript else None
    names = {it.id: it.name for it in transcript.speakers if it.name} if transcript else {}
    labels = transcript.labels if transcript else {}
    return names.get(speaker or "") or quote.speaker or labels.get(speaker or "")


def _speaker_at(quote: Quote, transcript: MergedTranscript) -> str | None:
    """Return the id of the speaker of most words at a quote's time."""
    if quote.start_s is None or quote.end_s is None:
        return None
    said = Counter(
        word.speaker
        for segment in transcript.spoken
        if segment.start_s < quote.end_s and segment.end_s > quote.start_s
        for word in segment.words
        if word.speaker and word.start_s < quote.end_s and word.end_s > quote.start_s
    )
    return said.most_common(1)[0][0] if said else None


def _linked(mention: Mention, speaker: str | None) -> Mention:
    found = speaker if mention.kind == "person" else None
    return mention if mention.speaker == found else mention.model_copy(update={"speaker": found})


def _key(name: str) -> str:
    return " ".join(name.casefold().split())
