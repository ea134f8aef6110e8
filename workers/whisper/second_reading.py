"""The second reading of windows that the model is not sure of: five beams and no timestamps.

Without timestamps Whisper mistakes fewer words but leaves out more of them, because it ends a window whose speech
pauses; therefore a second reading counts only if it is nearly as long as the first.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import ceil

from torch import Tensor
from whisper.tokenizer import Tokenizer

from workers.memory.geometry import WINDOWS_PER_SEARCH
from workers.whisper import beam, guards
from workers.whisper.decoding import Decoded, Prompt
from workers.whisper.inference.decoder import Decoder

SURE_LOGPROB = -0.2
"""avg_logprob from which the first reading counts; a second one does not correct surer windows."""
KEPT_CHARACTERS = 0.9
"""Minimum length of a second reading, as a share of the first one's."""


def improve(decoder: Decoder, prompt: Prompt, features: Sequence[Tensor], first: Sequence[Decoded]) -> list[Decoded]:
    """Decode unsure windows again; return the better result of each window.

    Args:
        decoder: the model's decoder.
        prompt: the tokens before the text of every window.
        features: features of each window, shape (positions, width).
        first: the first reading of each window.
    """
    best = list(first)
    plain = replace(prompt, timestamps=False)
    unsure = [row for row, one in enumerate(first) if one.avg_logprob < SURE_LOGPROB and not guards.silent(one)]
    together = ceil(len(first) / WINDOWS_PER_SEARCH)
    for start in range(0, len(unsure), together):
        rows = unsure[start : start + together]
        for row, second in zip(rows, beam.search(decoder, plain, [features[row] for row in rows]), strict=True):
            best[row] = better(first[row], second, prompt.tokenizer)
    return best


def better(first: Decoded, second: Decoded, tokenizer: Tokenizer) -> Decoded:
    """Return the second reading if it passes the checks and is nearly as long as a first one that does too.

    Otherwise return the first.
    """
    before, after = first.text(tokenizer), second.text(tokenizer)
    if guards.silent(second) or guards.reason_to_retry(second, after):
        return first
    is_whole = len(after) >= KEPT_CHARACTERS * len(before)
    return second if is_whole or guards.reason_to_retry(first, before) else first
