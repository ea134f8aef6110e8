"""Changes in a copy of a transcript or of its captions that somebody has edited."""

import html
import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from itertools import accumulate
from typing import Literal, NamedTuple

from pydantic import TypeAdapter, ValidationError

from pipeline.errors import MessageError
from pipeline.results.corrections.editor import Editor
from pipeline.results.corrections.respacing import blocks
from pipeline.results.formats import FORMATS
from pipeline.types import EpisodeResult, MergedTranscript
from pipeline.types.corrections import Change

Kind = Literal["txt", "srt", "vtt"]
_TIME = r"(?:(\d+):)?(\d\d):(\d\d)[.,](\d{3})"
_TIMES = re.compile(rf"^[ \t]*{_TIME}[ \t]*-->[ \t]*{_TIME}.*$", re.MULTILINE)
_NUMBER = re.compile(r"\n[ \t]*\d+[ \t]*\n?\Z")
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?[ \t]+([^>]*)>")
_TAG = re.compile(r"<[^<>]*>")
LIKE = 0.5
"""Share of words in common from which a text is taken for a copy of another."""
_CHANGES = TypeAdapter(list[Change])
Run = tuple[int, int, int, int]
"""Start and end in the present text, and in the edited one."""


class Block(NamedTuple):
    """A caption, or a paragraph."""

    times: str
    """Start and end; empty of a paragraph."""
    label: str
    """Name of the speaker before its words; empty without one."""
    words: tuple[str, ...]


def changes_in(name: str, data: bytes, result: EpisodeResult) -> list[Change]:
    """Return the changes in a file: a JSON list of them, or an edited copy of the transcript's text or captions.

    Args:
        name: the file's name.
        data: its bytes.
        result: the present result of the episode.

    Raises:
        MessageError: it is no such file, or has other captions than the episode.
    """
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError:
        raise MessageError(f"{name} is not in UTF-8; save it in UTF-8, as it was.") from None
    if name.lower().endswith(".json") or text.lstrip().startswith("["):
        return _listed(name, text)
    if result.transcript is None:
        raise MessageError(f"The episode has no transcript, so {name} cannot be a copy of it.")
    return _edited(name, text, result, result.transcript)


def _listed(name: str, text: str) -> list[Change]:
    try:
        return _CHANGES.validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise MessageError(
            f"{name} is no list of changes: {place}: {first['msg']}; "
            'write [{"start_s": 12.34, "was": "Hub Spot", "becomes": "HubSpot"}].'
        ) from None


def _edited(name: str, text: str, result: EpisodeResult, transcript: MergedTranscript) -> list[Change]:
    kind: Kind = "vtt" if text.startswith("WEBVTT") else "srt" if _TIMES.search(text) else "txt"
    labels = list(transcript.labels.values())
    present, edited = (list(_blocks(it, kind, labels)) for it in (FORMATS[kind].render(result), text))
    _check_copy(name, present, edited)
    _check_captions(name, present, edited)
    letters = _Letters(transcript, [word for block in present for word in block.words])
    starts = [0, *accumulate(len(it.words) for it in present)]
    return [
        letters.change(starts[start] + begin, starts[start] + stop, " ".join(new[fresh:until]))
        for start, end, first, last in _rows(present, edited)
        for old, new in [(_words(present[start:end]), _words(edited[first:last]))]
        for begin, stop, fresh, until in _unequal(old, new)
    ]


def _rows(present: Sequence[Block], edited: Sequence[Block]) -> Iterator[Run]:
    """Yield runs of captions, or paragraphs, with other words; one by one where there are as many as before."""
    is_paired = present[0].times or len(present) == len(edited)
    whole = (0, len(present), 0, len(edited))
    for start, end, first, last in (
        [whole] if is_paired else _unequal(*([it.words for it in them] for them in (present, edited)))
    ):
        if end - start == last - first:
            yield from ((start + n, start + n + 1, first + n, first + n + 1) for n in range(end - start))
        else:
            yield start, end, first, last


def _unequal(old: Sequence[Hashable], new: Sequence[Hashable]) -> Iterator[Run]:
    """Yield the runs that differ."""
    return (it for it in blocks(old, new) if old[it[0] : it[1]] != new[it[2] : it[3]])


def _words(rows: Sequence[Block]) -> list[str]:
    return [word for row in rows for word in row.words]


class _Letters:
    """The transcript as letters without blanks, in which words of any format are found."""

    def __init__(self, transcript: MergedTranscript, shown: Sequence[str]) -> None:
        self._words = [it for _, it in Editor(transcript).words()]
        own = [it.letters.replace("-->", "→") for it in self._words]
        if "".join(own) != "".join(shown):
            raise MessageError("This format does not show every word of the episode; edit transcript.vtt instead.")
        self._own = own
        self._bounds = [0, *accumulate(map(len, own))]
        self._ends = [0, *accumulate(map(len, shown))]

    def change(self, start: int, end: int, text: str) -> Change:
        """Return the change of some shown words, by their numbers, to a text."""
        begin, stop = self._ends[start], self._ends[end]
        first, last = bisect_right(self._bounds, begin) - 1, bisect_left(self._bounds, stop) - 1
        words = self._words[first : last + 1]
        return Change(
            start_s=words[0].word.start_s,
            was=" ".join("".join(it.word.word for it in words).split()),
            becomes=self._own[first][: begin - self._bounds[first]]
            + text
            + self._own[last][stop - self._bounds[last] :],
        )


def _blocks(text: str, kind: Kind, labels: Sequence[str]) -> Iterator[Block]:
    """Yield the captions of a file, or the paragraphs of a text."""
    if kind == "txt":
        for paragraph in re.split(r"\n[ \t]*\n", text):
            if paragraph.strip():
                yield _labelled("", paragraph, labels)
        return
    marks = list(_TIMES.finditer(text))
    ends = [it.start() for it in marks[1:]] + [len(text)]
    for mark, end in zip(marks, ends, strict=True):
        content = (
            _NUMBER.sub("\n", text[mark.end() : end]) if kind == "srt" and end < len(text) else text[mark.end() : end]
        )
        times = " ".join(str(_ms(*mark.groups()[at : at + 4])) for at in (0, 4))
        if kind == "srt":
            yield _labelled(times, content, labels)
        else:
            voice = _VOICE.search(content)
            yield Block(times, html.unescape(voice[1]).strip() if voice else "", _plain(content))


def _plain(content: str) -> tuple[str, ...]:
    return tuple(html.unescape(_TAG.sub("", content)).split())


def _labelled(times: str, content: str, labels: Sequence[str]) -> Block:
    words = content.split()
    for label in labels:
        own = f"{label}:".split()
        if words[: len(own)] == own:
            return Block(times, label, tuple(words[len(own) :]))
    return Block(times, "", tuple(words))


def _ms(hours: str | None, minutes: str, seconds: str, milliseconds: str) -> int:
    return (int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds)) * 1000 + int(milliseconds)


def _check_captions(name: str, present: Sequence[Block], edited: Sequence[Block]) -> None:
    """Check that a copy has the captions of the episode and its speakers.

    Raises:
        MessageError: it has not.
    """
    again = "export the captions again and change only their text"
    if present and present[0].times:
        if len(present) != len(edited):
            raise MessageError(f"{name} has {len(edited)} captions and the episode {len(present)}; {again}.")
        for number, (old, new) in enumerate(zip(present, edited, strict=True), start=1):
            if old.times != new.times:
                raise MessageError(f"Caption {number} of {name} has other times than the episode's; {again}.")
    ours, theirs = ([it.label for it in them if it.label] for them in (present, edited))
    if ours != theirs:
        raise MessageError(f"{name} has other names of speakers; leave them as they are, `duet name` changes them.")


def _check_copy(name: str, present: Sequence[Block], edited: Sequence[Block]) -> None:
    ours, theirs = (Counter(word for block in them for word in block.words) for them in (present, edited))
    if (ours & theirs).total() < LIKE * ours.total() or not ours:
        raise MessageError(f"{name} is no edited copy of this episode's transcript; it has hardly a word of it.")
