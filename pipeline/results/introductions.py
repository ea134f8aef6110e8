"""Introductions: sentences in which a speaker says his own name, or is addressed by it, read without a model.

The reading is careful: a sentence that may mean something else counts for nothing.
"""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from collections.abc import Set as AbstractSet
from itertools import groupby, pairwise
from typing import NamedTuple

from pipeline.results.known_people import KnownPeople, name_at
from pipeline.results.name_runs import small_words
from pipeline.results.no_names import NO_NAMES
from pipeline.results.spoken_sentences import Sentence
from pipeline.results.stopwords import STOPWORDS

OPENING_S = 600.0
"""Seconds at the start in which a person whom nobody knows may introduce himself; later it is often a story."""
SELF, STATION, GREETED, ADDRESSED = 4, 3, 2, 1
"""Weights of the ways to say a name: "I'm Ada", "This is Ada", "Welcome, Ada", "Ada, why?"."""

_OWN = re.compile(
    r"(?i:\b(?:(?P<sure>my name is|my name['’]s|mein name ist|ich heiße|je m['’]appelle|me llamo|mi nombre es)"
    r"|(?P<plain>I['’]m|I am)|(?P<known>ich bin|je suis|soy)|(?P<station>this is)) )"
)
_TOLD = re.compile(
    r"(?i:\b(?:if|when|whenever|like|as|because|than|not|never|imagine|pretend|suppose|say|says|said|saying|tell|told|"
    r"thinks?|thought|goes|went|asks?|asked|he|she|they|wenn|als|sagt|sagte|er|sie|si|quand|dit|il|elle|cuando|dijo)\b)"
)
"""Words before "I'm Ada" that make it a story, a condition or somebody else's words."""
_AFTER = re.compile(
    r"(?i: *(?:$|[,.!?;:…—–]|-)"
    r"| (?:and|here|speaking|reporting|your|the|an?|from|for|with|at|in|of|und|von|aus|et|y)\b)"
)
"""The text after a name that ends it."""
_GREETING = re.compile(
    r"(?i:(?:(?:hello|hi|hey|good|morning|afternoon|evening|welcome|and|well|yes|so|everyone|everybody|again)\b"
    r"[ ,.!]*)*)"
)
_OF_ANOTHER = re.compile(r"(?i:\W*(?:and |so |now )?(?:he|she|they|who|welcome|hello|hi|thanks?|it)\b)")


_GUEST = (
    r"(?:with me(?: today| now)? is|joining (?:me|us)(?: today| now)? is|(?:my|our) guest(?: today)? is|joined by"
    r"|please welcome)"
)


_AND_ANOTHER = re.compile(r" and [A-Z]")
_GUEST_IS = re.compile(rf"(?i:\b{_GUEST}) ")


class Claim(NamedTuple):
    """A sentence by which a speaker has a name."""

    speaker: str
    name: str
    weight: int
    sentence: Sentence


def claims(sentences: Sequence[Sentence], people: KnownPeople) -> list[Claim]:
    """Return the sentences by which speakers have names, in order."""
    people = people.and_more(_announced(sentences))
    small = small_words(" ".join(it.text for it in sentences))
    turns = [list(own) for _, own in groupby(sentences, key=lambda it: it.speaker)]
    own = [claim for turn in turns for place in range(len(turn)) for claim in _own(turn, place, people, small)]
    return own + list(_addressed(turns, people))


def _announced(sentences: Sequence[Sentence]) -> Iterator[str]:
    """Yield the full names of guests who are announced at the start: "with me is Tom Reed"."""
    for sentence in sentences:
        for lead in _GUEST_IS.finditer(sentence.text if sentence.start_s <= OPENING_S else ""):
            said = name_at(sentence.text, lead.end())
            is_alone = (
                said and _AFTER.match(sentence.text, said.end) and not _AND_ANOTHER.match(sentence.text, said.end)
            )
            if said and is_alone and " " in said.name:
                yield said.name


def _own(turn: Sequence[Sentence], place: int, people: KnownPeople, small: AbstractSet[str]) -> Iterator[Claim]:
    sentence = turn[place]
    for lead in _OWN.finditer(sentence.text):
        said = name_at(sentence.text, lead.end())
        if sentence.speaker is None or said is None or not _AFTER.match(sentence.text, said.end):
            continue
        if _TOLD.search(sentence.text[: lead.start()]):
            continue
        known = people.full_name(said.name)
        is_station = bool(lead["station"])
        if is_station and not (known and _is_own_station(turn, place, lead, said.end)):
            continue
        is_likely = _may_be_name(said.name, () if lead["sure"] else STOPWORDS | small)
        if not known and (lead["known"] or sentence.start_s > OPENING_S or not is_likely):
            continue
        yield Claim(sentence.speaker, known or said.name, STATION if is_station else SELF, sentence)


def _is_own_station(turn: Sequence[Sentence], place: int, lead: "re.Match[str]", end: int) -> bool:
    """Whether "this is Ada" opens a sentence, and the speaker goes on as himself."""
    if place + 1 == len(turn) or not _GREETING.fullmatch(turn[place].text[: lead.start()]):
        return False
    return not _OF_ANOTHER.match(turn[place].text, end) and not _OF_ANOTHER.match(turn[place + 1].text)


def _may_be_name(name: str, words_of_speech: Collection[str]) -> bool:
    words = name.casefold().split()
    return words[0] not in NO_NAMES and not all(it in NO_NAMES or it in words_of_speech for it in words)


def _addressed(turns: Sequence[Sequence[Sentence]], people: KnownPeople) -> Iterator[Claim]:
    """Yield the names by which known people are addressed at the end of the turn before theirs."""
    if not people.forms:
        return
    patterns = _patterns(people)
    for place, (turn, after) in enumerate(pairwise(turns)):
        before = turns[place - 1][0].speaker if place else after[0].speaker
        speaker = after[0].speaker
        if speaker is None or turn[0].speaker is None:
            continue
        found = {
            (people.forms[match["name"].casefold()], weight, sentence)
            for sentence in turn[-2:]
            for pattern, weight, fits in patterns
            if (match := pattern.search(sentence.text)) and (fits is None or fits(before, speaker))
        }
        if len({name for name, _, _ in found}) == 1:
            name, weight, sentence = max(found, key=lambda it: (it[1], it[2].start_s))
            yield Claim(speaker, name, weight, sentence)


def _between_two(before: str | None, after: str | None) -> bool:
    return before == after


def _patterns(
    people: KnownPeople,
) -> "list[tuple[re.Pattern[str], int, Callable[[str | None, str | None], bool] | None]]":
    """Return the patterns of addresses with their weights, and a condition on the speakers before and after."""
    names = "|".join(re.escape(form) for form in sorted(people.forms, key=len, reverse=True))
    name = rf"(?P<name>(?i:{names}))\b(?!['’]s)"
    thanks = rf"(?i:\bthank(?:s| you)(?: so much| very much)?(?: for [\w' ]{{1,40}})?),? {name}"
    return [
        (re.compile(rf"(?i:\b(?:welcome(?: back)?(?: to [\w' ]{{1,40}})?|hello|hi)),? {name}"), GREETED, None),
        (re.compile(rf"(?i:\b{_GUEST}) {name}(?! (?:and )?[A-Z])"), GREETED, None),
        (re.compile(rf"^(?i:(?:so|and|but|well|now|okay),? )?{name},.*\?$"), ADDRESSED, None),
        (re.compile(rf", {name}(?:\?|, .*\?)$"), ADDRESSED, None),
        (re.compile(thanks), ADDRESSED, _between_two),
    ]
