"""Language detection: the languages of the first windows, and the language of the episode."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from whisper.tokenizer import Tokenizer

from pipeline.types import Options
from workers.whisper.inference.decoder import Decoder, DecoderState

VOTES = 5
"""Windows that are asked: enough that an intro in another language does not decide."""


@dataclass(frozen=True)
class Language:
    """A language and how sure it is."""

    code: str
    """ISO 639-1, or Whisper's own code of three letters."""
    probability: float


@dataclass
class LanguageDetector:
    """The language to hear windows in: given, or found by the first of them, or each window's own."""

    options: Options
    seen: list[tuple[Language, float]] = field(default_factory=list)
    """Languages of windows, and the windows' lengths in seconds."""

    @property
    def is_undecided(self) -> bool:
        """Whether windows are still to be asked."""
        if self.options.language:
            return False
        return self.options.mixed_languages or len(self.seen) < VOTES

    @property
    def is_settled(self) -> bool:
        """Whether a window's language no longer hangs on the windows before it."""
        return self.options.mixed_languages or not self.is_undecided

    def add(self, detected: Language | None, length_s: float) -> None:
        """Count a window that was asked."""
        if detected:
            self.seen.append((detected, length_s))

    def language_of(self, detected: Language | None) -> Language:
        """Return the language to hear a window in; `detected` is what it seems to be in by itself."""
        if self.options.language:
            return Language(self.options.language, 1.0)
        return detected if detected and self.options.mixed_languages else longest(self.seen)


def longest(seen: Sequence[tuple[Language, float]]) -> Language:
    """Return the language with most seconds, each weighed by how sure it is; its probability is its share."""
    weights: dict[str, float] = {}
    for language, length_s in seen:
        weights[language.code] = weights.get(language.code, 0.0) + language.probability * length_s
    code = max(weights, key=weights.__getitem__)
    return Language(code, weights[code] / sum(length_s for _, length_s in seen))


@torch.inference_mode()
def detect(decoder: Decoder, tokenizer: Tokenizer, state: DecoderState) -> list[Language]:
    """Return the most probable language of every window.

    Args:
        decoder: the decoder of a multilingual model.
        tokenizer: knows the tokens of the languages.
        state: caches filled with the windows' features.
    """
    hidden, _ = decoder.prefill([[tokenizer.sot]] * len(state.lengths), state)
    chances = decoder.logits(torch.cat(hidden))[:, list(tokenizer.all_language_tokens)].softmax(dim=-1)
    sure, best = chances.max(dim=1)
    codes = tokenizer.all_language_codes
    return [Language(codes[place], chance) for place, chance in zip(best.tolist(), sure.tolist(), strict=True)]
