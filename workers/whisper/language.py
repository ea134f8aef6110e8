"""Language detection in the first windows, and the language of the episode."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import torch
from whisper.tokenizer import Tokenizer

from pipeline.errors import EngineError
from pipeline.types import Options
from pipeline.types.languages import LANGUAGES
from workers.whisper.inference.decoder import Decoder, DecoderState

VOTES = 5
"""Windows in which the language is detected: enough that an intro in another language does not decide."""


@dataclass(frozen=True)
class Language:
    """A language with its probability."""

    code: str
    """ISO 639-1 code, or Whisper's own code of three letters."""
    probability: float


@dataclass
class LanguageDetector:
    """The language of each window: the given one, the one of the first windows, or the window's own."""

    options: Options
    seen: list[tuple[Language, float]] = field(default_factory=list)
    """Detected languages, with the lengths of their windows in seconds."""

    @property
    def is_undecided(self) -> bool:
        """Whether the language must be detected in further windows."""
        if self.options.language:
            return False
        return self.options.mixed_languages or len(self.seen) < VOTES

    @property
    def is_settled(self) -> bool:
        """Whether a window's language no longer depends on the windows before it."""
        return self.options.mixed_languages or not self.is_undecided

    def add(self, detected: Language | None, length_s: float) -> None:
        """Add the detected language of a window."""
        if detected:
            self.seen.append((detected, length_s))

    def language_of(self, detected: Language | None) -> Language:
        """Return the language in which to transcribe a window; `detected` is the window's own language."""
        if self.options.language:
            return Language(self.options.language, 1.0)
        return detected if detected and self.options.mixed_languages else longest(self.seen)


def check_known(code: str | None, model: str, known: Collection[str]) -> None:
    """Check the language of a job, if it is given, against the languages of a model.

    Raises:
        EngineError: the model does not know the language.
    """
    if code is None or code in known:
        return
    larger = "large-v3 or turbo" if code == "yue" else "base, turbo or another multilingual one"
    raise EngineError(
        f"{model} does not know {LANGUAGES.get(code, 'the language').title()} ({code}): leave the language out, "
        f"or set DUET_WHISPER_MODEL to {larger}."
    )


def longest(seen: Sequence[tuple[Language, float]]) -> Language:
    """Return the language with the most seconds, weighted by probability; its own probability is its share."""
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
        tokenizer: a tokenizer with the language tokens.
        state: KV caches filled with the windows' features.
    """
    hidden, _ = decoder.prefill([[tokenizer.sot]] * len(state.lengths), state)
    chances = decoder.logits(torch.cat(hidden))[:, list(tokenizer.all_language_tokens)].softmax(dim=-1)
    sure, best = chances.max(dim=1)
    codes = tokenizer.all_language_codes
    return [Language(codes[place], chance) for place, chance in zip(best.tolist(), sure.tolist(), strict=True)]
