"""Quality gate: warnings about a finished transcript."""

from pipeline.results.uncertainty import plain, speech_without_words
from pipeline.types import MergedTranscript
from pipeline.types.graphemes import shortened
from pipeline.types.time_format import hms

SHORTFALL_SHARE = 0.02
SHORTFALL_S = 2.0
"""Tolerated shortfall of audio in seconds, because headers round and encoders pad."""
BROKEN_FRAMES_TOLERATED = 20
"""About half a second; each advertisement inserted into an MP3 breaks one or two frames."""
JUDGED_FROM_S = 20.0
"""Minimum seconds of speech or audio to check words per minute and coverage."""
FEWEST_WORDS_PER_MINUTE = 40.0
"""Minimum per minute of detected speech; 100 to 200 are usual."""
MOST_WORDS_PER_MINUTE = 400.0
"""Maximum per minute of detected speech, faster than sustained human speech."""
FEWEST_WORDS_PER_AUDIO_MINUTE = 3.0
UNHEARD_SHARE = 0.3
LOOPED_SHARE = 0.1
REPEATED_FROM_WORDS = 200
FEWEST_NEW_TRIPLES = 0.35
"""Minimum share of distinct word triples among all; above 0.8 in an hour of speech."""
DISAGREEMENT = 0.25


def quality_warnings(transcript: MergedTranscript) -> tuple[str, ...]:
    """Return one sentence per flaw, with its remedy; empty if there is none."""
    checks = (_cut_short, _damaged, _speechless, _sparse, _hurried, _uncovered, _looped, _repetitive)
    return tuple(sentence for check in checks if (sentence := check(transcript)))


def disagreement(transcript: MergedTranscript) -> tuple[str, ...]:
    """Return a sentence if the texts of the two models differ too much; else an empty tuple."""
    words = sum(len(_words(segment.text)) for segment in transcript.spoken)
    differing = sum(
        len(_words(segment.text)) * (1 - segment.agreement)
        for segment in transcript.spoken
        if segment.agreement is not None
    )
    if not words or differing / words <= DISAGREEMENT:
        return ()
    return (
        f"The two models disagree on {differing / words:.0%} of the words; listen to the marked places "
        "before you rely on them.",
    )


def _cut_short(transcript: MergedTranscript) -> str:
    missing_s = transcript.expected_s - transcript.audio_s
    if missing_s <= max(SHORTFALL_S, SHORTFALL_SHARE * transcript.expected_s):
        return ""
    return (
        f"File is cut off: {hms(transcript.audio_s)} of {hms(transcript.expected_s)} is there "
        f"({hms(missing_s)} missing). Copy the episode again."
    )


def _damaged(transcript: MergedTranscript) -> str:
    if transcript.broken_frames <= BROKEN_FRAMES_TOLERATED:
        return ""
    return (
        f"{transcript.broken_frames} damaged pieces of the file could not be decoded and were left out; "
        "copy the episode again if that matters."
    )


def _speechless(transcript: MergedTranscript) -> str:
    if transcript.text.strip():
        return ""
    remedy = "check that this is the right file and that it is not silent."
    sentence = f"No speech was found in {hms(transcript.audio_s)} of audio"
    if invented := [segment.text for segment in transcript.segments if segment.dropped]:
        return f"{sentence}; what Whisper wrote ({_shortened(invented[0])!r}) was left out; {remedy}"
    return f"{sentence}; {remedy}"


def _sparse(transcript: MergedTranscript) -> str:
    count = len(_words(transcript.text))
    speech_s = _speech_s(transcript)
    if count and speech_s >= JUDGED_FROM_S and count / speech_s * 60 < FEWEST_WORDS_PER_MINUTE:
        return (
            f"Only {_counted(count)} found in {hms(speech_s)} of speech ({_shortened(transcript.text)!r}); "
            "set the language, or use a larger DUET_WHISPER_MODEL."
        )
    too_few = count / transcript.audio_s * 60 < FEWEST_WORDS_PER_AUDIO_MINUTE if transcript.audio_s else False
    if count and transcript.audio_s >= JUDGED_FROM_S and too_few:
        return (
            f"Only {_counted(count)} found in {hms(transcript.audio_s)} of audio ({_shortened(transcript.text)!r}); "
            "check that this is the right file."
        )
    return ""


def _hurried(transcript: MergedTranscript) -> str:
    count, speech_s = len(_words(transcript.text)), _speech_s(transcript)
    if speech_s < JUDGED_FROM_S or count / speech_s * 60 <= MOST_WORDS_PER_MINUTE:
        return ""
    return (
        f"{count} words in {hms(speech_s)} of detected speech are more than anyone says; some are invented. "
        "Use a larger DUET_WHISPER_MODEL."
    )


def _uncovered(transcript: MergedTranscript) -> str:
    speech_s = _speech_s(transcript)
    missed_s = sum(end_s - start_s for start_s, end_s in speech_without_words(transcript))
    if not transcript.text.strip() or speech_s < JUDGED_FROM_S or missed_s / speech_s <= UNHEARD_SHARE:
        return ""
    return (
        f"{hms(missed_s)} of {hms(speech_s)} of detected speech got no words; set the language, "
        "or use a larger DUET_WHISPER_MODEL."
    )


def _looped(transcript: MergedTranscript) -> str:
    lengths = [(len(segment.text), bool(segment.dropped)) for segment in transcript.segments]
    looped = sum(length for length, dropped in lengths if dropped)
    if not transcript.text.strip() or looped <= LOOPED_SHARE * sum(length for length, _ in lengths):
        return ""
    return (
        f"{sum(dropped for _, dropped in lengths)} of {len(lengths)} segments were loops or inventions "
        "and were left out; listen to these places, or use a larger DUET_WHISPER_MODEL."
    )


def _repetitive(transcript: MergedTranscript) -> str:
    words = _words(transcript.text)
    if len(words) < REPEATED_FROM_WORDS:
        return ""
    triples = set(zip(words, words[1:], words[2:], strict=False))
    if len(triples) >= FEWEST_NEW_TRIPLES * (len(words) - 2):
        return ""
    return (
        "The transcript says the same words again and again; if the episode does not, set the language, "
        "or use a larger DUET_WHISPER_MODEL."
    )


def _speech_s(transcript: MergedTranscript) -> float:
    return sum(end_s - start_s for start_s, end_s in transcript.speech or ())


def _words(text: str) -> list[str]:
    return plain(text).split()


def _counted(count: int) -> str:
    return f"{count} word{'s' if count > 1 else ''}"


def _shortened(text: str) -> str:
    return shortened(" ".join(text.split()), 60)
