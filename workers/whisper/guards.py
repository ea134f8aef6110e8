"""Signs that a window was not heard right: the tests of `whisper.transcribe`, for each window."""

from whisper.utils import compression_ratio

from workers.whisper.decoding import Decoded

COMPRESSION_RATIO = 2.4
LOGPROB = -1.0
NO_SPEECH = 0.6
REPEATS = 6
"""So many times the same few tokens in a row is a loop, not speech."""
LONGEST_LOOP = 8  # tokens


def silent(decoded: Decoded) -> bool:
    """Whether the model itself took the window for silence."""
    return decoded.no_speech_prob > NO_SPEECH and decoded.avg_logprob <= LOGPROB


def reason_to_retry(decoded: Decoded, text: str) -> str:
    """Return which guard the window trips, or an empty string.

    Args:
        decoded: what was decoded.
        text: the text of its tokens.
    """
    if silent(decoded):
        return ""
    if ratio(text) > COMPRESSION_RATIO:
        return "compression ratio"
    if loops(decoded.tokens):
        return "repetition"
    if decoded.avg_logprob < LOGPROB:
        return "log probability"
    return ""


def ratio(text: str) -> float:
    """Return how many times smaller zlib makes a text; a loop is made very small."""
    return float(compression_ratio(text)) if text else 0.0


def loops(tokens: tuple[int, ...]) -> bool:
    """Whether the same one to LONGEST_LOOP tokens come REPEATS times in a row."""
    for length in range(1, LONGEST_LOOP + 1):
        same = 0
        for before, after in zip(tokens, tokens[length:], strict=False):
            same = same + 1 if before == after else 0
            if same >= length * (REPEATS - 1):
                return True
    return False
