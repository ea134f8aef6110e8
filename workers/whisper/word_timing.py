"""Word timing by dynamic time warping of the cross-attention, in one decoder pass over a batch.

The method is that of `whisper.timing`: the alignment heads of the decoder attend to the audio of the
current token, and dynamic time warping turns their weights into a monotonic alignment.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from whisper.tokenizer import Tokenizer

from workers.whisper.inference.decoder import Decoder, DecoderState

POSITIONS_PER_S = 50
PREPENDED = "\"'“¿([{-"
APPENDED = "\"'.。,，!！?？:：”)]}、"
SENTENCE_ENDS = ".。!！?？"
LONGEST_MEDIAN_S = 0.7


@dataclass
class TimedWord:
    """A word with its start and end, in seconds from the window's start."""

    text: str
    start_s: float
    end_s: float
    probability: float
    tokens: int
    """Number of text tokens in the word."""


@torch.inference_mode()
def align(
    decoder: Decoder,
    tokenizer: Tokenizer,
    state: DecoderState,
    heads: Sequence[tuple[int, int]],
    texts: Sequence[Sequence[int]],
    chances: Sequence[Sequence[float]],
    lengths_s: Sequence[float],
) -> list[list[TimedWord]]:
    """Return the timed words of each window of a batch.

    Args:
        decoder: the model's decoder.
        tokenizer: splits tokens into words.
        state: KV caches from decoding the windows.
        heads: (layer, head) pairs of the alignment heads.
        texts: tokens of each window without timestamps.
        chances: probability of each token, 0 to 1.
        lengths_s: audio length of each window without padding, in seconds.
    """
    before = [*tokenizer.sot_sequence, tokenizer.no_timestamps]
    spoken = [row for row, text in enumerate(texts) if text]
    if not spoken:
        return [[] for _ in texts]
    _, scores = decoder.prefill([[*before, *text, tokenizer.eot] for text in texts], state, heads=heads)
    words: list[list[TimedWord]] = [[] for _ in texts]
    for row in spoken:
        positions = max(1, min(scores[row].shape[2], round(lengths_s[row] * POSITIONS_PER_S)))
        cost = _cost(scores[row][:, :, :positions])[len(before) - 1 : -1]
        starts = _token_starts(cost.cpu().numpy()) / POSITIONS_PER_S
        words[row] = _words(tokenizer, list(texts[row]), chances[row], starts.tolist())
    return words


def _cost(scores: Tensor) -> Tensor:
    """Return the negated mean attention of the heads, normalized over tokens and smoothed over time."""
    weights = scores.softmax(dim=-1)
    deviation, mean = torch.std_mean(weights, dim=-2, keepdim=True, unbiased=False)
    return -_median_of_7((weights - mean) / deviation.clamp_min(1e-12)).mean(dim=0)


def _median_of_7(x: Tensor) -> Tensor:
    """Return the running median over the last dimension, reflected at the ends.

    Thirteen exchanges of whole tensors yield the median of seven without sorting (N. Devillard, Fast
    median search, 1998).
    """
    if x.shape[-1] <= 3:
        return x
    padded = torch.nn.functional.pad(x, (3, 3), mode="reflect")
    p = [padded[..., i : i + x.shape[-1]] for i in range(7)]
    for i, j in _EXCHANGES:
        p[i], p[j] = torch.minimum(p[i], p[j]), torch.maximum(p[i], p[j])
    return p[3]


_EXCHANGES = (
    (0, 5), (0, 3), (1, 6), (2, 4), (0, 1), (3, 5), (2, 6), (2, 3), (3, 6), (4, 5), (1, 4), (1, 3), (3, 4),
)  # fmt: skip


@numba.njit(nogil=True, cache=True)
def _token_starts(cost: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the position at which the cheapest monotonic path enters each row, shape (rows,)."""
    rows, columns = cost.shape
    total = np.full((rows + 1, columns + 1), np.inf, np.float32)
    total[0, 0] = 0
    for i in range(1, rows + 1):
        for j in range(1, columns + 1):
            cheapest = min(total[i - 1, j - 1], total[i - 1, j], total[i, j - 1])
            total[i, j] = cost[i - 1, j - 1] + cheapest
    starts = np.zeros(rows, np.int64)
    i, j = rows, columns
    while i > 0:
        starts[i - 1] = j - 1
        diagonal, up, left = total[i - 1, j - 1], total[i - 1, j], total[i, j - 1]
        if diagonal < up and diagonal < left:
            i, j = i - 1, j - 1
        elif up < diagonal and up < left:
            i -= 1
        elif j > 1:
            j -= 1
        else:
            i -= 1
    return starts


def _words(tokenizer: Tokenizer, tokens: list[int], chances: Sequence[float], starts_s: list[float]) -> list[TimedWord]:
    texts, groups = tokenizer.split_to_word_tokens([*tokens, tokenizer.eot])
    words = []
    first = 0
    for text, group in zip(texts[:-1], groups[:-1], strict=True):
        after = first + len(group)
        chance = float(np.mean(chances[first:after]))
        words.append(TimedWord(text, starts_s[first], starts_s[after], chance, len(group)))
        first = after
    _shorten(words)
    return _joined(words)


def _shorten(words: list[TimedWord]) -> None:
    """Shorten words next to the end of a sentence, because the alignment adds the pause there to one of them."""
    longest = 2 * median_length_s(words)
    for before, word in pairwise(words):
        if word.end_s - word.start_s > longest > 0:
            if word.text in SENTENCE_ENDS:
                word.end_s = word.start_s + longest
            elif before.text in SENTENCE_ENDS:
                word.start_s = word.end_s - longest


def median_length_s(words: Sequence[TimedWord]) -> float:
    """Return the median of the nonzero word lengths in seconds, LONGEST_MEDIAN_S at most."""
    lengths = [word.end_s - word.start_s for word in words if word.end_s > word.start_s]
    return min(LONGEST_MEDIAN_S, float(np.median(lengths))) if lengths else 0.0


def _joined(words: list[TimedWord]) -> list[TimedWord]:
    """Join punctuation to its word, and drop the times of the punctuation."""
    joined: list[TimedWord] = []
    opening: TimedWord | None = None
    for word in words:
        if opening is not None:
            word.text, word.tokens = opening.text + word.text, opening.tokens + word.tokens
            opening = None
        if word.text.startswith(" ") and word.text.strip() and word.text.strip() in PREPENDED:
            opening = word
        elif joined and not joined[-1].text.endswith(" ") and word.text in APPENDED:
            joined[-1].text += word.text
            joined[-1].tokens += word.tokens
        else:
            joined.append(word)
    return [*joined, opening] if opening is not None else joined
