"""The quality checks of `whisper.transcribe`, applied to each window of a batch."""

from whisper.utils import compression_ratio

from pipeline.results.uncertainty import COMPRESSION_RATIO as COMPRESSION_RATIO
from pipeline.results.uncertainty import NO_SPEECH as NO_SPEECH
from workers.whisper.decoding import Decoded
from workers.whisper.repetition import loops

LOGPROB = -1.0


def silent(decoded: Decoded) -> bool:
    """Return whether the model itself classifies the window as silence."""
    return decoded.no_speech_prob > NO_SPEECH and decoded.avg_logprob <= LOGPROB


def reason_to_retry(decoded: Decoded, text: str) -> str:
    """Return the name of the failed check, or an empty string.

    Args:
        decoded: the decoded tokens and scores.
        text: the text of the tokens.
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
    """Return the zlib compression ratio of a text; a loop has a high one."""
    return float(compression_ratio(text)) if text else 0.0
