"""Signs that a window was not heard right: the tests of `whisper.transcribe`, for each window."""

from whisper.utils import compression_ratio

from workers.whisper.decoding import Decoded
from workers.whisper.repetition import loops

COMPRESSION_RATIO = 2.4
LOGPROB = -1.0
NO_SPEECH = 0.6


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
