"""Signs that a window was not heard right: the tests of `whisper.transcribe`, for each window."""

from whisper.utils import compression_ratio

from pipeline.results.uncertainty import COMPRESSION_RATIO as COMPRESSION_RATIO
from pipeline.results.uncertainty import NO_SPEECH as NO_SPEECH
from workers.whisper.decoding import Decoded
from workers.whisper.repetition import loops

LOGPROB = -1.0


def silent(decoded: Decoded) -> bool:
    """Whether the model itself classifies the window as silence."""
    return decoded.no_speech_prob > NO_SPEECH and decoded.avg_logprob <= LOGPROB


def reason_to_retry(decoded: Decoded, text: str) -> str:
    """Return the guard that the window trips, or an empty string.

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
    """Return the compression ratio of a text by zlib; a loop has a high one."""
    return float(compression_ratio(text)) if text else 0.0
