"""Greedy and temperature-sampled decoding of audio features to tokens."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from whisper.tokenizer import Tokenizer

from workers.whisper.inference.decoder import Decoder, DecoderState
from workers.whisper.inference.decoder_step import decoder_step
from workers.whisper.logit_filters import LogitFilters
from workers.whisper.repetition import ends_in_loop


@dataclass(frozen=True)
class Decoded:
    """The decoded tokens of one window with their scores."""

    tokens: tuple[int, ...]
    """Text and timestamps, without the prompt and the end token."""
    logprobs: tuple[float, ...]
    """Log-probability (natural logarithm) of each token after the logit filters."""
    avg_logprob: float
    """Mean log-probability including the end token, as in openai-whisper."""
    no_speech_prob: float
    temperature: float

    def text(self, tokenizer: Tokenizer) -> str:
        """Return the text without timestamps."""
        return str(tokenizer.decode([token for token in self.tokens if token < tokenizer.eot])).strip()


@dataclass(frozen=True)
class Prompt:
    """The tokens that precede the text of a window."""

    tokenizer: Tokenizer
    context: tuple[int, ...] = ()
    """Preceding text that shows the spelling of names and terms."""
    timestamps: bool = True
    """Whether timestamps are decoded between the words."""

    @property
    def tokens(self) -> list[int]:
        """All tokens before the first decoded token."""
        before = [self.tokenizer.sot_prev, *self.context] if self.context else []
        after = [] if self.timestamps else [self.tokenizer.no_timestamps]
        return [*before, *self.tokenizer.sot_sequence, *after]

    @property
    def sot(self) -> int:
        """Position of the start-of-transcript token, at which the no-speech probability is read."""
        return self.tokens.index(self.tokenizer.sot)


def start(decoder: Decoder, prompt: Prompt, state: DecoderState) -> tuple[Tensor, list[float]]:
    """Prefill the prompt for every window; return the first logits and the no-speech probabilities."""
    tokens = prompt.tokens
    hidden, _ = decoder.prefill([tokens] * len(state.lengths), state, remember=True)
    first = decoder.logits(torch.stack([window[-1] for window in hidden]))
    at_sot = decoder.logits(torch.stack([window[prompt.sot] for window in hidden]))
    no_speech = at_sot.softmax(dim=-1)[:, prompt.tokenizer.no_speech]
    return first, no_speech.tolist()


@torch.inference_mode()
def decode(
    decoder: Decoder,
    prompt: Prompt,
    state: DecoderState,
    *,
    temperature: float = 0.0,
    seeds: Sequence[int] = (),
) -> list[Decoded]:
    """Decode a batch of windows together; finished and looping rows are excluded from further steps.

    Args:
        decoder: the model's decoder.
        prompt: the tokens before the text of every window.
        state: KV caches filled with the windows' features.
        temperature: 0 selects the most probable token; a higher value samples.
        seeds: one per window if sampling, so that a window's text does not depend on the rest of the batch.
    """
    tokenizer, count, begin = prompt.tokenizer, len(state.lengths), len(prompt.tokens)
    logits, no_speech = start(decoder, prompt, state)
    go_on = decoder_step(decoder, state)
    rules = LogitFilters(tokenizer, logits.shape[1], count, logits.device, timestamps=prompt.timestamps)
    draws = [torch.Generator(logits.device).manual_seed(seed) for seed in seeds]
    tokens: list[list[int]] = [[] for _ in range(count)]
    logprobs: list[list[float]] = [[] for _ in range(count)]
    rows = list(range(count))
    limit = min(decoder.context // 2, decoder.context - begin)
    for step in range(limit):
        rules.apply(logits)
        chosen = _choose(logits, temperature, [draws[row] for row in rows] if temperature else [])
        rules.update(chosen)
        sure = logits.gather(1, chosen[:, None])[:, 0] - logits.logsumexp(dim=-1)
        alive = []
        for i, (row, token, logprob) in enumerate(zip(rows, chosen.tolist(), sure.tolist(), strict=True)):
            logprobs[row].append(logprob)
            if token == tokenizer.eot:
                continue
            tokens[row].append(token)
            if not ends_in_loop(tokens[row]):
                alive.append(i)
        if not alive or step == limit - 1:
            break
        if len(alive) < len(rows):
            rows = [rows[i] for i in alive]
            keep = torch.tensor(alive, device=logits.device)
            rules.select(keep)
            chosen = chosen[keep]
        logits = go_on(chosen, begin + step, rows)
    return [
        Decoded(
            tokens=tuple(tokens[row]),
            logprobs=tuple(logprobs[row][: len(tokens[row])]),
            avg_logprob=sum(logprobs[row]) / (len(tokens[row]) + 1),
            no_speech_prob=no_speech[row],
            temperature=temperature,
        )
        for row in range(count)
    ]


def _choose(logits: Tensor, temperature: float, draws: Sequence[torch.Generator]) -> Tensor:
    if temperature == 0:
        return logits.argmax(dim=-1)
    chances = (logits / temperature).softmax(dim=-1)
    return torch.cat([torch.multinomial(row, 1, generator=draw) for row, draw in zip(chances, draws, strict=True)])
