"""Uncertain and dropped segments of a transcript.

The criteria are those of openai-whisper (log probability, compression ratio, no-speech probability), and the
hallucinations its users report most: loops, and "thanks for watching" over silence.
"""

import re
import zlib
from bisect import bisect_left
from collections.abc import Sequence
from math import log

from pipeline.types import MergedTranscript, Segment, Transcript

UNSURE_WORDS = -0.35
"""Mean log probability of a segment's words below which they are uncertain."""
UNSURE_WINDOW = -1.0
COMPRESSION_RATIO = 2.4
SHORTEST_COMPRESSED = 40
"""Bytes below which the compression ratio is not used."""
NO_SPEECH = 0.6
LOOP_TIMES = 6
LONGEST_LOOP = 8
"""Maximum number of words that a loop repeats."""
SAME_SEGMENTS = 4
"""Number of identical segments in a row that form a loop."""
LITTLE_SPEECH = 0.25
"""Share of detected speech below which a segment is over silence or music."""
LEAST_UNHEARD_S = 2.0
NEARBY_S = 0.3
"""Seconds of speech before and after a word that belong to it, given the accuracy of its times."""

OVER_SILENCE = re.compile(
    r"(thank(s| you)( (very|so) much)?( (for|to) (watching|listening|your attention)( .*)?)?"
    r"|(please )?(like and )?subscribe( .*)?|bye( ?bye)?|you"
    r"|(i'll )?see you (next time|in the next video)"
    r"|(subtitles|captions|transcri(bed|ption)|translated) by .*|.*amara\.? ?org.*"
    r"|untertitel.*|vielen dank( .*)?|sous-titr.*|merci d'avoir regard.*|gracias por ver.*|subtítulos.*"
    r"|sottotitoli.*|legendas.*|obrigad[oa]( .*)?|продолжение следует|субтитры.*"
    r"|ご視聴ありがとうございました|谢谢观看|字幕.*)"
)
"""Known hallucinations of Whisper over silence: the closing lines of videos in its training data."""
_UNSPELLED = re.compile(r"[^\w\s'.-]|(?<!\w)[.-]|[.-](?!\w)")


def flag_uncertain(transcript: Transcript) -> MergedTranscript:
    """Return the transcript with the doubts of each segment; segments that are not speech are dropped."""
    merged = as_merged(transcript)
    speech = Speech(merged.speech) if merged.speech is not None else None
    segments = []
    for segment, is_repeat in zip(merged.segments, _repeats(merged.segments), strict=True):
        is_loop = is_repeat or loops(plain(segment.text).split())
        doubts = tuple(_doubts(segment, speech, is_loop=is_loop))
        dropped = _why_dropped(segment, speech, is_loop=is_loop)
        is_plain = not doubts and not dropped
        segments.append(segment if is_plain else segment.model_copy(update={"doubts": doubts, "dropped": dropped}))
    return merged.with_segments(segments)


def as_merged(transcript: Transcript) -> MergedTranscript:
    """Return a transcript as a `MergedTranscript`."""
    if isinstance(transcript, MergedTranscript):
        return transcript
    return MergedTranscript.model_validate(transcript.model_dump(by_alias=True))


class Speech:
    """Spans of detected speech."""

    def __init__(self, spans: Sequence[tuple[float, float]]) -> None:
        self.spans = spans
        self._ends = [end_s for _, end_s in spans]

    def within_s(self, start_s: float, end_s: float) -> float:
        """Return the seconds of speech within a span."""
        total_s = 0.0
        for place in range(bisect_left(self._ends, start_s), len(self.spans)):
            began_s, ended_s = self.spans[place]
            if began_s >= end_s:
                break
            total_s += max(0.0, min(ended_s, end_s) - max(began_s, start_s))
        return total_s


def speech_without_words(transcript: Transcript) -> list[tuple[float, float]]:
    """Return the spans of detected speech, in seconds, without words."""
    words = [(word.start_s, word.end_s) for segment in transcript.segments for word in segment.words]
    words = sorted(words or [(segment.start_s, segment.end_s) for segment in transcript.segments])
    found = []
    place = 0
    for began_s, ended_s in transcript.speech or ():
        free_s = began_s
        while place < len(words) and words[place][0] - NEARBY_S < ended_s:
            start_s, end_s = words[place]
            found.append((free_s, start_s - NEARBY_S))
            free_s = max(free_s, end_s + NEARBY_S)
            if end_s + NEARBY_S > ended_s:
                break  # it may extend into the next span
            place += 1
        found.append((free_s, ended_s))
    return [(start_s, end_s) for start_s, end_s in found if end_s - start_s >= LEAST_UNHEARD_S]


def plain(text: str) -> str:
    """Return a text normalized for comparison: lower case, no punctuation, single blanks."""
    return " ".join(_UNSPELLED.sub(" ", text.casefold().replace("’", "'")).split())


def loops(words: Sequence[str]) -> bool:
    """Return whether one to `LONGEST_LOOP` words repeat `LOOP_TIMES` times in a row and are most of the text."""
    for length in range(1, min(LONGEST_LOOP, len(words) // LOOP_TIMES) + 1):
        same = longest = 0
        for before, after in zip(words, words[length:], strict=False):
            same = same + 1 if before == after else 0
            longest = max(longest, same)
        if longest >= length * (LOOP_TIMES - 1) and longest + length > len(words) / 2:
            return True
    return False


def _doubts(segment: Segment, speech: Speech | None, *, is_loop: bool) -> list[str]:
    found = []
    if _mean_log(segment) < UNSURE_WORDS or segment.avg_logprob < UNSURE_WINDOW:
        found.append("low log probability")
    if is_loop:
        found.append("repetition")
    elif _compression(segment.text) > COMPRESSION_RATIO:
        found.append("high compression ratio")
    if segment.no_speech_prob > NO_SPEECH or _is_over_silence(segment, speech):
        found.append("little speech detected")
    return found


def _why_dropped(segment: Segment, speech: Speech | None, *, is_loop: bool) -> str:
    if is_loop:
        return "The same words again and again: a loop of the model's, not speech."
    silent = _is_over_silence(segment, speech)
    if silent and OVER_SILENCE.fullmatch(plain(segment.text)):
        return "Words that Whisper is known to write where nobody speaks, and no speech was detected there."
    if silent and _mean_log(segment) < UNSURE_WORDS and segment.no_speech_prob > NO_SPEECH:
        return "No speech was detected there, and Whisper itself was not sure of any."
    return ""


def _is_over_silence(segment: Segment, speech: Speech | None) -> bool:
    if speech is None:
        return segment.no_speech_prob > NO_SPEECH
    length_s = segment.end_s - segment.start_s
    return speech.within_s(segment.start_s, segment.end_s) < LITTLE_SPEECH * length_s


def _mean_log(segment: Segment) -> float:
    """Return the mean log probability of the words, or that of the window if there are none."""
    if not segment.words:
        return segment.avg_logprob
    return sum(log(max(word.probability, 1e-4)) for word in segment.words) / len(segment.words)


def _compression(text: str) -> float:
    data = text.strip().encode()
    return len(data) / len(zlib.compress(data)) if len(data) >= SHORTEST_COMPRESSED else 0.0


def _repeats(segments: Sequence[Segment]) -> list[bool]:
    """Return for each segment whether it repeats the one before it in a run of at least `SAME_SEGMENTS`."""
    texts = [plain(segment.text) for segment in segments]
    repeats = [False] * len(texts)
    start = 0
    for place in range(1, len(texts) + 1):
        if place == len(texts) or texts[place] != texts[start]:
            if texts[start] and place - start >= SAME_SEGMENTS:
                repeats[start + 1 : place] = [True] * (place - start - 1)
            start = place
    return repeats
